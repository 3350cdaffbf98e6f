//! The names that prost-build gives to messages, enums and their parts.

use std::collections::BTreeMap;

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use crate::error::{Problem, Spot};
use crate::names::scope::{Kind, ModulePath, Owner, Scopes};
use crate::names::{EnumPrefix, ident, join, module_of, unnameable};

/// A walk over the types of one file, which takes their names.
pub(super) struct Walk<'a, 'f> {
    file: &'f FileDescriptorProto,
    prefix: EnumPrefix,
    scopes: &'a mut Scopes<'f>,
    problems: &'a mut Vec<Problem>,
}

/// Where the walk is: the element's place in the file and in Rust.
#[derive(Clone)]
struct At {
    /// The path in the descriptor.
    path: Vec<i32>,
    /// The Rust module that the element's types go to.
    scope: ModulePath,
    /// The full name of what surrounds the element.
    full_name: String,
}

impl<'a, 'f> Walk<'a, 'f> {
    pub(super) const fn new(
        file: &'f FileDescriptorProto,
        prefix: EnumPrefix,
        scopes: &'a mut Scopes<'f>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self { file, prefix, scopes, problems }
    }

    pub(super) fn messages_and_enums(mut self) {
        let file = self.file;
        let root = At {
            path: Vec::new(),
            scope: module_of(file.package()),
            full_name: file.package().to_owned(),
        };
        for (index, message) in (0..).zip(&file.message_type) {
            self.message(&root, 4, index, message);
        }
        for (index, item) in (0..).zip(&file.enum_type) {
            self.enumeration(&root, 5, index, item);
        }
    }

    fn message(&mut self, outer: &At, tag: i32, index: i32, message: &DescriptorProto) {
        let at = outer.inside(&[tag, index], message.name());
        let what = format!("message `{}`", at.full_name);
        let spot = self.spot(&at.path, &[1]);
        if !ident::is_nameable(message.name()) {
            self.problems.push(unnameable(&what, &spot));
            return;
        }
        let name = ident::camel(message.name());
        self.take(&outer.scope, name, &what, spot.clone(), Kind::Type);
        self.fields(&at, message);

        let nested = || (0..).zip(&message.nested_type).filter(|(_, m)| !is_map_entry(m));
        let oneofs = real_oneofs(message);
        if nested().next().is_none() && message.enum_type.is_empty() && oneofs.is_empty() {
            return;
        }
        let module = ident::snake(message.name());
        let types_of = format!("the types nested in {what}");
        self.take(&outer.scope, module.clone(), &types_of, spot, Kind::Nested);
        let mut inner = at.clone();
        inner.scope.push(module);
        for (index, nested) in nested() {
            self.message(&inner, 3, index, nested);
        }
        for (index, item) in (0..).zip(&message.enum_type) {
            self.enumeration(&inner, 4, index, item);
        }
        for (index, name) in oneofs {
            self.oneof(&inner, message, index, name);
        }
    }

    /// The enum that a oneof becomes. prost-build puts `OneOf` behind its name where a nested type
    /// has it already.
    fn oneof(&mut self, at: &At, message: &DescriptorProto, index: i32, name: &str) {
        if !ident::is_nameable(name) {
            return; // Reported with the fields.
        }
        let mut rust_name = ident::camel(name);
        let nested = message.nested_type.iter().map(DescriptorProto::name);
        let enums = message.enum_type.iter().map(EnumDescriptorProto::name);
        if nested.chain(enums).any(|other| ident::camel(other) == rust_name) {
            rust_name.push_str("OneOf");
        }
        let what = format!("oneof `{}`", join(&at.full_name, name));
        let spot = self.spot(&at.path, &[8, index, 1]);
        self.take(&at.scope, rust_name, &what, spot, Kind::Type);

        let mut variants = Siblings::default();
        for (field_index, field) in (0..).zip(&message.field) {
            if field.oneof_index == Some(index) && ident::is_nameable(field.name()) {
                let spot = self.spot(&at.path, &[2, field_index, 1]);
                let variant = ident::camel(field.name());
                let clash = variants.add(variant, field.name(), spot, &what);
                self.problems.extend(clash);
            }
        }
    }

