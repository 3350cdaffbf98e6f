//! What each option does, and that descriptors made elsewhere give the same as files.

mod project;

use std::fs;

use broach_build::configure;
use broach_build::prost_types::FileDescriptorSet;
use protox::prost_reflect::DescriptorPool;
use protox::prost_reflect::prost::Message;

use crate::project::Project;

const SHOP: &[(&str, &str)] = &[
    (
        "shop.proto",
        "package shop.v1;
         import \"money.proto\";
         import \"opt.proto\";
         import \"google/protobuf/timestamp.proto\";
         // An order.
         message Order {
           bytes raw = 1;
           map<string, money.Sum> sums = 2;
           google.protobuf.Timestamp at = 3;
         }
         // Sells.
         service Orders {
           // Buys.
           rpc Buy(Order) returns (money.Sum) { option (opt.mark) = \"here\"; }
         }
         service Returns { rpc Send(Order) returns (Order); }",
    ),
    ("money.proto", "package money; message Sum { int64 cents = 1; }"),
    (
        "opt.proto",
        "package opt;
         import \"google/protobuf/descriptor.proto\";
         extend google.protobuf.MethodOptions { string mark = 50000; }",
    ),
];

#[test]
fn options_that_people_know_from_prost_build_are_there() {
    let project = Project::new(SHOP);
    let config = configure()
        .include_dirs([project.path("")])
        .bytes(["shop.v1.Order.raw"])
        .btree_map(["."])
        .type_attribute(".shop.v1", "#[derive(PartialOrd)]")
        .field_attribute("shop.v1.Order.raw", "#[doc(hidden)]")
        .extern_path(".money", "::cash::v1");
    project.compile(config, &["shop.proto"]);
    let text = project.read("shop.v1.rs");
    for expected in [
        "pub raw: ::broach_core::codegen::prost::bytes::Bytes",
        "::prost::alloc::collections::BTreeMap<",
        "#[derive(PartialOrd)]",
        "#[doc(hidden)]\n    pub raw",
        "::cash::v1::Sum",
    ] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    assert_eq!(project.files(), ["mod.rs", "shop.v1.rs"]);
}

#[test]
fn a_service_may_have_a_runtime_of_its_own() {
    let project = Project::new(SHOP);
    project.compile(configure().runtime_of("shop.v1.Returns", "::other"), &["shop.proto"]);
    let text = project.read("shop.v1.rs");
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
    let (orders, returns) = (at("pub static ORDERS:"), at("pub static RETURNS:"));
    let (orders, returns) = (&text[orders..returns], &text[returns..]);
    assert!(orders.contains("::broach_core::codegen::Status") && !orders.contains("::other"));
    assert!(returns.contains("::other::codegen::Status") && !returns.contains("::broach_core"));

    let paths = [project.path("shop.proto")];
    let error = configure().runtime_of("shop.Orders", "::x").out_dir(project.out());
    let error = error.compile(&paths).unwrap_err().to_string();
    assert!(error.contains("`.runtime_of(\"shop.Orders\", ..)` names no service"), "{error}");
    assert!(error.contains("help: the files have shop.v1.Orders, shop.v1.Returns"), "{error}");
}

#[test]
fn descriptors_are_written_with_all_that_is_in_them() {
    let project = Project::new(SHOP);
    let path = project.out().join("set.binpb");
    project.compile(configure().file_descriptor_set_path(&path), &["shop.proto", "money.proto"]);
    let bytes = fs::read(&path).unwrap();
    let set = FileDescriptorSet::decode(&*bytes).unwrap();
    let names: Vec<&str> = set.file.iter().map(|file| file.name()).collect();
    assert_eq!(
        names,
        [
            "google/protobuf/descriptor.proto",
            "google/protobuf/timestamp.proto",
            "money.proto",
            "opt.proto",
            "shop.proto"
        ],
        "imports come first, whatever the order of the files"
    );
    let shop = set.file.last().unwrap();
    let comments = shop.source_code_info.iter().flat_map(|info| &info.location);
    let comments: Vec<&str> = comments.map(|at| at.leading_comments()).collect();
    assert!(comments.contains(&" An order.\n"), "{comments:?}");
    // What a file's own options say is in the bytes, though prost's types know nothing of it.
    let pool = DescriptorPool::decode(&*bytes).unwrap();
    let method = pool.get_service_by_name("shop.v1.Orders").unwrap().methods().next().unwrap();
    let mark = pool.get_extension_by_name("opt.mark").unwrap();
    assert_eq!(method.options().get_extension(&mark).as_str(), Some("here"));
}

#[test]
fn descriptors_made_elsewhere_give_the_same_code_as_files() {
    let project = Project::new(SHOP);
    let path = project.out().join("set.binpb");
    project.compile(configure().file_descriptor_set_path(&path), &["shop.proto"]);
    let names = project.files();
    let texts: Vec<String> = names.iter().map(|name| project.read(name)).collect();

    let mut set = FileDescriptorSet::decode(&*fs::read(&path).unwrap()).unwrap();
    set.file.reverse();
    set.file.retain(|file| !file.name().starts_with("google/protobuf/"));
    let (by_path, by_set) = (Project::new(&[]), Project::new(&[]));
    let again = by_path.out().join("set.binpb");
    let config = configure().out_dir(by_path.out()).file_descriptor_set_path(&again);
    config.compile_fds_path(&path).unwrap();
    configure().out_dir(by_set.out()).compile_fds(set).unwrap();
    for other in [&by_path, &by_set] {
        let found = names.iter().map(|name| other.read(name));
        assert_eq!(found.collect::<Vec<_>>(), texts);
    }
    assert!(fs::read(&path).unwrap() == fs::read(&again).unwrap(), "the descriptors differ");
}

#[test]
fn descriptors_that_are_wrong_are_explained() {
    let project = Project::new(&[(
        "a.proto",
        "package a; import \"b.proto\"; message M { b.B b = 1; }
         service S { rpc GetX(M) returns (M);
         rpc get_x(M) returns (M); }",
    )]);
    project.write("b.proto", "package b; message B {}");
    let paths = [project.path("a.proto")];
    let set = protox::compile(paths, [project.path("")]).unwrap();
    let report = |set: FileDescriptorSet| {
        let error = configure().out_dir(project.out()).compile_fds(set).unwrap_err();
        error.to_string()
    };
    let clash = report(set.clone());
    assert!(clash.contains("a.proto:4:14: methods `GetX` and `get_x`"), "{clash}");

    let mut lacking = set.clone();
    lacking.file.retain(|file| file.name() != "b.proto");
    let lacking = report(lacking);
    assert!(
        lacking.contains("a.proto: the descriptor set lacks its import `b.proto`"),
        "{lacking}"
    );
    assert!(lacking.contains("protoc --include_imports"), "{lacking}");

    let mut wrong = set.clone();
    wrong.file[1].message_type[0].field[0].type_name = Some(".b.Missing".to_owned());
    let wrong = report(wrong);
    assert!(wrong.contains("a.proto: name '.b.Missing' is not defined"), "{wrong}");

    let mut edition = set;
    edition.file[0].syntax = Some("editions".to_owned());
    let edition = report(edition);
    assert!(edition.contains("b.proto: editions are not supported yet"), "{edition}");
    assert!(edition.contains(": 1 error\n"), "{edition}");

    let no_set = configure().out_dir(project.out()).compile_fds_path(project.path("a.proto"));
    let no_set = no_set.unwrap_err().to_string();
    assert!(no_set.contains("a.proto is no file descriptor set"), "{no_set}");
}

#[test]
fn what_is_kept_can_be_compared_with_what_would_be_written() {
    let project = Project::new(SHOP);
    project.compile(configure(), &["shop.proto"]);
    let paths = [project.path("shop.proto")];
    let check = || configure().out_dir(project.out()).check(&paths);
    check().unwrap();

    fs::write(project.out().join("mine.rs"), "// Mine.").unwrap();
    check().expect("a file of somebody else");
    fs::write(project.out().join("old.rs"), project.read("money.rs")).unwrap();
    fs::write(project.out().join("shop.v1.rs"), "x").unwrap();
    fs::remove_file(project.out().join("money.rs")).unwrap();
    let report = check().unwrap_err().to_string();
    for expected in [
        "money.rs is missing",
        "shop.v1.rs is not what the .proto files give",
        "old.rs is left over",
        ": 3 errors",
    ] {
        assert!(report.contains(expected), "no {expected} in {report}");
    }
    assert_eq!(project.read("shop.v1.rs"), "x", "nothing is written");
}
