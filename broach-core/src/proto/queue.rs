//! The order in which calls get a place in the datagrams of their session.

use std::collections::VecDeque;

use crate::ids::CallId;

/// Calls that have something to send: small ones first, large ones in turn.
///
/// A call that fits into what one datagram can hold never waits behind a large one.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    small: VecDeque<CallId>,
    bulk: VecDeque<CallId>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.bulk.is_empty()
    }

    /// Adds a call that has `left` bytes to send.
    pub(crate) fn push(&mut self, call: CallId, left: u64) {
        let queue = if left <= SMALL_BYTES { &mut self.small } else { &mut self.bulk };
        queue.push_back(call);
    }

    /// The call whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<CallId> {
        self.small.pop_front().or_else(|| self.bulk.pop_front())
    }

    /// The small call whose turn it is, if there is one.
    pub(crate) fn pop_small(&mut self) -> Option<CallId> {
        self.small.pop_front()
    }

    /// Puts back a call for which there was no more room: a small one goes first into the next
    /// datagram, a large one lets others go.
    pub(crate) fn put_back(&mut self, call: CallId, left: u64) {
        if left <= SMALL_BYTES {
            self.small.push_front(call);
        } else {
            self.bulk.push_back(call);
        }
    }
}

/// Whether a call with `left` bytes to send had better wait for the next datagram than be cut to
/// fit into `room` bytes of this one, which holds something already or not.
pub(crate) const fn had_better_wait(left: u64, room: usize, holds_something: bool) -> bool {
    let cut = (room as u64) < left && left <= SMALL_BYTES;
    room == 0 || holds_something && (cut || room < PIECE_MIN)
}

/// Whether a call with so many bytes fits into what one datagram can hold.
pub(crate) const fn is_small(bytes: u64) -> bool {
    bytes <= SMALL_BYTES
}

/// What fits into the smallest datagram beside the rest that is in it.
const SMALL_BYTES: u64 = 1024;

/// Less than this is not worth a frame of its own while there is a next datagram.
const PIECE_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_calls_go_before_large_ones_and_large_ones_in_turn() {
        let mut queue = Queue::new();
        queue.push(CallId(1), 1 << 20);
        queue.push(CallId(2), 1 << 20);
        queue.push(CallId(3), 10);
        assert_eq!(queue.pop(), Some(CallId(3)));
        assert_eq!(queue.pop(), Some(CallId(1)));
        queue.push(CallId(1), 1 << 20);
        assert_eq!(queue.pop(), Some(CallId(2)));
        assert_eq!(queue.pop(), Some(CallId(1)));
        assert!(queue.is_empty());
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
