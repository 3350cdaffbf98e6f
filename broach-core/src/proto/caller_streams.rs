//! The calls made in a session that have a stream in them: requests that are sent one by one, and
//! replies that come while they are.

use bytes::Bytes;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::CallId;
use crate::proto::Ticket;
use crate::proto::active::{Active, NewCall, Reply};
use crate::proto::answered::{Answered, Ended, ReplyIntake};
use crate::proto::budget::{ALLOWANCE_MAX, Budget};
use crate::proto::caller::{Caller, Made};
use crate::proto::grants::Grant;
use crate::proto::incoming::Incoming;
use crate::proto::incoming_stream::{Broken, IncomingStream};
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::pool::Full;
use crate::proto::sent::SentFrame;
use crate::proto::share::{Owner, Purse};
use crate::proto::step::no_memory;
use crate::proto::streams::Sending;
use crate::status::Status;
use crate::wire::{Writer, schema};

impl Caller {
    /// A call with a stream in it waits to be begun.
    pub(super) fn push_stream(&mut self, call: &mut NewCall, bytes_max: usize) {
        let requests = call.call.streams.requests.then(|| {
            let mut out = Outgoing::stream(bytes_max, 0);
            let (head, body) = std::mem::take(&mut call.bytes).into_parts();
            out.append(head);
            out.append(body);
            out
        });
        self.streams.insert(call.call.ticket, Made { id: None, requests });
    }

    /// It is begun.
    pub(super) fn begin_stream(&mut self, id: CallId, new: NewCall, unasked: u64) -> Active {
        let NewCall { call, bytes } = new;
        let made = self.streams.get_mut(&call.ticket);
        let requests = made.and_then(|made| {
            made.id = Some(id);
            made.requests.take()
        });
        let allowance = self.unasked.allowance();
        let out = match requests {
            Some(mut requests) => {
                requests.on_credit(allowance);
                requests
            }
            None => Outgoing::new(bytes, allowance),
        };
        let reply = match call.streams.replies {
            true => {
                let stream = IncomingStream::new(self.records, Incoming::new());
                Reply::Stream(Box::new(stream))
            }
            false => Reply::Nothing,
        };
        Active::new(call, out, reply, unasked)
    }

    /// The user sends records; `last` ends the requests. Returns the end of the call if they are
    /// more than the other side takes.
    pub(crate) fn send(
        &mut self,
        ticket: Ticket,
        records: Bytes,
        last: bool,
        sending: Sending,
        budget: &mut Budget,
    ) -> Option<Ended> {
        let id = self.streams.get(&ticket)?.id;
        if let Some(text) = sending.exceeded([&records, &[]], "the request") {
            return self.refuse_to_send(ticket, id, text, budget);
        }
        let out = match id {
            Some(id) => &mut self.active.get_mut(&id)?.out,
            None => self.streams.get_mut(&ticket)?.requests.as_mut()?,
        };
        out.append(records);
        if last {
            out.end();
        }
        self.queue_if_ready(id?);
        None
    }

    /// Ends a call because the other side does not take what it sends.
    fn refuse_to_send(
        &mut self,
        ticket: Ticket,
        id: Option<CallId>,
        text: String,
        budget: &mut Budget,
    ) -> Option<Ended> {
        let status = Status::resource_exhausted(text);
        match id {
            Some(id) => {
                let outcome = self.active.get(&id)?.progress().outcome();
                self.give_up(id, status.with_outcome(outcome), budget)
            }
            None => {
                self.cancel(ticket, budget);
                let result = Err(status.with_outcome(Outcome::NotExecuted));
                Some(Ended { ticket, request: Default::default(), result })
            }
        }
    }

    /// How many bytes a stream of requests takes before its user had better wait.
    pub(crate) fn room(&self, ticket: Ticket) -> usize {
        let Some(made) = self.streams.get(&ticket) else { return 0 };
        let out = match made.id {
            Some(id) => self.active.get(&id).map(|active| &active.out),
            None => made.requests.as_ref(),
        };
        out.map_or(0, Outgoing::room)
    }

    /// The call of a ticket, if it has a stream in it and has been begun.
    pub(crate) fn id_of(&self, ticket: Ticket) -> Option<CallId> {
        self.streams.get(&ticket)?.id
    }

    /// The user has taken so many bytes of the replies.
    pub(crate) fn on_consumed(
        &mut self,
        now: Time,
        owner: Owner,
        bytes: usize,
        window_max: u64,
        budget: &mut Budget,
    ) {
        let active = self.active.get_mut(&owner.call);
        if let Some(Active { reply: Reply::Stream(replies), .. }) = active {
            replies.on_consumed(bytes);
            let purse = &mut Purse { pool: &mut self.pool, budget };
            // Nothing has come unasked, so there is memory for all that has.
            let tell = replies.settle(now, owner, window_max, purse);
            self.credits.extend(tell.unwrap_or(false).then_some(owner.call));
        }
    }

