//! Files that come as descriptors, read by another program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use prost_types::{FileDescriptorProto, FileDescriptorSet};
use protox::file::{FileResolver, GoogleFileResolver};
use protox::prost_reflect::prost::Message;
use protox::prost_reflect::{DynamicMessage, ReflectMessage};

use crate::error::{Problem, Text};
use crate::read::file::{EDITIONS, shown, unreadable};
use crate::read::{Source, Sources};

/// The files of a descriptor set.
pub(crate) fn descriptors(set: FileDescriptorSet) -> Sources {
    let files = set.file.into_iter().map(|descriptor| (descriptor, None));
    Order::new(files.collect()).sources()
}

/// The files of a descriptor set that lies in a file.
///
/// # Errors
///
/// If it cannot be read, or is none.
pub(crate) fn descriptor_file(path: &Path) -> Result<Sources, Problem> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let no_set = || {
        Problem::new(format!("{} is no file descriptor set", shown(path))).help(
            "protoc writes one with `--include_imports --include_source_info -o FILE`, and buf \
             with `buf build -o FILE`",
        )
    };
    let descriptor = FileDescriptorSet::default().descriptor();
    let set = DynamicMessage::decode(descriptor, &*bytes).map_err(|_| no_set())?;
    let mut files = Vec::new();
    for file in set.get_field_by_name("file").iter().flat_map(|list| list.as_list()).flatten() {
        // Our own type knows nothing of options that files declare themselves.
        let bytes = file.as_message().map(Message::encode_to_vec).unwrap_or_default();
        let descriptor = FileDescriptorProto::decode(&*bytes).map_err(|_| no_set())?;
        files.push((descriptor, Some(bytes)));
    }
    if files.is_empty() {
        return Err(no_set());
    }
    let mut sources = Order::new(files).sources();
    sources.used.push(path.to_owned());
    Ok(sources)
}

type File = (FileDescriptorProto, Option<Vec<u8>>);

/// Puts imports first, as the other stages want it, whatever the set's order.
struct Order {
    waiting: BTreeMap<String, File>,
    /// In which order the files are.
    names: Vec<String>,
    added: BTreeSet<String>,
    google: GoogleFileResolver,
    /// What is not to be looked at again.
    met: BTreeSet<String>,
    sources: Sources,
}

impl Order {
    fn new(files: Vec<File>) -> Self {
        let names = files.iter().map(|(file, _)| file.name().to_owned()).collect();
        let waiting = files.into_iter().map(|file| (file.0.name().to_owned(), file)).collect();
        Self {
            waiting,
            names,
            added: BTreeSet::new(),
            google: GoogleFileResolver::new(),
            met: BTreeSet::new(),
            sources: Sources::default(),
        }
    }

    fn sources(mut self) -> Sources {
        for name in self.names.clone() {
            self.with_imports(name);
        }
        self.sources
    }

    /// Adds a file when all that it imports has been added.
    fn with_imports(&mut self, name: String) {
        let mut stack = vec![(name, None)];
        while let Some((name, ready)) = stack.pop() {
            if let Some(file) = ready {
                self.add(file);
                continue;
            }
            if !self.met.insert(name.clone()) {
                continue;
            }
            // Those that come with Protobuf are always our own, as they are for files with text.
            let own = self.google.open_file(&name).ok();
            let own = own.map(|file| (file.into(), None));
            let Some(file): Option<File> = own.or_else(|| self.waiting.remove(&name)) else {
                continue; // Reported with the file that imports it.
            };
            let imports: Vec<String> = file.0.dependency.clone();
            stack.push((name, Some(file)));
            stack.extend(imports.into_iter().rev().map(|import| (import, None)));
        }
    }

    fn add(&mut self, (descriptor, raw): File) {
        let name = descriptor.name().to_owned();
        let mut is_right = true;
        for import in &descriptor.dependency {
            if self.added.contains(import) {
                continue;
            }
            is_right = false;
            // One that the set has is reported itself.
            if !self.names.contains(import) {
                let message = format!("{name}: the descriptor set lacks its import `{import}`");
                self.sources.problems.push(
                    Problem::new(message)
                        .help("make the set with the imports in it: `protoc --include_imports`"),
                );
            }
        }
        if descriptor.syntax() == "editions" {
            let problem = Problem::new(format!("{name}: {EDITIONS}"));
            self.sources.problems.push(problem.help("use proto3 (or proto2) for this file"));
        } else if is_right {
            let text = Arc::new(Text { path: name.clone(), source: String::new() });
            self.added.insert(name);
            self.sources.files.push(Source { text, descriptor, raw });
        }
    }
}
