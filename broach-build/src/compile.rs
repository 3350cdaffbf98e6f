//! From files that were read to what is to be written: the one way through all stages, on which
//! every mistake of every stage is collected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broach_codegen::Names;
use prost_types::FileDescriptorProto;

use crate::config::Config;
use crate::error::{Error, Problem, Text};
use crate::generate::{Modules, Tried};
use crate::link::Linked;
use crate::read::{Source, Sources};
use crate::{diagnostic, generate, link};

/// What has come out, and is not written yet.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) modules: Modules,
    /// The descriptors of all files, with comments and places.
    pub(crate) descriptors: Vec<u8>,
    /// Those that programs carry with them, without.
    pub(crate) embedded: Vec<u8>,
    /// Where the generated code finds Broach.
    pub(crate) runtime: String,
}

/// Compiles, unless there are problems with the files.
pub(crate) fn compile(config: &mut Config, sources: Sources) -> Result<Compiled, Error> {
    let Sources { files: sources, mut problems, .. } = sources;
    let Linked { mut files, problems: link_problems, descriptors } = link::link(&sources);
    problems.extend(link_problems);
    let tried = Tried::new(&mut config.prost, &files).unwrap_or_else(|problem| {
        problems.push(problem);
        Tried::default()
    });
    let local = || files.iter().filter(|file| !tried.is_foreign(file));
    let names = match Names::of(local(), tried.prefix) {
        Ok(names) => names,
        Err(name_problems) => {
            let texts = texts(&sources);
            let found = name_problems.into_iter();
            problems.extend(found.map(|problem| diagnostic::naming(problem, &texts)));
            Names::default()
        }
    };
    if problems.is_empty() {
        problems.extend(unknown_services(config, local()));
    }
    Error::unless_empty(problems)?;
    for file in files.iter_mut().filter(|file| tried.is_foreign(file)) {
        file.service.clear();
    }
    let modules = generate::generate(&mut config.prost, files, names, config.options.clone())?;
    Ok(Compiled {
        modules,
        descriptors: descriptors.encode(),
        embedded: descriptors.encode_for_programs(),
        runtime: config.options.runtime.clone(),
    })
}

fn texts(sources: &[Source]) -> BTreeMap<String, Arc<Text>> {
    let names = sources.iter().map(|source| source.descriptor.name().to_owned());
    names.zip(sources.iter().map(|source| Arc::clone(&source.text))).collect()
}

/// Services that the build script says something of, but no file has.
fn unknown_services<'a>(
    config: &Config,
    files: impl Iterator<Item = &'a FileDescriptorProto>,
) -> Vec<Problem> {
    let mut known = BTreeSet::new();
    for file in files {
        let package = match file.package() {
            "" => String::new(),
            package => format!("{package}."),
        };
        known.extend(file.service.iter().map(|service| format!("{package}{}", service.name())));
    }
    let named = config.options.runtime_of.keys();
    let unknown = named.filter(|service| !known.contains(*service));
    unknown
        .map(|service| {
            let known: Vec<&str> = known.iter().map(String::as_str).take(NAMES_MAX).collect();
            Problem::new(format!("`.runtime_of(\"{service}\", ..)` names no service")).help(
                match &known[..] {
                    [] => "the files have none".to_owned(),
                    known => format!("the files have {}", known.join(", ")),
                },
            )
        })
        .collect()
}

/// How many names of services are offered in place of one that does not exist.
const NAMES_MAX: usize = 5;
