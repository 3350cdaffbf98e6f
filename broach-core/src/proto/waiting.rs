//! [`Waiting`]: the calls of a session of which nothing has been sent yet.

use std::collections::VecDeque;

use crate::proto::active::NewCall;
use crate::proto::queue::is_small;
use crate::proto::{CallBytes, Ticket};

/// Calls in the order in which they were made; but small ones do not wait for large ones.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    small: VecDeque<NewCall>,
    bulk: VecDeque<NewCall>,
}

impl Waiting {
    pub(crate) fn push(&mut self, call: NewCall) {
        let small = is_small(call.bytes.len() as u64);
        let queue = if small { &mut self.small } else { &mut self.bulk };
        queue.push_back(call);
    }

    pub(crate) fn len(&self) -> usize {
        self.small.len() + self.bulk.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.bulk.is_empty()
    }

    /// Whether there is a call that can begin if large ones may have `room` bytes.
    pub(crate) fn has_next(&self, room: u64) -> bool {
        !self.small.is_empty() || self.bulk.front().is_some_and(|call| fits(&call.bytes, room))
    }

    /// The next call that can begin if large ones may have `room` bytes.
    pub(crate) fn pop(&mut self, room: u64) -> Option<NewCall> {
        let bulk = self.bulk.front().filter(|call| fits(&call.bytes, room));
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

fn fits(bytes: &CallBytes, room: u64) -> bool {
    bytes.len() as u64 <= room
}