    /// The fields of the struct that a message becomes: a oneof is one of them.
    fn fields(&mut self, at: &At, message: &DescriptorProto) {
        let what = format!("message `{}`", at.full_name);
        let mut fields = Siblings::default();
        let plain = (0..).zip(&message.field).map(|(index, field)| {
            let in_struct = field.oneof_index.is_none() || is_optional(field);
            ([2, index, 1], field.name(), in_struct)
        });
        let oneofs =
            real_oneofs(message).into_iter().map(|(index, name)| ([8, index, 1], name, true));
        for (path, name, in_struct) in plain.chain(oneofs) {
            let spot = self.spot(&at.path, &path);
            if !ident::is_nameable(name) {
                let field = format!("field `{}`", join(&at.full_name, name));
                self.problems.push(unnameable(&field, &spot));
            } else if in_struct {
                let clash = fields.add(ident::snake(name), name, spot, &what);
                self.problems.extend(clash);
            }
        }
    }

    fn enumeration(&mut self, outer: &At, tag: i32, index: i32, item: &EnumDescriptorProto) {
        let at = outer.inside(&[tag, index], item.name());
        let what = format!("enum `{}`", at.full_name);
        let spot = self.spot(&at.path, &[1]);
        if !ident::is_nameable(item.name()) {
            self.problems.push(unnameable(&what, &spot));
            return;
        }
        let enum_name = ident::camel(item.name());
        self.take(&outer.scope, enum_name.clone(), &what, spot, Kind::Type);

        let mut variants = Siblings::default();
        let mut numbers = std::collections::BTreeSet::new();
        for (index, value) in (0..).zip(&item.value) {
            let spot = self.spot(&at.path, &[2, index, 1]);
            if !ident::is_nameable(value.name()) {
                let value = format!("value `{}` of {what}", value.name());
                self.problems.push(unnameable(&value, &spot));
                continue;
            }
            // An alias of a number gets no variant of its own.
            if !numbers.insert(value.number()) {
                continue;
            }
            let camel = ident::camel(value.name());
            let variant = match self.prefix {
                EnumPrefix::Stripped => ident::variant(&enum_name, &camel),
                EnumPrefix::Kept => camel,
            };
            let clash = variants.add(variant, value.name(), spot, &what);
            self.problems.extend(clash);
        }
    }

    fn take(&mut self, scope: &[String], name: String, what: &str, spot: Spot<'f>, kind: Kind) {
        let owner = Owner::new(what.to_owned(), spot, kind);
        self.problems.extend(self.scopes.take(scope, name, owner).err());
    }

    fn spot(&self, path: &[i32], rest: &[i32]) -> Spot<'f> {
        Spot::new(self.file, &[path, rest].concat())
    }
}

impl At {
    fn inside(&self, path: &[i32], name: &str) -> Self {
        Self {
            path: [&self.path, path].concat(),
            scope: self.scope.clone(),
            full_name: join(&self.full_name, name),
        }
    }
}

/// The names of the fields of one struct, or of the variants of one enum.
#[derive(Default)]
struct Siblings<'a> {
    known: BTreeMap<String, (&'a str, Spot<'a>)>,
}

impl<'a> Siblings<'a> {
    /// Adds one; gives back what is wrong if another one is called the same.
    fn add(
        &mut self,
        rust_name: String,
        name: &'a str,
        spot: Spot<'a>,
        of: &str,
    ) -> Option<Problem> {
        let Some((first, first_spot)) = self.known.get(&rust_name) else {
            self.known.insert(rust_name, (name, spot));
            return None;
        };
        Some(Problem::new(
            format!("`{first}` and `{name}` of {of} are both `{rust_name}` in Rust"),
            [
                spot.place(format!("this is `{rust_name}` in Rust ...")),
                first_spot.place("... and so is this"),
            ],
            "rename one of them",
        ))
    }
}

/// The oneofs that the file declares: an optional field of proto3 has one of its own that nobody
/// sees.
fn real_oneofs(message: &DescriptorProto) -> Vec<(i32, &str)> {
    (0..)
        .zip(&message.oneof_decl)
        .filter(|(index, _)| {
            let mut fields = message.field.iter();
            fields.any(|field| field.oneof_index == Some(*index) && !is_optional(field))
        })
        .map(|(index, oneof)| (index, oneof.name()))
        .collect()
}

fn is_optional(field: &FieldDescriptorProto) -> bool {
    field.proto3_optional()
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}
