//! Calls of a simulation that stream: their callers, who send and read, and their handlers, who do
//! the same.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::payload::{Plan, item_body, item_number, magnitude, reply_body};
use super::{Happening, World};
use crate::code::Code;
use crate::ids::MethodId;
use crate::proto::{
    Arrived, Call, CallBytes, Failed, NewCall, Serving, StreamKey, Streams, Ticket,
};
use crate::status::Status;
use crate::wire::{
    Open, Record, RecordKind, put_record, put_record_head, status_from_wire, status_to_wire,
};

/// Which end of which call, at one node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum EndKey {
    Made(u64),
    Served(u64, u64),
}

/// One end of a call that streams.
#[derive(Debug)]
pub(super) struct End {
    key: StreamKey,
    streams: Streams,
    plan: Plan,
    /// Messages that this end has sent.
    sent: u64,
    /// All that it sends has been sent.
    closed: bool,
    /// Messages that have come.
    got: u64,
    /// The other end has sent all that it sends.
    fin: bool,
    /// How long the user takes over a record at the most.
    thinking: Duration,
    /// Records, by their lengths, that have come and have not been read.
    unread: VecDeque<usize>,
    /// A large record comes once the user waits for it.
    large: bool,
    /// With what the call has ended, as the other end says.
    status: Option<Bytes>,
}

impl EndKey {
    pub(super) const fn of(stream: StreamKey) -> Self {
        match stream {
            StreamKey::Made { ticket, .. } => Self::Made(ticket.0),
            StreamKey::Served(Serving { session, call }) => Self::Served(session.0, call.0),
        }
    }
}

impl End {
    const fn is_server(&self) -> bool {
        matches!(self.key, StreamKey::Served(_))
    }

    /// Whether this end sends a stream, and how many messages it has.
    const fn to_send(&self) -> Option<u64> {
        match (self.is_server(), self.streams) {
            (false, Streams { requests: true, .. }) => Some(self.plan.requests),
            (true, Streams { replies: true, .. }) => Some(self.plan.replies),
            _ => None,
        }
    }

    /// Whether a handler may end: most wait for the last request.
    fn may_end(&self) -> bool {
        let read = self.fin && self.unread.is_empty();
        !self.streams.requests || read || self.plan.early && self.plan.requests / 2 <= self.got
    }
}

impl World {
    /// A client makes a call that streams.
    pub(super) fn make_stream(&mut self, index: usize, server: usize, token: u64) {
        let shapes = [(true, false), (false, true), (true, true)];
        let (requests, replies) = shapes[self.rng.below(3) as usize];
        let streams = Streams { requests, replies };
        let idempotent = self.rng.chance(self.storm.idempotent);
        let deadline = self.rng.chance(0.5).then_some(self.storm.deadline);
        let mut items = || magnitude(&mut self.rng, &self.storm.items) as u64;
        let (requests, replies) = (items(), items());
        let plan = Plan {
            token,
            requests,
            replies,
            early: self.rng.chance(0.1),
            fails: self.rng.chance(0.1),
        };
        self.history.call(token, idempotent, self.elapsed() + deadline.unwrap_or(NEVER));
        let kind = if streams.requests { RecordKind::Metadata } else { RecordKind::Message };
        let (mut head, body) = (Vec::new(), plan.encode());
        put_record_head(&mut head, kind, body.len());
        head.extend_from_slice(&body);
        let thinking = self.thinking();
        let to = self.nodes[server].addr;
        let node = &mut self.nodes[index];
        let now = node.clock.local(self.now);
        let ticket = Ticket(token);
        let call = Call {
            ticket,
            method: MethodId(1),
            flags: if idempotent { Open::IDEMPOTENT } else { 0 },
            streams,
            deadline: deadline.map(|deadline| now + deadline),
            made_at: now,
            yields: false,
        };
        let bytes = CallBytes::with_metadata(0, head, Bytes::new());
        match node.endpoint.open(now, to, NewCall { call, bytes }) {
            Ok(session) => {
                node.calls.insert(ticket, (token, session));
                let key = StreamKey::Made { session, ticket };
                node.ends.insert(EndKey::Made(token), end(key, streams, plan, thinking));
                self.pump(index, EndKey::Made(token));
            }
            Err(Failed { status, .. }) => {
                self.history.failed(token, self.elapsed(), status.code(), status.outcome());
            }
        }
    }

