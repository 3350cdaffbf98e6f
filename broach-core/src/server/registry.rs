//! [`Registry`]: the services of a node, by their methods' ids.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::advert::OfferedService;
use crate::errors::debug_as_text;
use crate::exchange::Dispatch;
use crate::ids::MethodId;
use crate::method::{Method, MethodSpec};

/// The services that a node serves.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    services: Vec<Arc<dyn Dispatch>>,
    methods: FxHashMap<MethodId, Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    service: usize,
    index: usize,
    spec: &'static MethodSpec,
}

/// A service that cannot be served beside the others.
#[derive(Clone, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// There are two services of one name.
    #[error("service {name} is served twice: give serve() each service once")]
    Twice {
        /// The name of both.
        name: &'static str,
    },
    /// Two methods have the same id on the wire.
    #[error(
        "methods {one} and {other} have the same id {id}: one of them has to be renamed, because \
         ids are made from names"
    )]
    Collision {
        /// One method, as `package.Service/Method`.
        one: String,
        /// The other one.
        other: String,
        /// The id of both.
        id: MethodId,
    },
    /// A service has a name of those that Broach's own services have.
    #[error("service {name} has a name that begins with {RESERVED}: such names are Broach's own")]
    Reserved {
        /// The name.
        name: &'static str,
    },
    /// A service's version is none.
    #[error(
        "service {name} has the version {version:?}, which does not read like 1.4.0 or \
         2.0.0-rc.1: {why}"
    )]
    Version {
        /// The name of the service.
        name: &'static str,
        /// Its version.
        version: String,
        /// What is wrong with it.
        why: String,
    },
}

debug_as_text!(RegisterError);

/// A method of a service that is served.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) service: Arc<dyn Dispatch>,
    pub(crate) index: usize,
    pub(crate) method: Method,
}

impl Registry {
    /// Adds a service of the node's user.
    ///
    /// # Errors
    ///
    /// If its name or the id of one of its methods is taken or reserved, or its version is none;
    /// nothing is changed then.
    pub(crate) fn add(&mut self, service: Arc<dyn Dispatch>) -> Result<(), RegisterError> {
        let name = service.spec().name;
        if is_reserved(name) {
            return Err(RegisterError::Reserved { name });
        }
        check_version(name, service.version())?;
        self.add_unchecked(service)
    }

    /// Adds a service of Broach's own, which is not offered: others know that it is there.
    ///
    /// # Errors
    ///
    /// If its name or the id of one of its methods is taken; nothing is changed then.
    pub(crate) fn add_internal(&mut self, service: Arc<dyn Dispatch>) -> Result<(), RegisterError> {
        debug_assert!(is_reserved(service.spec().name), "its name would be offered");
        self.add_unchecked(service)
    }

    fn add_unchecked(&mut self, service: Arc<dyn Dispatch>) -> Result<(), RegisterError> {
        let spec = service.spec();
        if self.services.iter().any(|other| other.spec().name == spec.name) {
            return Err(RegisterError::Twice { name: spec.name });
        }
        let mut methods = self.methods.clone();
        for (index, spec) in spec.methods.iter().enumerate() {
            let entry = Entry { service: self.services.len(), index, spec };
            if let Some(taken) = methods.insert(spec.id(), entry) {
                return Err(RegisterError::Collision {
                    one: taken.spec.full_name().to_owned(),
                    other: spec.full_name().to_owned(),
                    id: spec.id(),
                });
            }
        }
        self.methods = methods;
        self.services.push(service);
        Ok(())
    }

    /// Whether there is a method of this id.
    pub(crate) fn serves(&self, id: MethodId) -> bool {
        self.methods.contains_key(&id)
    }

    /// The method of an id.
    pub(crate) fn find(&self, id: MethodId) -> Option<Found> {
        let entry = self.methods.get(&id)?;
        Some(Found {
            service: Arc::clone(&self.services[entry.service]),
            index: entry.index,
            method: entry.spec.into(),
        })
    }

    /// The names of the services, in the order in which they were added.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().map(|service| service.spec().name)
    }

    /// What this node offers to others, sorted by name.
    pub(crate) fn offered(&self) -> Vec<OfferedService> {
        let offered = self.services.iter().filter(|service| !is_reserved(service.spec().name));
        let mut offered: Vec<_> = offered
            .map(|service| {
                let version = service.version().to_owned();
                OfferedService::new(service.spec().name.to_owned(), version)
            })
            .collect();
        offered.sort_by(|one, other| one.name.cmp(&other.name));
        offered
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.services.is_empty()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Whether the name of a service, or of a method of it, is one of Broach's own.
pub(super) fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED)
}

