//! [`NetworkQuality`]: whoever is quickly reached.

use std::time::Duration;

use crate::routing::{Candidate, Candidates, Picker, Picking};

/// Prefers candidates that the network reaches quickly, by the
/// [round-trip time](crate::picker::Candidate::rtt) that the transport measures.
///
/// A candidate's cost is its round-trip time times the number of its calls under way, this one
/// included, where calls count the less the greater its [weight](crate::Member::weight) is. One is
/// drawn among all, by weights and the squares of what they cost: a node at 1 ms gets nine times
/// the calls of one at 3 ms as long as both have little to do, and a node nearby does not get all
/// however busy it is.
///
/// * Round trips of less than 0.2 ms count as 0.2 ms: below that they tell of the load of machines
///   and not of the network.
/// * A candidate of which none is known counts as being as near as the nearest, and so becomes
///   known soon; and so does this node itself.
///
/// It looks at all candidates, so it costs the more the more there are. How long the nodes
/// themselves take does not matter to it; the default counts both.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NetworkQuality {}

impl NetworkQuality {
    /// The picker. It has no state of its own.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Picker for NetworkQuality {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let known = candidates.iter().filter_map(|candidate| candidate.rtt());
        let least = known.min().unwrap_or_default();
        let (mut merits, mut chosen) = (0.0, None);
        for (index, candidate) in candidates.iter().enumerate() {
            let merit = merit(candidate, least);
            // One by one, so that in the end each has been drawn by its merit (Chao, 1982).
            merits += merit;
            if picking.random_fraction() * merits < merit {
                chosen = Some(index);
            }
        }
        chosen
    }
}

fn merit(candidate: Candidate<'_>, least: Duration) -> f64 {
    let weight = candidate.weight();
    let rtt = candidate.rtt().unwrap_or(least).max(RTT_MIN);
    let cost = rtt.as_secs_f64() * (candidate.in_flight() as f64 / weight + 1.0);
    weight / (cost * cost)
}

/// Nearer than this nobody is: what a busy machine adds to round trips in one data centre.
const RTT_MIN: Duration = Duration::from_micros(200);
