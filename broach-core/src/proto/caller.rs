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
use std::ops::Range;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::CallId;
use crate::proto::Ticket;
use crate::proto::active::{Active, Call, Freshness, NewCall, Reply};
use crate::proto::answered::{Answered, Ended, ReplyIntake};
use crate::proto::budget::{ALLOWANCE_MAX, Budget};
use crate::proto::incoming::Misfit;
use crate::proto::incoming_stream::RecordLimits;
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::pool::{Full, Pool};
use crate::proto::queue::{Load, Queue};
use crate::proto::seen::Seen;
use crate::proto::sent::SentFrame;
use crate::proto::share::Purse;
use crate::proto::step::no_memory;
use crate::proto::unasked::Unasked;
use crate::proto::waiting::{Waiting, part_of};
use crate::status::Status;
use crate::wire::{Writer, schema};

/// The calls of a session.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(super) waiting: Waiting,
    pub(super) active: FxHashMap<CallId, Active>,
    /// The calls that have a stream in them.
    pub(super) streams: FxHashMap<Ticket, Made>,
    next: CallId,
    /// Ids of which the other side knows.
    delivered: Seen,
    pub(super) queue: Queue,
    /// Streams of replies of which the other side is to be told how much it may send.
    pub(super) credits: BTreeSet<CallId>,
    /// Calls whose end the other side has to be told now.
    cancels: BTreeSet<CallId>,
    /// Calls of whose end it is not certain that the other side knows.
    cancelled: BTreeSet<CallId>,
    /// No deadline is earlier than this.
    pub(super) deadline: Option<Time>,
    /// How many calls the other side takes at once.
    limit: usize,
    /// What of requests may be sent before there is credit for it.
    pub(super) unasked: Unasked,
    /// Memory for replies.
    pub(super) pool: Pool,
    /// What a stream of replies is made of.
    pub(super) records: RecordLimits,
}

/// A call of this node that has a stream in it.
#[derive(Debug)]
pub(super) struct Made {
    /// Once its first piece has been sent.
    pub(super) id: Option<CallId>,
    /// The stream of requests until then, if they are one.
    pub(super) requests: Option<Outgoing>,
}

impl Caller {
    pub(crate) fn new(limit: usize, records: RecordLimits, pool: Pool) -> Self {
        Self {
            waiting: Waiting::default(),
            active: FxHashMap::default(),
            streams: FxHashMap::default(),
            next: CallId(0),
            delivered: Seen::new(),
            queue: Queue::new(),
            credits: BTreeSet::new(),
            cancels: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            deadline: None,
            limit,
            unasked: Unasked::new(),
            pool,
            records,
        }
    }

    /// Adds a call. If its requests are a stream, of that so many bytes are held before its user
    /// had better wait.
    pub(crate) fn push(&mut self, mut call: NewCall, stream_bytes_max: usize) {
        self.deadline = earlier(self.deadline, call.call.deadline);
        if call.call.streams.any() {
            self.push_stream(&mut call, stream_bytes_max);
        }
        self.waiting.push(call);
    }

    /// The other side has said how many calls it takes at once.
    pub(crate) fn set_limit(&mut self, calls: usize) {
        self.limit = calls.max(1);
    }

    /// The other side has said what it takes unasked.
    pub(crate) const fn set_unasked(&mut self, allowance: u64, total_max: u64) {
        self.unasked.set(allowance, total_max);
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
        !self.queue.is_empty()
            || !self.cancels.is_empty()
            || !self.credits.is_empty()
            || self.can_start()
    }

    fn can_start(&self) -> bool {
        self.waiting.has_next(&self.unasked)
            && self.active.len() < self.limit
            && self.delivered.has_room_for(self.next)
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
        if !self.write_credits(writer, link, &mut wrote) {
            return wrote;
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
                self.queue.put_back(id, active.out.load());
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
            let call = self.waiting.pop(&self.unasked)?;
            let id = self.next;
            self.next = id.next();
            let part = part_of(&call, &self.unasked);
            self.unasked.take(part);
            let active = match call.call.streams.any() {
                true => self.begin_stream(id, call, part),
                false => {
                    let out = Outgoing::new(call.bytes, self.unasked.allowance());
                    Active::new(call.call, out, Reply::Nothing, part)
                }
            };
            self.queue.push(id, active.out.load());
            self.active.insert(id, active);
            if let Some(id) = self.queue.pop_small() {
                return Some(id);
            }
        }
        self.queue.pop()
    }

