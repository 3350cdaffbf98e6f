//! What comes out for `.proto` files that are right: which files, with what in them, and when.

mod project;

use std::fs;

use broach_build::configure;

use crate::project::Project;

#[test]
fn each_package_has_a_file_and_one_file_brings_them_in() {
    let project = Project::new(&[
        ("a.proto", "package shop.v1; message A {}"),
        ("b.proto", "package shop.v1; message B {} service S { rpc X(B) returns (B); }"),
        ("c.proto", "package shop; message C {}"),
        ("d.proto", "message D {}"),
    ]);
    project.compile(configure(), &["a.proto", "b.proto", "c.proto", "d.proto"]);
    assert_eq!(project.files(), ["_.rs", "mod.rs", "shop.rs", "shop.v1.rs"]);
    let shop = project.read("shop.v1.rs");
    assert!(shop.contains("pub struct A ") && shop.contains("pub struct B "), "{shop}");
    assert!(shop.contains("pub trait S:") && shop.contains("pub struct SClient "), "{shop}");
    let tree = project.read("mod.rs");
    assert!(
        tree.contains("    pub mod v1 {\n        include!(\"shop.v1.rs\");\n    }\n"),
        "{tree}"
    );
}

#[test]
fn the_same_input_gives_the_same_bytes_and_leaves_the_files_alone() {
    let project = Project::new(&[
        ("a.proto", "package a; message A { map<string, int32> m = 1; }"),
        ("b.proto", "package b; message B {} service S { rpc X(B) returns (B); }"),
    ]);
    let all = ["a.proto", "b.proto"];
    project.compile(configure(), &all);
    let before: Vec<_> = project.files().iter().map(|name| project.read(name)).collect();
    let written = |name: &str| fs::metadata(project.out().join(name)).unwrap().modified();
    let dates: Vec<_> = project.files().iter().map(|name| written(name).unwrap()).collect();

    // Another order of the same files is the same input too.
    project.write("b.proto", "package b; message B {} service S { rpc X(B) returns (B); }");
    project.compile(configure(), &["b.proto", "a.proto"]);
    let after: Vec<_> = project.files().iter().map(|name| project.read(name)).collect();
    let new_dates: Vec<_> = project.files().iter().map(|name| written(name).unwrap()).collect();
    assert_eq!(before, after);
    assert_eq!(dates, new_dates);

    project.write("b.proto", "package b; message B2 {}");
    project.compile(configure(), &all);
    assert_eq!(written("a.rs").unwrap(), dates[0], "nothing in it has changed");
    assert!(project.read("b.rs").contains("pub struct B2 "));
}

#[test]
fn a_file_given_twice_or_in_two_ways_is_one_file() {
    let project = Project::new(&[
        ("a/x.proto", "package x; import \"y.proto\"; message X { y.Y y = 1; }"),
        ("a/y.proto", "package y; message Y {}"),
        ("b/z.proto", "package z; import \"a/y.proto\"; message Z { y.Y y = 1; }"),
    ]);
    let all = ["a/x.proto", "a/x.proto", "a/../a/x.proto", "a/y.proto", "b/z.proto"];
    project.compile(configure(), &all);
    assert_eq!(project.read("y.rs").matches("pub struct Y ").count(), 1);
}

#[test]
fn files_of_one_name_in_two_directories_are_two_files() {
    let project = Project::new(&[
        ("a/v1/service.proto", "package a.v1; message A {}"),
        (
            "b/v1/service.proto",
            "package b.v1; import \"a/v1/service.proto\"; message B { a.v1.A a = 1; }",
        ),
    ]);
    project.compile(configure(), &["a/v1/service.proto", "b/v1/service.proto"]);
    assert!(project.read("b.v1.rs").contains("super::super::a::v1::A"));
}

#[test]
fn imports_are_compiled_too() {
    let project = Project::new(&[
        ("given/a.proto", "package a; import \"sub/b.proto\"; message A { b.B b = 1; }"),
        (
            "elsewhere/sub/b.proto",
            "package b; import public \"sub/c.proto\"; message B { c.C c = 1; }",
        ),
        ("elsewhere/sub/c.proto", "package c; message C {} service S { rpc X(C) returns (C); }"),
    ]);
    let config = configure().include(project.path("given")).include(project.path("elsewhere"));
    project.compile(config, &["given/a.proto"]);
    assert_eq!(project.files(), ["a.rs", "b.rs", "c.rs", "mod.rs"]);
    assert!(project.read("c.rs").contains("pub struct SClient "));
}

#[test]
fn directories_named_like_the_package_say_where_imports_start() {
    let project = Project::new(&[
        (
            "proto/shop/v1/a.proto",
            "package shop.v1; import \"money/v1/b.proto\"; message A { money.v1.B b = 1; }",
        ),
        (
            "proto/money/v1/b.proto",
            "package money.v1; import \"money/v1/c.proto\"; message B { C c = 1; }",
        ),
        ("proto/money/v1/c.proto", "package money.v1; message C {}"),
    ]);
    project.compile(configure(), &["proto/shop/v1/a.proto"]);
    assert_eq!(project.files(), ["mod.rs", "money.v1.rs", "shop.v1.rs"]);
}

