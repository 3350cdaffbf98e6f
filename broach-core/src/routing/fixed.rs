//! [`FixedList`]: nodes that are known from the start, called in turn.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::deadline::Time;

/// Nodes that do not change, called one after the other.
///
/// A node that has fallen silent is passed over, and tried again with a single call after a while:
/// after a second first, and later up to every half minute.
#[derive(Debug)]
pub(crate) struct FixedList {
    targets: Vec<Target>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Target {
    addr: SocketAddr,
    /// When it may be tried again, in nanoseconds of the clock; 0 if nothing is wrong with it.
    silent_until: AtomicU64,
    /// How often in a row it has been silent when tried.
    failures: AtomicU32,
}

impl FixedList {
    /// A list of these nodes; each counts once however often it is named.
    pub(crate) fn new(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut targets: Vec<Target> = Vec::new();
        for addr in addrs {
            if targets.iter().all(|target| target.addr != addr) {
                let (silent_until, failures) = (AtomicU64::new(0), AtomicU32::new(0));
                targets.push(Target { addr, silent_until, failures });
            }
        }
        Self { targets, next: AtomicUsize::new(0) }
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// The node whose turn it is, other than those tried already: one that answers if there is any,
    /// and else one that does not.
    pub(crate) fn pick(&self, now: Time, tried: impl Fn(SocketAddr) -> bool) -> Option<SocketAddr> {
        let count = self.targets.len();
        if count == 0 {
            return None;
        }
        // Whoever passes a node over takes another turn. If the next in the list took it on, that
        // one would be called twice as often as the others.
        for _ in 0..count {
            let target = &self.targets[self.take_turn()];
            if !tried(target.addr) && target.may_be_tried(now) {
                return Some(target.addr);
            }
        }
        // None answers, or others have taken the turns between.
        let start = self.take_turn();
        let turn = (0..count).map(|step| &self.targets[(start + step) % count]);
        let mut turn = turn.filter(|target| !tried(target.addr));
        let mut silent = None;
        let answers = turn.find(|target| {
            let usable = target.may_be_tried(now);
            if !usable {
                silent = silent.or(Some(target.addr));
            }
            usable
        });
        answers.map(|target| target.addr).or(silent)
    }

    /// A node has fallen silent.
    pub(crate) fn on_silent(&self, now: Time, addr: SocketAddr) {
        let Some(target) = self.target(addr) else {
            return;
        };
        // Many calls fall silent together; only the first of them counts.
        if now.as_nanos() < target.silent_until.load(Relaxed) {
            return;
        }
        let failures = target.failures.fetch_add(1, Relaxed);
        let wait = (SILENT_MIN * 2_u32.saturating_pow(failures.min(16))).min(SILENT_MAX);
        target.silent_until.store((now + wait).as_nanos(), Relaxed);
    }

    /// A node has answered.
    pub(crate) fn on_answer(&self, addr: SocketAddr) {
        let Some(target) = self.target(addr) else {
            return;
        };
        if target.silent_until.load(Relaxed) != 0 {
            target.silent_until.store(0, Relaxed);
            target.failures.store(0, Relaxed);
        }
    }

    fn take_turn(&self) -> usize {
        self.next.fetch_add(1, Relaxed) % self.targets.len()
    }

    fn target(&self, addr: SocketAddr) -> Option<&Target> {
        self.targets.iter().find(|target| target.addr == addr)
    }
}

impl Target {
    /// Whether it answers, as far as is known, or it is time to see whether it does again. Says so
    /// once only, so that one call finds out and not many.
    fn may_be_tried(&self, now: Time) -> bool {
        let until = self.silent_until.load(Relaxed);
        if until == 0 {
            return true;
        }
        if now.as_nanos() < until {
            return false;
        }
        let next = (now + SILENT_MIN).as_nanos();
        self.silent_until.compare_exchange(until, next, Relaxed, Relaxed).is_ok()
    }
}

/// How long a silent node is left alone at first, and at the longest.
const SILENT_MIN: Duration = Duration::from_secs(1);
const SILENT_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn picks(list: &FixedList, now: Time, count: usize) -> Vec<u16> {
        (0..count).map(|_| list.pick(now, |_| false).unwrap().port()).collect()
    }

    #[test]
    fn nodes_are_called_in_turn_and_each_counts_once() {
        let list = FixedList::new([1, 2, 3, 2].map(addr));
        assert_eq!(list.len(), 3);
        assert_eq!(picks(&list, at(0), 6), [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn a_node_that_was_tried_is_not_tried_again() {
        let list = FixedList::new([1, 2].map(addr));
        assert_eq!(list.pick(at(0), |tried| tried == addr(1)), Some(addr(2)));
        assert_eq!(list.pick(at(0), |_| true), None);
    }

    #[test]
    fn a_silent_node_is_passed_over_and_then_tried_once() {
        let list = FixedList::new([1, 2, 3].map(addr));
        list.on_silent(at(10), addr(2));
        assert!(!picks(&list, at(500), 9).contains(&2));
        let later = picks(&list, at(1_010), 9);
        assert_eq!(later.iter().filter(|&&port| port == 2).count(), 1, "{later:?}");
        list.on_answer(addr(2));
        assert!(picks(&list, at(1_020), 3).contains(&2));
    }

    #[test]
    fn what_a_silent_node_is_spared_is_shared_out_evenly() {
        let list = FixedList::new([1, 2, 3, 4, 5].map(addr));
        list.on_silent(at(0), addr(3));
        let picks = picks(&list, at(1), 400);
        for port in [1, 2, 4, 5] {
            assert_eq!(picks.iter().filter(|&&picked| picked == port).count(), 100, "{port}");
        }
    }

    #[test]
    fn a_node_that_stays_silent_is_tried_ever_more_rarely() {
        let list = FixedList::new([1, 2].map(addr));
        let (mut now, mut waits) = (at(0), Vec::new());
        for _ in 0..7 {
            list.on_silent(now, addr(1));
            let from = now;
            while !picks(&list, now, 2).contains(&1) {
                now = now + Duration::from_millis(100);
            }
            waits.push(now.since(from).as_secs());
            // The call that tries it takes a while to find out, longer than the other tries wait.
            now = now + Duration::from_secs(2);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn if_all_are_silent_one_is_called_all_the_same() {
        let list = FixedList::new([1, 2].map(addr));
        list.on_silent(at(0), addr(1));
        list.on_silent(at(0), addr(2));
        let picks = picks(&list, at(1), 4);
        assert!(picks.contains(&1) && picks.contains(&2), "{picks:?}");
    }
}
