//! [`Standing`]: whether a node answers, as far as calls have found out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::deadline::Time;

/// A node that has fallen silent is passed over, and tried again with a single call after a while,
/// and later up to every half minute.
#[derive(Debug)]
pub(crate) struct Standing {
    /// When it may be tried again, in nanoseconds of the clock; 0 if it answers.
    silent_until: AtomicU64,
    /// How often in a row it has been silent when tried.
    failures: AtomicU32,
    /// A call has set out to see whether it answers again.
    trying: AtomicBool,
    /// How long it is left alone at first.
    first: Duration,
    /// It has said that this life of it is about to end.
    leaving: AtomicBool,
    /// How many nodes of the directory there are with which something is wrong: as long as it is
    /// none, nobody has to be looked at.
    ailing: Arc<AtomicUsize>,
}

impl Standing {
    /// The standing of a node of which nothing bad is known. Whether a `watched` one lives is found
    /// out without calls.
    pub(crate) fn new(ailing: Arc<AtomicUsize>, watched: bool) -> Self {
        let (silent_until, failures) = (AtomicU64::new(0), AtomicU32::new(0));
        let first = if watched { SILENT_MIN_WATCHED } else { SILENT_MIN };
        let [trying, leaving] = [(); 2].map(|()| AtomicBool::new(false));
        Self { silent_until, failures, trying, first, leaving, ailing }
    }

    /// The node has fallen silent.
    pub(crate) fn on_silent(&self, now: Time) {
        // Many calls fall silent together; only the first of them counts, and the one that tries
        // the node again, which may find out long before the next one would.
        let tried = self.trying.swap(false, Relaxed);
        if !tried && now.as_nanos() < self.silent_until.load(Relaxed) {
            return;
        }
        let failures = self.failures.fetch_add(1, Relaxed);
        let wait = (self.first * 2_u32.saturating_pow(failures.min(16))).min(SILENT_MAX);
        if self.silent_until.swap((now + wait).as_nanos(), Relaxed) == 0 {
            self.ailing.fetch_add(1, Relaxed);
        }
    }

    /// The node has answered.
    pub(crate) fn on_answer(&self) {
        if self.silent_until.load(Relaxed) != 0 && self.silent_until.swap(0, Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.trying.store(false, Relaxed);
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
        let next = (now + self.first).as_nanos();
        let due = self.silent_until.compare_exchange(until, next, Relaxed, Relaxed).is_ok();
        if due {
            self.trying.store(true, Relaxed);
        }
        due
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

/// The same for a member of a cluster. If it is dead the membership says so sooner, and no call has
/// to find out; a client that is no member hears of it two seconds later.
const SILENT_MIN_WATCHED: Duration = Duration::from_secs(5);

const SILENT_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_which_something_is_wrong_are_counted() {
        let ailing = Arc::new(AtomicUsize::new(0));
        let count = || ailing.load(Relaxed);
        let [one, two] = [(); 2].map(|()| Standing::new(Arc::clone(&ailing), false));
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
