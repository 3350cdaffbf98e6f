//! [`Descriptors`]: the descriptors of all files, to be written or embedded.
//!
//! They are kept in a pool and not as prost's own types, which would lose the values of options
//! that files declare themselves (`google.api.http` and the like).

use std::collections::BTreeMap;

use prost_types::FileDescriptorProto;
use protox::prost_reflect::prost::Message;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

/// The descriptors of linked files.
#[derive(Debug)]
pub(crate) struct Descriptors {
    pool: DescriptorPool,
    /// The names of the files in the order in which they are written, and how many imports each
    /// really has: the pool was told of more.
    files: Vec<(String, usize)>,
    /// Files that came encoded.
    raw: BTreeMap<String, Vec<u8>>,
}

impl Descriptors {
    pub(crate) fn new(
        pool: DescriptorPool,
        files: &[FileDescriptorProto],
        raw: BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let files = in_order(files);
        let files = files.into_iter();
        let files = files.map(|file| (file.name().to_owned(), file.dependency.len())).collect();
        Self { pool, files, raw }
    }

    /// A `google.protobuf.FileDescriptorSet` with all there is.
    pub(crate) fn encode(&self) -> Vec<u8> {
        set(self.files.iter().filter_map(|(name, imports)| self.file(name, *imports)))
    }

    /// One without comments and places, which programs have no use for.
    pub(crate) fn encode_for_programs(&self) -> Vec<u8> {
        set(self.files.iter().filter_map(|(name, imports)| {
            let mut file = self.file(name, *imports)?;
            file.clear_field_by_name("source_code_info");
            Some(file)
        }))
    }

    fn file(&self, name: &str, imports: usize) -> Option<DynamicMessage> {
        let encoded = match self.raw.get(name) {
            Some(raw) => raw.clone(),
            None => self.pool.get_file_by_name(name)?.encode_to_vec(),
        };
        let descriptor = FileDescriptorProto::default().descriptor();
        let mut file = DynamicMessage::decode(descriptor, &*encoded).ok()?;
        let dependency = file.get_field_by_name_mut("dependency").and_then(Value::as_list_mut);
        if let Some(dependency) = dependency {
            dependency.truncate(imports);
        }
        Some(file)
    }
}

/// Field 1 of the set holds all files.
fn set(files: impl Iterator<Item = DynamicMessage>) -> Vec<u8> {
    let mut encoded = Vec::new();
    for file in files {
        encoded.push(0x0a);
        // A vector grows as it is written to, so there is always room.
        let written = file.encode_length_delimited(&mut encoded);
        debug_assert!(written.is_ok());
    }
    encoded
}

/// The files, imports first, in an order that does not depend on the one they are in.
fn in_order(files: &[FileDescriptorProto]) -> Vec<&FileDescriptorProto> {
    let by_name: BTreeMap<&str, &FileDescriptorProto> =
        files.iter().map(|file| (file.name(), file)).collect();
    // Each file waits on the stack until all its imports are out.
    let mut ordered = Vec::with_capacity(files.len());
    let mut met = std::collections::BTreeSet::new();
    let mut stack: Vec<(&FileDescriptorProto, bool)> =
        by_name.values().rev().map(|file| (*file, false)).collect();
    while let Some((file, imports_are_out)) = stack.pop() {
        if imports_are_out {
            ordered.push(file);
        } else if met.insert(file.name()) {
            stack.push((file, true));
            let imports = file.dependency.iter().rev();
            let imports = imports.filter_map(|import| by_name.get(&**import));
            stack.extend(imports.map(|file| (*file, false)));
        }
    }
    ordered
}