    /// The user waits for the next record of the replies.
    pub(crate) fn set_awaited(&self, id: CallId, budget: &mut Budget) {
        if let Some(Active { reply: Reply::Stream(replies), .. }) = self.active.get(&id) {
            replies.set_awaited(budget);
        }
    }

    /// The ticket of a call.
    pub(crate) fn ticket_of(&self, id: CallId) -> Option<Ticket> {
        self.active.get(&id).map(|active| active.call.ticket)
    }

    /// A piece of a stream of replies has come in.
    pub(super) fn on_stream_piece(
        &mut self,
        id: CallId,
        reply: schema::Reply,
        intake: ReplyIntake<'_>,
    ) -> Answered {
        let ReplyIntake { now, owner, budget, window_bytes, datagram_bytes, records, .. } = intake;
        let Some(active) = self.active.get_mut(&id) else { return Answered::default() };
        let (ticket, message_max) = (active.call.ticket, self.records.message);
        let Reply::Stream(replies) = &mut active.reply else { return Answered::default() };
        let schema::Reply { offset, data, fin, .. } = reply;
        if replies.granted().max(ALLOWANCE_MAX) < offset.saturating_add(data.len() as u64) {
            return Answered::EXCESS;
        }
        let purse = &mut Purse { pool: &mut self.pool, budget };
        // What is whole needs no window: a refusal, for one.
        let whole = offset == 0 && fin;
        if !replies.is_open() && !whole {
            // It tells the other side that this stream takes up nothing any more of what may be
            // sent unasked, even if it is no more than that.
            self.credits.insert(id);
            if let Err(Full) = replies.open(purse) {
                return self.give_up(id, no_memory("this node"), budget).into();
            }
        }
        let inserted = replies.insert(offset, data, fin, datagram_bytes, records);
        let ended = match inserted {
            Ok(()) if replies.has_ended() => self.finish(id, Bytes::new(), budget),
            Ok(()) => match replies.settle(now, owner, window_bytes, purse) {
                Ok(tell) => {
                    self.credits.extend(tell.then_some(id));
                    None
                }
                Err(Full) => {
                    records.clear();
                    self.give_up(id, no_memory("this node"), budget)
                }
            },
            Err(Broken::Scattered) => return Answered::NOT_TAKEN,
            Err(why) => {
                records.clear();
                self.give_up(id, broken(why, message_max), budget)
            }
        };
        Answered { stream: Some(ticket), ended, fault: None }
    }

    /// More may be sent of a reply, for which so many bytes have been set aside.
    pub(crate) fn on_grant(&mut self, grant: Grant) {
        let Some(active) = self.active.get_mut(&grant.call) else { return };
        match &mut active.reply {
            Reply::Nothing => {}
            Reply::Pieces(incoming) => incoming.share.on_grant(grant),
            Reply::Stream(replies) => replies.on_grant(grant),
        }
        self.credits.insert(grant.call);
    }

    /// The other side takes more of a request.
    pub(crate) fn on_credit(&mut self, id: CallId, limit: u64) {
        if let Some(active) = self.active.get_mut(&id) {
            active.out.on_credit(limit);
            if active.call.streams.requests {
                self.unasked.give_back(std::mem::take(&mut active.unasked));
            }
            self.queue_if_ready(id);
        }
    }

    fn queue_if_ready(&mut self, id: CallId) {
        if let Some(active) = self.active.get_mut(&id)
            && active.out.wants_to_send()
            && !active.queued
        {
            active.queued = true;
            self.queue.push(id, active.out.load());
        }
    }

    /// It was lost how much the other side may send.
    pub(crate) fn on_lost_credit(&mut self, id: CallId) {
        if self.active.contains_key(&id) {
            self.credits.insert(id);
        }
    }

    /// Writes how much the other side may send; tells whether all of it is written.
    pub(super) fn write_credits(
        &mut self,
        writer: &mut Writer<'_>,
        link: &mut Link,
        wrote: &mut bool,
    ) -> bool {
        while let Some(&id) = self.credits.first() {
            if let Some(active) = self.active.get(&id) {
                if !writer.credit(id, active.granted()) {
                    return false;
                }
                link.push(SentFrame::Credit(id));
                *wrote = true;
            }
            self.credits.pop_first();
        }
        true
    }
}

/// Why a stream of replies is not taken any further.
fn broken(why: Broken, message_max: usize) -> Status {
    let text = match why {
        Broken::Contradiction | Broken::Scattered => {
            "the pieces of the replies contradict each other"
        }
        Broken::Malformed => "the replies are not made of the records that make a stream",
        Broken::TooLarge => {
            return Status::resource_exhausted(format!(
                "a message of the replies is larger than this node takes \
                 (transport.message_bytes_max, {message_max} bytes)"
            ));
        }
    };
    Status::internal(text).with_outcome(Outcome::Unknown)
}