    /// A server starts the handler of a call that streams.
    pub(super) fn serve_stream(&mut self, index: usize, arrived: Arrived) {
        let Arrived { serving, streams, mut bytes, deadline, .. } = arrived;
        let body = match streams.requests {
            true => bytes,
            false => Record::take(&mut bytes).expect("requests are whole records").bytes,
        };
        let plan = Plan::decode(&body);
        let thinking = self.thinking();
        let node = &mut self.nodes[index];
        let now = node.clock.local(self.now);
        let expired = deadline.is_some_and(|deadline| deadline <= now);
        self.history.execution(plan.token, expired);
        node.handlers.insert((serving.session.0, serving.call.0));
        let key = StreamKey::Served(serving);
        let fin = !streams.requests;
        let end = End { fin, ..end(key, streams, plan, thinking) };
        node.ends.insert(EndKey::of(key), end);
        if streams.replies {
            // What the handler says before its first message.
            let mut head = Vec::new();
            put_record_head(&mut head, RecordKind::Metadata, 0);
            node.endpoint.send(key, head.into(), false);
        }
        self.pump(index, EndKey::of(key));
    }

    /// One end sends as much as there is room for; a handler that is done ends the call.
    pub(super) fn pump(&mut self, index: usize, which: EndKey) {
        let Self { nodes, rng, storm, .. } = self;
        let node = &mut nodes[index];
        let Some(end) = node.ends.get_mut(&which).filter(|end| !end.closed) else {
            return;
        };
        let server = end.is_server();
        let Some(count) = end.to_send() else {
            // A handler with a single reply.
            if server && end.may_end() {
                end.closed = true;
                let reply = reply_body(end.plan.token, magnitude(rng, &storm.reply_bytes));
                let (StreamKey::Served(serving), endpoint) = (end.key, &mut node.endpoint) else {
                    return;
                };
                endpoint.reply(serving, CallBytes::message(reply));
                self.end_handler(index, which);
            }
            return;
        };
        while end.sent < count && 0 < node.endpoint.room(end.key) {
            let bytes = if server { &storm.reply_bytes } else { &storm.request_bytes };
            let body = item_body(end.plan.token, end.sent, server, magnitude(rng, bytes));
            let mut record = Vec::new();
            put_record_head(&mut record, RecordKind::Message, body.len());
            record.extend_from_slice(&body);
            end.sent += 1;
            // At times the end comes with the last message, and at times on its own.
            end.closed = !server && end.sent == count && rng.chance(0.5);
            node.endpoint.send(end.key, record.into(), end.closed);
        }
        if end.sent < count || end.closed || server && !end.may_end() {
            return;
        }
        let mut rest = Vec::new();
        if server && end.plan.fails {
            put_record(
                &mut rest,
                RecordKind::Status,
                &status_to_wire(&Status::aborted("as asked")),
            );
        }
        end.closed = true;
        node.endpoint.send(end.key, rest.into(), true);
        if server {
            self.end_handler(index, which);
        }
    }

    /// A record has come: it is checked at once, and read by and by.
    pub(super) fn on_record(&mut self, index: usize, stream: StreamKey, record: &Record) {
        let which = EndKey::of(stream);
        let Self { nodes, history, report, storm, .. } = self;
        let Some(end) = nodes[index].ends.get_mut(&which) else {
            return;
        };
        let (token, server) = (end.plan.token, end.is_server());
        match record.kind {
            RecordKind::Metadata => {}
            RecordKind::Message => {
                history.item(token, end.got, item_number(token, !server, &record.bytes));
                end.got += 1;
            }
            RecordKind::Status => end.status = Some(record.bytes.clone()),
        }
        end.unread.push_back(record.wire_len());
        let unread: usize = end.unread.iter().sum();
        let window = storm.config.stream_window_bytes.max(ALLOWANCE) + largest(storm) + SLACK;
        if window < unread {
            let found = format!("{unread} bytes of call {token} are unread, and {window} may be");
            report.faults_found.push(found);
        }
        if end.unread.len() == 1 {
            self.plan_take(index, which);
        }
    }

