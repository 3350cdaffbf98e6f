//! [`Pace`]: whether a method's handlers are quick enough to begin in the driver's own task.

use std::time::Duration;

use crate::deadline::Time;

/// What is known of a method's handlers.
///
/// They begin in tasks of their own until they have proved quick: a handler that works for long
/// without waiting for anything would hold up the whole node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long their first poll takes, smoothed.
    usual: Duration,
    /// One of them has blocked: what the others do says little until then.
    distrusted_until: Time,
}

impl Pace {
    /// Of handlers of which nothing is known.
    pub(super) const fn new() -> Self {
        Self { usual: UNKNOWN, distrusted_until: Time::ZERO }
    }

    pub(super) fn is_quick(&self, now: Time) -> bool {
        self.usual <= QUICK_MAX && self.distrusted_until <= now
    }

    /// The first poll of a handler has taken so long.
    pub(super) fn on_first_poll(&mut self, now: Time, took: Duration) {
        if BLOCKED_MIN <= took {
            *self = Self { usual: UNKNOWN, distrusted_until: now + DISTRUST };
        }
        // The operating system may take the processor away in the middle of a poll; once does not
        // make a method slow.
        self.usual = (7 * self.usual + took.min(3 * QUICK_MAX)) / 8;
    }
}

/// First polls that take longer than this as a rule are for tasks.
const QUICK_MAX: Duration = Duration::from_micros(20);

/// Handlers of which nothing is known count as slow; half a dozen quick ones prove the contrary.
const UNKNOWN: Duration = Duration::from_micros(40);

/// The operating system seldom takes a processor away for so long: the handler has blocked.
const BLOCKED_MIN: Duration = Duration::from_millis(20);

/// How long one handler that has blocked keeps all of its method in tasks.
const DISTRUST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    fn at(secs: u64) -> Time {
        Time::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn handlers_have_to_prove_quick_first() {
        let mut pace = Pace::new();
        let polls = (0..100).take_while(|_| {
            let slow = !pace.is_quick(at(0));
            pace.on_first_poll(at(0), MICRO);
            slow
        });
        assert_eq!(polls.count(), 6);
        (0..20).for_each(|_| pace.on_first_poll(at(0), MICRO));
        // Now and then the processor is taken away.
        pace.on_first_poll(at(0), 4_000 * MICRO);
        assert!(pace.is_quick(at(0)));
        (0..4).for_each(|_| pace.on_first_poll(at(0), 100 * MICRO));
        assert!(!pace.is_quick(at(0)));
    }

    #[test]
    fn handlers_that_are_slow_never_pass_for_quick() {
        let mut pace = Pace::new();
        for call in 0..10_000 {
            assert!(!pace.is_quick(at(call)));
            pace.on_first_poll(at(call), 400_000 * MICRO);
        }
    }

    #[test]
    fn one_handler_that_blocks_is_held_against_the_others_for_a_minute() {
        let mut pace = Pace::new();
        (0..100).for_each(|_| pace.on_first_poll(at(0), MICRO));
        pace.on_first_poll(at(10), 400_000 * MICRO);
        (0..100).for_each(|_| pace.on_first_poll(at(69), MICRO));
        assert!(!pace.is_quick(at(69)));
        assert!(pace.is_quick(at(70)));
    }
}
