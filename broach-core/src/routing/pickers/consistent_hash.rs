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
/// It looks at all candidates, for about a nanosecond each, or some more where the bound has to be
/// looked at. A ring of hashes is searched in less, but shares keys out less evenly, and has to be
/// made anew when a node comes or goes, or falls silent; the guide has the measurements.
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
        let even = candidates.is_even();
        let highest = match even {
            true => candidates.highest(|node| merit(key, node))?,
            false => best(key, candidates, even, |_| true)?,
        };
        let Some(bound) = self.bound else { return Some(highest) };
        // One call is never too many.
        if candidates.get(highest)?.in_flight() == 0 {
            return Some(highest);
        }
        let calls = 1 + candidates.iter().map(|candidate| candidate.in_flight()).sum::<usize>();
        let weights: f64 = candidates.iter().map(weight).sum();
        let has_room = |candidate: Candidate<'_>| {
            let most = (bound * calls as f64 * weight(candidate) / weights).ceil();
            (candidate.in_flight() as f64) < most
        };
        // Calls that begin and end meanwhile may make all of them look full.
        best(key, candidates, even, has_room).or(Some(highest))
    }
}

/// The index of the candidate that is worth most to a key, of those that this is true of.
fn best<'a>(
    key: Key,
    candidates: &Candidates<'a>,
    even: bool,
    fits: impl Fn(Candidate<'a>) -> bool,
) -> Option<usize> {
    let indexed = candidates.iter().enumerate().filter(|&(_, candidate)| fits(candidate));
    let merits = indexed.map(|(index, candidate)| {
        let merit = merit(key, candidate.target().hash);
        (if even { merit } else { weighted(merit, weight(candidate)) }, index)
    });
    merits.max().map(|(_, index)| index)
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