    /// A large record is about to come.
    pub(super) fn on_large(&mut self, index: usize, stream: StreamKey) {
        let node = &mut self.nodes[index];
        let Some(end) = node.ends.get_mut(&EndKey::of(stream)) else { return };
        end.large = !end.unread.is_empty();
        if !end.large {
            node.endpoint.set_awaited(stream);
        }
    }

    /// All requests of a call that is served have come.
    pub(super) fn on_fin(&mut self, index: usize, serving: Serving) {
        let which = EndKey::Served(serving.session.0, serving.call.0);
        if let Some(end) = self.nodes[index].ends.get_mut(&which) {
            end.fin = true;
            self.history.stream_ended(end.plan.token, end.got, end.plan.requests);
            self.pump(index, which);
        }
    }

    /// The user of one end reads a record.
    pub(super) fn take(&mut self, index: usize, life: u64, which: EndKey) {
        let node = &mut self.nodes[index];
        let Some(end) = node.ends.get_mut(&which).filter(|_| node.life == life) else {
            return;
        };
        if node.paused {
            let wait = Duration::from_millis(10);
            return self.after(wait, Happening::Take { node: index, life, which });
        }
        if let Some(bytes) = end.unread.pop_front() {
            node.endpoint.consumed(node.clock.local(self.now), end.key, bytes);
        }
        if !end.unread.is_empty() {
            self.plan_take(index, which);
        } else if std::mem::take(&mut end.large) {
            node.endpoint.set_awaited(end.key);
        }
        self.pump(index, which);
        self.turn(index);
    }

    /// A call made here has ended. Gives how its stream of replies has: with a status, if any;
    /// `None` if there was none, or it was lost.
    pub(super) fn end_stream(
        &mut self,
        index: usize,
        token: u64,
        well: bool,
    ) -> Option<Option<Status>> {
        let end = self.nodes[index].ends.remove(&EndKey::Made(token))?;
        if !end.streams.replies || !well {
            return None;
        }
        let status = end.status.and_then(|bytes| status_from_wire(bytes).ok());
        let refused = status.as_ref().is_some_and(|status| status.code() != Code::Aborted);
        if !refused {
            self.history.stream_ended(token, end.got, end.plan.replies);
        }
        Some(status)
    }

    /// The handler of a call that was dropped a while ago is not to run any more.
    pub(super) fn check_stopped(&mut self, token: u64) {
        let runs = |node: &&super::Node| node.ends.values().any(|end| end.plan.token == token);
        if let Some(node) = self.nodes.iter().find(runs) {
            let text = format!("{} still runs call {token}, which was dropped", node.addr);
            self.report.faults_found.push(text);
        }
    }

    fn end_handler(&mut self, index: usize, which: EndKey) {
        let node = &mut self.nodes[index];
        node.ends.remove(&which);
        if let EndKey::Served(session, call) = which {
            node.handlers.remove(&(session, call));
        }
    }

    fn plan_take(&mut self, node: usize, which: EndKey) {
        let life = self.nodes[node].life;
        let most = self.nodes[node].ends.get(&which).map_or(0, |end| end.thinking.as_nanos());
        let wait = Duration::from_nanos(self.rng.below(most as u64 + 1));
        self.after(wait, Happening::Take { node, life, which });
    }

    /// Half of all readers take their time.
    fn thinking(&mut self) -> Duration {
        if self.rng.chance(0.5) { self.storm.thinking } else { Duration::ZERO }
    }
}

const fn end(key: StreamKey, streams: Streams, plan: Plan, thinking: Duration) -> End {
    End {
        key,
        streams,
        plan,
        sent: 0,
        closed: false,
        got: 0,
        fin: false,
        thinking,
        unread: VecDeque::new(),
        large: false,
        status: None,
    }
}

/// Bytes of the largest message of a stream.
fn largest(storm: &super::Storm) -> usize {
    *storm.request_bytes.end().max(storm.reply_bytes.end())
}

/// A call without a deadline ends when its node does, at the latest.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// What may be sent before there is any credit.
const ALLOWANCE: usize = 32 << 10;

/// What stands in each message beside its filling, and before it; and the first and the last
/// record.
const SLACK: usize = 100;