#[test]
fn public_imports_are_passed_on_without_end() {
    let project = Project::new(&[
        ("a.proto", "package a; import \"b.proto\"; message A { d.D d = 1; }"),
        ("b.proto", "package b; import public \"c.proto\";"),
        ("c.proto", "package c; import public \"d.proto\"; message C { d.D d = 1; }"),
        ("d.proto", "package d; message D {}"),
    ]);
    project.compile(configure(), &["a.proto"]);
    assert!(project.read("a.rs").contains("super::d::D"));
}

#[test]
fn the_first_directory_that_has_an_import_wins_if_they_were_chosen() {
    let project = Project::new(&[
        ("a.proto", "package a; import \"x.proto\"; message A { x.X x = 1; }"),
        ("one/x.proto", "package x; message X { int32 one = 1; }"),
        ("two/x.proto", "package x; message X { int32 two = 1; }"),
    ]);
    let config = configure()
        .include(project.path(""))
        .include(project.path("two"))
        .include(project.path("one"));
    project.compile(config, &["a.proto"]);
    assert!(project.read("x.rs").contains("pub two: i32"));
}

#[test]
fn well_known_types_are_those_of_prost() {
    let project = Project::new(&[(
        "a.proto",
        "package a;
         import \"google/protobuf/timestamp.proto\";
         import \"google/protobuf/empty.proto\";
         service S { rpc X(google.protobuf.Timestamp) returns (google.protobuf.Empty); }",
    )]);
    project.compile(configure(), &["a.proto"]);
    assert_eq!(project.files(), ["a.rs", "mod.rs"]);
    let text = project.read("a.rs");
    assert!(text.contains("::broach_core::codegen::prost_types::Timestamp"), "{text}");
}

#[test]
fn one_side_alone_can_be_generated() {
    let project =
        Project::new(&[("a.proto", "package a; message M {} service S { rpc X(M) returns (M); }")]);
    project.compile(configure().client_only(), &["a.proto"]);
    let text = project.read("a.rs");
    assert!(text.contains("SClient") && !text.contains("SServer") && !text.contains("trait S"));
    project.compile(configure().server_only(), &["a.proto"]);
    let text = project.read("a.rs");
    assert!(!text.contains("SClient") && text.contains("SServer") && text.contains("trait S"));
}

#[test]
fn the_runtime_may_have_another_name() {
    let project = Project::new(&[(
        "a.proto",
        "package a; message M { string s = 1; } service S { rpc X(M) returns (M); }",
    )]);
    project.compile(configure().runtime("::renamed::inner"), &["a.proto"]);
    let text = project.read("a.rs");
    assert!(text.contains("::renamed::inner::codegen::prost::Message"), "{text}");
    assert!(text.contains("::renamed::inner::codegen::Channel"), "{text}");
    assert!(!text.contains("broach_core"), "{text}");
}

#[test]
fn all_of_prost_build_can_be_configured() {
    let project = Project::new(&[
        (
            "a.proto",
            "package a; import \"b.proto\"; message A { map<int32, b.B> m = 1; }
          enum E { E_X = 0; X = 1; }",
        ),
        ("b.proto", "package b; message B {} service S { rpc X(B) returns (B); }"),
    ]);
    let config = configure().prost(|prost| {
        prost.btree_map(["."]);
        prost.retain_enum_prefix();
        prost.extern_path(".b", "::elsewhere::b");
        prost.type_attribute("a.A", "#[derive(PartialOrd)]");
    });
    project.compile(config, &["a.proto"]);
    let text = project.read("a.rs");
    assert!(text.contains("BTreeMap<"), "{text}");
    assert!(text.contains("::elsewhere::b::B"), "{text}");
    assert!(text.contains("EX = 0") && text.contains("X = 1"), "{text}");
    assert!(text.contains("#[derive(PartialOrd)]"), "{text}");
    assert_eq!(project.files(), ["a.rs", "mod.rs"]);
}

#[test]
fn comments_of_messages_are_documentation_that_is_not_run() {
    let project = Project::new(&[(
        "a.proto",
        "package a;
         // See [B] at https://example.com.
         //
         //     run(me)
         message A {}",
    )]);
    project.compile(configure(), &["a.proto"]);
    let text = project.read("a.rs");
    let expected =
        "/// See \\[B] at <https://example.com>.\n///\n/// ```text\n/// run(me)\n/// ```\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn marks_of_the_encoding_and_of_windows_do_not_matter() {
    let source = "syntax = \"proto3\";\npackage a;\n// One.\n// Two.\nmessage A {}\n";
    let plain = Project::new(&[]);
    plain.write_as_is("a.proto", source);
    plain.compile(configure(), &["a.proto"]);
    let windows = Project::new(&[]);
    windows.write_as_is("a.proto", &format!("\u{feff}{}", source.replace('\n', "\r\n")));
    windows.compile(configure(), &["a.proto"]);
    assert_eq!(plain.read("a.rs"), windows.read("a.rs"));
}

#[test]
fn a_file_with_nothing_in_it_gives_no_module() {
    let project = Project::new(&[("a.proto", "package a; option java_package = \"x\";")]);
    project.compile(configure(), &["a.proto"]);
    assert_eq!(project.files(), ["mod.rs"]);
}
