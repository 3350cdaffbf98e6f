//! [`Registry`]: the services of a node, by their methods' ids.

use std::sync::Arc;

use rustc_hash::FxHashMap;

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
    /// Adds a service.
    ///
    /// # Errors
    ///
    /// If its name or the id of one of its methods is taken; nothing is changed then.
    pub(crate) fn add(&mut self, service: Arc<dyn Dispatch>) -> Result<(), RegisterError> {
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

    pub(crate) fn is_empty(&self) -> bool {
        self.services.is_empty()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Handling, Inbound};
    use crate::method::{Idempotency, ServiceSpec, Shape};

    struct Service(&'static ServiceSpec);

    impl Dispatch for Service {
        fn spec(&self) -> &'static ServiceSpec {
            self.0
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
        registry.add(Arc::new(Service(&ONE))).unwrap();
        let found = registry.find(MethodId(2)).unwrap();
        assert_eq!((found.index, found.method.full_name()), (1, "a.One/Y"));
        assert!(registry.find(MethodId(3)).is_none());
    }

    #[test]
    fn a_name_or_an_id_that_is_taken_is_refused() {
        let mut registry = Registry::default();
        registry.add(Arc::new(Service(&ONE))).unwrap();
        let twice = registry.add(Arc::new(Service(&ONE))).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "service a.One is served twice: give serve() each service once"
        );
        let collision = registry.add(Arc::new(Service(&OTHER))).unwrap_err();
        assert!(collision.to_string().contains("a.One/Y and a.Other/Z"), "{collision}");
        assert_eq!(registry.names().count(), 1);
    }
}
