//! What is written to the log of events: changes of the membership, and what its users have to
//! know.
//!
//! All else that happens is too much for a log by default; an [`Observer`](super::Observer) sees
//! it.

use tracing::{debug, info, warn};

use crate::observe::Event;

/// Writes a line for an event that is worth one.
pub(super) fn log(event: &Event<'_>) {
    match *event {
        Event::MemberUp { peer } => info!(member = %peer, "member is up"),
        Event::MemberChanged { peer } => debug!(member = %peer, "member says something new"),
        Event::MemberSuspected { peer } => info!(member = %peer, "member is suspected"),
        Event::MemberCleared { peer } => info!(member = %peer, "member lives after all"),
        Event::MemberDied { peer } => info!(member = %peer, "member is dead"),
        Event::MemberLeft { peer } => info!(member = %peer, "member has left"),
        Event::SuspicionRefuted => info!(
            "others suspected this node; it has contradicted. If that goes on they cannot reach it \
             at the address that it advertises (advertise), or it is too busy to answer"
        ),
        Event::AddressClaimed { addr, own, other } => {
            warn!(%addr, %own, %other, "another node says that it has the address of this one: one \
                of the two needs another address (advertise)");
        }
        Event::ClusterDiffers { from, cluster } => {
            warn!(%from, %cluster, "a node belongs to another cluster and is left alone: is it \
                among the seeds (join), or is the name wrong (cluster)?");
        }
        Event::VersionDiffers { from } => {
            warn!(%from, "a node speaks other wire versions only and is left alone");
        }
        Event::SeedUnusable { seed, problem } => {
            warn!(seed, "a seed cannot be used ({problem}); it is tried again (join)");
        }
        Event::NobodyAnswers { seeds } => {
            warn!(
                ?seeds,
                "no seed has let this node in so far: are they running, are the addresses right \
                 (join), and are they of this cluster (cluster)? They are tried for ever"
            );
        }
        Event::AdvertsFull { wanted } => {
            warn!(
                wanted,
                "what members offer takes as much memory as it may; of some it stays \
                unknown"
            );
        }
        Event::MembersFull { members } => {
            warn!(
                members,
                "as many members are known as may be; further ones are not taken in \
                (gossip.members_max)"
            );
        }
        Event::ReceiveBuffer { given, asked } if given < RECEIVE_BUFFER_MIN.min(asked) => {
            warn!(
                given,
                asked,
                "the operating system gives the socket a small receive buffer: what arrives while \
                 it is full is lost and has to be sent again. On Linux the limit is \
                 net.core.rmem_max (sysctl -w net.core.rmem_max={asked})"
            );
        }
        _ => {}
    }
}

/// A receive buffer of fewer bytes is filled by a burst of a few senders.
const RECEIVE_BUFFER_MIN: usize = 1 << 20;
