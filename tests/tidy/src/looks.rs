//! How files look, as far as rustfmt and clippy do not see to it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::sources::{Source, root, sources};

/// Lines of a file without its unit tests.
const LINES_MAX: usize = 400;

const COLUMNS_MAX: usize = 100;

/// Fails with everything that was found.
fn check(files: &[Source], find: impl Fn(&Source) -> Vec<String>) {
    let wrong: Vec<String> = files.iter().flat_map(find).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn written_by_hand() -> Vec<Source> {
    sources(&[".rs"]).into_iter().filter(|source| !source.is_generated()).collect()
}

#[test]
fn files_are_short_enough_to_be_one_idea() {
    check(&written_by_hand(), |source| {
        let lines = source.without_tests().lines().count();
        let too_long = LINES_MAX < lines;
        too_long.then(|| format!("{}: {lines} lines", source.path)).into_iter().collect()
    });
}

#[test]
fn every_file_says_what_it_is() {
    check(&written_by_hand(), |Source { path, text }| {
        let says = text.starts_with("//! ");
        (!says).then(|| format!("{path} must begin with //!")).into_iter().collect()
    });
    // Those of tests say it by their names.
    let mut protos = sources(&[".proto"]);
    protos.retain(|source| source.path.starts_with("proto/"));
    check(&protos, |Source { path, text }| {
        let says = text.contains("//");
        (!says).then(|| format!("{path} has no comment")).into_iter().collect()
    });
}

#[test]
fn lines_are_not_too_long() {
    check(&written_by_hand(), |Source { path, text }| {
        let long = |line: &str| {
            // Tables and links cannot be broken.
            let whole = line.contains('|') || line.contains("http");
            COLUMNS_MAX < line.chars().count() && !whole
        };
        let lines = text.lines().enumerate().filter(|(_, line)| long(line));
        lines.map(|(number, _)| format!("{path}:{}: too long", number + 1)).collect()
    });
}

#[test]
fn nothing_is_left_for_later() {
    // Put together so that this file does not find itself.
    let words = [("TO", "DO"), ("FIX", "ME"), ("X", "XX"), ("#[ig", "nore"), ("dbg", "!(")];
    let words = words.map(|(one, other)| format!("{one}{other}"));
    check(&written_by_hand(), |Source { path, text }| {
        let found = |line: &str| words.iter().any(|word| line.contains(word.as_str()));
        let lines = text.lines().enumerate().filter(|(_, line)| found(line));
        lines.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())).collect()
    });
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let places = [["/ho", "me/"], ["/wo", "rk/"], ["/Us", "ers/"], ["/ro", "ot/"]];
    let places = places.map(|parts| parts.concat());
    let files = sources(&[".rs", ".toml", ".md", ".proto", "/run", ".lock"]);
    check(&files, |Source { path, text }| {
        let found = |line: &str| places.iter().any(|place| line.contains(place.as_str()));
        let lines = text.lines().enumerate().filter(|(_, line)| found(line));
        lines.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())).collect()
    });
}

#[test]
fn every_file_belongs_to_a_module() {
    let files = sources(&[".rs"]);
    let paths: BTreeSet<&str> = files.iter().map(|source| source.path.as_str()).collect();
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| &file.text);
    check(&files, |Source { path, .. }| {
        let Some((_, inside)) = path.split_once("/src/") else { return Vec::new() };
        let stem = inside.strip_suffix(".rs").unwrap_or(inside);
        let name = stem.strip_suffix("/mod").unwrap_or(stem);
        if ["lib", "main"].contains(&name) || name.starts_with("bin/") {
            return Vec::new();
        }
        let folder = &path[..path.len() - inside.len()];
        let (above, name) = name.rsplit_once('/').map_or((None, name), |(a, b)| (Some(a), b));
        let parents = match above {
            Some(above) => vec![format!("{folder}{above}/mod.rs"), format!("{folder}{above}.rs")],
            None => vec![format!("{folder}lib.rs"), format!("{folder}main.rs")],
        };
        let declares = |parent: &String| {
            paths.contains(parent.as_str())
                && text(parent).is_some_and(|text| text.contains(&format!("mod {name};")))
        };
        let found = parents.iter().any(declares);
        (!found).then(|| format!("{path} belongs to no module")).into_iter().collect()
    });
}

#[test]
fn the_root_holds_what_belongs_there() {
    let visible = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "broach-build",
        "broach-codegen",
        "broach-core",
        "examples",
        "proto",
        "target",
        "tests",
    ];
    let entries = std::fs::read_dir(root()).expect("the root can be read");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let strange = names.iter().filter(|name| !name.starts_with('.'));
    let strange: Vec<_> = strange.filter(|name| !visible.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn every_crate_keeps_to_the_table_of_lints() {
    check(&sources(&["Cargo.toml"]), |Source { path, text }| {
        let is_package = text.contains("[package]");
        let apart = ["tests/compare", "tests/outside"].iter();
        let apart = apart.clone().any(|folder| Path::new(path).starts_with(folder));
        let mut wrong = Vec::new();
        if is_package && !apart {
            for line in ["[lints]\nworkspace = true", "license.workspace", "description"] {
                if !text.contains(line) {
                    wrong.push(format!("{path} lacks {line:?}"));
                }
            }
        }
        wrong
    });
}
