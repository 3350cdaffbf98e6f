//! [`Sticky`]: whoever was called before.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;

use crate::routing::{Candidates, Key, Picker, Picking, PowerOfTwoChoices};

/// Stays with the node that it has once chosen, as long as that is well: one for each service, or
/// for each [key](crate::Call::key) if calls have them. Calls with other
/// [wishes](crate::picker::Selection) have nodes of their own.
///
/// Unlike with [`ConsistentHash`](crate::picker::ConsistentHash) nothing moves when a node joins,
/// but every channel chooses for itself and another process chooses otherwise. Clones of a channel
/// stay with the same node; channels that are given pickers of their own do not.
///
/// When the node is silent, suspected, about to leave, gone, or another life has begun there,
/// another one is chosen for good. If it only cannot be called by this one call, because that has
/// failed there, the call goes elsewhere and the next one comes back.
///
/// Keys share 4096 places for each of these. Two that share one are called at the same node, and it
/// takes no more memory (32 KiB) however many there are.
///
/// Another picker chooses in the first place: [`PowerOfTwoChoices`] unless there is
/// [another](Self::with).
pub struct Sticky<P = PowerOfTwoChoices> {
    /// By the [kind](Picking::kind) of calls.
    kinds: ArcSwap<FxHashMap<u64, Arc<Places>>>,
    picker: P,
}

/// Where the calls of a kind go: the names of nodes, 0 for none yet.
#[derive(Default)]
struct Places {
    /// Those without a key.
    others: AtomicU64,
    keys: OnceLock<Box<[AtomicU64]>>,
}

impl Places {
    fn of(&self, key: Option<Key>) -> &AtomicU64 {
        let Some(Key(hash)) = key else { return &self.others };
        let keys = self.keys.get_or_init(|| (0..KEYS).map(|_| AtomicU64::new(0)).collect());
        &keys[hash as usize % KEYS]
    }
}

impl Sticky {
    /// A picker that has not chosen yet.
    pub fn new() -> Self {
        Self { kinds: ArcSwap::default(), picker: PowerOfTwoChoices::new() }
    }
}

impl Default for Sticky {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Sticky<P> {
    /// Chooses with this picker whenever there is a choice.
    pub fn with<Q: Picker>(self, picker: Q) -> Sticky<Q> {
        Sticky { kinds: self.kinds, picker }
    }

    fn places(&self, kind: u64) -> Arc<Places> {
        if let Some(places) = self.kinds.load().get(&kind) {
            return Arc::clone(places);
        }
        let places = Arc::<Places>::default();
        self.kinds.rcu(|kinds| {
            let mut kinds = (**kinds).clone();
            if KINDS_MAX <= kinds.len() {
                kinds.clear();
            }
            kinds.entry(kind).or_insert_with(|| Arc::clone(&places));
            kinds
        });
        // Somebody else may have been quicker.
        self.kinds.load().get(&kind).map_or(places, Arc::clone)
    }
}

impl<P: Picker> Picker for Sticky<P> {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let places = self.places(picking.kind());
        let place = places.of(picking.key());
        let index_of = |name: u64| {
            let is =
                |index: &usize| candidates.get(*index).is_some_and(|it| it.target().name == name);
            (0..candidates.len()).find(is)
        };
        let before = place.load(Relaxed);
        if let Some(index) = index_of(before) {
            return Some(index);
        }
        let picked = self.picker.pick(candidates, picking)?;
        let waits = candidates.all().iter().any(|it| it.name == before && it.is_well());
        let Some(candidate) = candidates.get(picked).filter(|_| !waits) else {
            return Some(picked);
        };
        // Calls that begin together stay together.
        match place.compare_exchange(before, candidate.target().name, Relaxed, Relaxed) {
            Ok(_) => Some(picked),
            Err(other) => index_of(other).or(Some(picked)),
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for Sticky<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sticky").field("picker", &self.picker).finish_non_exhaustive()
    }
}

/// Places for keys.
const KEYS: usize = 4096;

/// Kinds of calls that are kept apart, for a program that makes them up; then all begin anew.
const KINDS_MAX: usize = 256;