    /// A piece of a reply has come in.
    pub(crate) fn on_reply(&mut self, reply: schema::Reply, intake: ReplyIntake<'_>) -> Answered {
        let id = CallId(reply.call);
        let ReplyIntake { bytes_max, .. } = intake;
        let end = reply.offset.saturating_add(reply.data.len() as u64);
        let fits = end.max(reply.size) < bytes_max as u64;
        // A call that was given up, or a repetition.
        let Some(active) = self.active.get_mut(&id) else { return Answered::default() };
        let incoming = match &mut active.reply {
            Reply::Stream(_) => return self.on_stream_piece(id, reply, intake),
            // Most are all there at once.
            Reply::Nothing if reply.offset == 0 && reply.fin && reply.size == 0 && fits => {
                return self.finish(id, reply.data, intake.budget).into();
            }
            Reply::Nothing => {
                active.reply = Reply::Pieces(Box::default());
                let Reply::Pieces(incoming) = &mut active.reply else {
                    return Answered::default();
                };
                incoming
            }
            Reply::Pieces(incoming) => incoming,
        };
        let ReplyIntake { now, owner, budget, .. } = intake;
        let schema::Reply { offset, data, fin, size, .. } = reply;
        if !fits {
            let text = format!(
                "the reply is larger than this node takes \
                 (transport.message_bytes_max and metadata_bytes_max, {bytes_max} bytes together)"
            );
            return self.give_up(id, Status::resource_exhausted(text), budget).into();
        }
        let whole = offset == 0 && fin;
        if !whole && incoming.share.granted().max(ALLOWANCE_MAX) < end {
            return Answered::EXCESS;
        }
        match incoming.insert(offset, data, fin, size) {
            Ok(()) => {}
            Err(Misfit::Scattered) => return Answered::NOT_TAKEN,
            Err(Misfit::Contradiction) => {
                let text = "the pieces of the reply contradict each other";
                let status = Status::internal(text).with_outcome(Outcome::Unknown);
                return self.give_up(id, status, budget).into();
            }
        }
        if let Some(bytes) = incoming.take() {
            return self.finish(id, bytes, budget).into();
        }
        let purse = &mut Purse { pool: &mut self.pool, budget };
        match incoming.hold(now, owner, bytes_max as u64, purse) {
            Ok(()) => Answered::default(),
            Err(Full) => self.give_up(id, no_memory("this node"), budget).into(),
        }
    }

    /// A call has its reply.
    pub(super) fn finish(
        &mut self,
        id: CallId,
        bytes: Bytes,
        budget: &mut Budget,
    ) -> Option<Ended> {
        let Active { call, out, .. } = self.take(id, budget)?;
        self.set_delivered(id);
        Some(Ended { ticket: call.ticket, request: out.into_bytes(), result: Ok(bytes) })
    }

    /// Something that went out has arrived. Tells of which stream of requests there is room again.
    pub(crate) fn on_arrived(&mut self, frame: &SentFrame) -> Option<Ticket> {
        match frame {
            SentFrame::Piece { call, bytes } => {
                let active = self.active.get_mut(call)?;
                active.arrived = true;
                if active.out.on_arrived(bytes.clone()) {
                    self.unasked.give_back(std::mem::take(&mut active.unasked));
                }
                let room = active.out.has_room_again().then_some(active.call.ticket);
                self.set_delivered(*call);
                return room;
            }
            SentFrame::Cancel(call) => {
                self.cancels.remove(call);
                self.cancelled.remove(call);
                self.set_delivered(*call);
            }
            SentFrame::Credit(_)
            | SentFrame::Allowance
            | SentFrame::Hello
            | SentFrame::Ping
            | SentFrame::Goaway => {}
        }
        None
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
            self.queue.push(call, Load::REPEATED);
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
    pub(crate) fn cancel(&mut self, ticket: Ticket, budget: &mut Budget) -> bool {
        if self.waiting.remove(ticket) {
            self.streams.remove(&ticket);
            return true;
        }
        let found = self.active.iter().find(|(_, active)| active.call.ticket == ticket);
        let Some((&id, _)) = found else { return false };
        self.take(id, budget);
        self.tell_cancelled(id);
        true
    }

    /// Ends a call without its reply, and lets the other side know.
    pub(super) fn give_up(
        &mut self,
        id: CallId,
        status: Status,
        budget: &mut Budget,
    ) -> Option<Ended> {
        let Active { call, out, .. } = self.take(id, budget)?;
        self.tell_cancelled(id);
        Some(Ended { ticket: call.ticket, request: out.into_bytes(), result: Err(status) })
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(crate) const fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Call> {
        self.waiting
            .iter()
            .map(|call| &call.call)
            .chain(self.active.values().map(|active| &active.call))
    }

    /// Takes out a call that ends.
    fn take(&mut self, id: CallId, budget: &mut Budget) -> Option<Active> {
        let mut active = self.active.remove(&id)?;
        active.release_reply(&mut Purse { pool: &mut self.pool, budget });
        if active.call.streams.any() {
            self.streams.remove(&active.call.ticket);
        }
        self.unasked.give_back(active.unasked);
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

/// The earlier of two times, where none stands for never.
pub(crate) fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    [one, other].into_iter().flatten().min()
}
