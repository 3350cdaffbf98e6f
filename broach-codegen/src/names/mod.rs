//! What everything in a set of `.proto` files is called in Rust, found free of clashes.
//!
//! Messages and enums are named by prost-build; these modules know its rules and report where they
//! lead to one name twice, which rustc would only say about generated code. Services come after
//! them and give way; the rules are on the [crate's page](crate#names).

pub(crate) mod ident;
mod messages;
mod scope;
mod services;

use std::collections::BTreeMap;

use prost_build::Module;
use prost_types::{FileDescriptorProto, ServiceDescriptorProto};

use crate::error::{Problem, Spot};
use crate::ids::{Ids, method_id};
use crate::names::messages::Walk;
use crate::names::scope::{Kind, Owner, Scopes};
pub(crate) use crate::names::services::ServiceNames;
use crate::names::services::Statics;

/// The Rust names of the services of a set of files.
#[derive(Clone, Debug, Default)]
pub struct Names {
    services: BTreeMap<String, ServiceNames>,
}

/// Whether prost-build takes the name of an enum away from the names of its values.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EnumPrefix {
    /// `COLOR_RED` of `Color` becomes `Red`, as is usual.
    #[default]
    Stripped,
    /// `COLOR_RED` of `Color` becomes `ColorRed`: `retain_enum_prefix` was called.
    Kept,
}

impl Names {
    /// Names the services of `files`, which must be all files that code is generated for, in the
    /// order in which it is.
    ///
    /// # Errors
    ///
    /// All that cannot be named: see [`Problem`].
    pub fn of<'a>(
        files: impl IntoIterator<Item = &'a FileDescriptorProto>,
        prefix: EnumPrefix,
    ) -> Result<Self, Vec<Problem>> {
        let files: Vec<&FileDescriptorProto> = files.into_iter().collect();
        let mut problems = Vec::new();
        let mut scopes = Scopes::default();
        for &file in &files {
            take_packages(&mut scopes, file, &mut problems);
        }
        for &file in &files {
            Walk::new(file, prefix, &mut scopes, &mut problems).messages_and_enums();
        }
        let mut names = Self::default();
        let mut statics = Statics::new();
        let mut ids = Ids::new();
        for &file in &files {
            names.add_services(file, &mut scopes, &mut statics, &mut ids, &mut problems);
        }
        names.hide_boxes(&files, &scopes);
        if problems.is_empty() { Ok(names) } else { Err(problems) }
    }

    /// The names of a service; the usual ones if it is not among the files.
    pub(crate) fn service(&self, service: &prost_build::Service) -> ServiceNames {
        let full_name = join(&service.package, &service.proto_name);
        self.services
            .get(&full_name)
            .cloned()
            .unwrap_or_else(|| ServiceNames::usual(&service.proto_name))
    }

    fn add_services<'a>(
        &mut self,
        file: &'a FileDescriptorProto,
        scopes: &mut Scopes<'a>,
        statics: &mut Statics,
        ids: &mut Ids<(String, Spot<'a>)>,
        problems: &mut Vec<Problem>,
    ) {
        let scope = module_of(file.package());
        for (index, service) in (0..).zip(&file.service) {
            let full_name = join(file.package(), service.name());
            let spot = Spot::new(file, &[6, index, 1]);
            let what = format!("service `{full_name}`");
            if !ident::is_nameable(service.name()) {
                problems.push(unnameable(&what, &spot));
                continue;
            }
            let owner = Owner::new(what, spot, Kind::Service);
            match services::choose(scopes, statics, &scope, service.name(), &owner) {
                Ok(names) => {
                    self.services.insert(full_name.clone(), names);
                }
                Err(problem) => problems.push(problem),
            }
            check_methods(file, index, service, &full_name, ids, problems);
        }
    }

    /// Notes for each service whether another type is called `Box` beside it.
    fn hide_boxes(&mut self, files: &[&FileDescriptorProto], scopes: &Scopes<'_>) {
        for file in files {
            let hidden = scopes.owner(&module_of(file.package()), "Box").is_some();
            for service in &file.service {
                let full_name = join(file.package(), service.name());
                if let Some(names) = self.services.get_mut(&full_name) {
                    names.box_is_hidden = hidden;
                }
            }
        }
    }
}

