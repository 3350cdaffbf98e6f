//! [`Advert`]: what a node offers to others.

use std::collections::BTreeMap;

/// What a node offers: its services, and the tags that it was given.
///
/// Adverts are named by a hash of their bytes, so nodes that offer the same share one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Advert {
    /// Sorted by name; no name stands in it twice.
    pub(crate) services: Vec<OfferedService>,
    /// What the node's user says of it besides.
    pub(crate) tags: BTreeMap<String, String>,
}

/// A service that a node offers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OfferedService {
    /// Its full name, as in `package.Service`.
    pub name: String,
    /// Its version; empty if it was given none.
    pub version: String,
}

impl Advert {
    /// The service of this name, if the node offers it.
    pub(crate) fn service(&self, name: &str) -> Option<&OfferedService> {
        let at = self.services.binary_search_by(|service| service.name.as_str().cmp(name)).ok()?;
        Some(&self.services[at])
    }
}
