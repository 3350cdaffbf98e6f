//! Examples in the documentation that are not compiled where they stand, because generated code is
//! not to be had there: they are parts of programs that are compiled and run.

use crate::sources::{Source, sources};

/// The packages that show examples.
const SHOWN: [&str; 2] = ["broach-core/src/", "broach-build/src/"];

/// Where the programs are.
const RUN: &str = "tests/outside/";

/// The kinds of blocks that must be part of a file.
const FENCES: [&str; 2] = ["```ignore", "```proto"];

#[test]
fn examples_that_are_not_compiled_are_parts_of_programs_that_are() {
    let files = sources(&[".rs", ".proto"]);
    let (mut found, mut wrong) = (0, Vec::new());
    for Source { path, text } in &files {
        if !SHOWN.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        for (line, block) in blocks(text) {
            found += 1;
            let mut run = files.iter().filter(|file| file.path.starts_with(RUN));
            if !run.any(|file| contains(&file.text, &block)) {
                wrong.push(format!("{path}:{line}: no file of {RUN} has this block"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_ne!(found, 0, "there are such blocks");
}

/// The blocks in the documentation of a file, with the numbers of the lines where they begin.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Vec<&str>)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let doc = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"));
        let doc = doc.map(|doc| doc.strip_prefix(' ').unwrap_or(doc));
        open = match (open.take(), doc) {
            (None, Some(doc)) if FENCES.iter().any(|fence| doc.trim().starts_with(fence)) => {
                Some((index + 1, Vec::new()))
            }
            (Some((begun, lines)), Some(doc)) if doc.trim() == "```" => {
                blocks.push((begun, dedented(&lines)));
                None
            }
            (Some((begun, mut lines)), Some(doc)) => {
                lines.push(doc);
                Some((begun, lines))
            }
            (_, None) | (None, Some(_)) => None,
        };
    }
    blocks
}

/// The lines, without the white space that they all begin with.
fn dedented(lines: &[&str]) -> String {
    let indented = |line: &&&str| !line.trim().is_empty();
    let by = |line: &&str| line.len() - line.trim_start().len();
    let least = lines.iter().filter(indented).map(by).min().unwrap_or_default();
    lines.iter().map(|line| format!("{}\n", line.get(least..).unwrap_or_default())).collect()
}

/// Whether whole lines of a text are the block; in the text it may be indented.
fn contains(text: &str, block: &str) -> bool {
    let block: Vec<&str> = block.lines().collect();
    let lines: Vec<&str> = text.lines().collect();
    lines.windows(block.len()).any(|window| dedented(window).lines().eq(block.iter().copied()))
}

#[test]
fn blocks_are_found_and_compared_by_lines() {
    let text = "//! ```ignore\n//! fn a() {\n//!     b\n//! }\n//! ```\n//! ```\n//! c\n//! ```\n";
    assert_eq!(blocks(text), [(1, "fn a() {\n    b\n}\n".to_owned())]);
    let text = "    ///     ```ignore,no_run\n    ///     d\n    ///     ```\n";
    assert_eq!(blocks(text), [(1, "d\n".to_owned())]);
    assert!(contains("x\n    fn a() {\n        b\n    }\n", "fn a() {\n    b\n}\n"));
    assert!(!contains("x\nfn a() {\n    c\n}\n", "fn a() {\n    b\n}\n"));
    assert!(!contains("x();\n", "x()\n"));
}
