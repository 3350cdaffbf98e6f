//! [`MemberEvents`]: what becomes of the members, as it happens.

use tokio::sync::broadcast;

use crate::gossip::Change;
use crate::peer::Peer;

/// Something that happened to a member.
///
/// An event is a hint to look: [`Node::members`](crate::Node::members) says how things are, and has
/// taken in what an event tells by the time it comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MemberEvent {
    /// It is there: for the first time, or again after it had been dead or gone.
    Up(Peer),
    /// It says something else of itself, or what it offers has become known.
    Changed(Peer),
    /// It may be dead.
    Suspected(Peer),
    /// It is not suspected any more.
    Cleared(Peer),
    /// It is dead.
    Died(Peer),
    /// It has said goodbye.
    Left(Peer),
    /// The reader was so slow that this many events were dropped, the oldest first.
    Missed(u64),
}

/// The events of a node's members, from the moment on at which they were asked for; see
/// [`Node::events`](crate::Node::events).
#[derive(Debug)]
pub struct MemberEvents {
    receiver: broadcast::Receiver<MemberEvent>,
}

impl MemberEvents {
    pub(super) const fn new(receiver: broadcast::Receiver<MemberEvent>) -> Self {
        Self { receiver }
    }

    /// Waits for the next event; `None` once the node has ended.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped no event is lost.
    pub async fn next(&mut self) -> Option<MemberEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(MemberEvent::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// What a change in the table means to those who watch it; `None` if nothing.
pub(super) const fn event_of(change: &Change) -> Option<MemberEvent> {
    Some(match *change {
        Change::Up { peer, .. } => MemberEvent::Up(peer),
        Change::Facts { peer } => MemberEvent::Changed(peer),
        Change::Suspect { peer } => MemberEvent::Suspected(peer),
        Change::Cleared { peer } => MemberEvent::Cleared(peer),
        Change::Dead { peer } => MemberEvent::Died(peer),
        Change::Left { peer } => MemberEvent::Left(peer),
        Change::AdvertWanted { .. } | Change::Joined => return None,
    })
}

/// Events that are kept for a reader that is late.
pub(super) const EVENTS_MAX: usize = 1024;
