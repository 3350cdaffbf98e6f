//! [`Includes`]: the directories that imports are looked up in, and the names of files in them.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::Problem;
use crate::read::file::{parent_of, shown, unreadable};

/// Where imports are looked up, and relative to what files are named.
#[derive(Debug)]
pub(crate) struct Includes {
    dirs: Vec<PathBuf>,
    /// Whether the build script has chosen them. If not, they are guesses, and a file that is in
    /// two of them is not taken from the first that comes.
    chosen: bool,
    /// The directories of the files given, whose parents are searched for what is not found.
    parents: Vec<PathBuf>,
}

/// A file found for a path or an import.
#[derive(Debug)]
pub(super) struct Found {
    /// Its name: the path from an include directory, with `/`.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// What tells the file from every other, however it is named.
    pub(super) identity: PathBuf,
}

impl Includes {
    /// The directories that the build script chose.
    ///
    /// # Errors
    ///
    /// If one is no directory.
    pub(crate) fn chosen(dirs: &[PathBuf], paths: &[PathBuf]) -> Result<Self, Vec<Problem>> {
        let wrong = dirs.iter().filter(|dir| !or_here(dir).is_dir());
        let problems: Vec<Problem> = wrong
            .map(|dir| Problem::new(format!("the include directory {} does not exist", shown(dir))))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { dirs: dirs.to_vec(), chosen: true, parents: parents(paths) })
    }

    /// The directories to look in if none was chosen: the one that holds all the files, so that
    /// no two have one name, and that of each file.
    pub(crate) fn guessed(paths: &[PathBuf]) -> Self {
        let parents = parents(paths);
        let mut dirs: Vec<PathBuf> = common_dir(&parents).into_iter().collect();
        for parent in &parents {
            if !dirs.contains(parent) {
                dirs.push(parent.clone());
            }
        }
        Self { dirs, chosen: false, parents }
    }

    /// Learns from a file of this package where imports start: a file of `shop.v1` in
    /// `proto/shop/v1` says that they do in `proto`.
    pub(super) fn learn(&mut self, path: &Path, package: &str) {
        let mut dir = strip_dots(parent_of(path));
        if self.chosen || package.is_empty() {
            return;
        }
        for segment in package.rsplit('.') {
            match dir.file_name() {
                Some(name) if name == segment => dir = parent_of(dir),
                _ => return,
            }
        }
        if !self.dirs.iter().any(|known| known == dir) {
            self.dirs.push(dir.to_owned());
        }
    }

    /// Finds the name of a file that the build script names.
    pub(super) fn locate(&self, path: &Path) -> Result<Found, Problem> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if metadata.is_dir() {
            let error = std::io::ErrorKind::IsADirectory.into();
            return Err(unreadable(path, &error));
        }
        let identity = identity(path).map_err(|error| unreadable(path, &error))?;
        let Some(name) = self.dirs.iter().find_map(|dir| name_in(dir, path)) else {
            return Err(self.outside(path));
        };
        let first = self.candidates(&name).into_iter().next();
        match first {
            Some(first) if first.identity != identity => Err(hidden(path, &first)),
            _ => Ok(Found { name, path: path.to_owned(), identity }),
        }
    }

    /// Finds the file that an import names; `None` if there is none.
    pub(super) fn find(&self, import: &str) -> Result<Option<Found>, Problem> {
        let mut candidates = self.candidates(import).into_iter();
        let Some(first) = candidates.next() else {
            return Ok(None);
        };
        let other = candidates.find(|found| found.identity != first.identity);
        match other {
            Some(other) if !self.chosen => {
                let (first, other) = (shown(&first.path), shown(&other.path));
                Err(Problem::new(format!("import `{import}` may be {first} or {other}")).help(
                    "choose the directories that imports start from, with \
                     `broach_build::configure().include(\"...\")`",
                ))
            }
            _ => Ok(Some(first)),
        }
    }

    /// What to say of an import that names no file.
    pub(super) fn not_found(&self, import: &str) -> Problem {
        let dirs: Vec<String> = self.dirs.iter().map(|dir| shown(dir)).collect();
        let looked = dirs.join(", ");
        let mut ancestors = self.parents.iter().flat_map(|parent| parent.ancestors());
        let elsewhere = ancestors.find(|dir| or_here(dir).join(import).is_file());
        let (advice, dir) = match elsewhere.map(shown) {
            Some(dir) => (format!("there is one in {dir}:"), dir),
            None if import.starts_with("google/") => (
                "it belongs to the googleapis repository; with a copy of that,".to_owned(),
                "the directory that holds google".to_owned(),
            ),
            None => ("if it is elsewhere,".to_owned(), "its directory".to_owned()),
        };
        let remedy = if self.chosen {
            format!("add `.include(\"{dir}\")`")
        } else {
            format!("write `broach_build::configure().include(\"{dir}\").compile(..)`")
        };
        Problem::new(format!("import `{import}` not found"))
            .help(format!("looked in {looked}; {advice} {remedy}"))
    }

    fn candidates(&self, name: &str) -> Vec<Found> {
        let paths = self.dirs.iter().map(|dir| dir.join(name));
        let files = paths.filter(|path| path.is_file());
        files
            .filter_map(|path| {
                let identity = identity(&path).ok()?;
                let name = name.to_owned();
                Some(Found { name, path, identity })
            })
            .collect()
    }

    fn outside(&self, path: &Path) -> Problem {
        let dirs: Vec<String> = self.dirs.iter().map(|dir| shown(dir)).collect();
        let parent = shown(parent_of(path));
        Problem::new(format!(
            "{} is in none of the include directories ({})",
            shown(path),
            dirs.join(", ")
        ))
        .help(format!("add `.include(\"{parent}\")`, or a directory above it"))
    }
}