/// The name of a method on traits and clients, and why it is not the usual one.
pub(crate) fn method_name(usual: &str) -> (String, Option<&'static str>) {
    let why = match usual {
        "new" => "`new` makes a client",
        // Taking its receiver by value, it is found before any method of a client itself.
        "into" | "try_into" => "every type has a method of this name",
        _ => return (usual.to_owned(), None),
    };
    (format!("{usual}_"), Some(why))
}

/// `package.name`, or `name` where there is no package.
pub(crate) fn join(package: &str, name: &str) -> String {
    if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") }
}

/// Reports methods of a service that are one in Rust or on the wire.
fn check_methods<'a>(
    file: &'a FileDescriptorProto,
    service_index: i32,
    service: &'a ServiceDescriptorProto,
    service_name: &str,
    ids: &mut Ids<(String, Spot<'a>)>,
    problems: &mut Vec<Problem>,
) {
    let mut known: BTreeMap<String, (&str, Spot<'_>)> = BTreeMap::new();
    for (index, method) in (0..).zip(&service.method) {
        let spot = Spot::new(file, &[6, service_index, 2, index, 1]);
        let full_name = format!("{service_name}/{}", method.name());
        if !ident::is_nameable(method.name()) {
            problems.push(unnameable(&format!("method `{full_name}`"), &spot));
            continue;
        }
        let (rust_name, _) = method_name(&ident::snake(method.name()));
        if let Some((first, first_spot)) = known.get(&rust_name) {
            problems.push(Problem::new(
                format!(
                    "methods `{first}` and `{}` of `{service_name}` are both `{rust_name}` in Rust",
                    method.name()
                ),
                [
                    spot.place(format!("this is `{rust_name}` in Rust ...")),
                    first_spot.place("... and so is this"),
                ],
                "rename one of them",
            ));
        }
        let id = method_id(&full_name);
        if let Some((first, first_spot)) = ids.add(id, (full_name.clone(), spot.clone())) {
            problems.push(Problem::new(
                format!("methods `{first}` and `{full_name}` both have the id {id:016x}"),
                [spot.place("this method ..."), first_spot.place("... and this one")],
                "rename one of them: an id is the hash of the full name",
            ));
        }
        known.insert(rust_name, (method.name(), spot));
    }
}

/// Takes the names of the modules that lead to a file's package.
fn take_packages<'a>(
    scopes: &mut Scopes<'a>,
    file: &'a FileDescriptorProto,
    problems: &mut Vec<Problem>,
) {
    let spot = Spot::new(file, &[2]);
    let mut scope = Vec::new();
    let mut package = String::new();
    for segment in file.package().split('.').filter(|part| !part.is_empty()) {
        package = join(&package, segment);
        let what = format!("package `{package}`");
        if !ident::is_nameable(segment) {
            problems.push(unnameable(&what, &spot));
            return;
        }
        let name = ident::snake(segment);
        let owner = Owner::new(what, spot.clone(), Kind::Package);
        problems.extend(scopes.take(&scope, name.clone(), owner).err());
        scope.push(name);
    }
}

/// The module of a package.
fn module_of(package: &str) -> Vec<String> {
    let module = Module::from_protobuf_package_name(package);
    module.parts().map(str::to_owned).collect()
}

fn unnameable(what: &str, spot: &Spot<'_>) -> Problem {
    Problem::new(
        format!("{what} cannot be named in Rust"),
        [spot.place("has no letter and no digit")],
        "give it a name with a letter",
    )
}
