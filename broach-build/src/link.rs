//! Linking: names that one file uses and another defines, options, numbers, all that takes more
//! than one look at one file.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::FileDescriptorProto;
use protox::prost_reflect::DescriptorPool;

use crate::descriptors::Descriptors;
use crate::diagnostic;
use crate::error::Problem;
use crate::hints::Known;
use crate::read::Source;
use crate::rules;

/// What linking gives.
#[derive(Debug)]
pub(crate) struct Linked {
    /// The files that are right, completed, imports first.
    pub(crate) files: Vec<FileDescriptorProto>,
    /// What is wrong with the others.
    pub(crate) problems: Vec<Problem>,
    pub(crate) descriptors: Descriptors,
}

/// Checks the files, which come after those that they import, and completes their descriptors.
///
/// A file that imports a faulty one is left out: what it lacks would only be told again.
pub(crate) fn link(sources: &[Source]) -> Linked {
    let mut pool = DescriptorPool::new();
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    let mut passed_on = PassedOn::new();
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    let known = Known::new(sources.iter().map(|source| &source.descriptor));
    for source in sources {
        problems.extend(rules::check(&source.descriptor, &source.text));
        let mut descriptor = source.descriptor.clone();
        let name = source.descriptor.name();
        let mut imports = descriptor.dependency.iter();
        if imports.any(|import| failed.contains(&**import)) {
            failed.insert(name);
            continue;
        }
        let imports = descriptor.dependency.len();
        see_what_is_passed_on(&mut descriptor, &mut passed_on);
        match pool.add_file_descriptor_proto(descriptor) {
            Ok(()) => {
                let linked = pool.get_file_by_name(name);
                files.extend(linked.map(|file| {
                    let mut descriptor = file.file_descriptor_proto().clone();
                    descriptor.dependency.truncate(imports);
                    descriptor
                }));
            }
            Err(error) => {
                failed.insert(name);
                let error = error.with_source_code(&in_ascii(&source.text.source));
                problems.extend(diagnostic::problems(&error, &source.text, &known));
            }
        }
    }
    let raw = sources.iter().filter_map(|source| {
        let name = source.descriptor.name().to_owned();
        Some((name, source.raw.clone()?))
    });
    let descriptors = Descriptors::new(pool, &files, raw.collect());
    Linked { files, problems, descriptors }
}

/// What each file passes on to those that import it, over any number of public imports.
type PassedOn = BTreeMap<String, BTreeSet<String>>;

/// Adds to the imports of a file what these pass on: the pool follows public imports for one step
/// only, but there is no end to them in Protobuf.
fn see_what_is_passed_on(descriptor: &mut FileDescriptorProto, passed_on: &mut PassedOn) {
    let mut seen = BTreeSet::new();
    let mut passed = BTreeSet::new();
    for (index, import) in (0..).zip(&descriptor.dependency) {
        let further = passed_on.get(import).into_iter().flatten();
        let further: Vec<String> = further.cloned().collect();
        if descriptor.public_dependency.contains(&index) {
            passed.insert(import.clone());
            passed.extend(further.iter().cloned());
        }
        seen.extend(further);
    }
    passed_on.insert(descriptor.name().to_owned(), passed);
    seen.retain(|name| !descriptor.dependency.contains(name));
    descriptor.dependency.extend(seen);
}

/// A text of the same lines and bytes in which every byte is a character: the parser counts columns
/// in bytes, but the pool in characters.
fn in_ascii(text: &str) -> String {
    let of_byte = |byte: u8| if byte.is_ascii() { byte.into() } else { '?' };
    text.bytes().map(of_byte).collect()
}
