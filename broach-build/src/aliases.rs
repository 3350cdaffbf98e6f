//! Aliases of values of an enum, where a field has one for its default.
//!
//! An alias gets no variant in Rust, but prost-build would name it all the same.

use std::collections::BTreeMap;

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

/// Names the value itself wherever the default of a field is an alias of it.
pub(crate) fn resolve(files: &mut [FileDescriptorProto]) {
    let mut aliases = Aliases::new();
    for file in &*files {
        let scope = match file.package() {
            "" => String::new(),
            package => format!(".{package}"),
        };
        note_enums(&scope, &file.enum_type, &mut aliases);
        for message in &file.message_type {
            note_message(&scope, message, &mut aliases);
        }
    }
    let messages = files.iter_mut().flat_map(|file| &mut file.message_type);
    messages.for_each(|message| resolve_message(message, &aliases));
}

/// The value that an alias stands for, by the full name of the enum and the alias.
type Aliases = BTreeMap<(String, String), String>;

fn note_message(scope: &str, message: &DescriptorProto, aliases: &mut Aliases) {
    let scope = format!("{scope}.{}", message.name());
    note_enums(&scope, &message.enum_type, aliases);
    for nested in &message.nested_type {
        note_message(&scope, nested, aliases);
    }
}

fn note_enums(scope: &str, enums: &[EnumDescriptorProto], aliases: &mut Aliases) {
    for item in enums {
        let mut first_of: BTreeMap<i32, &str> = BTreeMap::new();
        for value in &item.value {
            let first = *first_of.entry(value.number()).or_insert_with(|| value.name());
            if first != value.name() {
                let alias = (format!("{scope}.{}", item.name()), value.name().to_owned());
                aliases.insert(alias, first.to_owned());
            }
        }
    }
}

fn resolve_message(message: &mut DescriptorProto, aliases: &Aliases) {
    for field in &mut message.field {
        let value = (field.type_name().to_owned(), field.default_value().to_owned());
        if let Some(first) = aliases.get(&value) {
            field.default_value = Some(first.clone());
        }
    }
    for nested in &mut message.nested_type {
        resolve_message(nested, aliases);
    }
}
