//! One file: from its path to its descriptor, or to all that is wrong with it.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use prost_types::FileDescriptorProto;
use protox::file::File;

use crate::diagnostic;
use crate::error::{Problem, Text};
use crate::hints::Known;

/// Reads and parses a file that is imported as `name`.
pub(super) fn parse(
    path: &Path,
    name: &str,
) -> Result<(Arc<Text>, FileDescriptorProto), Vec<Problem>> {
    let text = Arc::new(read(path).map_err(|problem| vec![problem])?);
    if let Some(range) = edition(&text.source) {
        let problem = Problem::new(EDITIONS)
            .at(&text, range, "found here")
            .help("write `syntax = \"proto3\";` (or \"proto2\") in place of this line");
        return Err(vec![problem]);
    }
    let error = match File::from_source(name, &text.source) {
        Ok(file) => return Ok((text, file.into())),
        Err(error) => error,
    };
    let Some(ranges) = with_ranges(&text.source) else {
        return Err(diagnostic::problems(&error, &text, &Known::default()));
    };
    match File::from_source(name, &ranges) {
        Ok(file) => Ok((text, file.into())),
        Err(error) => {
            let text = Arc::new(Text { path: text.path.clone(), source: ranges });
            Err(diagnostic::problems(&error, &text, &Known::default()))
        }
    }
}

/// The same with `extensions 4 to 4 [..]` for `extensions 4 [..]`, which the parser does not take;
/// `None` if there is no such thing.
fn with_ranges(source: &str) -> Option<String> {
    let mut edited = String::with_capacity(source.len());
    let mut rest = source;
    let mut found = false;
    while let Some(at) = rest.find("extensions ") {
        let (before, after) = rest.split_at(at + "extensions ".len());
        edited.push_str(before);
        rest = after;
        let is_number = |c: char| c.is_ascii_alphanumeric() || c == ',' || c.is_whitespace();
        let end = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
        let mut words = rest[..end].split([' ', ',', '\n']).rev().filter(|word| !word.is_empty());
        let (last, range) = (words.next().unwrap_or_default(), words.next() == Some("to"));
        if rest[end..].starts_with('[') && !range && last.parse::<u32>().is_ok() {
            edited.push_str(rest[..end].trim_end());
            edited.push_str(&format!(" to {last} "));
            rest = &rest[end..];
            found = true;
        }
    }
    edited.push_str(rest);
    found.then_some(edited)
}

/// The stretch of a file that imports its `index`th dependency.
pub(super) fn import_range(
    text: &Text,
    descriptor: &FileDescriptorProto,
    index: usize,
) -> Range<usize> {
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    broach_codegen::Place::find(descriptor, &[3, index], "").map_or(0..0, |place| {
        text.offset(place.start.line, place.start.column)
            ..text.offset(place.end.line, place.end.column)
    })
}

/// How a path is shown: relative to where the build script runs, if it is below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    let path = path.strip_prefix(".").unwrap_or(path);
    match path.to_string_lossy() {
        empty if empty.is_empty() => ".".to_owned(),
        path => path.into_owned(),
    }
}

/// The directory of a file; empty if that is where the build script runs.
pub(super) fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

fn read(path: &Path) -> Result<Text, Problem> {
    let shown = shown(path);
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let source = match String::from_utf8(bytes) {
        Ok(source) => source,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let source = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let text = Arc::new(Text { path: shown, source });
            return Err(Problem::new("the file is not valid UTF-8")
                .at(&text, valid..valid + 1, "this byte is not")
                .help("save the file as UTF-8"));
        }
    };
    // Some editors begin a file with a mark of its encoding.
    let source = match source.strip_prefix('\u{feff}') {
        Some(source) => source.to_owned(),
        None => source,
    };
    Ok(Text { path: shown, source })
}

/// What to say of a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let shown = shown(path);
    if path.is_dir() {
        return Problem::new(format!("{shown} is a directory"))
            .help("name the .proto files in it one by one");
    }
    if error.kind() != io::ErrorKind::NotFound {
        return Problem::new(format!("{shown} cannot be read: {error}"));
    }
    let problem = Problem::new(format!("{shown} does not exist"));
    let dir = parent_of(path);
    let others = protos_in(dir, path);
    if others.is_empty() {
        problem.help("paths are relative to the directory of Cargo.toml")
    } else {
        let dir = self::shown(dir);
        problem.help(format!("in {dir} there is {}", others.join(", ")))
    }
}

/// A few `.proto` files in a directory, those first that begin like the one that is not there.
fn protos_in(dir: &Path, missing: &Path) -> Vec<String> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".proto")).collect();
    let missing = missing.file_name().unwrap_or_default().to_string_lossy();
    names.sort_by_key(|name| (name.chars().next() != missing.chars().next(), name.clone()));
    names.truncate(NAMES_MAX);
    names
}

/// Where a file says `edition = "..."`, which the parser does not know.
fn edition(source: &str) -> Option<Range<usize>> {
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n')?.1;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/")?.1;
        } else {
            break;
        }
    }
    let value = rest.strip_prefix("edition")?.trim_start().strip_prefix('=')?;
    let start = source.len() - rest.len();
    let end = value.find([';', '\n']).map_or(source.len(), |at| source.len() - value.len() + at);
    Some(start..end)
}

/// What is said of a file that does not use proto2 or proto3.
pub(super) const EDITIONS: &str = "editions are not supported yet";

/// How many names of files are offered in place of one that does not exist.
const NAMES_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_number_with_options_is_written_as_a_range() {
        let ranges = |source| with_ranges(source).unwrap_or_default();
        assert_eq!(ranges("extensions 4 [x = 1];"), "extensions 4 to 4 [x = 1];");
        assert_eq!(ranges("extensions 1 to 2, 4[x];"), "extensions 1 to 2, 4 to 4 [x];");
        for other in ["extensions 4;", "extensions 4 to 5 [x];", "extensions 4 to max [x];", ""] {
            assert_eq!(with_ranges(other), None, "{other}");
        }
        let source = "syntax = \"proto2\"; message M { extensions 4 [verification = UNVERIFIED]; }";
        assert!(File::from_source("a.proto", source).is_err(), "else it is not needed any more");
        File::from_source("a.proto", &ranges(source)).unwrap();
    }

    #[test]
    fn an_edition_is_found_behind_comments() {
        let source = "// a\n/* edition = */\n  edition = \"2023\";\n";
        assert_eq!(&source[edition(source).unwrap()], "edition = \"2023\"");
        for other in ["", "// edition = 1", "syntax = \"proto3\";", "edition_x = 1;", "/* open"] {
            assert_eq!(edition(other), None, "{other}");
        }
    }
}
