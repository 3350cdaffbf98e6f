//! What is to happen when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::deadline::Time;

/// What may be due.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// The next member is to be probed.
    Probe,
    /// The member that is being probed has not answered: others are to be asked.
    ProbeLate,
    /// A member that is probed for another has not answered.
    Relay(u64),
    /// News are to be passed on.
    Gossip,
    /// A suspect's time is over.
    Suspicion(SocketAddr),
    /// Tables are to be compared.
    Sync,
    /// Seeds are to be tried.
    Seeds,
    /// A dead member is to be asked whether it lives.
    Dead,
    /// What was asked for has not come.
    Pull,
    /// What this node says of itself has changed a short while ago.
    Publish,
    /// Dead members are to be forgotten.
    Bury,
    /// The farewell is over.
    Leave,
}

/// All timers, each with one time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    times: BTreeMap<Timer, Time>,
    order: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Sets a timer, whatever it was set to.
    pub(super) fn set(&mut self, timer: Timer, at: Time) {
        self.cancel(timer);
        self.times.insert(timer, at);
        self.order.insert((at, timer));
    }

    /// Sets a timer unless it is set.
    pub(super) fn set_if_idle(&mut self, timer: Timer, at: Time) {
        if !self.times.contains_key(&timer) {
            self.set(timer, at);
        }
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.times.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.order.clear();
    }

    /// When the first one is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.order.first().map(|&(at, _)| at)
    }

    /// Takes the first one that is due.
    pub(super) fn pop(&mut self, now: Time) -> Option<Timer> {
        self.next().filter(|&at| at <= now)?;
        let (_, timer) = self.order.pop_first()?;
        self.times.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    #[test]
    fn each_timer_has_one_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Probe, at(5));
        timers.set(Timer::Probe, at(7));
        timers.set_if_idle(Timer::Probe, at(1));
        timers.set(Timer::Gossip, at(6));
        timers.set(Timer::Sync, at(4));
        timers.cancel(Timer::Sync);
        assert_eq!(timers.next(), Some(at(6)));
        assert_eq!(timers.pop(at(5)), None);
        assert_eq!(timers.pop(at(9)), Some(Timer::Gossip));
        assert_eq!(timers.pop(at(9)), Some(Timer::Probe));
        assert_eq!((timers.pop(at(9)), timers.next()), (None, None));
    }
}
