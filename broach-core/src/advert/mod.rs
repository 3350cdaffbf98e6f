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
// The generator writes `pub`; the schema stays inside of the crate all the same.
#[allow(missing_debug_implementations, unnameable_types, unreachable_pub)]
#[rustfmt::skip]
pub(crate) mod schema;
mod service;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use encoded::AdvertError;
pub(crate) use encoded::{ADVERT_BYTES_MAX, AdvertHash, EncodedAdvert, RefusedAdvert};
pub(crate) use fetcher::{Fetch, Fetcher, Output};
pub(crate) use service::{DIRECTORY, GET_ADVERT};
pub(crate) use store::AdvertStore;

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
