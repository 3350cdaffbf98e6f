//! A token bucket of bytes: so many at once, and then so many a second.

use std::time::Duration;

use crate::deadline::Time;

/// Bytes that may be spent.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// In billionths of a byte, so that no time is lost in rounding.
    level: u64,
    per_second: u64,
    burst: u64,
    filled_at: Time,
}

impl Bucket {
    /// A full bucket that holds what comes in in one second.
    pub(super) fn new(now: Time, per_second: u32) -> Self {
        let per_second = u64::from(per_second);
        Self { level: per_second * UNIT, per_second, burst: per_second, filled_at: now }
    }

    /// Whether there are so many.
    pub(super) fn holds(&mut self, now: Time, bytes: usize) -> bool {
        let passed = now.since(self.filled_at).min(Duration::from_secs(1));
        self.filled_at = now;
        let more = passed.as_nanos() as u64 * self.per_second;
        self.level = (self.level + more).min(self.burst * UNIT);
        bytes as u64 * UNIT <= self.level
    }

    /// Spends them; not below zero.
    pub(super) const fn spend(&mut self, bytes: usize) {
        self.level = self.level.saturating_sub(bytes as u64 * UNIT);
    }

    /// Spends so many if there are.
    pub(super) fn take(&mut self, now: Time, bytes: usize) -> bool {
        let holds = self.holds(now, bytes);
        if holds {
            self.spend(bytes);
        }
        holds
    }

    /// When there will be so many.
    pub(super) fn when(&self, bytes: usize) -> Time {
        let missing = (bytes as u64 * UNIT).saturating_sub(self.level);
        self.filled_at + Duration::from_nanos(missing.div_ceil(self.per_second))
    }
}

const UNIT: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_rate() {
        let mut bucket = Bucket::new(Time::ZERO, 10_000);
        assert!(bucket.take(Time::ZERO, 10_000));
        assert!(!bucket.take(Time::ZERO, 1));
        let due = bucket.when(500);
        assert_eq!(due, Time::ZERO + Duration::from_millis(50));
        assert!(!bucket.take(due - Duration::from_nanos(1), 500));
        assert!(bucket.take(due, 500));
        let later = Time::ZERO + Duration::from_secs(3600);
        assert!(bucket.take(later, 10_000) && !bucket.take(later, 1));
    }
}
