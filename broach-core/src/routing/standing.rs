//! [`Standing`]: whether a node answers, as far as calls have found out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::deadline::Time;

/// A node that has fallen silent is passed over, and tried again with a single call after a while:
/// after a second first, and later up to every half minute.
#[derive(Debug)]
pub(crate) struct Standing {
    /// When it may be tried again, in nanoseconds of the clock; 0 if it answers.
    silent_until: AtomicU64,
    /// How often in a row it has been silent when tried.
    failures: AtomicU32,
    /// It has said that this life of it is about to end.
    leaving: AtomicBool,
    /// How many nodes of the directory there are with which something is wrong: as long as it is
    /// none, nobody has to be looked at.
    ailing: Arc<AtomicUsize>,
}

impl Standing {
    pub(crate) fn new(ailing: Arc<AtomicUsize>) -> Self {
        let (silent_until, failures) = (AtomicU64::new(0), AtomicU32::new(0));
        Self { silent_until, failures, leaving: AtomicBool::new(false), ailing }
    }

    /// The node has fallen silent.
    pub(crate) fn on_silent(&self, now: Time) {
        // Many calls fall silent together; only the first of them counts.
        if now.as_nanos() < self.silent_until.load(Relaxed) {
            return;
        }
        let failures = self.failures.fetch_add(1, Relaxed);
        let wait = (SILENT_MIN * 2_u32.saturating_pow(failures.min(16))).min(SILENT_MAX);
        if self.silent_until.swap((now + wait).as_nanos(), Relaxed) == 0 {
            self.ailing.fetch_add(1, Relaxed);
        }
    }

    /// The node has answered.
    pub(crate) fn on_answer(&self) {
        if self.silent_until.load(Relaxed) != 0 && self.silent_until.swap(0, Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.ailing.fetch_sub(1, Relaxed);
        }
    }

    /// The node has said that it is shutting down.
    pub(crate) fn on_leaving(&self) {
        if !self.leaving.swap(true, Relaxed) {
            self.ailing.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent_until.load(Relaxed) != 0
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// Whether it is time to see if a silent node answers again. Says so once only, so that one
    /// call finds out and not many.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        let until = self.silent_until.load(Relaxed);
        if until == 0 || now.as_nanos() < until {
            return false;
        }
        let next = (now + SILENT_MIN).as_nanos();
        self.silent_until.compare_exchange(until, next, Relaxed, Relaxed).is_ok()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let wrong = usize::from(self.is_silent()) + usize::from(self.is_leaving());
        self.ailing.fetch_sub(wrong, Relaxed);
    }
}

/// How long a silent node is left alone at first, and at the longest.
const SILENT_MIN: Duration = Duration::from_secs(1);
const SILENT_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_which_something_is_wrong_are_counted() {
        let ailing = Arc::new(AtomicUsize::new(0));
        let count = || ailing.load(Relaxed);
        let [one, two] = [(); 2].map(|()| Standing::new(Arc::clone(&ailing)));
        one.on_silent(Time::ZERO);
        one.on_silent(Time::from_nanos(5_000_000_000));
        two.on_leaving();
        two.on_leaving();
        assert_eq!(count(), 2);
        two.on_silent(Time::ZERO);
        one.on_answer();
        one.on_answer();
        assert_eq!(count(), 2);
        drop((one, two));
        assert_eq!(count(), 0);
    }
}
