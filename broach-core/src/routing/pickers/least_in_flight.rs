//! [`LeastInFlight`]: whoever has the least to do.

use crate::routing::{Candidates, Picker, Picking};

/// Takes the candidate with the fewest calls under way in view of its
/// [weight](crate::Member::weight). Among those that have equally few one is drawn by their
/// weights.
///
/// It counts the calls of this node only: many callers with few calls each know little of how busy
/// a node is. And it says nothing of how long calls take, except that slow nodes have more of them
/// under way. A node that fails at once has few of them, and so draws calls to itself; the default
/// does not count such a node as quick.
///
/// It looks at all candidates, so it costs the more the more there are.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LeastInFlight {}

impl LeastInFlight {
    /// The picker. It has no state of its own.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Picker for LeastInFlight {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let (mut least, mut weights, mut chosen) = (f64::INFINITY, 0.0, None);
        for (index, candidate) in candidates.iter().enumerate() {
            let weight = candidate.weight();
            let load = candidate.in_flight() as f64 / weight;
            if least < load {
                continue;
            }
            if load < least {
                (least, weights) = (load, 0.0);
            }
            // One by one, so that in the end each has been drawn by its weight (Chao, 1982).
            weights += weight;
            if picking.random_fraction() * weights < weight {
                chosen = Some(index);
            }
        }
        chosen
    }
}
