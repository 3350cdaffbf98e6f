//! The calls served in a session that have a stream in them: requests that come while the handler
//! is at work, and replies that it sends one by one.

use bytes::Bytes;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::CallId;
use crate::proto::budget::{ALLOWANCE_MAX, Budget};
use crate::proto::call_bytes::CallBytes;
use crate::proto::callee::Callee;
use crate::proto::grants::Grant;
use crate::proto::incoming_stream::{Broken, IncomingStream};
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::pool::Full;
use crate::proto::sent::SentFrame;
use crate::proto::served::{Served, State, Streaming};
use crate::proto::share::{Owner, Purse};
use crate::proto::step::{Came, Intake, Step, no_memory};
use crate::proto::streams::Sending;
use crate::status::Status;
use crate::wire::{Record, Writer, schema};

impl Callee {
    /// A piece of a stream of requests has come in.
    pub(super) fn on_stream_piece(
        &mut self,
        id: CallId,
        request: schema::Request,
        intake: Intake<'_>,
    ) -> Step {
        let Intake { now, datagram_bytes, limits, owner, budget, records, .. } = intake;
        let Some(served) = self.calls.get_mut(&id) else { return Step::None };
        let purse = &mut Purse { pool: &mut self.pool, budget };
        if let State::Receiving(incoming) = &mut served.state {
            let mut requests = IncomingStream::new(limits.records, std::mem::take(incoming));
            let opened = requests.open(purse);
            let streaming = Streaming { requests, started: false, replies: None };
            served.state = State::Streaming(Box::new(streaming));
            if let Err(Full) = opened {
                return self.refuse(id, no_memory("the serving node"), budget);
            }
            // It tells the caller that this stream takes up nothing any more of what may be sent
            // unasked, even if it is no more than that.
            self.credits.insert(id);
        }
        let State::Streaming(streaming) = &mut served.state else { return Step::None };
        let requests = &mut streaming.requests;
        if requests.has_ended() {
            return Step::None;
        }
        let schema::Request { offset, data, fin, .. } = request;
        if requests.granted().max(ALLOWANCE_MAX) < offset.saturating_add(data.len() as u64) {
            return Step::Excess;
        }
        match requests.insert(offset, data, fin, datagram_bytes, records) {
            Ok(()) => {}
            Err(Broken::Scattered) => return Step::NotTaken,
            Err(why) => {
                records.clear();
                return self.fail(id, limits.broken(why), budget);
            }
        }
        let fin = requests.has_ended();
        let mut began = None;
        if !streaming.started
            && let Some(metadata) = take_first(records)
        {
            requests.on_consumed(metadata.wire_len());
            streaming.started = true;
            began = Some(metadata.bytes);
        }
        match requests.settle(now, owner, limits.window_bytes, purse) {
            Ok(tell) => self.credits.extend(tell.then_some(id)),
            Err(Full) => {
                records.clear();
                return self.fail(id, no_memory("the serving node"), budget);
            }
        }
        if began.is_some()
            && let Some(status) = served.overdue(now)
        {
            records.clear();
            return self.refuse(id, status, budget);
        }
        let begun = began.map(|metadata| served.complete(id, metadata));
        Step::Stream(Came { begun, fin })
    }

    /// Nothing more can be made of a stream of requests.
    fn fail(&mut self, id: CallId, status: Status, budget: &mut Budget) -> Step {
        if !self.calls.get(&id).is_some_and(Served::is_at_work) {
            return self.refuse(id, status, budget);
        }
        let status = status.with_outcome(Outcome::Unknown);
        self.reply(id, CallBytes::status(&status), budget);
        Step::Stopped(status)
    }

    /// Ends replies that have begun, unless they have ended.
    pub(super) fn end_with(&mut self, id: CallId, bytes: CallBytes, budget: &mut Budget) {
        if self.calls.get(&id).is_some_and(Served::is_at_work) {
            let (head, body) = bytes.into_parts();
            self.append(id, head, false, 0, budget);
            self.append(id, body, true, 0, budget);
        }
    }

    /// The handler sends records; with the last ones it ends. Returns why it must be stopped, if it
    /// sends more than the caller takes.
    pub(crate) fn send(
        &mut self,
        id: CallId,
        records: Bytes,
        last: bool,
        sending: Sending,
        budget: &mut Budget,
    ) -> Option<Status> {
        let waits = |served: &Served| served.is_at_work();
        if !self.calls.get(&id).is_some_and(waits) {
            return None;
        }
        if let Some(text) = sending.exceeded([&records, &[]], "the reply") {
            let status = Status::resource_exhausted(text).with_outcome(Outcome::Executed);
            self.reply(id, CallBytes::status(&status), budget);
            return (!last).then_some(status);
        }
        self.append(id, records, last, sending.bytes_max, budget);
        None
    }

