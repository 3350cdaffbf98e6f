//! [`Waiting`]: the calls of a session of which nothing has been sent yet.

use std::collections::VecDeque;

use crate::proto::Ticket;
use crate::proto::active::NewCall;
use crate::proto::queue::is_small;
use crate::proto::unasked::Unasked;

/// Calls in the order in which they were made; but small ones do not wait for large ones, nor for
/// streams.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    small: VecDeque<NewCall>,
    bulk: VecDeque<NewCall>,
}

impl Waiting {
    pub(crate) fn push(&mut self, call: NewCall) {
        let small = is_small(call.bytes.len() as u64) && !call.call.streams.requests;
        let queue = if small { &mut self.small } else { &mut self.bulk };
        queue.push_back(call);
    }

    pub(crate) fn len(&self) -> usize {
        self.small.len() + self.bulk.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.bulk.is_empty()
    }

    /// Whether there is a call that can begin with what may be sent unasked.
    pub(crate) fn has_next(&self, unasked: &Unasked) -> bool {
        let fits = |call| unasked.has(part_of(call, unasked));
        !self.small.is_empty() || self.bulk.front().is_some_and(fits)
    }

    /// The next call that can begin with what may be sent unasked.
    pub(crate) fn pop(&mut self, unasked: &Unasked) -> Option<NewCall> {
        let bulk = self.bulk.front().filter(|call| unasked.has(part_of(call, unasked)));
        let bulk_first = match (self.small.front(), bulk) {
            (Some(small), Some(bulk)) => bulk.call.made_at < small.call.made_at,
            (small, _) => small.is_none(),
        };
        match bulk_first {
            true => bulk.is_some().then(|| self.bulk.pop_front()).flatten(),
            false => self.small.pop_front(),
        }
    }

    /// Takes a call out; tells whether it was there.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> bool {
        [&mut self.small, &mut self.bulk].into_iter().any(|queue| {
            // As a rule those are dropped that were made first, or last.
            let is = |index: &usize| queue[*index].call.ticket == ticket;
            let ends = (0..queue.len()).flat_map(|index| [index, queue.len() - 1 - index]);
            let index = ends.take(queue.len() + 1).find(is);
            index.and_then(|index| queue.remove(index)).is_some()
        })
    }

    /// Takes all calls out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = NewCall> + use<> {
        let Self { small, bulk } = std::mem::take(self);
        small.into_iter().chain(bulk)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &NewCall> {
        self.small.iter().chain(&self.bulk)
    }
}

/// What a call takes up of what may be sent unasked.
pub(super) fn part_of(call: &NewCall, unasked: &Unasked) -> u64 {
    match call.call.streams.requests {
        true => unasked.allowance(),
        false => unasked.of_message(call.bytes.len() as u64),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::deadline::Time;
    use crate::ids::MethodId;
    use crate::proto::{Call, CallBytes, Streams};

    /// Calls with so many bytes, made one after the other.
    fn waiting(sizes: &[usize]) -> Waiting {
        let mut waiting = Waiting::default();
        for (number, &bytes) in (0..).zip(sizes) {
            let call = Call {
                ticket: Ticket(number),
                method: MethodId(1),
                flags: 0,
                streams: Streams::default(),
                deadline: None,
                made_at: Time::ZERO + Duration::from_millis(number),
                yields: false,
            };
            let bytes = CallBytes::message(Bytes::from(vec![0; bytes]));
            waiting.push(NewCall { call, bytes });
        }
        waiting
    }

    /// What can be begun while others take up so much that `room` is left.
    fn unasked(room: u64) -> Unasked {
        let mut unasked = Unasked::new();
        unasked.set(20_000, 100_000);
        unasked.take(100_000 - room);
        unasked
    }

    fn order(waiting: &mut Waiting, room: u64) -> Vec<u64> {
        let unasked = unasked(room);
        let next = std::iter::from_fn(|| waiting.pop(&unasked));
        next.map(|call| call.call.ticket.0).collect()
    }

    #[test]
    fn calls_go_in_the_order_in_which_they_were_made() {
        assert_eq!(order(&mut waiting(&[10, 5_000, 10, 5_000]), 100_000), [0, 1, 2, 3]);
    }

    #[test]
    fn small_calls_do_not_wait_for_large_ones_that_have_no_room() {
        let mut waiting = waiting(&[50_000, 10, 5_000, 10]);
        assert!(waiting.has_next(&unasked(0)));
        assert_eq!(order(&mut waiting, 10_000), [1, 3]);
        assert!(!waiting.has_next(&unasked(10_000)) && waiting.len() == 2);
        assert_eq!(order(&mut waiting, 100_000), [0, 2]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn any_call_can_be_taken_out_once() {
        for count in 1..8 {
            for gone in 0..count {
                let mut waiting = waiting(&vec![10; count as usize]);
                assert!(waiting.remove(Ticket(gone)));
                assert!(!waiting.remove(Ticket(gone)));
                let rest: Vec<u64> = (0..count).filter(|&number| number != gone).collect();
                assert_eq!(order(&mut waiting, 0), rest);
            }
        }
    }
}
