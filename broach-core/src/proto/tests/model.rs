//! Streams over a network that loses, repeats and reorders, held against plain queues.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::pair::{End, Pair, Sent};
use crate::config::Transport;
use crate::deadline::Time;
use crate::ids::MethodId;
use crate::proto::budget::ALLOWANCE_MAX;
use crate::proto::{Call, CallBytes, Event, NewCall, Serving, StreamKey, Streams, Ticket};
use crate::rng::Rng;
use crate::wire::{Record, RecordKind, put_record_head};

/// What one side of a call does and sees.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Messages that were sent, by their numbers.
    sent: u64,
    /// All that will be sent has been.
    pub(super) closed: bool,
    /// Messages that have come.
    got: u64,
    /// The metadata has come.
    begun: bool,
    /// All that was sent has come.
    pub(super) fin: bool,
    /// Records that have come and have not been taken.
    pub(super) unread: VecDeque<usize>,
    unread_bytes: usize,
    /// A large record comes once the user waits for it.
    large: bool,
    /// The user waits for room.
    waits: bool,
}

#[derive(Debug)]
pub(super) struct Made {
    streams: Streams,
    key: StreamKey,
    pub(super) client: Half,
    /// Once it has arrived.
    pub(super) serving: Option<Serving>,
    pub(super) server: Half,
    /// How it has ended for the caller, which dropped it if there is nothing.
    pub(super) ended: Option<Option<bool>>,
    /// The handler has been stopped.
    pub(super) stopped: bool,
}

/// A pair of nodes with streams between them; see the [module](self).
pub(super) struct Model {
    pub(super) seed: u64,
    pub(super) rng: Rng,
    pub(super) pair: Pair,
    pub(super) flying: BTreeMap<(Time, u64), Sent>,
    pub(super) sequence: u64,
    /// Whether datagrams are lost, repeated and delayed.
    pub(super) faults: bool,
    window: usize,
    message_max: u64,
    pub(super) calls: Vec<Made>,
    /// Sides that were told of room and have none.
    without_room: Vec<(usize, bool)>,
    /// How many messages have come through, one way and the other.
    pub(super) delivered: u64,
}

/// The largest message that is sent.
const MESSAGE_MAX: u64 = 6_000;

