//! [`ByKey`]: calls with a key by that, others by another picker.

use crate::routing::{Candidates, ConsistentHash, Picker, Picking};

/// What channels do that have not been told otherwise.
#[derive(Debug)]
pub(crate) struct ByKey<P> {
    keys: ConsistentHash,
    others: P,
}

impl<P: Picker> ByKey<P> {
    /// Calls without a key are left to this one.
    pub(crate) const fn or(others: P) -> Self {
        Self { keys: ConsistentHash::new(), others }
    }
}

impl<P: Picker> Picker for ByKey<P> {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        match picking.key() {
            Some(_) => self.keys.pick(candidates, picking),
            None => self.others.pick(candidates, picking),
        }
    }
}
