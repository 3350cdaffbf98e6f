//! [`WeightedRoundRobin`]: one after the other, each as often as it weighs.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::routing::{Candidates, Picker, Picking};

/// Takes candidates in turn, each as often as its [weight](crate::Member::weight) says beside those
/// of others, and as evenly spread over time as that can be: with weights of 5, 1 and 1 as
/// `a a b a c a a` and not as `a a a a a b c`.
///
/// The *smooth weighted round robin* of nginx (`ngx_http_upstream_round_robin.c`): at each call all
/// candidates are owed their weight more, the one that is owed most is taken, and it pays the
/// weights of all. What each is owed stays when others come and go, so after any change, and for
/// any number of callers at once, no node is ahead or behind by more than a few calls.
///
/// Each service has turns of its own, and so have calls with other
/// [wishes](crate::picker::Selection). A lock is held while one is taken, and all candidates are
/// looked at; where that costs too much, [`Random`](crate::picker::Random) and
/// [`RoundRobin`](crate::picker::RoundRobin) need neither.
#[derive(Debug, Default)]
pub struct WeightedRoundRobin {
    /// By the [kind](Picking::kind) of calls.
    kinds: Mutex<FxHashMap<u64, Vec<Turn>>>,
}

/// What a node is owed. They are in the order of all nodes that offer the service.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Of the node's address.
    hash: u64,
    owed: i64,
}

impl WeightedRoundRobin {
    /// A picker that owes nothing to anybody yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Picker for WeightedRoundRobin {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let kind = picking.kind();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if KINDS_MAX <= kinds.len() && !kinds.contains_key(&kind) {
            kinds.clear();
        }
        let turns = kinds.entry(kind).or_default();
        bring_up_to_date(turns, candidates);
        let mut total = 0;
        let mut most: Option<(usize, usize, i64)> = None;
        for (index, candidate) in candidates.iter().enumerate() {
            let weight = ((candidate.weight() * PARTS) as i64).max(1);
            total += weight;
            let place = candidates.place(index);
            let owed = &mut turns[place].owed;
            *owed += weight;
            if most.is_none_or(|(_, _, most)| most < *owed) {
                most = Some((index, place, *owed));
            }
        }
        let (index, place, _) = most?;
        turns[place].owed -= total;
        Some(index)
    }
}

/// Sees to it that there is a turn for each node that offers the service, in their order.
fn bring_up_to_date(turns: &mut Vec<Turn>, candidates: &Candidates<'_>) {
    let all = candidates.all();
    let same = turns.len() == all.len()
        && turns.iter().zip(all).all(|(turn, target)| turn.hash == target.hash);
    if !same {
        let before: FxHashMap<u64, i64> = turns.iter().map(|turn| (turn.hash, turn.owed)).collect();
        *turns = all
            .iter()
            .map(|target| {
                let owed = before.get(&target.hash).copied().unwrap_or_default();
                Turn { hash: target.hash, owed }
            })
            .collect();
    }
}

/// Into how many parts the usual weight is divided, for weights that are a tenth of it.
const PARTS: f64 = 1_600.0;

/// Kinds of calls whose turns are kept, for a program that makes them up; then all begin anew.
const KINDS_MAX: usize = 1024;
