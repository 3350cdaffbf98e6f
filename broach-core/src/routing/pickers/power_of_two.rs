//! [`PowerOfTwoChoices`]: the better one of two that are drawn.

use crate::routing::{Candidate, Candidates, Picker, Picking};

/// Draws two candidates and prefers the one with less to do and the quicker answers: the default
/// of a node's channels.
///
/// To look at two is nearly as good as to look at all (Mitzenmacher, *The Power of Two Choices in
/// Randomized Load Balancing*, 2001), costs the same however many there are, and keeps callers who
/// know the same of all nodes from all running to the same one.
///
/// A candidate's cost is its latency times the number of its calls, this one included, where calls
/// count the less the greater the candidate's [weight](crate::Member::weight) is. Of the two one is
/// drawn by the squares of what they cost: one that costs ten times as much is preferred in one of
/// a hundred draws, one that costs a tenth more in nine of twenty. A hard rule would make much of
/// the little by which equal nodes differ, and would never learn that a node has become quick
/// again.
///
/// * What is known of a slow node fades: the longer it has not been called, the more it counts as
///   being as quick as the other one, so that it is tried again.
/// * A node of which no latency is known counts as being as quick as the other one. So it gets its
///   share of the calls from the start, and no more.
/// * A node that is [new](crate::config::Client::slow_start) counts as one of less weight.
/// * The node itself, if it offers what is called, counts as no quicker than the other one: that
///   calls to it save the network says nothing of how much it has to do.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct PowerOfTwoChoices {}

impl PowerOfTwoChoices {
    /// The picker. It has no state of its own.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Picker for PowerOfTwoChoices {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let count = candidates.len();
        if count < 2 {
            return (count == 1).then_some(0);
        }
        let one = picking.random_below(count);
        let other = picking.random_below(count - 1);
        let other = other + usize::from(one <= other);
        let [one_merit, other_merit] = merits(candidates.get(one)?, candidates.get(other)?);
        let first = picking.random_fraction() * (one_merit + other_merit) < one_merit;
        Some(if first { one } else { other })
    }
}

/// How much speaks for each of two candidates.
fn merits(one: Candidate<'_>, other: Candidate<'_>) -> [f64; 2] {
    let latencies = [one, other].map(|candidate| {
        let latency = candidate.latency()?;
        Some((latency.as_nanos() as f64, candidate))
    });
    let latency = |own: usize| match (latencies[own], latencies[1 - own]) {
        (None, None) => 1.0,
        (None, Some((others, _))) => others,
        (Some((latency, _)), None) => latency,
        (Some((latency, candidate)), Some((others, _))) if latency < others => {
            if candidate.member().is_self() { others } else { latency }
        }
        // Towards that of the other one: in the middle of the two speeds with half of the trust.
        (Some((latency, candidate)), Some((others, _))) => {
            let trust = candidate.trust();
            1.0 / (trust / latency + (1.0 - trust) / others)
        }
    };
    [merit(one, latency(0)), merit(other, latency(1))]
}

/// The weight is there twice, so that calls are shared out by weights both if there are many at a
/// time and if there is one.
fn merit(candidate: Candidate<'_>, latency: f64) -> f64 {
    let weight = candidate.weight();
    let calls = candidate.in_flight() as f64 / weight + 1.0;
    let cost = latency * calls;
    weight / (cost * cost)
}
