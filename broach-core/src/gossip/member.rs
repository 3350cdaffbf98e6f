//! One entry of the table.

use std::net::SocketAddr;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::deadline::Time;
use crate::gossip::bucket::Bucket;
use crate::gossip::record::{Life, Record, Report, state_to_wire};
use crate::gossip::suspicion::Suspicion;
use crate::gossip::{AdvertName, Facts, State, address};
use crate::ids::Instance;
use crate::peer::Peer;
use crate::wire::schema;

/// A member, as this node knows it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(super) record: Record,
    pub(super) state: State,
    /// When it came into this state.
    pub(super) since: Time,
    /// Its place in the order of the table.
    pub(super) position: u64,
    /// While it is suspected.
    pub(super) suspicion: Option<Suspicion>,
    /// When it was last seen to answer something other than a probe.
    pub(super) evidence: Option<Time>,
    /// What it may still send.
    pub(super) allowance: Bucket,
}

impl Member {
    /// An entry for a member of which nothing is known but this.
    pub(super) fn new(now: Time, record: Record, state: State, allowance: Bucket) -> Self {
        let position = address::position(record.addr);
        Self { record, state, since: now, position, suspicion: None, evidence: None, allowance }
    }

    /// The address by which all others know it.
    pub(crate) const fn addr(&self) -> SocketAddr {
        self.record.addr
    }

    /// This life of it.
    pub(crate) const fn instance(&self) -> Instance {
        self.record.life.instance
    }

    /// When this life of it began, in milliseconds since 1970, as it says itself.
    pub(crate) const fn epoch(&self) -> u64 {
        self.record.life.epoch
    }

    /// Counts what it has said of itself in this life.
    pub(crate) const fn incarnation(&self) -> u64 {
        self.record.incarnation
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    pub(crate) const fn facts(&self) -> &Facts {
        &self.record.facts
    }

    pub(crate) const fn advert(&self) -> AdvertName {
        self.record.advert
    }

    pub(crate) const fn peer(&self) -> Peer {
        Peer { addr: self.addr(), instance: self.instance() }
    }

    pub(super) const fn life(&self) -> Life {
        self.record.life
    }

    /// What another report must exceed to count.
    pub(super) const fn rank(&self) -> (Life, u64, State) {
        self.record.rank(self.state)
    }

    /// What this node tells others of it.
    pub(super) fn to_update(&self) -> schema::Update {
        schema::Update {
            record: self.record.raw.clone(),
            state: state_to_wire(self.state),
            accuser: self.suspicion.as_ref().map_or(0, |suspicion| suspicion.accuser().0),
        }
    }

    /// What this node would say of it to itself, if it were in another state.
    pub(super) fn report(&self, state: State, accuser: Option<Instance>) -> Report {
        Report { record: self.record.clone(), state, accuser }
    }

    /// What goes into the comparison of tables.
    pub(super) fn to_item(&self) -> schema::ListingItem {
        schema::ListingItem {
            address: address::to_bytes(self.addr()),
            epoch: self.epoch(),
            incarnation: self.incarnation(),
            state: state_to_wire(self.state),
        }
    }

    /// What stands for it in a summary: 0 if it is not live.
    pub(super) fn digest(&self) -> u32 {
        if !self.state.is_live() {
            return 0;
        }
        let addr: Bytes = address::to_bytes(self.addr());
        let mut hasher = Sha256::new();
        hasher.update(&addr);
        hasher.update(self.epoch().to_be_bytes());
        hasher.update(self.incarnation().to_be_bytes());
        hasher.update([state_to_wire(self.state) as u8]);
        (address::head(&hasher.finalize().into()) >> 32) as u32
    }
}
