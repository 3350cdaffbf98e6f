//! What a service's trait, client and server are called.

use std::collections::BTreeSet;

use crate::error::{Problem, Spot};
use crate::names::ident;
use crate::names::scope::{Kind, Owner, Scopes, path_of};

/// The names of what is generated for one service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServiceNames {
    /// The trait: `Greeter`.
    pub(crate) service: String,
    /// `GreeterClient`.
    pub(crate) client: String,
    /// `GreeterServer`.
    pub(crate) server: String,
    /// The static that describes the service: `GREETER`.
    pub(crate) spec: String,
    /// Why they are not the usual ones, if they are not.
    pub(crate) renamed: Option<String>,
    /// Whether `Box` means another type where the service is generated.
    pub(crate) box_is_hidden: bool,
}

impl ServiceNames {
    /// The usual names: those of a service that nothing stands in the way of.
    pub(crate) fn usual(proto_name: &str) -> Self {
        Self {
            service: ident::camel(proto_name),
            client: ident::camel_with(proto_name, "Client"),
            server: ident::camel_with(proto_name, "Server"),
            spec: ident::shouty(proto_name),
            renamed: None,
            box_is_hidden: false,
        }
    }

    fn types(&self) -> [&str; 3] {
        [&self.service, &self.client, &self.server]
    }
}

/// The statics of a package, a namespace of their own.
pub(super) type Statics = BTreeSet<(Vec<String>, String)>;

/// Chooses names for a service that nothing else has: the usual ones, or those of a service that
/// is called the same with `Service` at the end.
///
/// All names change together, so that one still tells by the trait what the client is called.
///
/// # Errors
///
/// If both sets of names are taken.
pub(super) fn choose<'a>(
    scopes: &mut Scopes<'a>,
    statics: &mut Statics,
    scope: &[String],
    proto_name: &str,
    owner: &Owner<'a>,
) -> Result<ServiceNames, Problem> {
    let usual = ServiceNames::usual(proto_name);
    let Some(first) = in_the_way(scopes, statics, scope, &usual) else {
        return Ok(take(scopes, statics, scope, usual, owner));
    };
    let longer = ServiceNames::usual(&format!("{proto_name}_service"));
    if let Some(second) = in_the_way(scopes, statics, scope, &longer) {
        return Err(no_name(scope, owner, &first, &second));
    }
    let names = ServiceNames {
        renamed: Some(format!("`{}` is {}", first.rust_name, first.what)),
        ..longer
    };
    Ok(take(scopes, statics, scope, names, owner))
}

/// What has a name that a service would like to have.
struct InTheWay<'a> {
    rust_name: String,
    what: String,
    spot: Option<Spot<'a>>,
}

fn in_the_way<'a>(
    scopes: &Scopes<'a>,
    statics: &Statics,
    scope: &[String],
    names: &ServiceNames,
) -> Option<InTheWay<'a>> {
    for name in names.types() {
        if let Some(owner) = scopes.owner(scope, name) {
            return Some(InTheWay {
                rust_name: name.to_owned(),
                what: owner.what.clone(),
                spot: Some(owner.spot.clone()),
            });
        }
    }
    let is_taken = statics.contains(&(scope.to_vec(), names.spec.clone()));
    is_taken.then(|| InTheWay {
        rust_name: names.spec.clone(),
        what: "the description of another service".to_owned(),
        spot: None,
    })
}

fn take<'a>(
    scopes: &mut Scopes<'a>,
    statics: &mut Statics,
    scope: &[String],
    names: ServiceNames,
    owner: &Owner<'a>,
) -> ServiceNames {
    let roles = ["the trait of", "the client of", "the server of"];
    for (name, role) in names.types().into_iter().zip(roles) {
        let what = format!("{role} {}", owner.what);
        let owner = Owner::new(what, owner.spot.clone(), Kind::Service);
        let result = scopes.take(scope, name.to_owned(), owner);
        debug_assert!(result.is_ok(), "the name was free one moment ago");
    }
    statics.insert((scope.to_vec(), names.spec.clone()));
    names
}

fn no_name(
    scope: &[String],
    owner: &Owner<'_>,
    first: &InTheWay<'_>,
    second: &InTheWay<'_>,
) -> Problem {
    let first_label = format!("this is `{}` in Rust", first.rust_name);
    Problem::new(
        format!(
            "{} finds no name in Rust: `{}` is {}",
            owner.what,
            path_of(scope, &first.rust_name),
            first.what,
        ),
        [
            owner.spot.place("this service"),
            first.spot.as_ref().and_then(|spot| spot.place(first_label)),
        ],
        format!(
            "rename the service or {}; `{}` would have done too, but is {}",
            first.what, second.rust_name, second.what,
        ),
    )
}
