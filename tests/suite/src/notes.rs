//! [`Notes`]: what nodes have seen of each other, and when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broach_core::observe::{Event, Observer};
use broach_core::{Instance, Peer};
use tokio::time::Instant;

/// Writes down what becomes of members in the eyes of each node. Clones write to one list.
#[derive(Clone, Debug)]
pub struct Notes {
    begun: Instant,
    notes: Arc<Mutex<Vec<Note>>>,
}

/// A node has seen what became of a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Note {
    /// When, from the beginning.
    pub at: Duration,
    /// The node that the test knows by this number.
    pub by: u8,
    /// What became of it.
    pub fate: Fate,
    /// The member.
    pub peer: Peer,
}

/// What can become of a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It is there.
    Up,
    /// It says something else of itself.
    Changed,
    /// It does not answer.
    Suspected,
    /// It answers after all.
    Cleared,
    /// It counts as dead.
    Died,
    /// It has said goodbye.
    Left,
}

/// Writes down what one node sees.
struct Eyes {
    by: u8,
    notes: Notes,
}

impl Notes {
    /// Nothing yet. Times are counted from now.
    pub fn new() -> Self {
        Self { begun: Instant::now(), notes: Arc::default() }
    }

    /// An observer for the node that the test knows by this number.
    pub fn of(&self, by: u8) -> impl Observer + use<> {
        Eyes { by, notes: self.clone() }
    }

    /// All that was seen, in order.
    pub fn all(&self) -> Vec<Note> {
        self.lock().clone()
    }

    /// What was seen of one life of a node.
    pub fn about(&self, instance: Instance) -> Vec<Note> {
        self.lock().iter().filter(|note| note.peer.instance == instance).copied().collect()
    }

    /// When the nodes saw that this became of one life of a node.
    pub fn times(&self, instance: Instance, fate: Fate) -> Vec<Duration> {
        let about = self.about(instance).into_iter();
        about.filter(|note| note.fate == fate).map(|note| note.at).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Notes {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Eyes {
    fn event(&self, event: &Event<'_>) {
        let (fate, peer) = match *event {
            Event::MemberUp { peer } => (Fate::Up, peer),
            Event::MemberChanged { peer } => (Fate::Changed, peer),
            Event::MemberSuspected { peer } => (Fate::Suspected, peer),
            Event::MemberCleared { peer } => (Fate::Cleared, peer),
            Event::MemberDied { peer } => (Fate::Died, peer),
            Event::MemberLeft { peer } => (Fate::Left, peer),
            _ => return,
        };
        let at = self.notes.begun.elapsed();
        self.notes.lock().push(Note { at, by: self.by, fate, peer });
    }
}
