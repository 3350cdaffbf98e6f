//! The calls that this node serves in one session, from their first piece to the arrival of the
//! reply.
//!
//! ```text
//!          first piece             all pieces           reply given            reply arrived
//!   unseen ----------> receiving ------------> running ------------> replying ------------> seen
//!      |                   |                      |
//!      | Cancel            | refused              | Cancel, deadline
//!      v                   v                      v
//!     seen              replying                 seen
//! ```
//!
//! An id that has been seen once never starts a handler again.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::{CallId, MethodId};
use crate::proto::budget::Budget;
use crate::proto::caller::earlier;
use crate::proto::incoming::Incoming;
use crate::proto::link::Link;
use crate::proto::outgoing::{CallBytes, Outgoing};
use crate::proto::queue::{Queue, had_better_wait};
use crate::proto::seen::{Seen, TooFarAhead};
use crate::proto::sent::SentFrame;
use crate::proto::step::{Complete, Limits, Step};
use crate::status::Status;
use crate::wire::{Piece, Writer, schema};

/// The calls of a session.
#[derive(Debug)]
pub(crate) struct Callee {
    seen: Seen,
    calls: FxHashMap<CallId, Served>,
    queue: Queue,
    /// Bytes of unfinished requests.
    held: usize,
    /// No deadline is earlier than this.
    deadline: Option<Time>,
}

#[derive(Debug)]
struct Served {
    /// What is known once the first piece is here.
    open: Option<schema::Open>,
    deadline: Option<Time>,
    state: State,
    queued: bool,
}

#[derive(Debug)]
enum State {
    Receiving(Incoming),
    Running,
    Replying(Outgoing),
}

impl Callee {
    pub(crate) fn new() -> Self {
        Self {
            seen: Seen::new(),
            calls: FxHashMap::default(),
            queue: Queue::new(),
            held: 0,
            deadline: None,
        }
    }

    /// The lowest id above all that have been seen.
    pub(crate) fn seen_below(&self) -> CallId {
        self.seen.end()
    }