fn check_version(name: &'static str, version: &str) -> Result<(), RegisterError> {
    if version.is_empty() {
        return Ok(());
    }
    match semver::Version::parse(version) {
        Ok(_) => Ok(()),
        Err(error) => {
            let (version, why) = (version.to_owned(), error.to_string());
            Err(RegisterError::Version { name, version, why })
        }
    }
}

/// What the names of Broach's own services begin with.
const RESERVED: &str = "broach.cluster.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Handling, Inbound};
    use crate::method::{Idempotency, ServiceSpec, Shape};

    struct Service(&'static ServiceSpec, &'static str);

    impl Dispatch for Service {
        fn spec(&self) -> &'static ServiceSpec {
            self.0
        }

        fn version(&self) -> &str {
            self.1
        }

        fn dispatch(&self, call: Inbound) -> Handling {
            call.unimplemented()
        }
    }

    const fn method(name: &'static str, id: u64) -> MethodSpec {
        MethodSpec::new(name, id, Shape::Unary, Idempotency::None)
    }

    static ONE: ServiceSpec =
        ServiceSpec { name: "a.One", methods: &[method("a.One/X", 1), method("a.One/Y", 2)] };
    static OTHER: ServiceSpec = ServiceSpec { name: "a.Other", methods: &[method("a.Other/Z", 2)] };

    #[test]
    fn methods_are_found_by_id() {
        let mut registry = Registry::default();
        registry.add(Arc::new(Service(&ONE, ""))).unwrap();
        let found = registry.find(MethodId(2)).unwrap();
        assert_eq!((found.index, found.method.full_name()), (1, "a.One/Y"));
        assert!(registry.find(MethodId(3)).is_none());
    }

    #[test]
    fn a_name_or_an_id_that_is_taken_is_refused() {
        let mut registry = Registry::default();
        registry.add(Arc::new(Service(&ONE, ""))).unwrap();
        let twice = registry.add(Arc::new(Service(&ONE, ""))).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "service a.One is served twice: give serve() each service once"
        );
        let collision = registry.add(Arc::new(Service(&OTHER, ""))).unwrap_err();
        assert!(collision.to_string().contains("a.One/Y and a.Other/Z"), "{collision}");
        assert_eq!(registry.names().count(), 1);
    }

    static LAST: ServiceSpec = ServiceSpec { name: "b.Last", methods: &[] };
    static INTERNAL: ServiceSpec = ServiceSpec { name: "broach.cluster.v1.X", methods: &[] };

    #[test]
    fn what_is_offered_is_sorted_and_without_what_is_internal() {
        let mut registry = Registry::default();
        registry.add(Arc::new(Service(&LAST, ""))).unwrap();
        registry.add(Arc::new(Service(&ONE, "1.4.0"))).unwrap();
        registry.add_internal(Arc::new(Service(&INTERNAL, ""))).unwrap();
        let offered = registry.offered().into_iter();
        let offered: Vec<_> =
            offered.map(|OfferedService { name, version, .. }| (name, version)).collect();
        let expected = [("a.One", "1.4.0"), ("b.Last", "")];
        assert_eq!(offered, expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }

    #[test]
    fn reserved_names_are_refused() {
        let error = Registry::default().add(Arc::new(Service(&INTERNAL, ""))).unwrap_err();
        assert_eq!(error, RegisterError::Reserved { name: INTERNAL.name });
        assert!(error.to_string().contains("begins with broach.cluster."), "{error}");
    }

    #[test]
    fn a_version_is_one_of_semantic_versioning() {
        for good in ["", "1.4.0", "2.0.0-rc.1", "0.1.0+build.7"] {
            assert!(Registry::default().add(Arc::new(Service(&ONE, good))).is_ok(), "{good}");
        }
        for bad in ["1.4", "v1.4.0", "latest", " 1.4.0", "01.0.0", "1.4.0\u{e9}"] {
            let mut registry = Registry::default();
            let error = registry.add(Arc::new(Service(&ONE, bad))).unwrap_err();
            assert!(matches!(error, RegisterError::Version { name: "a.One", .. }), "{error}");
            assert!(registry.is_empty());
        }
        let error = Registry::default().add(Arc::new(Service(&ONE, "1.4"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "service a.One has the version \"1.4\", which does not read like 1.4.0 or 2.0.0-rc.1: \
             unexpected end of input while parsing minor version number"
        );
    }
}
