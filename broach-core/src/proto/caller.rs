//! The calls that this node makes in one session, from the queue to their end.
//!
//! ```text
//!              first piece sent            reply complete
//!   waiting ----------------------> active ---------------> ended with the reply
//!      |                              |
//!      | deadline, dropped            | deadline, dropped: a Cancel goes out until it has arrived
//!      v                              v
//!   ended, never sent              ended, unknown or never executed
//! ```
//!
//! A call gets its id when its first piece is sent, so every id that exists reaches the other side
//! as a request or as a cancellation.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::CallId;
use crate::proto::CallBytes;
use crate::proto::Ticket;
use crate::proto::active::{Active, Call, Freshness, NewCall, Progress};
use crate::proto::link::Link;
use crate::proto::queue::Queue;
use crate::proto::seen::Seen;
use crate::proto::sent::SentFrame;
use crate::proto::trouble::Trouble;
use crate::proto::waiting::Waiting;
use crate::status::Status;
use crate::wire::{Open, Writer, schema};

/// A call that has ended: with the bytes of its reply, or without.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ticket: Ticket,
    /// The bytes of its request, for another try.
    pub(crate) request: CallBytes,
    pub(crate) result: Result<Bytes, Status>,
}

/// The calls of a session.
#[derive(Debug)]
pub(crate) struct Caller {
    waiting: Waiting,
    active: FxHashMap<CallId, Active>,
    next: CallId,
    /// Ids of which the other side knows.
    delivered: Seen,
    queue: Queue,
    /// Calls whose end the other side has to be told now.
    cancels: BTreeSet<CallId>,
    /// Calls of whose end it is not certain that the other side knows.
    cancelled: BTreeSet<CallId>,
    /// No deadline is earlier than this.
    deadline: Option<Time>,
    /// How many calls the other side takes at once.
    limit: usize,
    /// Bytes of the large requests that have begun to go out and have not arrived whole.
    unfinished: u64,
    /// How many of them the other side holds.
    unfinished_max: u64,
}