impl Model {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let window = 1_000 + rng.below(40_000) as usize;
        let config = Transport {
            stream_window_bytes: window,
            stream_send_bytes: 1 + rng.below(30_000) as usize,
            ..Transport::default()
        };
        let message_max = 1 << rng.below(13);
        Self {
            seed,
            rng,
            pair: Pair::with(config.clone(), config),
            flying: BTreeMap::new(),
            sequence: 0,
            faults: true,
            window,
            message_max: message_max.min(MESSAGE_MAX),
            calls: Vec::new(),
            without_room: Vec::new(),
            delivered: 0,
        }
    }

    pub(super) fn end(&mut self, server: bool) -> &mut End {
        if server { &mut self.pair.server } else { &mut self.pair.client }
    }

    /// One message, which says where it belongs.
    fn message(&mut self, call: usize, server: bool, number: u64) -> Vec<u8> {
        let len = 17 + self.rng.below(self.message_max) as usize;
        let mut bytes = Vec::new();
        put_record_head(&mut bytes, RecordKind::Message, len);
        let start = bytes.len();
        bytes.extend_from_slice(&(call as u64).to_be_bytes());
        bytes.push(u8::from(server));
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.resize(start + len, number as u8);
        bytes
    }

    pub(super) fn open(&mut self) {
        let call = self.calls.len();
        let shapes = [(true, false), (false, true), (true, true)];
        let (requests, replies) = shapes[self.rng.below(3) as usize];
        let streams = Streams { requests, replies };
        let mut head = Vec::new();
        let mut client = Half::default();
        if requests {
            put_record_head(&mut head, RecordKind::Metadata, 8);
            head.extend_from_slice(&(call as u64).to_be_bytes());
            while self.rng.chance(0.3) {
                head.extend(self.message(call, false, client.sent));
                client.sent += 1;
            }
        } else {
            head = self.message(call, false, 0);
            (client.sent, client.closed) = (1, true);
        }
        let ticket = Ticket(call as u64);
        let call = Call {
            ticket,
            method: MethodId(1),
            flags: 0,
            streams,
            deadline: None,
            made_at: self.pair.now,
            yields: false,
        };
        let bytes = CallBytes::with_metadata(0, head, Bytes::new());
        let (now, to) = (self.pair.now, self.pair.server.addr);
        let opened = self.pair.client.endpoint.open(now, to, NewCall { call, bytes });
        let key = StreamKey::Made { session: opened.unwrap(), ticket };
        client.waits = requests && self.pair.client.endpoint.room(key) == 0;
        let server = Half::default();
        let made =
            Made { streams, key, client, serving: None, server, ended: None, stopped: false };
        self.calls.push(made);
    }

    /// Whether a side still sends in a call.
    fn sends(&self, call: usize, server: bool) -> bool {
        let made = &self.calls[call];
        match server {
            false => made.ended.is_none() && !made.client.closed,
            true => made.serving.is_some() && !made.stopped && !made.server.closed,
        }
    }

    fn key(&self, call: usize, server: bool) -> Option<StreamKey> {
        let made = &self.calls[call];
        if server { made.serving.map(StreamKey::Served) } else { Some(made.key) }
    }

    pub(super) fn half(&mut self, call: usize, server: bool) -> &mut Half {
        let made = &mut self.calls[call];
        if server { &mut made.server } else { &mut made.client }
    }

    /// A side sends a message, or ends what it sends.
    pub(super) fn send(&mut self, call: usize, server: bool, last: bool) {
        if !self.sends(call, server) {
            return;
        }
        let streams = self.calls[call].streams;
        let key = self.key(call, server).unwrap();
        if server && !streams.replies {
            // Once all requests have come.
            if last && self.calls[call].server.fin {
                let bytes = self.message(call, true, 0);
                let StreamKey::Served(serving) = key else { unreachable!() };
                let bytes = CallBytes::with_metadata(0, bytes, Bytes::new());
                self.pair.server.endpoint.reply(serving, bytes);
                let half = self.half(call, true);
                (half.sent, half.closed) = (1, true);
            }
            return;
        }
        let half = self.half(call, server);
        if half.waits && !last {
            return;
        }
        let mut bytes = Vec::new();
        let number = half.sent;
        if server && number == 0 {
            put_record_head(&mut bytes, RecordKind::Metadata, 0);
        }
        if !last || self.rng.chance(0.5) {
            bytes.extend(self.message(call, server, number));
            self.half(call, server).sent += 1;
        } else if server && number == 0 {
            // Nothing but metadata.
        }
        self.half(call, server).closed = last;
        let end = self.end(server);
        end.endpoint.send(key, bytes.into(), last);
        let waits = end.endpoint.room(key) == 0;
        self.half(call, server).waits = waits;
    }

    /// A side takes a record.
    pub(super) fn take(&mut self, call: usize, server: bool) {
        let now = self.pair.now;
        let Some(key) = self.key(call, server) else { return };
        let half = self.half(call, server);
        let Some(bytes) = half.unread.pop_front() else { return };
        half.unread_bytes -= bytes;
        let awaits = half.unread.is_empty() && std::mem::take(&mut half.large);
        let endpoint = &mut self.end(server).endpoint;
        endpoint.consumed(now, key, bytes);
        if awaits {
            endpoint.set_awaited(key);
        }
    }

    pub(super) fn cancel(&mut self, call: usize) {
        let made = &mut self.calls[call];
        let StreamKey::Made { session, ticket } = made.key else { unreachable!() };
        if made.ended.is_none() {
            made.ended = Some(None);
            self.pair.client.endpoint.cancel(session, ticket);
        }
    }

    /// What has happened at both ends.
    pub(super) fn act(&mut self) {
        for server in [false, true] {
            while let Some(event) = self.end(server).endpoint.poll_event() {
                self.on_event(server, event);
            }
        }
        for (call, server) in std::mem::take(&mut self.without_room) {
            assert!(!self.sends(call, server), "seed {}: there is no room", self.seed);
        }
    }

    fn on_event(&mut self, server: bool, event: Event) {
        let seed = self.seed;
        match event {
            Event::Call(arrived) => {
                let mut bytes = arrived.bytes;
                let said = match arrived.streams.requests {
                    true => bytes.clone(),
                    false => Record::take(&mut bytes.clone()).unwrap().bytes,
                };
                // Calls are numbered as they are begun, which may be in another order.
                let call = u64::from_be_bytes(said[..8].try_into().unwrap()) as usize;
                let made = &mut self.calls[call];
                assert!(made.serving.is_none(), "seed {seed}: started twice");
                assert_eq!(made.streams, arrived.streams, "seed {seed}");
                made.serving = Some(arrived.serving);
                made.server.begun = true;
                if made.streams.requests {
                    assert_eq!(bytes.len(), 8, "seed {seed}");
                } else {
                    let record = Record::take(&mut bytes).unwrap();
                    self.check_message(call, false, 0, &record);
                    self.half(call, true).fin = true;
                }
            }
            Event::Records { stream, records } => {
                Record::take_all(records).for_each(|one| self.on_record(server, stream, &one));
            }
            Event::Fin(serving) => {
                let call = self.served(serving);
                let made = &mut self.calls[call];
                assert!(!made.server.fin && made.client.closed, "seed {seed}");
                assert_eq!(made.server.got, made.client.sent, "seed {seed}");
                made.server.fin = true;
            }
            Event::Large(key) => {
                let call = self.of_key(key);
                let half = self.half(call, server);
                half.large = !half.unread.is_empty();
                if !half.large {
                    self.end(server).endpoint.set_awaited(key);
                }
            }
            Event::Room(key) => {
                let call = self.of_key(key);
                // Unless the call has ended with the same datagram.
                let room = self.end(server).endpoint.room(key);
                self.without_room.extend((room == 0).then_some((call, server)));
                let half = self.half(call, server);
                assert!(half.waits, "seed {seed}: there was room all the time");
                half.waits = false;
            }
            Event::Ended { ticket, result, .. } => {
                let call = ticket.0 as usize;
                assert!(self.calls[call].ended.is_none(), "seed {seed}: ended twice");
                self.calls[call].ended = Some(Some(result.is_ok()));
                let Ok(mut bytes) = result else { return };
                let made = &self.calls[call];
                assert!(made.server.closed, "seed {seed}");
                if made.streams.replies {
                    assert_eq!(made.client.got, made.server.sent, "seed {seed}");
                } else {
                    let record = Record::take(&mut bytes).unwrap();
                    self.check_message(call, true, 0, &record);
                }
            }
            Event::Stop(serving) => {
                let call = self.served(serving);
                let made = &mut self.calls[call];
                assert!(made.ended.is_some(), "seed {seed}: stopped for nothing");
                assert!(!made.stopped && !made.server.closed, "seed {seed}");
                made.stopped = true;
            }
            Event::Answered(_) | Event::Heard(_) => {}
        }
    }

    fn of_key(&self, key: StreamKey) -> usize {
        match key {
            StreamKey::Made { ticket, .. } => ticket.0 as usize,
            StreamKey::Served(serving) => self.served(serving),
        }
    }

    fn served(&self, serving: Serving) -> usize {
        let is = |made: &Made| made.serving == Some(serving);
        self.calls.iter().position(is).expect("the call is served")
    }

    fn on_record(&mut self, server: bool, key: StreamKey, record: &Record) {
        let seed = self.seed;
        let call = self.of_key(key);
        if !server {
            assert!(self.calls[call].ended.is_none(), "seed {seed}: a record after the end");
        }
        let most = self.window.max(ALLOWANCE_MAX as usize) + MESSAGE_MAX as usize + 30;
        let half = self.half(call, server);
        half.unread.push_back(record.wire_len());
        half.unread_bytes += record.wire_len();
        assert!(half.unread_bytes <= most, "seed {seed}: {}", half.unread_bytes);
        match record.kind {
            RecordKind::Metadata => {
                assert!(!half.begun && !server, "seed {seed}");
                half.begun = true;
            }
            RecordKind::Message => {
                assert!(half.begun && !half.fin, "seed {seed}");
                let number = half.got;
                half.got += 1;
                self.check_message(call, !server, number, record);
            }
            RecordKind::Status => panic!("seed {seed}: nobody sent a status"),
        }
    }

    fn check_message(&mut self, call: usize, server: bool, number: u64, record: &Record) {
        let (call, side) = ((call as u64).to_be_bytes(), [u8::from(server)]);
        let expected = [&call[..], &side, &number.to_be_bytes()].concat();
        assert_eq!(record.bytes[..17], expected, "seed {}: {record:?}", self.seed);
        assert!(record.bytes[17..].iter().all(|&byte| byte == number as u8));
        self.delivered += 1;
    }
}
