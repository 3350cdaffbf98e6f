//! Generates code for every file of every corpus, each alone with what it imports, and counts.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::corpus::{Corpus, File};

/// What came of one file.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Generated,
    /// With the report.
    Refused(String),
    Panicked,
}

/// What came of the files of one corpus.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    files: usize,
    generated: usize,
    panicked: Vec<PathBuf>,
    /// Files by why they were refused.
    refused: BTreeMap<String, Vec<PathBuf>>,
    took: Duration,
}

/// Where descriptors go, for others to compare them.
#[derive(Debug)]
pub(crate) struct Descriptors {
    dir: PathBuf,
    /// A line for each file: where the descriptors are, the file, and its include directories.
    index: Vec<String>,
}

impl Descriptors {
    pub(crate) const fn new(dir: PathBuf) -> Self {
        Self { dir, index: Vec::new() }
    }

    pub(crate) fn write_index(&self) -> std::io::Result<()> {
        fs::write(self.dir.join("index"), self.index.join("\n") + "\n")
    }

    /// The place for the descriptors of one more file.
    fn next(&self) -> PathBuf {
        self.dir.join(format!("{}.binpb", self.index.len()))
    }

    fn note(&mut self, set: &Path, file: &File) {
        let mut line = vec![set.display().to_string(), file.path.display().to_string()];
        line.extend(file.includes.iter().map(|dir| dir.display().to_string()));
        self.index.push(line.join("\t"));
    }
}

/// Generates code for all files of a corpus, into a directory of its own for each.
pub(crate) fn corpus(
    corpus: &Corpus,
    out: &Path,
    descriptors: &mut Option<Descriptors>,
) -> std::io::Result<Counts> {
    let mut counts = Counts { files: corpus.files.len(), ..Counts::default() };
    for file in &corpus.files {
        let dir = out.join("one");
        fs::remove_dir_all(&dir).or_else(not_there)?;
        let start = Instant::now();
        let set = descriptors.as_ref().map(Descriptors::next);
        let outcome = one(file, &dir, set.as_deref());
        counts.took += start.elapsed();
        match outcome {
            Outcome::Generated => {
                counts.generated += 1;
                if let (Some(descriptors), Some(set)) = (descriptors.as_mut(), set) {
                    descriptors.note(&set, file);
                }
            }
            Outcome::Panicked => counts.panicked.push(file.path.clone()),
            Outcome::Refused(report) => {
                let reasons = reasons(&report);
                counts.refused.entry(reasons).or_default().push(file.path.clone());
            }
        }
    }
    Ok(counts)
}

/// Generates code for one file.
pub(crate) fn one(file: &File, out: &Path, descriptors: Option<&Path>) -> Outcome {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut config = file.config().out_dir(out);
        if let Some(path) = descriptors {
            config = config.file_descriptor_set_path(path);
        }
        config.compile(&[&file.path])
    }));
    match result {
        Ok(Ok(())) => Outcome::Generated,
        Ok(Err(error)) => Outcome::Refused(error.to_string()),
        Err(_) => Outcome::Panicked,
    }
}

impl Counts {
    pub(crate) fn has_panicked(&self) -> bool {
        !self.panicked.is_empty()
    }

    pub(crate) fn print(&self, name: &str) {
        let refused: usize = self.refused.values().map(Vec::len).sum();
        println!(
            "{name}: {} files, {} generated, {refused} refused, {} panicked, {:.1} s",
            self.files,
            self.generated,
            self.panicked.len(),
            self.took.as_secs_f64(),
        );
        for path in &self.panicked {
            println!("    panicked: {}", path.display());
        }
        for (reasons, paths) in &self.refused {
            println!("    {} refused: {reasons}", paths.len());
            for path in paths.iter().take(SHOWN_MAX) {
                println!("        {}", path.display());
            }
            if SHOWN_MAX < paths.len() {
                println!("        and {} more", paths.len() - SHOWN_MAX);
            }
        }
    }
}

/// The messages of a report, without the places, which are other ones in every file.
fn reasons(report: &str) -> String {
    let headline = |line: &str| {
        let (place, message) = line.split_once(".proto:")?;
        let message = message.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
        (!place.starts_with(' ')).then(|| message.trim().to_owned())
    };
    let mut messages: Vec<String> = report.lines().filter_map(headline).collect();
    messages.dedup();
    if messages.is_empty() {
        return report.trim().replace('\n', " / ");
    }
    messages.join("; ")
}

fn not_there(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// How many files are named for each reason.
const SHOWN_MAX: usize = 3;
