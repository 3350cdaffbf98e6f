//! The calls made in a session that have a stream in them: requests that are sent one by one, and
//! replies that come while they are.

use bytes::Bytes;

use crate::code::Outcome;
use crate::ids::CallId;
use crate::proto::Ticket;
use crate::proto::active::{Active, NewCall};
use crate::proto::answered::{Answered, Ended, ReplyIntake};
use crate::proto::caller::{Caller, Made};
use crate::proto::incoming::Incoming;
use crate::proto::incoming_stream::{Broken, IncomingStream};
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::sent::SentFrame;
use crate::proto::streams::{ALLOWANCE_BYTES, Sending};
use crate::status::Status;
use crate::wire::{Writer, schema};

impl Caller {
    /// A call with a stream in it waits to be begun.
    pub(super) fn push_stream(&mut self, call: &mut NewCall, bytes_max: usize) {
        let requests = call.call.streams.requests.then(|| {
            let mut out = Outgoing::stream(bytes_max, ALLOWANCE_BYTES);
            let (head, body) = std::mem::take(&mut call.bytes).into_parts();
            out.append(head);
            out.append(body);
            out
        });
        self.streams.insert(call.call.ticket, Made { id: None, requests });
    }

    /// It is begun.
    pub(super) fn begin_stream(&mut self, id: CallId, new: NewCall) -> Active {
        let NewCall { call, bytes } = new;
        let made = self.streams.get_mut(&call.ticket);
        let requests = made.and_then(|made| {
            made.id = Some(id);
            made.requests.take()
        });
        let replies = call.streams.replies.then(|| {
            let stream = IncomingStream::new(self.records, Incoming::new(), ALLOWANCE_BYTES);
            Box::new(stream)
        });
        Active::new(call, requests.unwrap_or_else(|| Outgoing::new(bytes)), replies)
    }

    /// The user sends records; `last` ends the requests. Returns the end of the call if they are
    /// more than the other side takes.
    pub(crate) fn send(
        &mut self,
        ticket: Ticket,
        records: Bytes,
        last: bool,
        sending: Sending,
    ) -> Option<Ended> {
        let id = self.streams.get(&ticket)?.id;
        if let Some(text) = sending.exceeded(&records, "the request") {
            return self.refuse_to_send(ticket, id, text);
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
    ) -> Option<Ended> {
        let status = Status::resource_exhausted(text);
        match id {
            Some(id) => {
                let outcome = self.active.get(&id)?.progress().outcome();
                self.give_up(id, status.with_outcome(outcome))
            }
            None => {
                self.cancel(ticket);
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

    /// The user has taken so many bytes of the replies.
    pub(crate) fn on_consumed(&mut self, ticket: Ticket, bytes: usize, window: u64) {
        let id = self.streams.get(&ticket).and_then(|made| made.id);
        let active = id.and_then(|id| Some((id, self.active.get_mut(&id)?.replies.as_mut()?)));
        if let Some((id, replies)) = active {
            replies.on_consumed(bytes);
            self.grant(id, window);
        }
    }

    /// A piece of a stream of replies has come in.
    pub(super) fn on_stream_piece(
        &mut self,
        id: CallId,
        reply: schema::Reply,
        intake: ReplyIntake<'_>,
    ) -> Answered {
        let ReplyIntake { window_bytes, datagram_bytes, records, .. } = intake;
        let Some(active) = self.active.get_mut(&id) else { return Answered::default() };
        let (ticket, message_max) = (active.call.ticket, self.records.message);
        let Some(replies) = &mut active.replies else { return Answered::default() };
        let schema::Reply { offset, data, fin, .. } = reply;
        let inserted = replies.insert(offset, data, fin, datagram_bytes, records);
        let ended = match inserted {
            Ok(()) if replies.has_ended() => self.finish(id, Bytes::new()),
            Ok(()) => {
                self.grant(id, window_bytes);
                None
            }
            Err(why) => {
                records.clear();
                self.give_up(id, broken(why, message_max))
            }
        };
        Answered { stream: Some(ticket), ended }
    }

    /// Lets the other side send more, if that is worth a frame.
    fn grant(&mut self, id: CallId, window: u64) {
        let replies = self.active.get_mut(&id).and_then(|active| active.replies.as_mut());
        if replies.is_some_and(|replies| replies.grant(window)) {
            self.credits.insert(id);
        }
    }

    /// The other side takes more of a request.
    pub(crate) fn on_credit(&mut self, id: CallId, limit: u64) {
        if let Some(active) = self.active.get_mut(&id) {
            active.out.on_credit(limit);
            self.queue_if_ready(id);
        }
    }

    fn queue_if_ready(&mut self, id: CallId) {
        if let Some(active) = self.active.get_mut(&id)
            && active.out.wants_to_send()
            && !active.queued
        {
            active.queued = true;
            self.queue.push(id, active.out.left());
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
            if let Some(replies) = self.active.get(&id).and_then(|active| active.replies.as_ref()) {
                if !writer.credit(id, replies.granted()) {
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
        Broken::Contradiction => "the pieces of the replies contradict each other",
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
