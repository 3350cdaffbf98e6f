//! [`Scopes`]: which names are taken in each Rust module.

use std::collections::BTreeMap;

use crate::error::{Problem, Spot};

/// The types and modules of every generated module. In Rust these two share one namespace.
#[derive(Debug, Default)]
pub(super) struct Scopes<'a> {
    taken: BTreeMap<ModulePath, BTreeMap<String, Owner<'a>>>,
}

/// A module's path from where the generated code is included.
pub(super) type ModulePath = Vec<String>;

/// Something in a `.proto` that has a name in Rust.
#[derive(Clone, Debug)]
pub(super) struct Owner<'a> {
    /// What it is, for people: ``message `shop.v1.Order` ``.
    pub(super) what: String,
    pub(super) spot: Spot<'a>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The module of a package, which all its files share.
    Package,
    /// The module of the types nested in a message.
    Nested,
    /// A message, an enum, or the type of a oneof.
    Type,
    /// The trait, the client or the server of a service.
    Service,
}

impl<'a> Scopes<'a> {
    /// Who has a name.
    pub(super) fn owner(&self, scope: &[String], name: &str) -> Option<&Owner<'a>> {
        self.taken.get(scope)?.get(name)
    }

    /// Takes a name for something.
    ///
    /// # Errors
    ///
    /// If another has it, who keeps it.
    pub(super) fn take(
        &mut self,
        scope: &[String],
        name: String,
        owner: Owner<'a>,
    ) -> Result<(), Problem> {
        let scope_names = self.taken.entry(scope.to_vec()).or_default();
        match scope_names.get(&name) {
            None => {
                scope_names.insert(name, owner);
                Ok(())
            }
            Some(first) if first.kind == Kind::Package && owner.kind == Kind::Package => Ok(()),
            Some(first) => Err(first.clash_with(&owner, &path_of(scope, &name))),
        }
    }
}

impl<'a> Owner<'a> {
    pub(super) const fn new(what: String, spot: Spot<'a>, kind: Kind) -> Self {
        Self { what, spot, kind }
    }

    fn clash_with(&self, second: &Self, rust_name: &str) -> Problem {
        Problem::new(
            format!("{} and {} are both `{rust_name}` in Rust", second.what, self.what),
            [
                second.spot.place(format!("this is `{rust_name}` in Rust ...")),
                self.spot.place("... and so is this"),
            ],
            "rename one of them: upper and lower case and underscores do not tell names apart \
             in Rust's spelling",
        )
    }
}

/// `greeter::v1::Greeter`.
pub(super) fn path_of(scope: &[String], name: &str) -> String {
    let mut path = scope.join("::");
    if !path.is_empty() {
        path.push_str("::");
    }
    path + name
}
