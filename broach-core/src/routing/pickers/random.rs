//! [`Random`]: any of them.

use crate::routing::{Candidates, Picker, Picking};

/// Draws one of the candidates, whatever their weights and however long they take.
///
/// The cheapest there is, and good enough for many callers with short calls to equal nodes. But of
/// a hundred calls to ten nodes one gets five and another one fifteen, so where calls are long or
/// few [`PowerOfTwoChoices`](crate::picker::PowerOfTwoChoices) keeps waits shorter. A node that is
/// [new](crate::config::Client::slow_start) is drawn less often at first.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Random {}

impl Random {
    /// The picker. It has no state of its own.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Picker for Random {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let count = candidates.len();
        for _ in 0..DRAWS_MAX {
            let index = picking.random_below(count);
            if candidates.get(index)?.takes_turn(picking) {
                return Some(index);
            }
        }
        Some(picking.random_below(count))
    }
}

/// Draws until one that has been drawn is taken, even if all of them are new.
const DRAWS_MAX: usize = 16;
