//! What is left behind: files, written only if they change, and lines for Cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::compile::Compiled;
use crate::error::{Error, Problem};
use crate::read::{shown, unreadable};
use crate::tree;

/// Writes all modules and the file that brings them in.
pub(crate) fn write(dir: &Path, compiled: &Compiled) -> Result<(), Problem> {
    fs::create_dir_all(dir).map_err(|error| cannot_write(dir, &error))?;
    for (name, contents) in files(compiled) {
        write_file(&dir.join(name), &contents)?;
    }
    Ok(())
}

/// Compares what would be written with what is there.
pub(crate) fn check(dir: &Path, compiled: &Compiled) -> Result<(), Error> {
    let files = files(compiled);
    let mut problems = Vec::new();
    for (name, contents) in &files {
        let path = dir.join(name);
        let what = match fs::read(&path) {
            Ok(found) if found == *contents => continue,
            Ok(_) => "is not what the .proto files give",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "is missing",
            Err(error) => return Err(unreadable(&path, &error).into()),
        };
        problems.push(Problem::new(format!("{} {what}", shown(&path))).help("generate it again"));
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours =
            || fs::read(entry.path()).is_ok_and(|found| found.starts_with(tree::HEADER.as_bytes()));
        if !files.contains_key(&name) && is_ours() {
            let message = format!("{} is left over from other .proto files", shown(&entry.path()));
            problems.push(Problem::new(message).help("delete it"));
        }
    }
    Error::unless_empty(problems)
}

/// Writes a file unless it has the right contents: its date is what others go by.
pub(crate) fn write_file(path: &Path, contents: &[u8]) -> Result<(), Problem> {
    if fs::read(path).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    fs::write(path, contents).map_err(|error| cannot_write(path, &error))
}

/// The contents of all files, by their names.
fn files(compiled: &Compiled) -> BTreeMap<String, Vec<u8>> {
    let modules = &compiled.modules;
    let mut files = BTreeMap::new();
    for (module, text) in modules {
        files.insert(file_name(module), format!("{}\n\n{text}", tree::HEADER).into_bytes());
    }
    let names: Vec<String> = modules.keys().map(file_name).collect();
    let names = names.iter().map(String::as_str);
    let mod_rs = tree::mod_rs(modules.keys().zip(names), &compiled.runtime);
    files.insert("mod.rs".to_owned(), mod_rs.into_bytes());
    files.insert(tree::DESCRIPTORS_FILE.to_owned(), compiled.embedded.clone());
    files
}

fn cannot_write(path: &Path, error: &io::Error) -> Problem {
    Problem::new(format!("{} cannot be written: {error}", shown(path)))
}

/// Where to write if the build script has not said it: a directory for ourselves in `OUT_DIR`,
/// where other generators may put files of the same names.
///
/// # Errors
///
/// If there is no `OUT_DIR`, or it has been given away: what one call has written there, another
/// would make unreachable.
pub(crate) fn default_dir() -> Result<PathBuf, Problem> {
    let Some(dir) = std::env::var_os("OUT_DIR") else {
        return Err(Problem::new("there is no OUT_DIR to write to").help(
            "call this from a build script, or say where to write with `.out_dir(\"...\")`",
        ));
    };
    if GIVEN_AWAY.swap(true, Ordering::Relaxed) {
        return Err(Problem::new("this is the second time that files are compiled").help(
            "give all files to one call, as it writes what `include_protos!()` brings in, or say \
             where else to write with `.out_dir(\"...\")`",
        ));
    }
    Ok(PathBuf::from(dir).join("broach"))
}

/// Tells Cargo which files the result depends on, or why there is none.
///
/// Outside of a build script nobody listens, and nothing is said.
pub(crate) fn tell_cargo(used: &[PathBuf], result: &Result<(), Error>) {
    if std::env::var_os("OUT_DIR").is_none() {
        return;
    }
    let lines = match result {
        Ok(()) => rerun_lines(used),
        // Cargo runs the script again anyway.
        Err(error) => error.lines().map(|line| format!("cargo::error={line}")).collect(),
    };
    for line in lines {
        println!("{line}");
    }
}

/// A line for each file that was read, and for no other: the script need not run again before one
/// of them changes.
fn rerun_lines(used: &[PathBuf]) -> Vec<String> {
    let paths: BTreeSet<&PathBuf> = used.iter().collect();
    let paths = paths.into_iter();
    paths.map(|path| format!("cargo::rerun-if-changed={}", path.display())).collect()
}

/// The file of a module; no package gives it the name of the file that brings in the others, as
/// `mod` is written `r#mod`.
fn file_name(module: &prost_build::Module) -> String {
    module.to_file_name_or("_")
}

/// Whether this process, which is one run of one build script, has asked for `OUT_DIR`.
static GIVEN_AWAY: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{self, Includes};

    #[test]
    fn cargo_hears_of_the_files_that_were_read_and_of_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let used =
            file("used.proto", "import \"google/protobuf/any.proto\"; import \"deep.proto\";");
        let given = file("given.proto", "import \"used.proto\";");
        let deep = file("deep.proto", "");
        file("unused.proto", "");
        let paths = [given.clone(), used.clone()];
        let sources = read::read(&paths, Includes::guessed(&paths));
        let expected = [deep, given, used];
        let expected = expected.map(|path| format!("cargo::rerun-if-changed={}", path.display()));
        assert_eq!(rerun_lines(&sources.used), expected);
    }
}
