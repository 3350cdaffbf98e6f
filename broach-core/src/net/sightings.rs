//! [`Sightings`]: what the driver has seen of the members, for whoever makes a directory of it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::gossip::{Change, Entry};
use crate::peer::Peer;

/// What the driver knows of the members, as it was last.
///
/// Only the newest state is kept: whoever reads rarely misses what was in between, but never how
/// things are.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    slot: Mutex<Slot>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Slot {
    /// `None` if nothing has changed since it was taken.
    members: Option<Vec<Entry>>,
    changes: VecDeque<Change>,
    heard: Vec<Peer>,
    /// The driver has gone.
    closed: bool,
}

/// What there is to know.
#[derive(Debug)]
pub(crate) struct Sighting {
    /// All members, in no particular order; `None` if they are those of the last time.
    pub(crate) members: Option<Vec<Entry>>,
    /// What has changed since the last time, in order. The oldest are missing if there were too
    /// many.
    pub(crate) changes: Vec<Change>,
    /// Who was silent and answers again.
    pub(crate) heard: Vec<Peer>,
}

impl Sightings {
    /// The members are these now, and this is what has changed.
    pub(super) fn put(&self, members: Vec<Entry>, changes: impl IntoIterator<Item = Change>) {
        {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.members = Some(members);
            slot.changes.extend(changes);
            let excess = slot.changes.len().saturating_sub(CHANGES_MAX);
            slot.changes.drain(..excess);
        }
        self.changed.notify_one();
    }

    /// A node that was silent answers again.
    pub(super) fn put_heard(&self, peer: Peer) {
        {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            if CHANGES_MAX <= slot.heard.len() || slot.heard.contains(&peer) {
                return;
            }
            slot.heard.push(peer);
        }
        self.changed.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_one();
    }

    /// Waits until something has changed; `None` once the driver has gone. Nothing is lost if the
    /// future is dropped. Only one task may wait.
    pub(crate) async fn next(&self) -> Option<Sighting> {
        loop {
            {
                let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
                if slot.members.is_some() || !slot.heard.is_empty() {
                    let members = slot.members.take();
                    let changes = std::mem::take(&mut slot.changes).into();
                    let heard = std::mem::take(&mut slot.heard);
                    return Some(Sighting { members, changes, heard });
                }
                if slot.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

/// Changes that are kept for a reader that is late.
const CHANGES_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::gossip::{AdvertName, Facts, State};
    use crate::ids::Instance;

    fn peer(instance: u64) -> Peer {
        Peer { addr: "10.0.0.1:1".parse().unwrap(), instance: Instance(instance) }
    }

    fn entry(instance: u64) -> Entry {
        let (facts, advert) = (Facts::default(), AdvertName::default());
        Entry { peer: peer(instance), state: State::Alive, facts, advert }
    }

    fn up(instance: u64) -> Change {
        Change::Up { peer: peer(instance), replaces: None }
    }

    #[test]
    fn a_reader_that_is_late_gets_the_last_state_and_all_changes() {
        let sightings = Sightings::default();
        assert!(sightings.next().now_or_never().is_none());
        sightings.put(vec![entry(1)], [up(1)]);
        sightings.put(vec![entry(1), entry(2)], [up(2)]);
        let sighting = sightings.next().now_or_never().unwrap().unwrap();
        assert_eq!(sighting.members.unwrap(), [entry(1), entry(2)]);
        assert_eq!(sighting.changes, [up(1), up(2)]);
        assert!(sightings.next().now_or_never().is_none());
    }

    #[test]
    fn changes_that_nobody_reads_are_bounded_and_the_oldest_go() {
        let sightings = Sightings::default();
        for instance in 1..=CHANGES_MAX as u64 + 5 {
            sightings.put(vec![entry(instance)], [up(instance)]);
        }
        let sighting = sightings.next().now_or_never().unwrap().unwrap();
        assert_eq!(sighting.changes.len(), CHANGES_MAX);
        assert_eq!(sighting.changes[0], up(6));
    }

    #[test]
    fn who_answers_again_is_told_once_and_by_itself() {
        let sightings = Sightings::default();
        (0..3).for_each(|_| sightings.put_heard(peer(1)));
        let sighting = sightings.next().now_or_never().unwrap().unwrap();
        assert_eq!((sighting.members, sighting.heard), (None, vec![peer(1)]));
        assert!(sightings.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_whatever_comes() {
        let sightings = Sightings::default();
        let wait = || sightings.next();
        let (put, ()) = futures::join!(wait(), async { sightings.put(vec![entry(1)], []) });
        assert!(put.is_some_and(|put| put.members.is_some()));
        let (heard, ()) = futures::join!(wait(), async { sightings.put_heard(peer(1)) });
        assert_eq!(heard.unwrap().heard, [peer(1)]);
        let (closed, ()) = futures::join!(wait(), async { sightings.close() });
        assert!(closed.is_none());
    }

    #[test]
    fn what_was_seen_last_is_read_even_after_the_driver_has_gone() {
        let sightings = Sightings::default();
        sightings.put(vec![entry(1)], []);
        sightings.close();
        assert!(sightings.next().now_or_never().unwrap().is_some());
        assert!(sightings.next().now_or_never().unwrap().is_none());
    }
}
