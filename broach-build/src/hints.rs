//! What to do about a mistake, where the parser does not say it itself.

use std::collections::BTreeSet;

use prost_types::{DescriptorProto, FileDescriptorProto};
use protox::prost_reflect::DescriptorPool;

use crate::error::Text;

/// The names of all messages and enums, for those that are nearly right.
#[derive(Debug, Default)]
pub(crate) struct Known {
    names: BTreeSet<String>,
}

impl Known {
    pub(crate) fn new<'a>(files: impl Iterator<Item = &'a FileDescriptorProto>) -> Self {
        let mut known = Self::default();
        for file in files {
            known.names.extend(file.enum_type.iter().map(|item| item.name().to_owned()));
            file.message_type.iter().for_each(|message| known.message(message));
        }
        known
    }

    fn message(&mut self, message: &DescriptorProto) {
        if message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry) {
            return; // Nobody has written it.
        }
        self.names.insert(message.name().to_owned());
        self.names.extend(message.enum_type.iter().map(|item| item.name().to_owned()));
        message.nested_type.iter().for_each(|message| self.message(message));
    }
}

/// A hint for what is said of a file, if there is one.
pub(crate) fn hint(message: &str, text: &Text, known: &Known) -> Option<String> {
    undefined(message, known)
        .or_else(|| no_syntax(message, text))
        .or_else(|| late_syntax(message))
        .or_else(|| wrong_level(message))
        .or_else(|| no_message(message))
}

/// A name that nothing has: what to import, or what it was meant to be.
fn undefined(message: &str, known: &Known) -> Option<String> {
    let name = message.strip_prefix("name '")?.strip_suffix("' is not defined")?;
    if let Some(google) = DescriptorPool::global().get_message_by_name(name) {
        return Some(format!("add `import \"{}\";`", google.parent_file().name()));
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if SCALARS.contains(&name) {
        // Fields may have it, so this is of a method.
        return Some(format!("methods take and return messages only: put the `{name}` into one"));
    }
    let candidates = SCALARS.iter().copied().chain(known.names.iter().map(String::as_str));
    let near = candidates.filter_map(|candidate| {
        let distance = distance(&last.to_lowercase(), &candidate.to_lowercase());
        let is_near = distance * 3 <= last.chars().count() && candidate != last;
        is_near.then_some((distance, candidate))
    });
    let (_, nearest) = near.min_by_key(|(distance, _)| *distance)?;
    Some(format!("there is `{nearest}`"))
}

/// What is missing if a file is read as proto2 because it does not say what it is.
fn no_syntax(message: &str, text: &Text) -> Option<String> {
    let is_it = message.contains("proto2") && !text.source.contains("syntax");
    is_it
        .then(|| "write `syntax = \"proto3\";` in the first line: without, it is proto2".to_owned())
}

fn late_syntax(message: &str) -> Option<String> {
    let is_it = message.starts_with("expected") && message.ends_with("but found 'syntax'");
    is_it.then(|| "`syntax` comes before everything else in a file".to_owned())
}

fn wrong_level(message: &str) -> Option<String> {
    let is_it = message.contains("'google.protobuf.MethodOptions.IdempotencyLevel'");
    is_it.then(|| "it is NO_SIDE_EFFECTS, IDEMPOTENT or IDEMPOTENCY_UNKNOWN".to_owned())
}

fn no_message(message: &str) -> Option<String> {
    let is_it = message.ends_with("is not a message type");
    is_it.then(|| "methods take and return messages only".to_owned())
}

/// The least number of signs to change, add, or take out to make one word of another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What a field may have without declaring or importing it.
const SCALARS: [&str; 15] = [
    "bool", "bytes", "double", "fixed32", "fixed64", "float", "int32", "int64", "sfixed32",
    "sfixed64", "sint32", "sint64", "string", "uint32", "uint64",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_little_are_near() {
        assert_eq!(distance("strng", "string"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
        let hint = |name: &str| undefined(&format!("name '{name}' is not defined"), &known());
        assert_eq!(hint("a.v1.HelloRequst").as_deref(), Some("there is `HelloRequest`"));
        assert_eq!(hint("Int32").as_deref(), Some("there is `int32`"));
        assert_eq!(hint("Foo"), None);
    }

    fn known() -> Known {
        Known { names: ["HelloRequest".to_owned()].into() }
    }
}
