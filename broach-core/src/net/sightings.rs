//! [`Sightings`]: what the driver has seen of the members, for whoever makes a directory of it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::gossip::{Change, Entry};

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
    /// The driver has gone.
    closed: bool,
}

/// What there is to know.
#[derive(Debug)]
pub(crate) struct Sighting {
    /// All members, in no particular order.
    pub(crate) members: Vec<Entry>,
    /// What has changed since the last time, in order. The oldest are missing if there were too
    /// many.
    pub(crate) changes: Vec<Change>,
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
                if let Some(members) = slot.members.take() {
                    let changes = std::mem::take(&mut slot.changes).into();
                    return Some(Sighting { members, changes });
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
