//! What a user reads when a `.proto` is wrong, compared with the `.txt` files in `tests/errors/`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p broach-build --test errors` writes the `.txt` files anew; the
//! difference that git shows then is the review.

use std::fs;
use std::path::PathBuf;

use broach_build::{Config, configure};

#[test]
fn every_syntax_error_of_a_file() {
    check("syntax", configure(), &["syntax.proto"]);
}

#[test]
fn a_file_that_ends_too_early() {
    check("end", configure(), &["end.proto"]);
}

#[test]
fn everything_that_is_there_twice() {
    check("duplicates", configure(), &["duplicates.proto", "duplicates_too.proto"]);
}

#[test]
fn every_name_that_leads_nowhere_and_number_that_is_taken() {
    check("unresolved", configure(), &["unresolved.proto"]);
}

#[test]
fn every_wrong_option() {
    check("options", configure(), &["options.proto"]);
}

#[test]
fn every_file_with_errors() {
    check("several", configure(), &["syntax.proto", "end.proto", "uses_end.proto"]);
}

#[test]
fn a_file_that_does_not_say_what_it_is() {
    check("no_syntax", configure(), &["no_syntax.proto"]);
}

#[test]
fn editions() {
    check("edition", configure(), &["edition.proto"]);
}

#[test]
fn imports_that_are_not_there() {
    check("imports", configure(), &["imports.proto"]);
}

#[test]
fn imports_from_a_directory_further_up() {
    check("further_up", configure(), &["nested/deep/further_up.proto"]);
}

#[test]
fn imports_that_are_not_in_the_chosen_directories() {
    let config = configure().include(dir("nested"));
    check("not_included", config, &["nested/deep/further_up.proto"]);
}

#[test]
fn imports_that_may_be_either_of_two_files() {
    check("either", configure(), &["nested/either.proto", "nested/deep/common.proto"]);
}

#[test]
fn imports_in_a_circle_and_twice() {
    check("circle", configure(), &["circle.proto", "twice.proto"]);
}

#[test]
fn a_file_in_none_of_the_directories() {
    let config = configure().include(dir("nested/deep"));
    check("outside", config, &["nested/common.proto"]);
}

#[test]
fn a_file_hidden_by_another() {
    let config = configure().include(dir("nested/deep")).include(dir("nested"));
    check("hidden", config, &["nested/common.proto"]);
}

#[test]
fn files_and_directories_that_do_not_exist() {
    check("missing_file", configure(), &["sintax.proto", "nested", "nowhere/x.proto"]);
    let config = configure().include(dir("nowhere")).include(dir("nested"));
    check("missing_directory", config, &["nested/common.proto"]);
    check("no_file", configure(), &[]);
}

#[test]
fn names_that_are_one_in_rust() {
    check("names", configure(), &["names.proto", "names_too.proto"]);
}

#[test]
fn columns_are_those_of_characters() {
    check("unicode", configure(), &["unicode.proto"]);
}

#[test]
fn attributes_that_are_not_rust() {
    let config = configure().prost(|prost| {
        prost.type_attribute(".", "#[derive(");
    });
    check("attribute", config, &["nested/common.proto"]);
}

#[test]
fn settings_that_prost_build_refuses() {
    let config = configure().prost(|prost| {
        prost.extern_path("no.leading.dot", "::x");
    });
    check("prost", config, &["nested/common.proto"]);
}

/// Files with a mistake or a few of one kind, in `tests/errors/broken/`, each compiled alone.
#[test]
fn every_kind_of_mistake() {
    let mut names: Vec<String> = fs::read_dir(dir("broken"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".proto").map(str::to_owned))
        .collect();
    names.sort();
    assert!(20 <= names.len(), "{names:?}");
    for name in names {
        let name = format!("broken/{name}");
        check(&name, configure(), &[&format!("{name}.proto")]);
    }
}

#[test]
fn a_file_that_is_not_utf8() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latin1.proto");
    fs::write(&path, b"syntax = \"proto3\";\n// caf\xe9\n").unwrap();
    let error = configure().out_dir(dir.path()).compile(&[&path]).unwrap_err();
    let report = error.to_string();
    assert!(report.contains("latin1.proto:2:7: the file is not valid UTF-8"), "{report}");
}

#[test]
fn nothing_is_written_if_there_is_an_error() {
    let out = tempfile::tempdir().unwrap();
    let config = configure().out_dir(out.path());
    config.compile(&[dir("nested/common.proto"), dir("end.proto")]).unwrap_err();
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn debug_is_the_report() {
    let error = configure().compile(&["nowhere.proto"]).unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(format!("{error:#?}"), error.to_string());
}

/// Compiles files of `tests/errors/` and compares the report.
fn check(golden: &str, config: Config, files: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|file| dir(file)).collect();
    let actual = match config.out_dir(out.path()).compile(&paths) {
        Err(error) => format!("Error: {error:?}"),
        Ok(()) => panic!("{files:?} compiled"),
    };
    let path = dir(&format!("{golden}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "the report differs from {}:\n{actual}\n\
         If it is right, run the tests with UPDATE_GOLDEN=1 and review the difference.",
        path.display(),
    );
}

fn dir(name: &str) -> PathBuf {
    PathBuf::from("tests/errors").join(name)
}
