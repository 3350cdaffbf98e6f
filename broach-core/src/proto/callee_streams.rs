//! The calls served in a session that have a stream in them: requests that come while the handler
//! is at work, and replies that it sends one by one.

use bytes::Bytes;

use crate::code::Outcome;
use crate::ids::CallId;
use crate::proto::budget::Budget;
use crate::proto::call_bytes::CallBytes;
use crate::proto::callee::Callee;
use crate::proto::incoming_stream::IncomingStream;
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::sent::SentFrame;
use crate::proto::served::{Served, State, Streaming};
use crate::proto::step::{Came, Intake, Step};
use crate::proto::streams::{ALLOWANCE_BYTES, Sending};
use crate::status::Status;
use crate::wire::{RecordKind, Writer, put_record, schema, status_to_wire};

impl Callee {
    /// A piece of a stream of requests has come in.
    pub(super) fn on_stream_piece(
        &mut self,
        id: CallId,
        request: schema::Request,
        intake: Intake<'_>,
    ) -> Step {
        let Intake { now, datagram_bytes, limits, budget, records, .. } = intake;
        let Some(served) = self.calls.get_mut(&id) else { return Step::None };
        let before = served.request_memory();
        if let State::Receiving(incoming) = &mut served.state {
            let pieces = std::mem::take(incoming);
            let requests = IncomingStream::new(limits.records, pieces, ALLOWANCE_BYTES);
            let streaming = Streaming { requests, started: false, replies: None };
            served.state = State::Streaming(Box::new(streaming));
        }
        let State::Streaming(streaming) = &mut served.state else { return Step::None };
        let requests = &mut streaming.requests;
        if requests.has_ended() {
            return Step::None;
        }
        let schema::Request { offset, data, fin, .. } = request;
        let inserted = requests.insert(offset, data, fin, datagram_bytes, records);
        let (after, fin) = (requests.memory(), requests.has_ended());
        let held = self.hold(before, after, limits, budget);
        if let Err(status) = inserted.map_err(|why| limits.broken(why)).and(held) {
            records.clear();
            return self.fail(id, status, budget);
        }
        let mut came = Came { begun: None, fin };
        if let Some(served) = self.calls.get_mut(&id)
            && let State::Streaming(streaming) = &mut served.state
        {
            if !streaming.started && !records.is_empty() {
                let metadata = records.remove(0);
                streaming.requests.on_consumed(metadata.wire_len());
                streaming.started = true;
                if let Some(status) = served.overdue(now) {
                    records.clear();
                    return self.refuse(id, status, budget);
                }
                came.begun = Some(served.complete(id, metadata.bytes));
            }
            self.grant(id, limits.window_bytes);
        }
        Step::Stream(came)
    }

    /// Nothing more can be made of a stream of requests.
    fn fail(&mut self, id: CallId, status: Status, budget: &mut Budget) -> Step {
        if !self.calls.get(&id).is_some_and(Served::is_at_work) {
            return self.refuse(id, status, budget);
        }
        let status = status.with_outcome(Outcome::Unknown);
        self.end_with(id, &status, budget);
        Step::Stopped(status)
    }

    /// Ends what goes back with a status.
    fn end_with(&mut self, id: CallId, status: &Status, budget: &mut Budget) {
        let begun = self.calls.get(&id).is_some_and(|served| served.reply().is_some());
        if !begun {
            return self.reply(id, CallBytes::status(status), budget);
        }
        let mut record = Vec::new();
        put_record(&mut record, RecordKind::Status, &status_to_wire(status));
        self.append(id, record.into(), true, 0, budget);
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
        if let Some(text) = sending.exceeded(&records, "the reply") {
            let status = Status::resource_exhausted(text).with_outcome(Outcome::Executed);
            self.end_with(id, &status, budget);
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
        budget.take_replies(bytes.len());
        if let State::Running = served.state {
            served.state = State::Replying(Outgoing::stream(bytes_max, ALLOWANCE_BYTES));
        }
        let out = match &mut served.state {
            State::Replying(out) => out,
            State::Streaming(streaming) => {
                let begin = || Outgoing::stream(bytes_max, ALLOWANCE_BYTES);
                streaming.replies.get_or_insert_with(begin)
            }
            State::Receiving(_) | State::Running => return,
        };
        out.append(bytes);
        if last {
            out.end();
        }
        let (wants_to_send, left) = (out.wants_to_send(), out.left());
        if wants_to_send && !served.queued {
            served.queued = true;
            self.queue.push(id, left);
        }
        if last && let State::Streaming(streaming) = &mut served.state {
            // What else comes of the requests is of no use.
            let memory = streaming.requests.memory();
            if let Some(out) = streaming.replies.take() {
                served.state = State::Replying(out);
            }
            self.release(memory, budget);
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
    pub(crate) fn on_consumed(&mut self, id: CallId, bytes: usize, window: u64) {
        if let Some(Served { state: State::Streaming(streaming), .. }) = self.calls.get_mut(&id) {
            streaming.requests.on_consumed(bytes);
            self.grant(id, window);
        }
    }

    /// Lets the caller send more, if that is worth a frame.
    fn grant(&mut self, id: CallId, window: u64) {
        if let Some(Served { state: State::Streaming(streaming), .. }) = self.calls.get_mut(&id)
            && streaming.requests.grant(window)
        {
            self.credits.insert(id);
        }
    }

    /// The caller takes more of a stream of replies.
    pub(crate) fn on_credit(&mut self, id: CallId, limit: u64) {
        let Some(served) = self.calls.get_mut(&id) else { return };
        let Some(out) = served.reply_mut() else { return };
        out.on_credit(limit);
        let (wants_to_send, left) = (out.wants_to_send(), out.left());
        if wants_to_send && !served.queued {
            served.queued = true;
            self.queue.push(id, left);
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
            if let Some(Served { state: State::Streaming(streaming), .. }) = self.calls.get(&id) {
                if !writer.credit(id, streaming.requests.granted()) {
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
