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

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::CallId;
use crate::proto::budget::{ALLOWANCE_MAX, Budget};
use crate::proto::call_bytes::CallBytes;
use crate::proto::caller::earlier;
use crate::proto::incoming::{Incoming, Misfit};
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::pool::{Full, Pool};
use crate::proto::queue::{Load, Queue};
use crate::proto::seen::{Seen, TooFarAhead};
use crate::proto::served::{Served, State};
use crate::proto::share::Purse;
use crate::proto::step::{Intake, Limits, Step, no_memory};
use crate::proto::streams::Streams;
use crate::proto::unasked::Unasked;
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
    /// Memory for requests.
    pub(super) pool: Pool,
    /// What of replies may be sent before there is credit for it.
    pub(super) unasked: Unasked,
    /// Replies that wait for it, and how much of it they need.
    waiting: VecDeque<(CallId, u64)>,
    /// No deadline is earlier than this.
    deadline: Option<Time>,
    /// How many calls have a stream in them.
    streams: usize,
}

impl Callee {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            seen: Seen::new(),
            calls: FxHashMap::default(),
            queue: Queue::new(),
            credits: BTreeSet::new(),
            pool,
            unasked: Unasked::new(),
            waiting: VecDeque::new(),
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
                let streams = Streams::of_flags(request.open.map_or(0, |open| open.flags));
                let overload = limits.overload(self.calls.len(), streams, intake.budget);
                let refusal = intake.refusal.cloned().or(overload);
                intake.budget.admit();
                if let Some(open) = request.open
                    && refusal.is_none()
                    && is_whole(&request, &open, limits)
                {
                    return self.on_whole(id, open, request.data, intake);
                }
                self.calls.insert(id, Served::in_state(State::Receiving(Incoming::new())));
                if let Some(status) = refusal {
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
            served.set_open(open, intake.arrived);
            self.streams += usize::from(served.streams().any());
            self.deadline = earlier(self.deadline, served.deadline);
        }
        if served.streams().requests {
            return self.on_stream_piece(id, request, intake);
        }
        let State::Receiving(incoming) = &mut served.state else {
            return Step::None;
        };
        let schema::Request { offset, data, fin, size, .. } = request;
        let end = offset.saturating_add(data.len() as u64);
        if limits.request_bytes as u64 <= end.max(size) {
            return self.refuse(id, limits.too_large(), intake.budget);
        }
        let whole = offset == 0 && fin;
        if !whole && incoming.share.granted().max(ALLOWANCE_MAX) < end {
            return Step::Excess;
        }
        match incoming.insert(offset, data, fin, size) {
            Ok(()) => {}
            Err(Misfit::Scattered) => return Step::NotTaken,
            Err(Misfit::Contradiction) => {
                let text = "the pieces of the request contradict each other";
                return self.refuse(id, Status::invalid_argument(text), intake.budget);
            }
        }
        let mut purse = Purse { pool: &mut self.pool, budget: intake.budget };
        if served.open.is_some()
            && let Some(bytes) = incoming.take()
        {
            incoming.share.release(&mut purse);
            served.state = State::Running;
            return match served.overdue(intake.now) {
                Some(status) => self.refuse(id, status, intake.budget),
                None => Step::Complete(served.complete(id, bytes)),
            };
        }
        let most = limits.request_bytes as u64;
        match incoming.hold(intake.now, intake.owner, most, &mut purse) {
            Ok(()) => Step::None,
            Err(Full) => self.refuse(id, no_memory("the serving node"), intake.budget),
        }
    }

    /// A request that has come in one piece, which most do.
    fn on_whole(
        &mut self,
        id: CallId,
        open: schema::Open,
        bytes: Bytes,
        intake: Intake<'_>,
    ) -> Step {
        let mut served = Served::in_state(State::Running);
        served.set_open(open, intake.arrived);
        self.streams += usize::from(served.streams().any());
        self.deadline = earlier(self.deadline, served.deadline);
        let (overdue, complete) = (served.overdue(intake.now), served.complete(id, bytes));
        self.calls.insert(id, served);
        match overdue {
            Some(status) => self.refuse(id, status, intake.budget),
            None => Step::Complete(complete),
        }
    }

    /// Answers a call without a handler.
    pub(super) fn refuse(&mut self, id: CallId, status: Status, budget: &mut Budget) -> Step {
        let status = status.with_outcome(Outcome::NotExecuted);
        self.reply(id, CallBytes::status(&status), budget);
        Step::Refused(status)
    }

    /// Gives the reply to a call; ignored if the call has ended. Replies that have begun end with
    /// it.
    pub(crate) fn reply(&mut self, id: CallId, bytes: CallBytes, budget: &mut Budget) {
        let Some(served) = self.calls.get_mut(&id) else { return };
        if served.reply().is_some() {
            return self.end_with(id, bytes, budget);
        }
        served.release_request(&mut Purse { pool: &mut self.pool, budget });
        budget.on_reply();
        budget.take_replies(bytes.len(), false);
        let part = self.unasked.of_message(bytes.len() as u64);
        let out = Outgoing::new(bytes, self.unasked.allowance());
        let load = out.load();
        (served.state, served.queued) = (State::Replying(out), true);
        match part {
            0 => self.queue.push(id, load),
            _ => self.begin_when_possible(id, part),
        }
    }

    /// A reply that takes up so much of what may be sent unasked waits for that.
    pub(super) fn begin_when_possible(&mut self, id: CallId, part: u64) {
        self.waiting.push_back((id, part));
        self.begin_waiting();
    }

    /// Lets replies begin that wait, as many as may.
    fn begin_waiting(&mut self) {
        while let Some(&(id, part)) = self.waiting.front() {
            if let Some(served) = self.calls.get_mut(&id) {
                if !self.unasked.has(part) {
                    return;
                }
                self.unasked.take(part);
                served.unasked = part;
                self.queue.push(id, served.reply().map_or(Load::REPEATED, Outgoing::load));
            }
            self.waiting.pop_front();
        }
    }

    /// A reply takes up nothing any more of what may be sent unasked.
    pub(super) fn give_back_unasked(&mut self, part: u64) {
        if part != 0 {
            self.unasked.give_back(part);
            self.begin_waiting();
        }
    }

    /// The caller has said what it takes unasked.
    pub(crate) fn set_unasked(&mut self, allowance: u64, total_max: u64) {
        self.unasked.set(allowance, total_max);
        self.begin_waiting();
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
                let load = served.reply().map_or(Load::REPEATED, Outgoing::load);
                self.queue.put_back(id, load);
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
        budget.release_replies(before - out.held(), out.is_stream());
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
            self.queue.push(call, Load::REPEATED);
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
        let Some(mut served) = self.calls.remove(&id) else {
            return false;
        };
        served.release_request(&mut Purse { pool: &mut self.pool, budget });
        match served.reply() {
            Some(out) => budget.release_replies(out.held(), out.is_stream()),
            None => budget.on_reply(),
        }
        self.streams -= usize::from(served.streams().any());
        self.give_back_unasked(served.unasked);
        served.is_at_work()
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(crate) const fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }
}

/// Whether a piece is all of a request that can be taken.
const fn is_whole(request: &schema::Request, open: &schema::Open, limits: Limits) -> bool {
    let fits = request.data.len() < limits.request_bytes;
    let unary = !Streams::of_flags(open.flags).requests;
    request.offset == 0 && request.fin && request.size == 0 && unary && fits
}