    /// Adds bytes to what goes back.
    fn append(
        &mut self,
        id: CallId,
        bytes: Bytes,
        last: bool,
        bytes_max: usize,
        budget: &mut Budget,
    ) {
        let Some(served) = self.calls.get_mut(&id) else { return };
        budget.take_replies(bytes.len(), true);
        let begins = served.reply().is_none();
        let allowance = self.unasked.allowance();
        if begins {
            budget.on_reply();
        }
        if let State::Running = served.state {
            served.state = State::Replying(Outgoing::stream(bytes_max, allowance));
        }
        let out = match &mut served.state {
            State::Replying(out) => out,
            State::Streaming(streaming) => {
                let begin = || Outgoing::stream(bytes_max, allowance);
                streaming.replies.get_or_insert_with(begin)
            }
            State::Receiving(_) | State::Running => return,
        };
        out.append(bytes);
        if last {
            out.end();
        }
        let (wants_to_send, load) = (out.wants_to_send(), out.load());
        if last && let State::Streaming(streaming) = &mut served.state {
            // What else comes of the requests is of no use.
            streaming.requests.release(&mut Purse { pool: &mut self.pool, budget });
            if let Some(out) = streaming.replies.take() {
                served.state = State::Replying(out);
            }
        }
        if begins {
            served.queued = true;
            self.begin_when_possible(id, allowance);
        } else if wants_to_send && !served.queued {
            served.queued = true;
            self.queue.push(id, load);
        }
    }

    /// How many bytes the stream of replies of a call takes before its handler had better wait.
    pub(crate) fn room(&self, id: CallId, bytes_max: usize) -> usize {
        match self.calls.get(&id).filter(|served| served.is_at_work()) {
            Some(served) => served.reply().map_or(bytes_max, Outgoing::room),
            None => 0,
        }
    }

    /// The handler has taken so many bytes of the requests.
    pub(crate) fn on_consumed(
        &mut self,
        now: Time,
        owner: Owner,
        bytes: usize,
        window_max: u64,
        budget: &mut Budget,
    ) {
        let served = self.calls.get_mut(&owner.call);
        if let Some(Served { state: State::Streaming(streaming), .. }) = served {
            streaming.requests.on_consumed(bytes);
            let purse = &mut Purse { pool: &mut self.pool, budget };
            // Nothing has come unasked, so there is memory for all that has.
            let tell = streaming.requests.settle(now, owner, window_max, purse);
            self.credits.extend(tell.unwrap_or(false).then_some(owner.call));
        }
    }

    /// The handler waits for the next record of the requests.
    pub(crate) fn set_awaited(&self, id: CallId, budget: &mut Budget) {
        if let Some(Served { state: State::Streaming(streaming), .. }) = self.calls.get(&id) {
            streaming.requests.set_awaited(budget);
        }
    }

    /// More may be sent of a request, for which so many bytes have been set aside.
    pub(crate) fn on_grant(&mut self, grant: Grant) {
        let Some(served) = self.calls.get_mut(&grant.call) else { return };
        match &mut served.state {
            State::Receiving(incoming) => incoming.share.on_grant(grant),
            State::Streaming(streaming) => streaming.requests.on_grant(grant),
            State::Running | State::Replying(_) => return,
        }
        self.credits.insert(grant.call);
    }

    /// The caller takes more of a reply.
    pub(crate) fn on_credit(&mut self, id: CallId, limit: u64) {
        let Some(served) = self.calls.get_mut(&id) else { return };
        let Some(out) = served.reply_mut() else { return };
        out.on_credit(limit);
        let (wants_to_send, load, is_stream) = (out.wants_to_send(), out.load(), out.is_stream());
        if wants_to_send && !served.queued {
            served.queued = true;
            self.queue.push(id, load);
        }
        if is_stream {
            let part = std::mem::take(&mut served.unasked);
            self.give_back_unasked(part);
        }
    }

    /// It was lost how much the caller may send.
    pub(crate) fn on_lost_credit(&mut self, id: CallId) {
        if self.calls.contains_key(&id) {
            self.credits.insert(id);
        }
    }

    /// Writes how much the caller may send; tells whether all of it is written.
    pub(super) fn write_credits(
        &mut self,
        writer: &mut Writer<'_>,
        link: &mut Link,
        wrote: &mut bool,
    ) -> bool {
        while let Some(&id) = self.credits.first() {
            if let Some(limit) = self.calls.get(&id).and_then(Served::granted) {
                if !writer.credit(id, limit) {
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

/// Takes the first record out of those that have come.
fn take_first(records: &mut Vec<Bytes>) -> Option<Record> {
    let first = records.first_mut()?;
    let record = Record::take(first).ok();
    if first.is_empty() {
        records.remove(0);
    }
    record
}
