//! One timer for each session, and which of them is the first.

use std::collections::BTreeSet;

use crate::deadline::Time;

/// Timers of sessions, by their index.
///
/// A session's timer mostly moves to later times, at every datagram. So an entry is kept as long as
/// it is not too late: when it is reached, the session looks at what is really due and sets it
/// again. That makes for a few idle turns a second instead of two changes per call.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeSet<(Time, usize)>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Makes sure that session `index`, whose entry is at `armed`, has one at `due` or earlier.
    /// Returns where its entry is now.
    pub(crate) fn arm(
        &mut self,
        index: usize,
        armed: Option<Time>,
        due: Option<Time>,
    ) -> Option<Time> {
        let Some(due) = due else { return armed };
        match armed {
            Some(armed) if armed <= due => return Some(armed),
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(nanos: u64) -> Option<Time> {
        Some(Time::from_nanos(nanos))
    }

    #[test]
    fn a_timer_moves_only_to_earlier_times() {
        let mut timers = Timers::new();
        let armed = timers.arm(1, None, at(50));
        assert_eq!(armed, at(50));
        assert_eq!(timers.arm(1, armed, at(70)), at(50));
        assert_eq!(timers.arm(1, armed, None), at(50));
        assert_eq!(timers.arm(1, armed, at(30)), at(30));
        assert_eq!(timers.next(), at(30));
        assert_eq!(timers.pop(Time::from_nanos(29)), None);
        assert_eq!(timers.pop(Time::from_nanos(30)), Some(1));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_first_of_several_comes_first() {
        let mut timers = Timers::new();
        timers.arm(1, None, at(50));
        let armed = timers.arm(2, None, at(40));
        timers.arm(3, None, at(40));
        timers.disarm(2, armed);
        assert_eq!(timers.pop(Time::from_nanos(99)), Some(3));
        assert_eq!(timers.pop(Time::from_nanos(99)), Some(1));
    }
}
