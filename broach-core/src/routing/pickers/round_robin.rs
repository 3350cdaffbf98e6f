//! [`RoundRobin`]: one after the other.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::routing::{Candidates, Picker, Picking};

/// Takes candidates in turn, whatever their weights and however long they take: the default of a
/// channel to a [list](crate::Channel::list) of nodes.
///
/// Each service has turns of its own, and so have calls with other
/// [wishes](crate::picker::Selection). A candidate that cannot be called gives its turn to
/// whoever's turn comes next after it, so that what it is spared is shared out evenly. One that is
/// [new](crate::config::Client::slow_start) gives away some turns at first.
#[derive(Debug)]
pub struct RoundRobin {
    /// By the service and the wishes, so that a program which calls two services alternately does
    /// not call every other node only.
    turns: Turns,
}

type Turns = [AtomicUsize; TURNS];

impl Default for RoundRobin {
    fn default() -> Self {
        Self::new()
    }
}

impl RoundRobin {
    /// A picker that begins with the first candidate.
    pub const fn new() -> Self {
        Self { turns: [const { AtomicUsize::new(0) }; TURNS] }
    }
}

impl Picker for RoundRobin {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let (count, places) = (candidates.len(), candidates.places());
        if count == 0 {
            return None;
        }
        let turns = &self.turns[picking.kind() as usize % TURNS];
        let take_turn = || turns.fetch_add(1, Relaxed) % places;
        // Whoever passes a node over takes another turn. If the next in the list took it on, that
        // one would be called twice as often as the others.
        for _ in 0..places {
            let index = candidates.index_of(take_turn()).ok();
            let candidate = index.and_then(|index| candidates.get(index));
            if candidate.is_some_and(|candidate| candidate.takes_turn(picking)) {
                return index;
            }
        }
        // Others have taken the turns between.
        let next = candidates.index_of(take_turn()).unwrap_or_else(|index| index);
        Some(next % count)
    }
}

/// Services may well share turns, as long as it is improbable that just two do which are called
/// alternately.
const TURNS: usize = 64;
