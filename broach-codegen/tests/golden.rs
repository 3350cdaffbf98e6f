//! What is generated for each `.proto` in `tests/golden/`, compared with the `.rs` beside it.
//!
//! `UPDATE_GOLDEN=1 cargo test -p broach-codegen --test golden` writes the `.rs` files anew; the
//! difference that git shows then is the review.

use std::fs;
use std::path::{Path, PathBuf};

use broach_codegen::{Names, Options, Sides};
use prost_build::{Module, Service, ServiceGenerator};

#[test]
fn all_four_shapes() {
    check("greeter", "greeter", Sides::Both);
}

#[test]
fn the_client_alone() {
    check("greeter", "greeter.client", Sides::Client);
}

#[test]
fn the_server_alone() {
    check("greeter", "greeter.server", Sides::Server);
}

#[test]
fn methods_named_like_keywords_and_traits() {
    check("methods", "methods", Sides::Both);
}

#[test]
fn services_named_like_messages() {
    check("clashes", "clashes", Sides::Both);
}

#[test]
fn a_message_named_box() {
    check("box", "box", Sides::Both);
}

#[test]
fn types_of_other_packages_and_well_known_ones() {
    check("types", "types", Sides::Both);
}

#[test]
fn no_package_and_no_methods() {
    check("bare", "bare", Sides::Both);
}

#[test]
fn deprecated_services_and_methods() {
    check("deprecated", "deprecated", Sides::Both);
}

#[test]
fn comments_of_all_kinds() {
    check("comments", "comments", Sides::Both);
}

#[test]
fn every_golden_file_belongs_to_a_test() {
    let this = include_str!("golden.rs");
    for entry in fs::read_dir(golden("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".rs").trim_end_matches(".proto");
        let known = this.contains(&format!("\"{stem}\"")) || stem == "other";
        assert!(known, "no test checks tests/golden/{name}");
    }
}

/// Generates the services of a `.proto` and compares them with a golden file.
fn check(proto: &str, expected: &str, sides: Sides) {
    let mut options = Options::default();
    options.sides = sides;
    options.file_descriptor_set = Some("FILE_DESCRIPTOR_SET".to_owned());
    let actual = generate(&format!("{proto}.proto"), options);
    let path = golden(&format!("{expected}.rs"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differing = (expected.lines().zip(actual.lines())).position(|(old, new)| old != new);
    let line = differing.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    assert!(
        expected == actual,
        "{} differs from what is generated, first in line {}:\n  expected: {}\n  actual:   {}\n\
         If the new text is right, run the tests with UPDATE_GOLDEN=1 and review the difference.",
        path.display(),
        line + 1,
        expected.lines().nth(line).unwrap_or("(no such line)"),
        actual.lines().nth(line).unwrap_or("(no such line)"),
    );
}

fn generate(proto: &str, options: Options) -> String {
    let files = protox::compile([proto], [golden("")]).unwrap().file;
    let names = Names::of(&files, Default::default()).unwrap();
    let requests = files
        .into_iter()
        .map(|file| (Module::from_protobuf_package_name(file.package()), file))
        .collect();
    let (sender, services) = std::sync::mpsc::channel();
    let mut prost = prost_build::Config::new();
    prost.prost_path("::broach_core::codegen::prost");
    prost.prost_types_path("::broach_core::codegen::prost_types");
    prost.service_generator(Box::new(Collect(sender)));
    prost.generate(requests).unwrap();
    drop(prost);
    let texts = services.into_iter().map(|service| {
        let text = broach_codegen::generate(&service, &names, &options);
        syn::parse_file(&text).expect("the text is Rust");
        text
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Hands the services that prost-build finds to this test.
struct Collect(std::sync::mpsc::Sender<Service>);

impl ServiceGenerator for Collect {
    fn generate(&mut self, service: Service, _: &mut String) {
        self.0.send(service).unwrap();
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}
