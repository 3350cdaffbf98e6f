//! Rules of Protobuf that the parser does not know of, and protoc would insist on.

use std::collections::BTreeMap;
use std::sync::Arc;

use broach_codegen::Place;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::error::{Mark, Problem, Text};

/// All that is wrong with a file.
pub(crate) fn check(file: &FileDescriptorProto, text: &Arc<Text>) -> Vec<Problem> {
    let mut check = Check { file, text, problems: Vec::new() };
    for (index, message) in (0..).zip(&file.message_type) {
        check.message(&[4, index], message);
    }
    for (index, item) in (0..).zip(&file.enum_type) {
        check.enumeration(&[5, index], item);
    }
    check.problems
}

struct Check<'a> {
    file: &'a FileDescriptorProto,
    text: &'a Arc<Text>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn message(&mut self, path: &[i32], message: &DescriptorProto) {
        let fields = message.field.iter().map(|field| field.name());
        self.reserved(path, ("field", 2), fields, (10, &message.reserved_name));
        for (index, nested) in (0..).zip(&message.nested_type) {
            self.message(&[path, &[3, index]].concat(), nested);
        }
        for (index, item) in (0..).zip(&message.enum_type) {
            self.enumeration(&[path, &[4, index]].concat(), item);
        }
    }

    fn enumeration(&mut self, path: &[i32], item: &EnumDescriptorProto) {
        let values = item.value.iter().map(|value| value.name());
        self.reserved(path, ("value", 2), values, (5, &item.reserved_name));
    }

    /// Reports members that have a reserved name.
    fn reserved<'n>(
        &mut self,
        path: &[i32],
        (what, members_tag): (&str, i32),
        members: impl Iterator<Item = &'n str>,
        (reserved_tag, reserved): (i32, &[String]),
    ) {
        let reserved: BTreeMap<&str, i32> = reserved.iter().map(String::as_str).zip(0..).collect();
        for (index, name) in (0..).zip(members) {
            let Some(reserved) = reserved.get(name) else {
                continue;
            };
            let places = [
                self.mark(&[path, &[members_tag, index, 1]].concat(), "defined here"),
                self.mark(&[path, &[reserved_tag, *reserved]].concat(), "reserved here"),
            ];
            self.problems.push(Problem {
                message: format!("{what} name '{name}' is reserved"),
                marks: places.into_iter().flatten().collect(),
                help: Some("choose another name, or take this one out of the reserved".to_owned()),
            });
        }
    }

    fn mark(&self, path: &[i32], label: &str) -> Option<Mark> {
        let place = Place::find(self.file, path, label)?;
        let offset = |at: broach_codegen::Position| self.text.offset(at.line, at.column);
        let range = offset(place.start)..offset(place.end);
        (!self.text.source.is_empty()).then(|| Mark::new(self.text, range, label))
    }
}
