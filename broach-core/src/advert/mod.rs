//! What nodes offer to others, and how each learns it of all others.
//!
//! An [`Advert`] says which services a node offers. It is named by the hash of its bytes, so nodes
//! that offer the same share one: in a cluster of a thousand nodes that run one program, each has
//! to fetch one advert from one other node, or none if it runs that program as well. Gossip tells
//! the hashes; the bytes come by calls of an internal [service](DIRECTORY).
//!
//! ```text
//!   this node's services, tags          gossip: which hashes, who has them
//!              |                                       |
//!        EncodedAdvert                              Fetcher  <-- calls -->  other nodes
//!              |                                       |
//!              +------------> AdvertStore <------------+
//!                              |        |
//!              routing: what is offered   Directory: hand it on to other nodes
//! ```
//!
//! Nothing in here makes calls or reads a clock: whoever drives a [`Fetcher`] does.

mod encoded;
mod fetcher;
mod location;
// The generator writes `pub`; the schema stays inside of the crate all the same.
#[allow(missing_debug_implementations, unnameable_types, unreachable_pub)]
#[rustfmt::skip]
pub(crate) mod schema;
mod service;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;

pub use encoded::AdvertError;
pub(crate) use encoded::{ADVERT_BYTES_MAX, AdvertHash, EncodedAdvert, RefusedAdvert};
pub(crate) use fetcher::{Fetch, Fetcher, Output};
pub use location::Location;
pub(crate) use location::Point;
pub(crate) use service::{DIRECTORY, GET_ADVERT};
pub(crate) use store::AdvertStore;

/// What a node offers: its services, and what it was given to say of itself.
///
/// Adverts are named by a hash of their bytes, so nodes that offer the same share one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Advert {
    /// Sorted by name; no name stands in it twice.
    pub(crate) services: Vec<OfferedService>,
    /// What the node's user says of it besides.
    pub(crate) tags: BTreeMap<String, String>,
    /// Empty if it was given none.
    pub(crate) group: String,
    pub(crate) location: Option<Location>,
}

/// A service that a node offers.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct OfferedService {
    /// Its full name, as in `package.Service`.
    pub name: String,
    /// Its version; empty if it was given none.
    pub version: String,
    /// The same, for those who compare; `None` also if it is no version.
    parsed: Option<Version>,
}

impl OfferedService {
    pub(crate) fn new(name: String, version: String) -> Self {
        let parsed = Version::parse(&version).ok();
        Self { name, version, parsed }
    }
}

impl Advert {
    /// The version of a service, if it is offered in one.
    pub(crate) fn version(&self, service: &str) -> Option<&Version> {
        let found = self.services.binary_search_by(|offered| offered.name.as_str().cmp(service));
        self.services[found.ok()?].parsed.as_ref()
    }
}

impl fmt::Debug for OfferedService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferedService")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
