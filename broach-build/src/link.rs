//! Linking: names that one file uses and another defines, options, numbers, all that takes more
//! than one look at one file.

use std::collections::BTreeSet;

use prost_types::FileDescriptorProto;
use protox::prost_reflect::DescriptorPool;

use crate::diagnostic;
use crate::error::Problem;
use crate::read::Source;

/// Checks the files, which come after those that they import, and completes their descriptors.
///
/// A file that imports a faulty one is left out: what it lacks would only be told again.
pub(crate) fn link(sources: &[Source]) -> (Vec<FileDescriptorProto>, Vec<Problem>) {
    let mut pool = DescriptorPool::new();
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for source in sources {
        let descriptor = &source.descriptor;
        let mut imports = descriptor.dependency.iter();
        if imports.any(|import| failed.contains(&**import)) {
            failed.insert(descriptor.name());
            continue;
        }
        match pool.add_file_descriptor_proto(descriptor.clone()) {
            Ok(()) => {
                let linked = pool.get_file_by_name(descriptor.name());
                files.extend(linked.map(|file| file.file_descriptor_proto().clone()));
            }
            Err(error) => {
                failed.insert(descriptor.name());
                let error = error.with_source_code(&in_ascii(&source.text.source));
                problems.extend(diagnostic::problems(&error, &source.text));
            }
        }
    }
    (files, problems)
}

/// A text of the same lines and bytes in which every byte is a character: the parser counts columns
/// in bytes, but the pool in characters.
fn in_ascii(text: &str) -> String {
    let of_byte = |byte: u8| if byte.is_ascii() { byte.into() } else { '?' };
    text.bytes().map(of_byte).collect()
}
