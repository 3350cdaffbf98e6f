//! [`Dice`]: random numbers for choices, drawn by many calls at once without a lock.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::rng::Rng;

/// Gives each call numbers of its own. They are well spread, but not hard to guess: nothing but the
/// choice of a node may depend on them.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self(AtomicU64::new(rng.next_u64()))
    }

    /// The numbers of the next call.
    pub(crate) fn throw(&self) -> Throw {
        Throw(Cell::new(mix(self.0.fetch_add(GAMMA, Relaxed))))
    }
}

/// The numbers of one call.
#[derive(Debug)]
pub(crate) struct Throw(Cell<u64>);

impl Throw {
    /// A random number below `bound`; 0 if `bound` is 0. See [`Rng::below`].
    pub(crate) fn below(&self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(GAMMA);
        self.0.set(state);
        mix(state)
    }
}

/// SplitMix64's increment and output function (Steele, Lea and Flood, 2014).
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_up_as_often() {
        let dice = Dice::new(&mut Rng::from_seed(1));
        let mut seen = [[0; 5]; 2];
        for _ in 0..100_000 {
            let throw = dice.throw();
            seen.iter_mut().for_each(|seen| seen[throw.below(5)] += 1);
        }
        let even = |count: &i32| (19_500..20_500).contains(count);
        assert!(seen.iter().flatten().all(even), "{seen:?}");
        assert_eq!(dice.throw().below(0), 0);
    }
}
