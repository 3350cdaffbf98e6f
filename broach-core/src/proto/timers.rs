//! One timer for each session, and which of them is the first.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::deadline::Time;

/// Timers of sessions, by their index.
///
/// A session's timer moves to a slightly later time at every datagram. So an entry stays where it
/// is if it is early by no more than a little: that makes for a change each millisecond instead of
/// two per call. It is not left to be reached before it is moved, because a wait that is nearly
/// over is dear: a processor whose timer has to be set to less than its next tick leaves a virtual
/// machine for that, which was measured to take 10 us, at each call in the last 4 ms before.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeSet<(Time, usize)>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Makes sure that session `index`, whose entry is at `armed`, has one at `due` or a little
    /// earlier. Returns where its entry is now.
    pub(crate) fn arm(
        &mut self,
        index: usize,
        armed: Option<Time>,
        due: Option<Time>,
    ) -> Option<Time> {
        let Some(due) = due else { return armed };
        match armed {
            Some(armed) if armed <= due && due < armed + EARLY_MAX => return Some(armed),
            Some(armed) => {
                self.entries.remove(&(armed, index));
            }
            None => {}
        }
        self.entries.insert((due, index));
        Some(due)
    }

    /// Removes the entry of a session that ends.
    pub(crate) fn disarm(&mut self, index: usize, armed: Option<Time>) {
        if let Some(armed) = armed {
            self.entries.remove(&(armed, index));
        }
    }

    /// The first entry.
    pub(crate) fn next(&self) -> Option<Time> {
        self.entries.first().map(|&(time, _)| time)
    }

    /// Takes the first entry, if it has been reached, and tells the session.
    pub(crate) fn pop(&mut self, now: Time) -> Option<usize> {
        self.next().filter(|&due| due <= now)?;
        self.entries.pop_first().map(|(_, index)| index)
    }
}

/// How much too early an entry may be.
pub(crate) const EARLY_MAX: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Option<Time> {
        Some(Time::from_nanos(1_000 * micros))
    }

    const fn reached(micros: u64) -> Time {
        Time::from_nanos(1_000 * micros)
    }

    #[test]
    fn a_timer_may_be_a_little_early_and_never_late() {
        let mut timers = Timers::new();
        let armed = timers.arm(1, None, at(50));
        assert_eq!(armed, at(50));
        assert_eq!(timers.arm(1, armed, at(1_049)), at(50));
        assert_eq!(timers.arm(1, armed, None), at(50));
        let armed = timers.arm(1, armed, at(1_050));
        assert_eq!(armed, at(1_050));
        assert_eq!(timers.arm(1, armed, at(30)), at(30));
        assert_eq!(timers.next(), at(30));
        assert_eq!(timers.pop(reached(29)), None);
        assert_eq!(timers.pop(reached(30)), Some(1));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_first_of_several_comes_first() {
        let mut timers = Timers::new();
        timers.arm(1, None, at(50));
        let armed = timers.arm(2, None, at(40));
        timers.arm(3, None, at(40));
        timers.disarm(2, armed);
        assert_eq!(timers.pop(reached(99)), Some(3));
        assert_eq!(timers.pop(reached(99)), Some(1));
    }
}