    /// Whether any call has not ended.
    pub(crate) fn is_busy(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether there is something to send.
    pub(crate) fn wants_to_send(&self) -> bool {
        !self.queue.is_empty()
    }

    /// A piece of a request has come in, which reached this node at `arrived`. With `refusal` no
    /// new calls are taken.
    pub(crate) fn on_request(
        &mut self,
        now: Time,
        arrived: Time,
        request: schema::Request,
        limits: Limits,
        budget: &mut Budget,
        refusal: Option<&Status>,
    ) -> Step {
        let id = CallId(request.call);
        let flooded = limits.ignores_more_than(self.calls.len());
        if flooded && !self.calls.contains_key(&id) && !self.seen.contains(id) {
            return Step::NotTaken;
        }
        match self.seen.insert(id) {
            Err(_) => return Step::NotTaken,
            Ok(true) => {
                let running = self.calls.len();
                let state = State::Receiving(Incoming::new());
                let served = Served { open: None, deadline: None, state, queued: false };
                self.calls.insert(id, served);
                if let Some(status) = refusal.cloned().or_else(|| limits.overload(running, budget))
                {
                    return self.refuse(id, status, budget);
                }
            }
            Ok(false) => {}
        }
        // A call that has ended: an old repetition.
        let Some(served) = self.calls.get_mut(&id) else {
            return Step::None;
        };
        let State::Receiving(incoming) = &mut served.state else {
            return Step::None;
        };
        if let Some(open) = request.open.filter(|_| served.open.is_none()) {
            let left = (open.timeout_us != 0).then(|| Duration::from_micros(open.timeout_us));
            served.deadline = left.map(|left| arrived + left);
            served.open = Some(open);
            self.deadline = earlier(self.deadline, served.deadline);
        }
        let before = incoming.memory();
        let end = request.offset.saturating_add(request.data.len() as u64);
        if limits.request_bytes as u64 <= end || limits.request_bytes < before + request.data.len()
        {
            return self.refuse(id, limits.too_large(), budget);
        }
        if incoming.insert(request.offset, request.data, request.fin).is_err() {
            let status =
                Status::invalid_argument("the pieces of the request contradict each other");
            return self.refuse(id, status, budget);
        }
        if served.open.is_some()
            && let Some(bytes) = incoming.take()
        {
            // What was held before this last piece is held no longer.
            self.held -= before;
            budget.change_reassembly(before, 0);
            return self.complete(now, id, bytes, budget);
        }
        // A piece that fills a hole may even make others cheaper to hold.
        let after = incoming.memory();
        self.held = self.held + after - before;
        if !budget.change_reassembly(before, after) || limits.held_bytes < self.held {
            let status = Status::resource_exhausted(
                "the serving node holds too many unfinished requests \
                 (transport.reassembly_bytes_per_session_max or reassembly_bytes_max)",
            );
            return self.refuse(id, status, budget);
        }
        Step::None
    }

    /// The request is whole.
    fn complete(&mut self, now: Time, id: CallId, bytes: Bytes, budget: &mut Budget) -> Step {
        let Some(served) = self.calls.get_mut(&id) else {
            return Step::None;
        };
        let (deadline, open) = (served.deadline, served.open.unwrap_or_default());
        served.state = State::Running;
        if deadline.is_some_and(|deadline| deadline <= now) {
            let status =
                Status::deadline_exceeded("the deadline had passed when the call was read");
            return self.refuse(id, status, budget);
        }
        let (method, flags) = (MethodId(open.method), open.flags);
        Step::Complete(Complete { call: id, method, flags, deadline, bytes })
    }

    /// Answers a call without a handler.
    fn refuse(&mut self, id: CallId, status: Status, budget: &mut Budget) -> Step {
        let status = status.with_outcome(Outcome::NotExecuted);
        self.reply(id, CallBytes::status(&status), budget);
        Step::Refused(status)
    }

    /// Gives the reply to a call; ignored if the call has ended.
    pub(crate) fn reply(&mut self, id: CallId, bytes: CallBytes, budget: &mut Budget) {
        let Some(served) = self.calls.get_mut(&id) else {
            return;
        };
        match &served.state {
            State::Receiving(incoming) => {
                let memory = incoming.memory();
                self.held -= memory;
                budget.change_reassembly(memory, 0);
            }
            State::Running => {}
            State::Replying(_) => return,
        }
        budget.take_replies(bytes.len());
        let out = Outgoing::new(bytes);
        self.queue.push(id, out.left());
        (served.state, served.queued) = (State::Replying(out), true);
    }

    /// Writes as much as fits; tells whether anything did.
    pub(crate) fn write(&mut self, writer: &mut Writer<'_>, link: &mut Link) -> bool {
        let mut wrote = false;
        while let Some(id) = self.queue.pop() {
            let Some(served) = self.calls.get_mut(&id) else {
                continue;
            };
            served.queued = false;
            let State::Replying(out) = &mut served.state else {
                continue;
            };
            if !write_reply(id, out, writer, link, &mut wrote) {
                served.queued = true;
                self.queue.put_back(id, out.left());
                return wrote;
            }
        }
        wrote
    }

    /// A piece of a reply has arrived.
    pub(crate) fn on_arrived(&mut self, call: CallId, bytes: Range<u64>, budget: &mut Budget) {
        let Some(served) = self.calls.get_mut(&call) else {
            return;
        };
        let State::Replying(out) = &mut served.state else {
            return;
        };
        if out.on_arrived(bytes) {
            budget.release_replies(out.len() as usize);
            self.calls.remove(&call);
        }
    }

    /// A piece of a reply must go out again.
    pub(crate) fn on_lost(&mut self, call: CallId, bytes: Range<u64>) {
        let Some(served) = self.calls.get_mut(&call) else {
            return;
        };
        let State::Replying(out) = &mut served.state else {
            return;
        };
        out.on_lost(bytes);
        if out.wants_to_send() && !served.queued {
            served.queued = true;
            self.queue.push(call, 0);
        }
    }

    /// The caller has given up a call; tells whether its handler must be stopped.
    ///
    /// # Errors
    ///
    /// If the id is beyond what can be kept apart; the datagram must not be acknowledged.
    pub(crate) fn on_cancel(
        &mut self,
        call: CallId,
        budget: &mut Budget,
    ) -> Result<bool, TooFarAhead> {
        self.seen.insert(call)?;
        Ok(self.forget(call, budget))
    }

    /// Forgets the calls whose deadline has passed; returns those whose handlers must be stopped.
    ///
    /// The caller has ended them by its own clock, so no reply is owed.
    pub(crate) fn expire(&mut self, now: Time, budget: &mut Budget) -> Vec<CallId> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let expired = |served: &Served| {
            let unfinished = !matches!(served.state, State::Replying(_));
            unfinished && served.deadline.is_some_and(|deadline| deadline <= now)
        };
        let over = self.calls.iter().filter(|(_, served)| expired(served));
        let mut over: Vec<CallId> = over.map(|(&id, _)| id).collect();
        over.sort_unstable();
        over.retain(|&id| self.forget(id, budget));
        let open = self.calls.values().filter(|served| !matches!(served.state, State::Replying(_)));
        self.deadline = open.filter_map(|served| served.deadline).min();
        over
    }

    /// Forgets all calls; returns those whose handlers must be stopped.
    pub(crate) fn end_all(&mut self, budget: &mut Budget) -> Vec<CallId> {
        let mut all: Vec<CallId> = self.calls.keys().copied().collect();
        all.sort_unstable();
        all.retain(|&id| self.forget(id, budget));
        all
    }

    /// Forgets a call; tells whether its handler is at work.
    fn forget(&mut self, id: CallId, budget: &mut Budget) -> bool {
        let Some(served) = self.calls.remove(&id) else {
            return false;
        };
        match served.state {
            State::Receiving(incoming) => {
                let memory = incoming.memory();
                self.held -= memory;
                budget.change_reassembly(memory, 0);
                false
            }
            State::Running => true,
            State::Replying(out) => {
                budget.release_replies(out.len() as usize);
                false
            }
        }
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(crate) const fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }
}

/// Writes pieces of a reply while they fit; tells whether all that was to go is written.
fn write_reply(
    id: CallId,
    out: &mut Outgoing,
    writer: &mut Writer<'_>,
    link: &mut Link,
    wrote: &mut bool,
) -> bool {
    while out.wants_to_send() {
        let mut piece = Piece { call: id, open: None, offset: out.next_offset(), fin: true };
        let room = writer.reply_room(&piece).unwrap_or(0);
        if had_better_wait(out.left(), room, *wrote) {
            return false;
        }
        let bytes = out.take(room);
        piece.fin = out.is_end(bytes.end);
        let len = (bytes.end - bytes.start) as usize;
        writer.reply(&piece, len, |buffer| out.copy(bytes.clone(), buffer));
        link.push(SentFrame::Piece { call: id, bytes });
        *wrote = true;
    }
    true
}