fn hidden(path: &Path, by: &Found) -> Problem {
    let (path, by_path) = (shown(path), shown(&by.path));
    Problem::new(format!("{path} is hidden by {by_path}: both would be imported as `{}`", by.name))
        .help("include the directory above both instead, or change the order of the directories")
}

/// The path without links and dots.
fn identity(path: &Path) -> std::io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// The name of a file relative to a directory that it is in.
fn name_in(dir: &Path, path: &Path) -> Option<String> {
    let as_written = strip_dots(path).strip_prefix(strip_dots(dir)).ok().map(Path::to_owned);
    let relative = as_written.or_else(|| {
        let parent = fs::canonicalize(or_here(path.parent()?)).ok()?;
        let dir = fs::canonicalize(or_here(dir)).ok()?;
        let below = parent.strip_prefix(&dir).ok()?;
        Some(below.join(path.file_name()?))
    })?;
    let mut parts = Vec::new();
    for component in relative.components() {
        let Component::Normal(part) = component else {
            return None;
        };
        parts.push(part.to_str()?.to_owned());
    }
    Some(parts.join("/"))
}

fn parents(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut parents = Vec::new();
    for path in paths {
        let parent = strip_dots(parent_of(path)).to_owned();
        if !parents.contains(&parent) {
            parents.push(parent);
        }
    }
    parents
}

/// The deepest directory that holds all of these; `None` if that is the root of the file system
/// or unknown.
fn common_dir(dirs: &[PathBuf]) -> Option<PathBuf> {
    let (first, others) = dirs.split_first()?;
    let mut common: Vec<Component<'_>> = first.components().collect();
    for dir in others {
        let same = common.iter().zip(dir.components()).take_while(|(a, b)| **a == *b);
        let count = same.count();
        common.truncate(count);
    }
    // What relative paths have in common may be where the build script runs, which is written as
    // nothing at all; but not if one leads out of there.
    let is_named = common.iter().any(|part| *part != Component::RootDir);
    let is_here = dirs.iter().all(|dir| dir.is_relative() && !leaves(dir));
    (is_named || is_here).then(|| common.into_iter().collect())
}

/// Whether a path leads out of the directory it starts from.
fn leaves(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

fn strip_dots(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// A path for the operating system, to which the empty path is no directory.
fn or_here(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}
