//! Time as the framework knows it: a clock that only runs forward, and the time by which a call
//! must have ended.

use std::fmt;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A moment on one clock: nanoseconds since that clock's beginning.
///
/// Moments of different clocks do not compare, so none is ever sent to another node; what travels
/// is always a [`Duration`].
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Time(u64);

impl Time {
    /// The clock's beginning.
    pub(crate) const ZERO: Self = Self(0);

    /// The moment this many nanoseconds after the clock's beginning.
    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's beginning.
    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Stays at the end of time (some 584 years) rather than wrapping.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    /// Stays at the clock's beginning rather than wrapping.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

/// All nanoseconds of a duration, in 64 bits: `Duration::as_nanos` takes 128, which is slow in a
/// place that every call passes several times.
const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}s", self.0 as f64 / 1e9)
    }
}

/// When a call must have ended, on the clock of the node where it is made or served.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Deadline(Time);

impl Deadline {
    /// The deadline at this moment.
    pub(crate) const fn at(time: Time) -> Self {
        Self(time)
    }

    /// The deadline this long after `now`.
    pub(crate) fn after(now: Time, timeout: Duration) -> Self {
        Self(now + timeout)
    }

    /// The moment.
    pub(crate) const fn time(self) -> Time {
        self.0
    }

    /// How much time is left; `None` once it has passed.
    pub(crate) fn remaining(self, now: Time) -> Option<Duration> {
        (now < self.0).then(|| self.0.since(now))
    }
}

/// Where a node gets the time from, and how it waits.
///
/// A program uses tokio's clock; a simulation has one of its own, which runs as fast as the
/// simulation does.
pub(crate) trait Clock: fmt::Debug + Send + Sync {
    /// The time now. Never earlier than any time this clock gave before.
    fn now(&self) -> Time;

    /// Waits until the clock shows `time`. Dropping the future ends the wait.
    fn sleep_until(&self, time: Time) -> Sleep;
}

/// A clock that always shows its beginning: for contexts made for a test, and for protocol code
/// that is given the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped;

impl Stopped {
    /// Such a clock, to be shared.
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(Self)
    }
}

impl Clock for Stopped {
    fn now(&self) -> Time {
        Time::ZERO
    }

    fn sleep_until(&self, _: Time) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// The wait of [`Clock::sleep_until`].
pub(crate) type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_at_both_ends() {
        assert_eq!(Time::ZERO - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time::from_nanos(u64::MAX) + Duration::MAX, Time::from_nanos(u64::MAX));
        assert_eq!(Time::ZERO.since(Time::from_nanos(5)), Duration::ZERO);
    }

    #[test]
    fn a_deadline_has_no_time_left_once_it_is_reached() {
        let deadline = Deadline::after(Time::ZERO, Duration::from_nanos(10));
        assert_eq!(deadline.remaining(Time::from_nanos(9)), Some(Duration::from_nanos(1)));
        assert_eq!(deadline.remaining(Time::from_nanos(10)), None);
    }
}
