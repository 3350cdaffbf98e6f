//! Sessions that have ended: remembered for as long as a late datagram could open them again.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use crate::deadline::Time;
use crate::ids::{Instance, SessionId};

/// A session as its caller names it: its life, and its end of the session.
pub(crate) type CallerKey = (Instance, SessionId);

/// The sessions that this node served and that have ended.
///
/// An INIT that arrives late must not open its session a second time: the calls in it may have run.
/// Every INIT of a session shows a token made before the session ended, so a session may be
/// forgotten once the floor of the tokens has passed its end. If there are too many, the floor is
/// raised instead of forgetting early, which costs callers with old tokens a round trip.
#[derive(Debug)]
pub(crate) struct Closed {
    /// In the order in which they ended.
    sessions: VecDeque<(Time, Option<SessionId>, CallerKey)>,
    by_id: FxHashMap<SessionId, Time>,
    /// Callers choose these numbers, so the map must not degrade whatever they are.
    by_caller: BTreeMap<CallerKey, Time>,
    max: usize,
}

impl Closed {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            sessions: VecDeque::new(),
            by_id: FxHashMap::default(),
            by_caller: BTreeMap::new(),
            max,
        }
    }

    /// Remembers a session that ends now. Returns the floor that the tokens must be raised to, if
    /// others had to be forgotten for it.
    #[must_use = "a session may be forgotten only if the floor is raised"]
    pub(crate) fn insert(&mut self, now: Time, id: SessionId, caller: CallerKey) -> Option<Time> {
        self.by_id.insert(id, now);
        self.add(now, Some(id), caller)
    }

    /// Remembers a session that was refused now, as if it had ended. Returns the same.
    #[must_use = "a session may be forgotten only if the floor is raised"]
    pub(crate) fn refuse(&mut self, now: Time, caller: CallerKey) -> Option<Time> {
        self.add(now, None, caller)
    }

    fn add(&mut self, now: Time, id: Option<SessionId>, caller: CallerKey) -> Option<Time> {
        self.sessions.push_back((now, id, caller));
        self.by_caller.insert(caller, now);
        if self.sessions.len() <= self.max {
            return None;
        }
        let (oldest, ..) = *self.sessions.front()?;
        // Tokens made in the very moment at which the session ended are refused too.
        let floor = Time::from_nanos(oldest.as_nanos() + 1);
        self.forget(floor);
        Some(floor)
    }

    /// Forgets the sessions that ended before `floor`.
    pub(crate) fn forget(&mut self, floor: Time) {
        while let Some(&(ended, id, caller)) = self.sessions.front() {
            if floor <= ended {
                break;
            }
            self.sessions.pop_front();
            if let Some(id) = id {
                self.by_id.remove(&id);
            }
            self.by_caller.remove(&caller);
        }
    }

    /// When the session with this id ended, if it is remembered.
    pub(crate) fn ended(&self, id: SessionId) -> Option<Time> {
        self.by_id.get(&id).copied()
    }

    /// When the session that its caller names so ended, if it is remembered.
    pub(crate) fn ended_for(&self, caller: CallerKey) -> Option<Time> {
        self.by_caller.get(&caller).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Time {
        Time::from_nanos(second * 1_000_000_000)
    }

    const fn caller(number: u64) -> CallerKey {
        (Instance(1), SessionId(number))
    }

    #[test]
    fn a_session_is_remembered_until_the_floor_has_passed_its_end() {
        let mut closed = Closed::new(10);
        assert_eq!(closed.insert(at(5), SessionId(1), caller(11)), None);
        closed.forget(at(5));
        assert_eq!(closed.ended(SessionId(1)), Some(at(5)));
        assert_eq!(closed.ended_for(caller(11)), Some(at(5)));
        closed.forget(at(6));
        assert_eq!(closed.ended(SessionId(1)), None);
        assert_eq!(closed.ended_for(caller(11)), None);
    }

    #[test]
    fn a_full_table_raises_the_floor_past_what_it_forgets() {
        let mut closed = Closed::new(2);
        for number in 1..=2 {
            assert_eq!(closed.insert(at(number), SessionId(number), caller(number)), None);
        }
        let floor = closed.insert(at(3), SessionId(3), caller(3)).unwrap();
        assert!(at(1) < floor && floor < at(2));
        assert_eq!(closed.ended(SessionId(1)), None);
        assert_eq!(closed.ended(SessionId(2)), Some(at(2)));
    }
}
