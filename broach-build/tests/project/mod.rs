//! A directory with `.proto` files to compile, and one to write to.

// Each test program has its own copy and does not need all of it.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::path::{Path, PathBuf};

use broach_build::Config;
use tempfile::TempDir;

/// A directory with `.proto` files and one to write to.
pub struct Project {
    protos: TempDir,
    out: TempDir,
}

impl Project {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project =
            Self { protos: tempfile::tempdir().unwrap(), out: tempfile::tempdir().unwrap() };
        for (name, source) in files {
            project.write(name, source);
        }
        project
    }

    pub fn write(&self, name: &str, source: &str) {
        self.write_as_is(name, &format!("syntax = \"proto3\";\n{source}\n"));
    }

    pub fn write_as_is(&self, name: &str, source: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }

    /// The directory that is written to.
    pub fn out(&self) -> &Path {
        self.out.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.protos.path().join(name)
    }

    pub fn compile(&self, config: Config, files: &[&str]) {
        let paths: Vec<PathBuf> = files.iter().map(|file| self.path(file)).collect();
        if let Err(error) = config.out_dir(self.out.path()).compile(&paths) {
            panic!("{error}");
        }
    }

    /// The names of the files with code that came out.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".rs")).collect();
        names.sort();
        names
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.out.path().join(name)).unwrap()
    }
}
