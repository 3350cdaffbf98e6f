//! [`Starts`]: calls that have arrived, and wait until their handlers are started.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

use crate::ids::{CallId, SessionId};
use crate::proto::{Arrived, Serving};

/// Calls whose handlers are to be started: those of one session in the order in which they were
/// made, and sessions in turn, so that whoever makes many calls holds up nobody else's.
///
/// There are never more than sessions may have under way, because a call that ends is taken out.
#[derive(Debug)]
pub(super) struct Starts {
    /// While there is time for all that come, this is all there is: it costs the least.
    fresh: VecDeque<Arrived>,
    /// Those for which a turn of the driver was too short. In boxes, because what lies between
    /// others is moved often.
    waiting: BTreeMap<(SessionId, CallId), Box<Arrived>>,
    /// The session whose turn it was.
    last: SessionId,
}

impl Starts {
    pub(super) const fn new() -> Self {
        Self { fresh: VecDeque::new(), waiting: BTreeMap::new(), last: SessionId(0) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, call: Arrived) {
        self.fresh.push_back(call);
        if !self.waiting.is_empty() {
            self.let_wait();
        }
    }

    /// There is no time for more in this turn of the driver.
    pub(super) fn let_wait(&mut self) {
        for call in self.fresh.drain(..) {
            let Serving { session, call: id } = call.serving;
            self.waiting.insert((session, id), Box::new(call));
        }
    }

    /// The next one, which is taken out.
    pub(super) fn pop(&mut self) -> Option<Arrived> {
        if let Some(call) = self.fresh.pop_front() {
            return Some(call);
        }
        let others = (Excluded((self.last, CallId(u64::MAX))), Unbounded);
        let next = self.waiting.range(others).next().or_else(|| self.waiting.first_key_value());
        let key = next.map(|(key, _)| *key)?;
        self.last = key.0;
        self.waiting.remove(&key).map(|call| *call)
    }

    /// Takes out a call that has ended; tells whether it was there.
    pub(super) fn remove(&mut self, serving: Serving) -> bool {
        self.let_wait();
        self.waiting.remove(&(serving.session, serving.call)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::config::Transport;
    use crate::ids::{CallKey, Instance, MethodId};
    use crate::peer::Peer;
    use crate::proto::Streams;

    fn arrived(session: u64, call: u64) -> Arrived {
        let (session, call) = (SessionId(session), CallId(call));
        let peer = Peer { addr: "10.0.0.1:1".parse().unwrap(), instance: Instance(1) };
        Arrived {
            serving: Serving { session, call },
            peer,
            key: CallKey { instance: peer.instance, session, call },
            method: MethodId(1),
            flags: 0,
            streams: Streams::default(),
            deadline: None,
            bytes: Bytes::new(),
            limits: Transport::default().size_limits(),
        }
    }

    fn order(starts: &mut Starts) -> Vec<(u64, u64)> {
        let next = std::iter::from_fn(|| starts.pop());
        next.map(|call| (call.serving.session.0, call.serving.call.0)).collect()
    }

    #[test]
    fn sessions_take_turns_and_their_calls_keep_their_order() {
        let mut starts = Starts::new();
        for (session, call) in [(7, 1), (7, 0), (7, 2), (9, 5), (3, 8), (3, 9)] {
            starts.push(arrived(session, call));
        }
        starts.let_wait();
        assert_eq!(order(&mut starts), [(3, 8), (7, 0), (9, 5), (3, 9), (7, 1), (7, 2)]);
        // The turn goes on where it was.
        for (session, call) in [(7, 3), (9, 6), (u64::MAX, u64::MAX)] {
            starts.push(arrived(session, call));
        }
        starts.let_wait();
        starts.push(arrived(3, 10));
        let last = (u64::MAX, u64::MAX);
        assert_eq!(order(&mut starts), [(9, 6), last, (3, 10), (7, 3)]);
        assert!(starts.is_empty());
    }

    #[test]
    fn a_call_that_has_ended_is_not_started() {
        let mut starts = Starts::new();
        for call in 0..3 {
            starts.push(arrived(1, call));
        }
        assert!(starts.remove(arrived(1, 1).serving));
        assert!(!starts.remove(arrived(1, 1).serving));
        assert_eq!(order(&mut starts), [(1, 0), (1, 2)]);
    }
}
