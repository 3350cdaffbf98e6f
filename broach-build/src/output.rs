//! What is left behind: files, written only if they change, and lines for Cargo.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Problem};
use crate::generate::Modules;
use crate::read::Source;
use crate::tree;

/// Writes all modules and the file that brings them in.
pub(crate) fn write(dir: &Path, modules: &Modules) -> Result<(), Problem> {
    let cannot = |path: &Path, error: io::Error| {
        Problem::new(format!("{} cannot be written: {error}", path.display()))
    };
    fs::create_dir_all(dir).map_err(|error| cannot(dir, error))?;
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        write_if_changed(&path, text).map_err(|error| cannot(&path, error))
    };
    let names: Vec<String> = modules.keys().map(file_name).collect();
    for (name, text) in names.iter().zip(modules.values()) {
        write(name, &format!("{}\n\n{text}", tree::HEADER))?;
    }
    let names = names.iter().map(String::as_str);
    write("mod.rs", &tree::mod_rs(modules.keys().zip(names)))
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
pub(crate) fn tell_cargo(sources: &[Source], result: &Result<(), Error>) {
    if std::env::var_os("OUT_DIR").is_none() {
        return;
    }
    let lines = match result {
        Ok(()) => rerun_lines(sources),
        // Cargo runs the script again anyway.
        Err(error) => error.lines().map(|line| format!("cargo::error={line}")).collect(),
    };
    for line in lines {
        println!("{line}");
    }
}

/// A line for each file that was read, and for no other: the script need not run again before one
/// of them changes.
fn rerun_lines(sources: &[Source]) -> Vec<String> {
    let mut paths: Vec<&Path> =
        sources.iter().filter_map(|source| source.path.as_deref()).collect();
    paths.sort();
    let paths = paths.into_iter();
    paths.map(|path| format!("cargo::rerun-if-changed={}", path.display())).collect()
}

/// The file of a module; no package gives it the name of the file that brings in the others, as
/// `mod` is written `r#mod`.
fn file_name(module: &prost_build::Module) -> String {
    module.to_file_name_or("_")
}

/// Leaves a file alone that has the right contents: its date is what others go by.
fn write_if_changed(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    fs::write(path, text)
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
        assert_eq!(rerun_lines(&sources.files), expected);
    }
}