impl Caller {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            waiting: Waiting::default(),
            active: FxHashMap::default(),
            next: CallId(0),
            delivered: Seen::new(),
            queue: Queue::new(),
            cancels: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            deadline: None,
            limit,
            unfinished: 0,
            unfinished_max: UNFINISHED_UNASKED_MAX,
        }
    }

    /// Adds a call.
    pub(crate) fn push(&mut self, call: NewCall) {
        self.deadline = earlier(self.deadline, call.call.deadline);
        self.waiting.push(call);
    }

    /// The other side has said how many calls it takes at once, and how many bytes of unfinished
    /// requests.
    pub(crate) fn set_limits(&mut self, calls: usize, unfinished: u64) {
        self.limit = calls.max(1);
        // It also holds what it takes to keep track of the pieces, and, for a while, requests that
        // were given up here.
        self.unfinished_max = UNFINISHED_MAX.min(unfinished / 2);
    }

    /// How many calls have not been sent yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether any call has not ended.
    pub(crate) fn is_busy(&self) -> bool {
        !self.active.is_empty() || !self.waiting.is_empty()
    }

    /// Whether there is something to send.
    pub(crate) fn wants_to_send(&self) -> bool {
        !self.queue.is_empty() || !self.cancels.is_empty() || self.can_start()
    }

    fn can_start(&self) -> bool {
        self.waiting.has_next(self.room())
            && self.active.len() < self.limit
            && self.delivered.has_room_for(self.next)
    }

    /// How many bytes the next large request may have. One at a time goes out in any case.
    const fn room(&self) -> u64 {
        match self.unfinished {
            0 => u64::MAX,
            held => self.unfinished_max.saturating_sub(held),
        }
    }

    /// Writes as much as fits; tells whether anything did.
    pub(crate) fn write(
        &mut self,
        now: Time,
        writer: &mut Writer<'_>,
        link: &mut Link,
        freshness: Freshness,
    ) -> bool {
        let mut wrote = false;
        while let Some(&call) = self.cancels.first() {
            if !writer.cancel(call) {
                return wrote;
            }
            self.cancels.pop_first();
            link.push(SentFrame::Cancel(call));
            wrote = true;
        }
        loop {
            let Some(id) = self.pick() else { return wrote };
            let Some(active) = self.active.get_mut(&id) else {
                continue;
            };
            active.queued = false;
            if !active.out.wants_to_send() {
                continue;
            }
            let done = active.write(now, id, writer, link, freshness, &mut wrote);
            if !done {
                active.queued = true;
                self.queue.put_back(id, active.out.left());
                return wrote;
            }
        }
    }

    /// The call whose turn it is: one that is to be repeated, then a new one, then a large one.
    fn pick(&mut self) -> Option<CallId> {
        if let Some(id) = self.queue.pop_small() {
            return Some(id);
        }
        while self.can_start() {
            let call = self.waiting.pop(self.room())?;
            let id = self.next;
            self.next = id.next();
            let active = Active::new(call.call, call.bytes);
            self.unfinished += active.unfinished;
            self.queue.push(id, active.out.left());
            self.active.insert(id, active);
            if let Some(id) = self.queue.pop_small() {
                return Some(id);
            }
        }
        self.queue.pop()
    }

    /// A piece of a reply has come in; tells the end of the call if that was the last one.
    pub(crate) fn on_reply(&mut self, reply: schema::Reply, bytes_max: usize) -> Option<Ended> {
        let id = CallId(reply.call);
        // A call that was given up, or a repetition.
        let active = self.active.get_mut(&id)?;
        let held = active.incoming.memory() + reply.data.len();
        let end = reply.offset.saturating_add(reply.data.len() as u64);
        if bytes_max < held || bytes_max as u64 <= end {
            let text = format!(
                "the reply is larger than this node takes \
                 (transport.message_bytes_max and metadata_bytes_max, {bytes_max} bytes together)"
            );
            return self.give_up(id, Status::resource_exhausted(text));
        }
        if active.incoming.insert(reply.offset, reply.data, reply.fin).is_err() {
            let text = "the pieces of the reply contradict each other";
            return self.give_up(id, Status::internal(text).with_outcome(Outcome::Unknown));
        }
        let bytes = active.incoming.take()?;
        let Active { call, out, .. } = self.take(id)?;
        self.set_delivered(id);
        Some(Ended { ticket: call.ticket, request: out.into_bytes(), result: Ok(bytes) })
    }

    /// Something that went out has arrived.
    pub(crate) fn on_arrived(&mut self, frame: &SentFrame) {
        match frame {
            SentFrame::Piece { call, bytes } => {
                if let Some(active) = self.active.get_mut(call) {
                    active.arrived = true;
                    if active.out.on_arrived(bytes.clone()) {
                        self.unfinished -= std::mem::take(&mut active.unfinished);
                    }
                    self.set_delivered(*call);
                }
            }
            SentFrame::Cancel(call) => {
                self.cancels.remove(call);
                self.cancelled.remove(call);
                self.set_delivered(*call);
            }
            SentFrame::Hello | SentFrame::Ping => {}
        }
    }

    /// The other side has ended the session; of the calls only those below `end` had reached it.
    pub(crate) fn on_goodbye(&mut self, end: CallId) {
        let crossing = self.active.iter_mut().filter(|(id, active)| end <= **id && !active.arrived);
        crossing.for_each(|(_, active)| active.on_never_taken());
    }

    /// A piece must go out again.
    pub(crate) fn on_lost_piece(&mut self, call: CallId, bytes: Range<u64>) {
        let Some(active) = self.active.get_mut(&call) else {
            return;
        };
        active.out.on_lost(bytes);
        if active.out.wants_to_send() && !active.queued {
            active.queued = true;
            // What is repeated is usually little, even of a large call.
            self.queue.push(call, 0);
        }
    }

    /// A cancellation must go out again.
    pub(crate) fn on_lost_cancel(&mut self, call: CallId) {
        // Another copy of it may have arrived.
        if self.cancelled.contains(&call) {
            self.cancels.insert(call);
        }
    }

    /// The caller has dropped a call; tells whether it was here.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> bool {
        if self.waiting.remove(ticket) {
            return true;
        }
        let found = self.active.iter().find(|(_, active)| active.call.ticket == ticket);
        let Some((&id, _)) = found else { return false };
        self.take(id);
        self.tell_cancelled(id);
        true
    }

    /// Ends the calls whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Time, peer: SocketAddr, trouble: Trouble) -> Vec<Ended> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let ended = self.end_if(|call, progress| {
            call.deadline.filter(|&deadline| deadline <= now)?;
            let took = now.since(call.made_at);
            let text = match progress {
                Progress::Waiting => {
                    format!("waited {took:.3?} for a place among the calls to {peer}")
                }
                Progress::Sent(_) => format!("{peer} did not answer within {took:.3?}{trouble}"),
                Progress::Arrived(_) => {
                    format!("{peer} has taken the request but did not reply within {took:.3?}")
                }
            };
            Some(Status::deadline_exceeded(text).with_outcome(progress.outcome()))
        });
        self.deadline = self.all().filter_map(|call| call.deadline).min();
        ended
    }

    /// Ends the calls that can go elsewhere and were made at `before` or earlier, because the other
    /// side says nothing. A call that may have run and must not run twice stays.
    pub(crate) fn yield_calls(&mut self, before: Time, peer: SocketAddr) -> Vec<Ended> {
        self.end_if(|call, progress| {
            let outcome = progress.outcome();
            let idempotent = call.flags & Open::IDEMPOTENT != 0;
            let goes = call.yields && call.made_at <= before;
            (goes && (idempotent || outcome == Outcome::NotExecuted)).then(|| {
                Status::unavailable(format!("{peer} has fallen silent")).with_outcome(outcome)
            })
        })
    }

    /// Ends all calls, because the session does. `dead_for` is for how long the other side has
    /// surely taken nothing of it; what was first sent within that time was never executed.
    pub(crate) fn end_all(
        &mut self,
        now: Time,
        dead_for: Duration,
        status: impl Fn() -> Status,
    ) -> Vec<Ended> {
        self.end_if(|_, progress| {
            Some(status().with_outcome(progress.outcome_if_dead_for(now, dead_for)))
        })
    }

    /// Ends the calls for which `end` has a status, in the order in which they were made.
    fn end_if(&mut self, end: impl Fn(&Call, Progress) -> Option<Status>) -> Vec<Ended> {
        let verdict =
            |(&id, active): (&CallId, &Active)| Some((id, end(&active.call, active.progress())?));
        let mut verdicts: Vec<(CallId, Status)> = self.active.iter().filter_map(verdict).collect();
        // The map has an order of its own, which must not decide what is told first.
        verdicts.sort_unstable_by_key(|(id, _)| *id);
        let mut ended: Vec<Ended> =
            verdicts.into_iter().filter_map(|(id, status)| self.give_up(id, status)).collect();
        for new in self.waiting.drain() {
            match end(&new.call, Progress::Waiting) {
                None => self.waiting.push(new),
                Some(status) => {
                    let NewCall { call, bytes } = new;
                    let result = Err(status);
                    ended.push(Ended { ticket: call.ticket, request: bytes, result });
                }
            }
        }
        ended
    }

    /// Ends a call without its reply, and lets the other side know.
    fn give_up(&mut self, id: CallId, status: Status) -> Option<Ended> {
        let Active { call, out, .. } = self.take(id)?;
        self.tell_cancelled(id);
        Some(Ended { ticket: call.ticket, request: out.into_bytes(), result: Err(status) })
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(crate) const fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    fn all(&self) -> impl Iterator<Item = &Call> {
        self.waiting
            .iter()
            .map(|call| &call.call)
            .chain(self.active.values().map(|active| &active.call))
    }

    /// Takes out a call that ends.
    fn take(&mut self, id: CallId) -> Option<Active> {
        let active = self.active.remove(&id)?;
        self.unfinished -= active.unfinished;
        Some(active)
    }

    fn tell_cancelled(&mut self, id: CallId) {
        self.cancels.insert(id);
        self.cancelled.insert(id);
    }

    fn set_delivered(&mut self, id: CallId) {
        let inserted = self.delivered.insert(id);
        debug_assert!(inserted.is_ok(), "an id beyond the window was never given out");
    }
}

/// Large requests go out in turns; to have more of them under way makes none arrive earlier.
const UNFINISHED_MAX: u64 = 8 << 20;

/// The same before the other side has said anything: more than goes out in the first round trip.
const UNFINISHED_UNASKED_MAX: u64 = 64 << 10;

/// The earlier of two times, where none stands for never.
pub(crate) fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    [one, other].into_iter().flatten().min()
}
