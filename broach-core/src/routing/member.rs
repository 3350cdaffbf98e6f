//! [`Member`]: a node as the directory knows it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::advert::{Advert, Location, OfferedService};
use crate::ids::Instance;
use crate::routing::NodeId;

/// A node of the cluster, as this node knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    pub(crate) addr: SocketAddr,
    /// `None` in a list of addresses: there it is known only once the node has answered.
    pub(crate) instance: Option<Instance>,
    pub(crate) state: MemberState,
    pub(crate) draining: bool,
    pub(crate) weight: u32,
    pub(crate) zone: String,
    pub(crate) offers: Offers,
    /// It is this node.
    pub(crate) own: bool,
}

/// What is known of the things that a node offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Offers {
    /// Nothing yet: its advert has not been fetched.
    Unknown,
    /// It is in a list of nodes that serve whatever is called.
    Everything,
    /// This, and nothing else.
    Only(Arc<Advert>),
}

/// What is known of a member's health.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MemberState {
    /// Nothing is wrong with it, as far as is known.
    Alive,
    /// It may be dead. Calls go to it only if there is nobody better.
    Suspect,
}

impl Member {
    /// This life of it, at its address.
    pub(crate) const fn id(&self) -> NodeId {
        NodeId { addr: Some(self.addr), instance: self.instance }
    }

    /// The address by which all others know it.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Which of the node's lives it is; `None` if it has only been named and is no member of a
    /// cluster.
    pub const fn instance(&self) -> Option<Instance> {
        self.instance
    }

    /// Whether it is alive or suspected.
    pub const fn state(&self) -> MemberState {
        self.state
    }

    /// Whether it is about to leave and should get no new calls.
    pub const fn is_draining(&self) -> bool {
        self.draining
    }

    /// Its share of the calls beside those of others; 100 unless it was set.
    pub const fn weight(&self) -> u32 {
        self.weight
    }

    /// Where it is, as its user says; empty if nothing was said.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Whether it is the node that was asked.
    pub const fn is_self(&self) -> bool {
        self.own
    }

    /// The services that it offers, sorted by name; `None` as long as that is not known.
    pub fn services(&self) -> Option<&[OfferedService]> {
        Some(&self.advert()?.services)
    }

    /// The value of a tag that it was given.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags()?.get(name).map(String::as_str)
    }

    /// Its tags; `None` as long as they are not known.
    pub fn tags(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.advert()?.tags)
    }

    /// The version in which it offers a service, if it was given one.
    pub(crate) fn version(&self, service: &str) -> Option<&semver::Version> {
        self.advert()?.version(service)
    }

    /// The group that its user has put it into, if any.
    pub fn group(&self) -> Option<&str> {
        self.advert().map(|advert| &*advert.group).filter(|group| !group.is_empty())
    }

    /// Where on the globe it is, if its user has said so.
    pub fn location(&self) -> Option<Location> {
        self.advert()?.location
    }

    fn advert(&self) -> Option<&Advert> {
        match &self.offers {
            Offers::Only(advert) => Some(advert),
            Offers::Unknown | Offers::Everything => None,
        }
    }
}
