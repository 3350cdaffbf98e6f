//! The order in which calls get a place in the datagrams of their session.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ids::CallId;

/// Calls that have something to send: small ones first, then those with the least left.
///
/// A call that fits into what one datagram can hold never waits behind a large one. Of the large
/// ones, one turn in sixteen is for the oldest, so that it is not passed for ever.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    small: VecDeque<CallId>,
    /// Large ones, by about how much is left, and then in turn.
    bulk: BTreeSet<(u32, u64, CallId)>,
    /// Where each of them is.
    places: BTreeMap<CallId, (u32, u64)>,
    /// How many have been put among them.
    pushed: u64,
    /// How many have had their turn.
    popped: u64,
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
        match is_small(left) {
            true => self.small.push_back(call),
            false => self.push_bulk(call, left),
        }
    }

    fn push_bulk(&mut self, call: CallId, left: u64) {
        let place = (left.ilog2(), self.pushed);
        self.pushed += 1;
        self.bulk.insert((place.0, place.1, call));
        self.places.insert(call, place);
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
        if self.bulk.is_empty() {
            return None;
        }
        self.popped += 1;
        let call = match self.popped % OLDEST_EVERY {
            0 => *self.places.first_key_value()?.0,
            _ => self.bulk.first()?.2,
        };
        let (class, turn) = self.places.remove(&call)?;
        self.bulk.remove(&(class, turn, call));
        Some(call)
    }

    /// Puts back a call for which there was no more room: a small one goes first into the next
    /// datagram, a large one lets others go that have no more left.
    pub(crate) fn put_back(&mut self, call: CallId, left: u64) {
        match is_small(left) {
            true => self.small.push_front(call),
            false => self.push_bulk(call, left),
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

/// One turn in so many is for the oldest of the large calls.
pub(super) const OLDEST_EVERY: u64 = 16;

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
    fn the_one_with_the_least_left_goes_first_and_the_oldest_now_and_then() {
        let mut queue = Queue::new();
        queue.push(CallId(0), 16 << 20);
        let mut turns = 0;
        for call in 1..=64 {
            queue.push(CallId(call), 100_000);
            let popped = queue.pop().unwrap();
            if popped == CallId(0) {
                turns += 1;
                queue.put_back(popped, 16 << 20);
            }
        }
        assert_eq!(turns, 64 / OLDEST_EVERY);
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
