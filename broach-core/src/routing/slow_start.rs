//! [`SlowStart`]: a node that has just joined gets fewer calls at first.

use std::time::Duration;

use crate::deadline::Time;

/// How much of its share a node gets: a tenth when it has joined others that were there already,
/// and more from then on in a straight line, until it is all of it.
///
/// What is young is slow: caches are cold, pools are empty, and nobody has a session with it yet. A
/// node that joins alone, or together with all others, has nobody to leave calls to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlowStart {
    joined_at: Time,
    /// How long it takes; zero for a node that was there from the beginning.
    takes: Duration,
}

impl SlowStart {
    /// That of a node that has joined others now.
    pub(crate) const fn begin(now: Time, takes: Duration) -> Self {
        Self { joined_at: now, takes }
    }

    /// Which part of its share the node gets now, from 0.1 to 1.
    pub(crate) fn part(self, now: Time) -> f64 {
        if self.takes.is_zero() {
            return 1.0;
        }
        let passed = now.since(self.joined_at);
        if self.takes <= passed {
            return 1.0;
        }
        FIRST + (1.0 - FIRST) * (passed.as_secs_f64() / self.takes.as_secs_f64())
    }
}

/// The part at the beginning: enough to show whether the node works.
const FIRST: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_in_a_straight_line_and_ends() {
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let start = SlowStart::begin(at(1_000), Duration::from_secs(10));
        let parts = [0, 1_000, 6_000, 10_900, 11_000, u64::MAX / 1_000_000];
        let parts = parts.map(|ms| start.part(at(ms)));
        let expected = [0.1, 0.1, 0.55, 0.991, 1.0, 1.0];
        let close = |(part, expected): (&f64, f64)| (part - expected).abs() < 1e-9;
        assert!(parts.iter().zip(expected).all(close), "{parts:?}");
        assert_eq!(SlowStart::default().part(at(0)), 1.0);
    }
}
