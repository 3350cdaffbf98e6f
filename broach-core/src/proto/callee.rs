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
//! A stream of requests starts its handler with its first record; what comes of it later goes to
//! the handler, and what goes back may be a stream too (`callee_streams`).
//!
//! An id that has been seen once never starts a handler again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::CallId;
use crate::proto::budget::Budget;
use crate::proto::call_bytes::CallBytes;
use crate::proto::caller::earlier;
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::queue::Queue;
use crate::proto::seen::{Seen, TooFarAhead};
use crate::proto::served::{Served, State};
use crate::proto::step::{Intake, Limits, Step};
use crate::status::Status;
use crate::wire::{Writer, schema};

/// The calls of a session.
#[derive(Debug)]
pub(crate) struct Callee {
    seen: Seen,
    pub(super) calls: FxHashMap<CallId, Served>,
    pub(super) queue: Queue,
    /// Streams of requests of which the other side is to be told how much it may send.
    pub(super) credits: BTreeSet<CallId>,
    /// Bytes of unfinished requests.
    held: usize,
    /// No deadline is earlier than this.
    deadline: Option<Time>,
    /// How many calls have a stream in them.
    streams: usize,
}

impl Callee {
    pub(crate) fn new() -> Self {
        Self {
            seen: Seen::new(),
            calls: FxHashMap::default(),
            queue: Queue::new(),
            credits: BTreeSet::new(),
            held: 0,
            deadline: None,
            streams: 0,
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

    /// Whether any call that has not ended has a stream in it.
    pub(crate) const fn has_streams(&self) -> bool {
        0 < self.streams
    }

    /// Whether there is something to send.
    pub(crate) fn wants_to_send(&self) -> bool {
        !self.queue.is_empty() || !self.credits.is_empty()
    }

    /// A piece of a request has come in.
    pub(crate) fn on_request(&mut self, request: schema::Request, intake: Intake<'_>) -> Step {
        let id = CallId(request.call);
        let limits = intake.limits;
        let flooded = limits.ignores_more_than(self.calls.len());
        if flooded && !self.calls.contains_key(&id) && !self.seen.contains(id) {
            return Step::NotTaken;
        }
        match self.seen.insert(id) {
            Err(_) => return Step::NotTaken,
            Ok(true) => {
                let running = self.calls.len();
                self.calls.insert(id, Served::new());
                let overload = || limits.overload(running, intake.budget);
                if let Some(status) = intake.refusal.cloned().or_else(overload) {
                    return self.refuse(id, status, intake.budget);
                }
            }
            Ok(false) => {}
        }
        // A call that has ended: an old repetition.
        let Some(served) = self.calls.get_mut(&id) else {
            return Step::None;
        };
        if let State::Receiving(_) = served.state
            && let Some(open) = request.open.filter(|_| served.open.is_none())
        {
            let left = (open.timeout_us != 0).then(|| Duration::from_micros(open.timeout_us));
            served.deadline = left.map(|left| intake.arrived + left);
            served.open = Some(open);
            self.streams += usize::from(served.streams().any());
            self.deadline = earlier(self.deadline, served.deadline);
        }
        if served.streams().requests {
            return self.on_stream_piece(id, request, intake);
        }
        let State::Receiving(incoming) = &mut served.state else {
            return Step::None;
        };
        let before = incoming.memory();
        let end = request.offset.saturating_add(request.data.len() as u64);
        if limits.request_bytes as u64 <= end || limits.request_bytes < before + request.data.len()
        {
            return self.refuse(id, limits.too_large(), intake.budget);
        }
        if incoming.insert(request.offset, request.data, request.fin).is_err() {
            let status =
                Status::invalid_argument("the pieces of the request contradict each other");
            return self.refuse(id, status, intake.budget);
        }
        if served.open.is_some()
            && let Some(bytes) = incoming.take()
        {
            // What was held before this last piece is held no longer.
            self.release(before, intake.budget);
            return self.complete(intake.now, id, bytes, intake.budget);
        }
        // A piece that fills a hole may even make others cheaper to hold.
        let after = incoming.memory();
        match self.hold(before, after, limits, intake.budget) {
            Ok(()) => Step::None,
            Err(status) => self.refuse(id, status, intake.budget),
        }
    }

    /// The request is whole.
    fn complete(&mut self, now: Time, id: CallId, bytes: Bytes, budget: &mut Budget) -> Step {
        let Some(served) = self.calls.get_mut(&id) else {
            return Step::None;
        };
        served.state = State::Running;
        match served.overdue(now) {
            Some(status) => self.refuse(id, status, budget),
            None => Step::Complete(served.complete(id, bytes)),
        }
    }

    /// An unfinished request takes `after` bytes instead of `before`.
    ///
    /// # Errors
    ///
    /// If that is too much.
    pub(super) fn hold(
        &mut self,
        before: usize,
        after: usize,
        limits: Limits,
        budget: &mut Budget,
    ) -> Result<(), Status> {
        self.held = self.held + after - before;
        if budget.change_reassembly(before, after) && self.held <= limits.held_bytes {
            return Ok(());
        }
        Err(Status::resource_exhausted(
            "the serving node holds too many unfinished requests \
             (transport.reassembly_bytes_per_session_max or reassembly_bytes_max)",
        ))
    }

    /// So much of an unfinished request is held no longer.
    pub(super) const fn release(&mut self, memory: usize, budget: &mut Budget) {
        self.held -= memory;
        budget.change_reassembly(memory, 0);
    }

    /// Answers a call without a handler.
    pub(super) fn refuse(&mut self, id: CallId, status: Status, budget: &mut Budget) -> Step {
        let status = status.with_outcome(Outcome::NotExecuted);
        self.reply(id, CallBytes::status(&status), budget);
        Step::Refused(status)
    }

    /// Gives the reply to a call; ignored if the call has ended, or something has been sent.
    pub(crate) fn reply(&mut self, id: CallId, bytes: CallBytes, budget: &mut Budget) {
        let Some(served) = self.calls.get_mut(&id).filter(|served| served.reply().is_none()) else {
            return;
        };
        let memory = served.request_memory();
        budget.take_replies(bytes.len());
        let out = Outgoing::new(bytes);
        self.queue.push(id, out.left());
        (served.state, served.queued) = (State::Replying(out), true);
        self.release(memory, budget);
    }

    /// Writes as much as fits; tells whether anything did.
    pub(crate) fn write(&mut self, writer: &mut Writer<'_>, link: &mut Link) -> bool {
        let mut wrote = false;
        if !self.write_credits(writer, link, &mut wrote) {
            return wrote;
        }
        while let Some(id) = self.queue.pop() {
            let Some(served) = self.calls.get_mut(&id) else {
                continue;
            };
            served.queued = false;
            if !served.write(id, writer, link, &mut wrote) {
                served.queued = true;
                let left = served.reply().map_or(0, Outgoing::left);
                self.queue.put_back(id, left);
                return wrote;
            }
        }
        wrote
    }

    /// A piece of a reply has arrived. Tells whether a stream of replies has room again.
    pub(crate) fn on_arrived(
        &mut self,
        call: CallId,
        bytes: Range<u64>,
        budget: &mut Budget,
    ) -> bool {
        let Some(served) = self.calls.get_mut(&call) else { return false };
        let Some(out) = served.reply_mut() else { return false };
        let before = out.held();
        let all = out.on_arrived(bytes);
        budget.release_replies(before - out.held());
        if all {
            self.remove(call, budget);
            return false;
        }
        out.has_room_again()
    }

    /// A piece of a reply must go out again.
    pub(crate) fn on_lost(&mut self, call: CallId, bytes: Range<u64>) {
        let Some(served) = self.calls.get_mut(&call) else { return };
        let Some(out) = served.reply_mut() else { return };
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
        Ok(self.remove(call, budget))
    }

    /// Forgets the calls whose deadline has passed; returns those whose handlers must be stopped.
    ///
    /// The caller has ended them by its own clock, so no reply is owed.
    pub(crate) fn expire(&mut self, now: Time, budget: &mut Budget) -> Vec<CallId> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let expired = |served: &Served| {
            !served.is_answered() && served.deadline.is_some_and(|deadline| deadline <= now)
        };
        let over = self.calls.iter().filter(|(_, served)| expired(served));
        let mut over: Vec<CallId> = over.map(|(&id, _)| id).collect();
        over.sort_unstable();
        over.retain(|&id| self.remove(id, budget));
        let open = self.calls.values().filter(|served| !served.is_answered());
        self.deadline = open.filter_map(|served| served.deadline).min();
        over
    }

    /// Forgets all calls; returns those whose handlers must be stopped.
    pub(crate) fn end_all(&mut self, budget: &mut Budget) -> Vec<CallId> {
        let mut all: Vec<CallId> = self.calls.keys().copied().collect();
        all.sort_unstable();
        all.retain(|&id| self.remove(id, budget));
        all
    }

    /// Forgets a call; tells whether its handler is at work.
    fn remove(&mut self, id: CallId, budget: &mut Budget) -> bool {
        let Some(served) = self.calls.remove(&id) else {
            return false;
        };
        self.release(served.request_memory(), budget);
        budget.release_replies(served.reply_memory());
        self.streams -= usize::from(served.streams().any());
        served.is_at_work()
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(crate) const fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }
}
