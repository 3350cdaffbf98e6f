//! How often answers are given that nobody has a right to.

use std::time::Duration;

use crate::deadline::Time;

/// A token bucket: a burst at once, and then so many a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limiter {
    /// In billionths of an answer, so that no time is lost in rounding.
    level: u64,
    filled_at: Time,
}

impl Limiter {
    pub(crate) const fn new(now: Time) -> Self {
        Self { level: BURST * UNIT, filled_at: now }
    }

    /// Whether one more may be given now.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        let passed = now.since(self.filled_at).min(Duration::from_secs(1 + BURST / PER_SECOND));
        self.filled_at = now;
        self.level = (self.level + passed.as_nanos() as u64 * PER_SECOND).min(BURST * UNIT);
        let takes = UNIT <= self.level;
        if takes {
            self.level -= UNIT;
        }
        takes
    }
}

/// Enough for a whole cluster to learn at once that a node has restarted.
pub(super) const BURST: u64 = 10_000;
pub(super) const PER_SECOND: u64 = 10_000;
const UNIT: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_rate() {
        let mut limiter = Limiter::new(Time::ZERO);
        let taken = (0..2 * BURST).filter(|_| limiter.take(Time::ZERO)).count();
        assert_eq!(taken as u64, BURST);
        let later = Time::ZERO + Duration::from_millis(1);
        assert_eq!((0..100).filter(|_| limiter.take(later)).count(), 10);
        let much_later = Time::ZERO + Duration::from_secs(3600);
        let taken = (0..2 * BURST).filter(|_| limiter.take(much_later)).count();
        assert_eq!(taken as u64, BURST);
    }
}
