//! The order in which calls get a place in the datagrams of their session.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ids::CallId;

/// Calls that have something to send: small ones first, then large messages and streams, one of
/// these and one of those.
///
/// A call that fits into what one datagram can hold never waits behind a large one. Of large
/// messages those with the least left go first; one turn in sixteen is for the one that has waited
/// longest, so that none is passed for ever. Streams have their turns in a circle: how much is left
/// of them says nothing of how long they go on.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    small: VecDeque<CallId>,
    /// Large messages, by about how much is left, and then in turn.
    messages: BTreeSet<(u32, u64, CallId)>,
    /// The same in turn alone.
    waiting: BTreeMap<u64, (u32, CallId)>,
    /// How many messages have been put in.
    pushed: u64,
    /// How many have had their turn.
    popped: u64,
    streams: VecDeque<CallId>,
    /// The last turn was a stream's.
    streamed: bool,
}

/// What a call has to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Load {
    /// So many bytes.
    pub(crate) left: u64,
    /// More will follow.
    pub(crate) is_stream: bool,
}

impl Load {
    /// A piece that is repeated: that is usually little, even of a large call.
    pub(crate) const REPEATED: Self = Self { left: 0, is_stream: false };
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.messages.is_empty() && self.streams.is_empty()
    }

    /// Adds a call that has this to send.
    pub(crate) fn push(&mut self, call: CallId, load: Load) {
        match is_small(load.left) {
            true => self.small.push_back(call),
            false => self.push_bulk(call, load),
        }
    }

    fn push_bulk(&mut self, call: CallId, load: Load) {
        if load.is_stream {
            self.streams.push_back(call);
            return;
        }
        let (class, turn) = (load.left.ilog2(), self.pushed);
        self.pushed += 1;
        self.messages.insert((class, turn, call));
        self.waiting.insert(turn, (class, call));
    }

    /// The call whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<CallId> {
        self.pop_small().or_else(|| self.pop_bulk())
    }

    /// The small call whose turn it is, if there is one.
    pub(crate) fn pop_small(&mut self) -> Option<CallId> {
        self.small.pop_front()
    }

    fn pop_bulk(&mut self) -> Option<CallId> {
        self.streamed = !self.streams.is_empty() && (self.messages.is_empty() || !self.streamed);
        match self.streamed {
            true => self.streams.pop_front(),
            false => self.pop_message(),
        }
    }

    fn pop_message(&mut self) -> Option<CallId> {
        let (shortest, longest) = (*self.messages.first()?, self.waiting.first_key_value()?);
        self.popped += 1;
        let (class, turn, call) = match self.popped % OLDEST_EVERY {
            0 => (longest.1.0, *longest.0, longest.1.1),
            _ => shortest,
        };
        self.waiting.remove(&turn);
        self.messages.remove(&(class, turn, call));
        Some(call)
    }

    /// Puts back a call for which there was no more room: a small one goes first into the next
    /// datagram, a large one lets others go.
    pub(crate) fn put_back(&mut self, call: CallId, load: Load) {
        match is_small(load.left) {
            true => self.small.push_front(call),
            false => self.push_bulk(call, load),
        }
    }
}

/// Whether a call with `left` bytes to send had better wait for the next datagram than be cut to
/// fit into `room` bytes of this one, which holds something already or not.
pub(crate) const fn had_better_wait(left: u64, room: usize, holds_something: bool) -> bool {
    let cut = (room as u64) < left && is_small(left);
    room == 0 || holds_something && (cut || room < PIECE_MIN)
}

/// Whether a call with so many bytes fits into what one datagram can hold.
pub(crate) const fn is_small(bytes: u64) -> bool {
    bytes <= SMALL_BYTES
}

/// What fits into the smallest datagram beside the rest that is in it.
pub(super) const SMALL_BYTES: u64 = 1024;

/// Less than this is not worth a frame of its own while there is a next datagram.
const PIECE_MIN: usize = 64;

/// One turn in so many is for the large message that has waited longest.
pub(super) const OLDEST_EVERY: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const fn message(left: u64) -> Load {
        Load { left, is_stream: false }
    }

    const STREAM: Load = Load { left: 100_000, is_stream: true };

    #[test]
    fn small_calls_go_before_large_ones_and_large_ones_in_turn() {
        let mut queue = Queue::new();
        queue.push(CallId(1), message(1 << 20));
        queue.push(CallId(2), message(1 << 20));
        queue.push(CallId(3), message(10));
        assert_eq!(queue.pop(), Some(CallId(3)));
        assert_eq!(queue.pop(), Some(CallId(1)));
        queue.push(CallId(1), message(1 << 20));
        assert_eq!(queue.pop(), Some(CallId(2)));
        assert_eq!(queue.pop(), Some(CallId(1)));
        assert!(queue.is_empty());
    }

    /// However the calls are numbered, none is passed for ever.
    #[test]
    fn the_one_with_the_least_left_goes_first_and_who_waits_longest_now_and_then() {
        for large in [CallId(0), CallId(1_000)] {
            let mut queue = Queue::new();
            queue.push(CallId(500), message(100_000));
            queue.push(large, message(16 << 20));
            let mut turns = 0;
            for call in 1..=64 {
                queue.push(CallId(call), message(100_000));
                let popped = queue.pop().unwrap();
                if popped == large {
                    turns += 1;
                    queue.put_back(popped, message(16 << 20));
                }
            }
            assert_eq!(turns, 64 / OLDEST_EVERY, "{large:?}");
        }
    }

    #[test]
    fn messages_and_streams_alternate_whatever_is_left_of_them() {
        let mut queue = Queue::new();
        queue.push(CallId(1), STREAM);
        queue.push(CallId(2), STREAM);
        queue.push(CallId(3), message(16 << 20));
        let mut turns = [0; 4];
        for _ in 0..400 {
            let call = queue.pop().unwrap();
            turns[call.0 as usize] += 1;
            queue.put_back(call, if call == CallId(3) { message(16 << 20) } else { STREAM });
        }
        assert_eq!(turns, [0, 100, 100, 200]);
    }

    #[test]
    fn a_small_call_is_not_cut_and_a_large_one_fills_what_is_left() {
        assert!(had_better_wait(100, 99, true));
        assert!(!had_better_wait(100, 100, true));
        assert!(!had_better_wait(100, 99, false), "it would never fit otherwise");
        assert!(!had_better_wait(1 << 20, 64, true));
        assert!(had_better_wait(1 << 20, 63, true));
    }
}
