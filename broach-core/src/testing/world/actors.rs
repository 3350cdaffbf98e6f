//! What the nodes of a simulation do: their callers and their handlers.

use std::time::Duration;

use bytes::Bytes;

use super::payload::{is_reply_to, magnitude, read_request, reply_body, request_body};
use super::streams::EndKey;
use super::{Happening, World};
use crate::ids::{CallId, MethodId, SessionId};
use crate::proto::{Arrived, Call, CallBytes, Event, Failed, NewCall, Serving, Streams, Ticket};
use crate::wire::{Open, Record, RecordKind, status_from_wire};

impl World {
    /// A client makes a call.
    pub(super) fn make(&mut self, index: usize) {
        if self.nodes[index].paused {
            let life = self.nodes[index].life;
            self.after(Duration::from_millis(10), Happening::Make { node: index, life });
            return;
        }
        if self.storm.calls <= self.next_token {
            return;
        }
        let token = self.next_token;
        self.next_token += 1;
        let server = self.storm.clients + self.rng.below(self.storm.servers as u64) as usize;
        if 0.0 < self.storm.streaming && self.rng.chance(self.storm.streaming) {
            self.make_stream(index, server, token);
            return self.perhaps_drop(index, token);
        }
        let idempotent = self.rng.chance(self.storm.idempotent);
        let request = magnitude(&mut self.rng, &self.storm.request_bytes);
        let reply = magnitude(&mut self.rng, &self.storm.reply_bytes);
        let to = self.nodes[server].addr;
        self.history.call(token, idempotent, self.elapsed() + self.storm.deadline);
        let node = &mut self.nodes[index];
        let now = node.clock.local(self.now);
        let ticket = Ticket(token);
        let call = Call {
            ticket,
            method: MethodId(1),
            flags: if idempotent { Open::IDEMPOTENT } else { 0 },
            streams: Streams::default(),
            deadline: Some(now + self.storm.deadline),
            made_at: now,
            yields: false,
        };
        let call = NewCall { call, bytes: CallBytes::message(request_body(token, request, reply)) };
        match node.endpoint.open(now, to, call) {
            Ok(session) => {
                node.calls.insert(ticket, (token, session));
            }
            Err(Failed { status, .. }) => {
                self.history.failed(token, self.elapsed(), status.code(), status.outcome());
            }
        }
        self.perhaps_drop(index, token);
    }

    /// Some callers will not wait for the end of their call.
    fn perhaps_drop(&mut self, index: usize, token: u64) {
        if self.rng.chance(self.storm.dropped) {
            let (node, life) = (index, self.nodes[index].life);
            let wait = self.rng.below(self.storm.deadline.as_nanos() as u64 / 10);
            self.after(Duration::from_nanos(wait), Happening::Drop { node, life, token });
        }
        self.turn(index);
    }

    /// A caller drops its call.
    pub(super) fn give_up(&mut self, index: usize, token: u64) {
        let node = &mut self.nodes[index];
        let Some((_, session)) = node.calls.remove(&Ticket(token)) else {
            return;
        };
        let streamed = node.ends.remove(&EndKey::Made(token)).is_some();
        node.endpoint.cancel(session, Ticket(token));
        if streamed {
            self.after(STOP_MAX, Happening::Stopped { token });
        }
        self.history.dropped(token);
        self.next_call(index);
        self.turn(index);
    }

    /// A handler has done its work.
    pub(super) fn finish(&mut self, index: usize, life: u64, serving: (u64, u64), reply: Bytes) {
        let node = &mut self.nodes[index];
        if node.life != life || !node.handlers.remove(&serving) {
            return;
        }
        let (session, call) = serving;
        let serving = Serving { session: SessionId(session), call: CallId(call) };
        node.endpoint.reply(serving, CallBytes::message(reply));
        self.turn(index);
    }

    /// Takes in what has happened at a node.
    pub(super) fn act(&mut self, index: usize, event: Event) {
        match event {
            Event::Ended { ticket, result, .. } => {
                let Some((token, _)) = self.nodes[index].calls.remove(&ticket) else {
                    return;
                };
                let streamed = self.end_stream(index, token, result.is_ok());
                let failed = match (result, streamed) {
                    (Err(status), _) | (Ok(_), Some(Some(status))) => Some(status),
                    (Ok(_), Some(None)) => {
                        self.history.replied(token, self.elapsed(), true);
                        None
                    }
                    (Ok(mut bytes), None) => match Record::take(&mut bytes) {
                        Ok(Record { kind: RecordKind::Message, bytes }) => {
                            self.history.replied(token, self.elapsed(), is_reply_to(token, &bytes));
                            None
                        }
                        Ok(Record { bytes, .. }) => status_from_wire(bytes).ok(),
                        Err(_) => {
                            self.history.replied(token, self.elapsed(), false);
                            None
                        }
                    },
                };
                if let Some(status) = failed {
                    self.history.failed(token, self.elapsed(), status.code(), status.outcome());
                }
                self.next_call(index);
            }
            Event::Call(arrived) if arrived.streams.any() => self.serve_stream(index, arrived),
            Event::Call(arrived) => self.serve(index, arrived),
            Event::Records { stream, records } => {
                for record in Record::take_all(records) {
                    self.on_record(index, stream, &record);
                }
            }
            Event::Fin(serving) => self.on_fin(index, serving),
            Event::Large(stream) => self.on_large(index, stream),
            Event::Room(stream) => self.pump(index, EndKey::of(stream)),
            Event::Answered(_) | Event::Heard(_) => {}
            Event::Stop(serving) => {
                let serving = (serving.session.0, serving.call.0);
                self.nodes[index].handlers.remove(&serving);
                self.nodes[index].ends.remove(&EndKey::Served(serving.0, serving.1));
            }
        }
    }

    /// A server starts the handler of a call.
    fn serve(&mut self, index: usize, mut arrived: Arrived) {
        let node = &mut self.nodes[index];
        let now = node.clock.local(self.now);
        let body = Record::take(&mut arrived.bytes).expect("requests are whole records").bytes;
        let (token, reply) = read_request(&body);
        let expired = arrived.deadline.is_some_and(|deadline| deadline <= now);
        self.history.execution(token, expired);
        let serving = (arrived.serving.session.0, arrived.serving.call.0);
        node.handlers.insert(serving);
        let (life, reply) = (node.life, reply_body(token, reply));
        let service = Duration::from_nanos(self.rng.below(self.storm.service.as_nanos() as u64));
        self.after(service, Happening::Finish { node: index, life, serving, reply });
    }

    /// A client whose call has ended makes the next one.
    fn next_call(&mut self, node: usize) {
        let life = self.nodes[node].life;
        // Not at the very same moment, or a call that fails at once would stop the time.
        self.after(Duration::from_micros(10), Happening::Make { node, life });
    }
}

/// How long after a call was dropped its handler may still run: the other side is told again and
/// again, and calls itself dead after 10 s if it hears nothing.
const STOP_MAX: Duration = Duration::from_secs(15);
