//! Who is a member of the cluster, without a clock, a socket or a task.
//!
//! A [`Membership`] is one node's view of all others. It is SWIM (members probe each other, and
//! pass on what they learn) with Lifeguard's remedies against false alarms, and it compares what it
//! knows with others from time to time, so that nothing is missed for good.
//! [`guide::membership`](crate::guide::membership) describes the protocol.
//!
//! Its inputs are [`handle`](Membership::handle), [`handle_timeout`](Membership::handle_timeout)
//! and what its node has to say: [`set_seeds`](Membership::set_seeds),
//! [`set_facts`](Membership::set_facts), [`set_advert`](Membership::set_advert),
//! [`on_evidence`](Membership::on_evidence), [`leave`](Membership::leave). After any of them its
//! outputs are to be drained: [`poll_transmit`](Membership::poll_transmit) until it has nothing to
//! send, [`poll_event`](Membership::poll_event) until nothing more has happened, and then
//! [`next_timeout`](Membership::next_timeout), which any input may have changed.
//!
//! **Datagrams before timers**: all datagrams that have arrived are to be handled before
//! `handle_timeout` is called. A node that was held up would otherwise accuse others of the silence
//! that was its own.
//!
//! ```text
//!      inbound: may it say that?          outbox: what goes out, and how much
//!         |                                  |
//!   prober    own     merge    sync     join     leave
//!   who is    what    what     compare  find     say
//!   silent    we are  we hear  tables   others   goodbye
//!         \      |       |       |       |      /
//!          table: the members       spread: the news
//! ```

mod address;
mod bucket;
mod cookie;
mod health;
mod inbound;
mod join;
mod leave;
mod member;
mod membership;
mod merge;
mod observer;
mod outbox;
mod own;
mod prober;
mod record;
mod relay;
mod spread;
mod strangers;
mod suspicion;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod timers;

use std::net::SocketAddr;

use crate::ids::{ClusterHash, Instance};
use crate::peer::Peer;

pub(crate) use member::Member;
pub(crate) use membership::Membership;

/// Who the node is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Me {
    /// Where others reach it: an address that is specific, not one that stands for all.
    pub(crate) addr: SocketAddr,
    pub(crate) instance: Instance,
    /// When this life of it began, in milliseconds since 1970. Orders the lives of one address.
    pub(crate) epoch: u64,
    pub(crate) cluster: ClusterHash,
    pub(crate) role: Role,
    pub(crate) facts: Facts,
}

/// How a node takes part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// It is known to all others, watches them and is watched.
    Member,
    /// It only asks: nobody knows of it.
    Observer,
}

/// What a member says of itself that matters for the choice of a node and may change at any time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Facts {
    /// Its share of the calls, beside those of others.
    pub(crate) weight: u32,
    /// Where it is. At most [`ZONE_BYTES_MAX`] bytes; the rest is cut off.
    pub(crate) zone: String,
    /// It is about to leave and should get no new calls.
    pub(crate) draining: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self { weight: 100, zone: String::new(), draining: false }
    }
}

/// What names the things that a member offers; the things themselves are fetched by calls.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct AdvertName {
    /// Counts the member's adverts.
    pub(crate) version: u64,
    /// The first 8 bytes of the SHA-256 of the advert; 0 if there is none.
    pub(crate) hash: u64,
}

/// What became of a member. Of two reports of one incarnation the higher one counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum State {
    Alive,
    /// It may be dead, and has some time to show that it is not.
    Suspect,
    Dead,
    /// It said goodbye.
    Left,
}

impl State {
    /// Whether it belongs to the cluster.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

/// A member, as others are told of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) peer: Peer,
    pub(crate) state: State,
    pub(crate) facts: Facts,
    pub(crate) advert: AdvertName,
}

/// Something that has changed in the table. The table is the truth; a change says where to look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// A member is there: for the first time, or again after it had been dead or gone. If another
    /// life of it was a member until now, that one is gone.
    Up { peer: Peer, replaces: Option<Instance> },
    /// Its facts are others now.
    Facts { peer: Peer },
    /// It has another advert, which is to be fetched unless its hash is known: from the node that
    /// told of it, or from the member itself.
    AdvertWanted { peer: Peer, advert: AdvertName, ask: SocketAddr },
    /// It is suspected.
    Suspect { peer: Peer },
    /// It is not suspected any more.
    Cleared { peer: Peer },
    /// It is dead.
    Dead { peer: Peer },
    /// It has left.
    Left { peer: Peer },
    /// Everything that another member knows has been taken in: this node is not alone any more.
    Joined,
}

/// Bytes of a zone's name.
pub(crate) const ZONE_BYTES_MAX: usize = 32;
