//! The README: what it shows is what is run, and what it points at exists.

use std::path::Path;

use crate::sources::{Source, root, sources};

/// The program that the README shows in full.
const SHOWN: &str = "tests/outside/hello";

fn read(path: impl AsRef<Path>) -> String {
    let text = std::fs::read_to_string(root().join(&path));
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()));
    text.replace("\r\n", "\n")
}

#[test]
fn the_program_it_shows_is_the_one_that_is_run() {
    let readme = read("README.md");
    for file in ["proto/hello.proto", "build.rs", "src/main.rs", "expected.txt"] {
        let fence = match file.rsplit_once('.') {
            Some((_, "rs")) => "rust",
            Some((_, "txt")) => "text",
            _ => "proto",
        };
        let block = format!("```{fence}\n{}```\n", read(Path::new(SHOWN).join(file)));
        assert!(readme.contains(&block), "README.md does not show {SHOWN}/{file} as it is");
    }
    let manifest = read(Path::new(SHOWN).join("Cargo.toml")).replace("../../../", "../broach/");
    let needed = manifest.find("[dependencies]").expect("it depends on something");
    let block = format!("```toml\n{}```\n", &manifest[needed..]);
    assert!(readme.contains(&block), "README.md does not show what {SHOWN}/Cargo.toml needs");
}

#[test]
fn links_lead_to_files_that_exist() {
    let mut found = 0;
    for Source { path, text } in sources(&[".md"]) {
        let folder = root().join(Path::new(&path).parent().expect("it is in a folder"));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let target = link.0.split('#').next().unwrap_or_default();
            if target.contains("://") || target.is_empty() {
                continue;
            }
            assert!(folder.join(target).exists(), "{path} points at {target}, which is not there");
            found += 1;
        }
    }
    assert_ne!(found, 0, "there are links");
}
