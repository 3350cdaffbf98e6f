//! [`Latency`]: how long a node takes to answer, smoothed so that it can be compared.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::deadline::Time;

/// A moving average that rises faster than it falls.
///
/// This is the *peak EWMA* of Finagle (`com.twitter.finagle.loadbalancer.PeakEwma`), mended in two
/// points. There one slow answer sets the average to its own time, and the average falls with a
/// time constant of 10 s; among equal nodes whose latencies have a long tail that shuns one node
/// after the other for seconds because of single answers. Here an answer counts for at most
/// [`PEAK_MAX`] times the average and moves it up by a part of the way, and the average falls with
/// each answer as well as with time. So a single peak is forgotten after some answers, and a node
/// that has become slow is known after a few.
///
/// Calls that were under way together have waited for the same things: if a node stands still for a
/// moment, all its answers are late at once, and that is one peak and not many. So an answer counts
/// in full only if the whole call came after the last answer, and else for the part that did.
///
/// Written by many calls at once without a lock: now and then one answer is lost from the average,
/// which does not matter to it.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// In nanoseconds; 0 as long as nothing is known.
    average: AtomicU64,
    /// When it was last moved.
    moved_at: AtomicU64,
    /// How many answers it is made of, up to [`FALL`].
    answers: AtomicU32,
}

impl Latency {
    /// The average, unless nothing was seen for so long that it says nothing of now.
    pub(crate) fn get(&self, now: Time) -> Option<Duration> {
        let average = self.average.load(Relaxed);
        let age = now.since(Time::from_nanos(self.moved_at.load(Relaxed)));
        (average != 0 && age < FORGET).then(|| Duration::from_nanos(average))
    }

    /// How much the average says of now: 1 if the node has just answered, and ever less from then
    /// on.
    pub(crate) fn trust(&self, now: Time) -> f64 {
        let age = now.since(Time::from_nanos(self.moved_at.load(Relaxed)));
        1.0 / (1.0 + age.as_nanos() as f64 / FADE.as_nanos() as f64)
    }

    /// The node has answered.
    pub(crate) fn on_answer(&self, now: Time, took: Duration) {
        let took = (took.as_nanos() as u64).max(MIN_NANOS);
        let before = self.get(now).map(|average| average.as_nanos() as u64);
        let age = now.as_nanos().saturating_sub(self.moved_at.load(Relaxed)) as f64;
        let counts = (age / took as f64).min(1.0);
        let answers = if before.is_some() { self.answers.load(Relaxed) } else { 0 };
        let average = match before {
            None => took,
            Some(before) if before <= took => {
                let peak = took.min(before.saturating_mul(PEAK_MAX));
                before + ((peak - before) as f64 * counts / RISE) as u64
            }
            Some(before) => {
                // Close to 1 - exp(-age / DECAY), and cheaper.
                let by_time = age / (age + DECAY.as_nanos() as f64);
                // The first answers are as good as each other.
                let part = by_time.max(counts / f64::from(answers + 1));
                before - ((before - took) as f64 * part) as u64
            }
        };
        self.average.store(average, Relaxed);
        self.moved_at.store(now.as_nanos(), Relaxed);
        self.answers.store((answers + 1).min(FALL - 1), Relaxed);
    }

    /// A call has failed, or nobody waits for it any more. That it was quick says nothing of how
    /// quick the node is; that it was slow does.
    pub(crate) fn on_failure(&self, now: Time, took: Duration) {
        if self.get(now).is_some_and(|average| average < took) {
            self.on_answer(now, took);
        }
    }
}

/// An answer counts for at most this many times the average.
const PEAK_MAX: u64 = 3;

/// A slower answer moves the average by this part of the way: a node that has become ten times as
/// slow is known as at least five times as slow after eight answers.
const RISE: f64 = 8.0;

/// A quicker answer moves the average by at least this part of the way.
const FALL: u32 = 32;

/// The time constant with which the average falls when answers are rare. Finagle's default is 10 s;
/// a node that gets few calls because of some peaks would be long in getting more.
const DECAY: Duration = Duration::from_secs(1);

/// The time after which the average says half as much of now as at first.
const FADE: Duration = Duration::from_secs(10);

/// After so long without an answer the node counts as one of which nothing is known, so that one
/// which was slow is tried again.
const FORGET: Duration = Duration::from_secs(30);

/// Quicker than this nobody answers; and 0 stands for "unknown".
const MIN_NANOS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn fed(answers: &[u32]) -> Duration {
        let (latency, mut now) = (Latency::default(), at(0));
        for &took in answers {
            now = now + took * MS;
            latency.on_answer(now, took * MS);
        }
        latency.get(now).unwrap()
    }

    #[test]
    fn the_first_answer_is_the_average_and_equal_ones_keep_it() {
        assert_eq!(Latency::default().get(at(0)), None);
        assert_eq!(fed(&[5]), 5 * MS);
        assert_eq!(fed(&[5; 50]), 5 * MS);
    }

    #[test]
    fn one_peak_does_little_and_several_do_much() {
        let peak = fed(&[1, 1, 1, 1_000]);
        assert!(peak < 2 * MS, "{peak:?}");
        let slow = fed(&[1, 1, 1, 10, 10, 10, 10, 10, 10, 10, 10]);
        assert!(5 * MS < slow, "{slow:?}");
    }

    #[test]
    fn answers_that_were_late_together_are_one_peak() {
        let latency = Latency::default();
        (1..=100).for_each(|ms| latency.on_answer(at(ms), MS));
        (0..64).for_each(|_| latency.on_answer(at(120), 20 * MS));
        let peak = latency.get(at(120)).unwrap();
        assert!(peak < 2 * MS, "{peak:?}");
    }

    #[test]
    fn a_peak_is_forgotten_after_some_answers() {
        let mut answers = vec![1_u32; 100];
        answers[0] = 10;
        let later = fed(&answers);
        assert!(later < 2 * MS, "{later:?}");
    }

    #[test]
    fn failures_make_nobody_look_fast() {
        let latency = Latency::default();
        latency.on_failure(at(0), MS);
        assert_eq!(latency.get(at(0)), None);
        latency.on_answer(at(0), 10 * MS);
        latency.on_failure(at(1), MS);
        assert_eq!(latency.get(at(1)), Some(10 * MS));
        latency.on_failure(at(1), 100 * MS);
        assert!(10 * MS < latency.get(at(1)).unwrap());
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let latency = Latency::default();
        latency.on_answer(at(0), 10 * MS);
        assert!(latency.get(at(29_000)).is_some());
        assert_eq!(latency.get(at(30_000)), None);
        latency.on_answer(at(31_000), MS);
        assert_eq!(latency.get(at(31_000)), Some(MS));
    }
}
