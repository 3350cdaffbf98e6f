//! What cannot be named in Rust is reported, all of it, with every place that has to do with it.

use broach_codegen::{EnumPrefix, Names, Problem};
use prost_types::FileDescriptorProto;
use protox::file::File;

#[test]
fn methods_that_are_one_in_rust() {
    assert_eq!(
        report(
            "service S {
             rpc GetX(M) returns (M);
             rpc Other(M) returns (M);
             rpc get_x(M) returns (M);
             rpc New(M) returns (M);
             rpc new(M) returns (M);
             }"
        ),
        [
            "methods `GetX` and `get_x` of `p.S` are both `get_x` in Rust | 5:18 3:18 | \
             rename one of them",
            "methods `New` and `new` of `p.S` are both `new_` in Rust | 7:18 6:18 | \
             rename one of them",
        ]
    );
}

#[test]
fn messages_and_enums_that_are_one_in_rust() {
    assert_eq!(
        report("message foo_bar {}\nenum FooBar { A = 0; }"),
        ["enum `p.FooBar` and message `p.foo_bar` are both `p::FooBar` in Rust | 3:6 2:9 | \
             rename one of them: upper and lower case and underscores do not tell names apart in \
             Rust's spelling"]
    );
    assert_eq!(
        report("message Out { message A {} enum a { X = 0; } oneof A_ { int32 b = 1; } }").len(),
        1,
        "prost-build renames the oneof, but not the enum"
    );
}

#[test]
fn nested_types_and_a_package_with_one_module() {
    let files = [
        parse("a.proto", "package foo; message Oof { message Inner {} }"),
        parse("b.proto", "package foo.oof;"),
    ];
    let problems = Names::of(&files, EnumPrefix::Stripped).unwrap_err();
    assert_eq!(
        problems[0].message,
        "the types nested in message `foo.Oof` and package `foo.oof` are both `foo::oof` in Rust"
    );
    assert_eq!(problems[0].places[0].file, "a.proto");
    assert_eq!(problems[0].places[1].file, "b.proto");
    assert_eq!(problems.len(), 1);
}

#[test]
fn fields_and_variants_that_are_one_in_rust() {
    assert_eq!(
        report(
            "message M {
             optional int32 a_b = 1;
             oneof aB { int32 c = 2; int32 C = 3; }
             }
             enum E { E_X = 0; X = 1; E_ALIAS = 0; }"
        ),
        [
            "`a_b` and `aB` of message `p.M` are both `a_b` in Rust | 4:20 3:29 | \
             rename one of them",
            "`c` and `C` of oneof `p.M.aB` are both `C` in Rust | 4:44 4:31 | rename one of them",
            "`E_X` and `X` of enum `p.E` are both `X` in Rust | 6:32 6:23 | rename one of them",
        ]
    );
}

#[test]
fn variants_are_told_apart_by_a_prefix_that_is_kept() {
    let file = parse("p.proto", "package p; enum E { E_X = 0; X = 1; }");
    assert!(Names::of(std::slice::from_ref(&file), EnumPrefix::Kept).is_ok());
    assert!(Names::of(&[file], EnumPrefix::Stripped).is_err());
}

#[test]
fn names_without_a_letter() {
    let problems = report(
        "message _ {}
         message M { int32 __ = 1; }
         enum ___ { ____ = 0; }
         service S { rpc _(M) returns (M); }
         service __ {}",
    );
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert_eq!(
        problems[1],
        "field `p.M.__` cannot be named in Rust | 3:28 | give it a name with a letter"
    );
}

#[test]
fn a_service_gives_way_only_once() {
    assert_eq!(
        report("message Lamp {}\nmessage LampService {}\nservice lamp {}"),
        ["service `p.lamp` finds no name in Rust: `p::Lamp` is message `p.Lamp` | 4:9 2:9 | \
             rename the service or message `p.Lamp`; `LampService` would have done too, but is \
             message `p.LampService`"]
    );
}

#[test]
fn files_of_one_package_share_its_names() {
    let files = [
        parse("a.proto", "package p; message Lamp {}"),
        parse("b.proto", "package p; message LAMP {}"),
        parse("c.proto", "package q; message Lamp {}"),
    ];
    let problems = Names::of(&files, EnumPrefix::Stripped).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].places[0].file, "b.proto");
}

#[test]
fn what_prost_build_deals_with_is_no_problem() {
    for fine in [
        "message M { map<string, M> a = 1; map<string, M> b = 2; }",
        "message M { optional int32 x = 1; message X {} }",
        "message M { oneof x { int32 y = 1; } message X {} }",
        "enum E { E_A = 0; E_B = 1; option allow_alias = true; E_C = 1; }",
        "message A { message C {} } message B { message C {} }",
        "message type { int32 type = 1; int32 self = 2; }",
        "service A { rpc X(M) returns (M); } service B { rpc X(M) returns (M); }",
    ] {
        assert_eq!(report(fine), [""; 0], "{fine}");
    }
}

/// Each problem in one line: message, the lines and columns of its places, help.
fn report(source: &str) -> Vec<String> {
    let file = parse("p.proto", &format!("package p;\n{source}"));
    let Err(problems) = Names::of(&[file], EnumPrefix::Stripped) else {
        return Vec::new();
    };
    problems.iter().map(in_one_line).collect()
}

fn in_one_line(problem: &Problem) -> String {
    let places = problem.places.iter();
    let places: Vec<String> =
        places.map(|place| format!("{}:{}", place.start.line, place.start.column + 1)).collect();
    format!("{problem} | {} | {}", places.join(" "), problem.help)
}

fn parse(name: &str, source: &str) -> FileDescriptorProto {
    let source = format!("syntax = 'proto3';\n{source}");
    let file = File::from_source(name, &source).unwrap();
    file.file_descriptor_proto().clone()
}
