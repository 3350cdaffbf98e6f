//! `broach-gen`, the program.

mod project;

use std::fs;
use std::process::{Command, Output};

use broach_build::configure;

use crate::project::Project;

const SHOP: &[(&str, &str)] = &[(
    "shop/v1/shop.proto",
    "package shop.v1;
     message Order { bytes raw = 1; map<string, string> notes = 2; }
     service Orders { rpc Buy(Order) returns (Order); }",
)];

#[test]
fn it_writes_what_a_build_script_would() {
    let (by_script, by_program) = (Project::new(SHOP), Project::new(SHOP));
    let set = by_program.out().join("set.binpb");
    let config = configure()
        .include(by_script.path(""))
        .client_only()
        .runtime("::x")
        .runtime_of("shop.v1.Orders", "::y")
        .bytes(["."])
        .btree_map(["."])
        .type_attribute(".", "#[derive(Eq)]")
        .field_attribute(".", "#[doc = \"a=b\"]");
    by_script.compile(config, &["shop/v1/shop.proto"]);
    let options = [
        "--client-only",
        "--runtime=::x",
        "--runtime-of=shop.v1.Orders=::y",
        "--bytes=.",
        "--btree-map",
        ".",
        "--type-attribute=.=#[derive(Eq)]",
        "--field-attribute",
        ".=#[doc = \"a=b\"]",
    ];
    let output = program(&by_program)
        .args(["shop/v1/shop.proto", "-I", "."])
        .args(options)
        .arg("--descriptor-set")
        .arg(&set)
        .output()
        .unwrap();
    assert_eq!(said(&output), "");
    for name in by_script.files() {
        assert_eq!(by_script.read(&name), by_program.read(&name), "{name}");
    }

    let again = Project::new(&[]);
    let output = program(&again).arg("--fds").arg(&set).args(options).output().unwrap();
    assert_eq!(said(&output), "");
    assert_eq!(again.read("shop.v1.rs"), by_script.read("shop.v1.rs"));
}

#[test]
fn it_says_whether_what_is_kept_is_right() {
    let project = Project::new(SHOP);
    let run = |arguments: &[&str]| {
        program(&project).arg("shop/v1/shop.proto").args(arguments).output().unwrap()
    };
    let missing = run(&["--check"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("shop.v1.rs is missing"), "{}", said(&missing));
    assert!(project.files().is_empty(), "nothing is written");

    assert!(run(&[]).status.success());
    assert!(run(&["--check"]).status.success());
    fs::write(project.out().join("mod.rs"), "").unwrap();
    let changed = run(&["--check"]);
    assert_eq!(changed.status.code(), Some(1));
    assert!(said(&changed).contains("mod.rs is not what"), "{}", said(&changed));
}

#[test]
fn mistakes_are_told_and_end_with_a_code_of_their_own() {
    let project = Project::new(&[("a.proto", "package a; message M { Missing m = 1; }")]);
    let output = program(&project).arg("a.proto").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("a.proto:2:24: name 'Missing' is not defined"));
    assert!(!said(&output).contains('\u{1b}'), "no colours in a file");

    for arguments in [&["--nonsense"][..], &["--extern-path", "x"], &["a.proto", "--fds", "x"]] {
        let output = program(&project).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    }
    let nowhere = Command::new(PROGRAM).arg("a.proto").output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(said(&nowhere).contains("--out DIR"));
    for question in ["--help", "-V"] {
        let output = Command::new(PROGRAM).arg(question).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty());
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_broach-gen");

/// The program in the project's directory, writing to the project's other one.
fn program(project: &Project) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(project.path("")).arg("--out").arg(project.out());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
