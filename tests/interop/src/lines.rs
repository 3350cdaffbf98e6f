//! [`Lines`]: a file that lines are added to, each whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that lines are added to, also by the process that ran before this one.
#[derive(Debug)]
pub(crate) struct Lines(File);

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(crate) struct FileError {
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }
}

impl Lines {
    /// Opens a file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.map(Self).map_err(|error| FileError::new(path, error))
    }

    /// Adds a line with one write to the operating system, so that it is whole even if the process
    /// is killed, and lines of several processes do not mix.
    pub(crate) fn add(&self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        let written = (&self.0).write(line.as_bytes())?;
        if written == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}
