//! Reading: from the paths given to every file that they and their imports name, parsed.
//!
//! protox has a compiler that does this too, but it stops at the first mistake and knows files by
//! the names they are imported under. Here one look finds all mistakes in all files, says where
//! the files are, and knows a file again that is named in two ways.

mod dirs;
mod file;
mod set;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost_types::FileDescriptorProto;
use protox::file::{FileResolver, GoogleFileResolver};

use crate::error::{Problem, Text};
use crate::read::dirs::Found;
pub(crate) use crate::read::dirs::Includes;
pub(crate) use crate::read::file::{shown, unreadable};
pub(crate) use crate::read::set::{descriptor_file, descriptors};

/// All files that were read, each after those that it imports.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The files that could be parsed and whose imports were all found.
    pub(crate) files: Vec<Source>,
    /// What is wrong with the others.
    pub(crate) problems: Vec<Problem>,
    /// What the result depends on: where all the files are, the faulty ones too.
    pub(crate) used: Vec<PathBuf>,
}

/// A file that has been read and parsed, but not yet checked against its imports.
#[derive(Debug)]
pub(crate) struct Source {
    /// Empty if there is none: of a file that comes with Protobuf or as a descriptor.
    pub(crate) text: Arc<Text>,
    /// Its name in there, and the names of its imports, are those that it is known by here.
    pub(crate) descriptor: FileDescriptorProto,
    /// The descriptor as it came, if it came encoded, with what our own type does not know of.
    pub(crate) raw: Option<Vec<u8>>,
}

/// Reads the files and all they import.
pub(crate) fn read(paths: &[PathBuf], includes: Includes) -> Sources {
    let mut reader = Reader {
        includes,
        google: GoogleFileResolver::new(),
        known: BTreeMap::new(),
        open: Vec::new(),
        sources: Sources::default(),
    };
    for path in paths {
        reader.given(path);
    }
    reader.sources
}

struct Reader {
    includes: Includes,
    google: GoogleFileResolver,
    /// The files met so far, by what tells a file from every other.
    known: BTreeMap<Key, Known>,
    /// The names of the files whose imports are being read, outermost first.
    open: Vec<String>,
    sources: Sources,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Key {
    /// The path without links and dots.
    File(PathBuf),
    /// The name of one that comes with Protobuf.
    Google(String),
}

#[derive(Clone, Debug)]
struct Known {
    /// The name that the file is known by.
    name: String,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Its imports are being read.
    Open,
    Read,
    /// Something is wrong with it or with what it imports, and has been reported.
    Failed,
}

impl Reader {
    /// Reads a file that the build script names.
    fn given(&mut self, path: &Path) {
        match self.includes.locate(path) {
            Ok(found) => {
                if self.google(&found.name).is_none() {
                    self.file(found);
                }
            }
            Err(problem) => self.sources.problems.push(problem),
        }
    }

    /// Reads a file unless it has been read; says how it is known and how it fared.
    fn file(&mut self, found: Found) -> Known {
        let key = Key::File(found.identity);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        self.sources.used.push(found.path.clone());
        match file::parse(&found.path, &found.name) {
            Ok((text, descriptor)) => {
                self.includes.learn(&found.path, descriptor.package());
                self.imports(key, text, descriptor)
            }
            Err(problems) => {
                self.sources.problems.extend(problems);
                self.settle(key, found.name, State::Failed)
            }
        }
    }

    /// Reads one of the files that come with Protobuf.
    ///
    /// These are our own: a copy among the user's files may be newer than the parser, and what it
    /// declares comes from prost anyway. Only the file that declares options is read from the
    /// user's if we can, as others may use options that ours does not have yet.
    fn google(&mut self, name: &str) -> Option<Known> {
        let key = Key::Google(name.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Some(known.clone());
        }
        if name == OPTIONS && self.has_readable(name) {
            return None;
        }
        let file = self.google.open_file(name).ok()?;
        let text = Arc::new(Text { path: name.to_owned(), source: String::new() });
        Some(self.imports(key, text, file.into()))
    }

    /// Whether the user has such a file, and the parser understands it.
    fn has_readable(&self, name: &str) -> bool {
        let found = self.includes.find(name).ok().flatten();
        found.is_some_and(|found| file::parse(&found.path, name).is_ok())
    }

    /// Reads what a file imports, and then adds the file.
    fn imports(&mut self, key: Key, text: Arc<Text>, mut descriptor: FileDescriptorProto) -> Known {
        let name = descriptor.name().to_owned();
        self.settle(key.clone(), name.clone(), State::Open);
        self.open.push(name.clone());
        let mut state = State::Read;
        let mut imported: BTreeMap<String, usize> = BTreeMap::new();
        for index in 0..descriptor.dependency.len() {
            let import = &descriptor.dependency[index];
            let range = |index| file::import_range(&text, &descriptor, index);
            match self.import(import) {
                Ok(known) if known.state == State::Failed => state = State::Failed,
                Ok(known) => match imported.insert(known.name.clone(), index) {
                    None => descriptor.dependency[index] = known.name,
                    Some(first) => {
                        let problem = Problem::new(format!("`{import}` is imported twice"))
                            .at(&text, range(index), "imported again here")
                            .at(&text, range(first), "imported first here")
                            .help("take one of the two lines out");
                        state = State::Failed;
                        self.sources.problems.push(problem);
                    }
                },
                Err(problem) => {
                    let problem = problem.at(&text, range(index), "imported here");
                    state = State::Failed;
                    self.sources.problems.push(problem);
                }
            }
        }
        self.open.pop();
        if state == State::Read {
            self.sources.files.push(Source { text, descriptor, raw: None });
        }
        self.settle(key, name, state)
    }

    /// Reads what an `import` names. The problem, if there is one, is with the import itself.
    fn import(&mut self, import: &str) -> Result<Known, Problem> {
        let known = if let Some(known) = self.google(import) {
            known
        } else if let Some(found) = self.includes.find(import)? {
            self.file(found)
        } else {
            return Err(self.includes.not_found(import));
        };
        if known.state == State::Open {
            let from = self.open.iter().position(|name| *name == known.name);
            let cycle = &self.open[from.unwrap_or(0)..];
            let cycle = cycle.join(" -> ");
            return Err(Problem::new(format!(
                "the files import each other in a circle: {cycle} -> {}",
                known.name
            ))
            .help("move what both need into a file of its own"));
        }
        Ok(known)
    }

    fn settle(&mut self, key: Key, name: String, state: State) -> Known {
        let known = Known { name, state };
        self.known.insert(key, known.clone());
        known
    }
}

/// The file that declares all options.
const OPTIONS: &str = "google/protobuf/descriptor.proto";
