//! [`ConsistentHash`]: calls with the same key go to the same node.

use crate::routing::dice::mix;
use crate::routing::{Candidate, Candidates, Key, Picker, Picking};

/// Calls with the same [key](crate::Call::key) go to the same node, and when nodes come or go, only
/// the keys of those nodes move. Calls without a key go to any.
///
/// By *rendezvous hashing* (Thaler and Ravishankar, *Using Name-Based Mappings to Increase Hit
/// Rates*, 1998): each candidate has a number made of the key and its address, and the highest
/// wins. Keys are shared out as evenly as if they were drawn; a node that joins N others takes
/// 1/(N+1) of the keys from them, in equal parts; one that goes leaves its own to all others. A
/// [weight](crate::Member::weight) is a share of the keys. Every process comes to the same result
/// without having to agree with any other, in any language and in any release:
/// [`guide::balancing`](crate::guide::balancing) says how.
///
/// **Bound.** Keys differ in how often they are called. With a bound of 1.25, which is the default,
/// no node has more than 1.25 times the average of the calls that this node has under way; a call
/// that would be one too many goes to the node that comes next for its key (Mirrokni, Thorup and
/// Zadimoghaddam, *Consistent Hashing with Bounded Loads*, 2016). That suits caches. Where a key
/// has to be served by its node, and by no other, as where that keeps its state, there must be
/// [none](Self::unbounded).
///
/// While a node is silent, suspected or about to leave, its keys are called where they would go
/// without it; a call that fails there is made again at the next one, if it may.
///
/// It looks at all candidates. Below some hundred that is quicker than to search a ring of their
/// hashes, and there is no ring to be made anew when a node comes or goes, or falls silent.
#[derive(Clone, Copy, Debug)]
pub struct ConsistentHash {
    /// How many times the average of calls under way a node may have.
    bound: Option<f64>,
}

impl Default for ConsistentHash {
    fn default() -> Self {
        Self::new()
    }
}

impl ConsistentHash {
    /// With a bound of 1.25.
    pub const fn new() -> Self {
        Self { bound: Some(BOUND) }
    }

    /// With another bound, such as 2.0: closer to the key the higher it is. Less than 1 cannot be
    /// kept, and counts as 1.
    pub const fn bounded(bound: f64) -> Self {
        Self { bound: Some(bound.max(1.0)) }
    }

    /// Without a bound: a key is called at its node however much that has to do.
    pub const fn unbounded() -> Self {
        Self { bound: None }
    }
}

impl Picker for ConsistentHash {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let Some(key) = picking.key() else {
            return Some(picking.random_below(candidates.len()));
        };
        let (mut calls, mut weights, mut equal) = (1_usize, 0.0, true);
        let first = weight(candidates.get(0)?);
        for candidate in candidates.iter() {
            calls += candidate.in_flight();
            weights += weight(candidate);
            equal &= weight(candidate) == first;
        }
        let is_full = |candidate: Candidate<'_>| {
            self.bound.is_some_and(|bound| {
                let most = (bound * calls as f64 * weight(candidate) / weights).ceil();
                most <= candidate.in_flight() as f64
            })
        };
        let best = |full: bool| {
            let indexed = candidates.iter().enumerate();
            let merits = indexed.filter(|&(_, candidate)| full || !is_full(candidate)).map(
                |(index, candidate)| {
                    let merit = merit(key, candidate.target().hash);
                    let weighs = weight(candidate);
                    (if equal { merit } else { weighted(merit, weighs) }, index)
                },
            );
            merits.max().map(|(_, index)| index)
        };
        // Calls that begin and end meanwhile may make all of them look full.
        best(false).or_else(|| best(true))
    }
}

/// What a node is worth to a key.
fn merit(key: Key, node: u64) -> u64 {
    mix(key.0 ^ node)
}

/// The same in view of a weight (Schindelhauer and Schomaker, *Weighted Distributed Hash Tables*,
/// 2005): among equal weights it comes to the same order.
fn weighted(merit: u64, weight: f64) -> u64 {
    // Above 0 and below 1. The logarithm is below 0 then.
    let fraction = ((merit >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    // Numbers above 0 are in the order of their bits.
    (weight / -fraction.ln()).to_bits()
}

/// A share of the keys: not less for a node that is new, or its keys would move twice.
fn weight(candidate: Candidate<'_>) -> f64 {
    f64::from(candidate.member().weight().max(1))
}

/// The bound unless another one is asked for: what those have found good who measured it (Vimeo,
/// *Improving load balancing with a new consistent-hashing algorithm*, 2016).
const BOUND: f64 = 1.25;
