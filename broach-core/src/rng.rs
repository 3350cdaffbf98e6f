//! The one source of randomness: a generator that a seed replays and that nobody can predict
//! without it.
//!
//! SipHash-2-4 of a counter under a secret key. SipHash is a pseudo-random function (Aumasson and
//! Bernstein, 2012), so session ids may be drawn from it: someone who has seen many of them learns
//! nothing of the next. Protocol code never draws from the operating system; it is handed a
//! generator.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// A generator of random numbers; the same seed gives the same numbers.
#[derive(Clone)]
pub(crate) struct Rng {
    key: (u64, u64),
    counter: u64,
}

impl Rng {
    /// A generator for tests and simulations: whoever knows the seed knows every number.
    pub(crate) const fn from_seed(seed: u64) -> Self {
        Self { key: (seed, 0x6272_6f61_6368_2121), counter: 0 }
    }

    /// A generator from a secret of 16 bytes, such as the operating system gives.
    pub(crate) fn from_secret(secret: [u8; 16]) -> Self {
        let [a, b] = [0, 8].map(|at| {
            let mut half = [0; 8];
            half.copy_from_slice(&secret[at..at + 8]);
            u64::from_le_bytes(half)
        });
        Self { key: (a, b), counter: 0 }
    }

    /// A random number.
    pub(crate) fn next_u64(&mut self) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(self.counter);
        self.counter += 1;
        hasher.finish()
    }

    /// A random number that is not 0.
    pub(crate) fn non_zero(&mut self) -> u64 {
        loop {
            let number = self.next_u64();
            if number != 0 {
                return number;
            }
        }
    }

    /// A random number below `bound`; 0 if `bound` is 0.
    ///
    /// By multiplication rather than by remainder (Lemire, 2019); the bias, at most
    /// `bound / 2^64`, is left in.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A random number in `0.0 .. 1.0`.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether an event of this probability happens now.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// A generator of its own, whose numbers do not depend on how often this one is drawn from
    /// later.
    pub(crate) fn fork(&mut self) -> Self {
        Self { key: (self.next_u64(), self.next_u64()), counter: 0 }
    }
}

impl fmt::Debug for Rng {
    /// Leaves out the key: a printed session would otherwise give away all ids to come.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rng").field("counter", &self.counter).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_its_numbers() {
        let (mut one, mut other) = (Rng::from_seed(7), Rng::from_seed(7));
        let first: Vec<u64> = (0..100).map(|_| one.next_u64()).collect();
        let again: Vec<u64> = (0..100).map(|_| other.next_u64()).collect();
        assert_eq!(first, again);
        assert_ne!(first[0], Rng::from_seed(8).next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_every_number() {
        let mut rng = Rng::from_seed(1);
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[rng.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn a_fork_is_independent_of_what_its_parent_does_next() {
        let mut parent = Rng::from_seed(3);
        let mut fork = parent.fork();
        let alone: Vec<u64> = (0..5).map(|_| fork.clone().next_u64()).collect();
        parent.next_u64();
        assert_eq!(fork.next_u64(), alone[0]);
    }

    #[test]
    fn chance_follows_its_probability() {
        let mut rng = Rng::from_seed(5);
        let hits = (0..10_000).filter(|_| rng.chance(0.1)).count();
        assert!((800..1200).contains(&hits), "{hits}");
        assert!(!rng.chance(0.0));
    }
}
