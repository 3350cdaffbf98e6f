//! Streams, step by step: how they begin, end, and wait for each other.

use std::time::Duration;

use bytes::Bytes;

use super::pair::{MS, Pair};
use super::records::{message, metadata, record};
use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::proto::{CallBytes, Failed, StreamKey, Streams, Ticket};
use crate::status::Status;
use crate::wire::{RecordKind, status_from_wire, status_to_wire};

const REQUESTS: Streams = Streams { requests: true, replies: false };
pub(super) const REPLIES: Streams = Streams { requests: false, replies: true };
pub(super) const BOTH: Streams = Streams { requests: true, replies: true };

/// A pair with an open session, whose server answers nothing by itself.
fn open_with(config: Transport) -> Pair {
    let mut pair = Pair::with(config.clone(), config);
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    pair.sent.clear();
    pair
}

pub(super) fn open() -> Pair {
    open_with(Transport::default())
}

pub(super) fn ticket(key: StreamKey) -> Ticket {
    match key {
        StreamKey::Made { ticket, .. } => ticket,
        StreamKey::Served(_) => panic!("the call is made elsewhere"),
    }
}

pub(super) fn kinds(pair: &mut Pair, key: StreamKey) -> Vec<RecordKind> {
    let now = pair.now;
    let records = match key {
        StreamKey::Made { .. } => pair.client.take_records(now, key),
        StreamKey::Served(_) => pair.server.take_records(now, key),
    };
    records.into_iter().map(|record| record.kind).collect()
}

#[test]
fn a_stream_may_have_nothing_in_it() {
    let mut pair = open();
    let made = pair.stream(BOTH, metadata());
    pair.client.endpoint.send(made, Bytes::new(), true);
    pair.drive();
    assert_eq!(pair.server.fins.len(), 1);
    let served = pair.served();
    pair.server.endpoint.send(served, metadata().into(), true);
    pair.drive();
    assert_eq!(pair.ended(ticket(made)).as_ref().unwrap(), "");
    assert_eq!(kinds(&mut pair, made), [RecordKind::Metadata]);
    assert_eq!(kinds(&mut pair, served), []);
    pair.advance(100 * MS);
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
    assert_eq!(pair.client.endpoint.bytes_held(), (0, 0));
}

#[test]
fn replies_to_one_request_come_one_by_one() {
    let mut pair = open();
    let made = pair.stream(REPLIES, message(10));
    pair.drive();
    assert_eq!(pair.server.arrived[0].bytes, message(10));
    assert_eq!(pair.server.arrived[0].streams, REPLIES);
    let served = pair.served();
    for bytes in [metadata(), message(5), message(0)] {
        pair.server.endpoint.send(served, bytes.into(), false);
        pair.drive();
        assert_eq!(pair.client.records.len(), 1);
        kinds(&mut pair, made);
    }
    pair.server.endpoint.send(served, Bytes::new(), true);
    pair.drive();
    assert!(pair.ended(ticket(made)).is_ok());
    assert_eq!(pair.server.stopped, []);
}

#[test]
fn one_reply_to_many_requests_ends_the_call() {
    let mut pair = open();
    let made = pair.stream(REQUESTS, metadata());
    pair.drive();
    let arrived = pair.server.arrived.remove(0);
    pair.client.endpoint.send(made, [message(3), message(4)].concat().into(), true);
    pair.drive();
    assert_eq!(kinds(&mut pair, StreamKey::Served(arrived.serving)).len(), 2);
    assert_eq!(pair.server.fins, [arrived.serving]);
    let reply = CallBytes::message(Bytes::from_static(b"all of them"));
    pair.server.endpoint.reply(arrived.serving, reply);
    pair.drive();
    assert_eq!(pair.ended(ticket(made)).as_ref().unwrap(), "all of them");
}

#[test]
fn replies_may_end_before_the_requests_do() {
    let mut pair = open();
    let made = pair.stream(BOTH, metadata());
    pair.drive();
    let served = pair.served();
    // More than may be sent before anybody reads.
    pair.client.endpoint.send(made, message(400_000).into(), false);
    pair.server.endpoint.send(served, metadata().into(), true);
    pair.drive();
    assert!(pair.ended(ticket(made)).is_ok());
    assert_eq!(pair.client.endpoint.room(made), 0);
    pair.client.endpoint.send(made, message(1).into(), true);
    pair.advance(1_000 * MS);
    assert_eq!((pair.server.stopped.len(), pair.server.fins.len()), (0, 0));
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
    let next = pair.call(10);
    pair.echoes = true;
    pair.advance(10 * MS);
    assert!(pair.is_answered(next));
}

#[test]
fn a_status_ends_replies_and_a_refusal_is_a_status_alone() {
    let mut pair = open();
    let status = Status::not_found("nowhere");
    let ending =
        record(RecordKind::Status, &prost::Message::encode_to_vec(&status_to_wire(&status)));
    let made = [pair.stream(BOTH, metadata()), pair.stream(REPLIES, message(1))];
    pair.drive();
    // What begins with a small message is sent before what is a stream.
    let refused = pair.server.arrived.remove(0).serving;
    let served = pair.served();
    pair.server.endpoint.send(served, [metadata(), message(1), ending].concat().into(), true);
    pair.server.endpoint.reply(refused, CallBytes::status(&status));
    pair.drive();
    let last = pair.client.records.iter().rfind(|(key, _)| *key == made[0]).unwrap();
    let read = status_from_wire(last.1.bytes.clone()).unwrap();
    assert_eq!((read.code(), read.message()), (Code::NotFound, "nowhere"));
    use RecordKind::{Message, Metadata, Status as Failed};
    assert_eq!(kinds(&mut pair, made[0]), [Metadata, Message, Failed]);
    assert_eq!(kinds(&mut pair, made[1]), [Failed]);
    for key in made {
        assert!(pair.ended(ticket(key)).is_ok(), "what it was stands in its records");
    }
}

#[test]
fn a_reply_given_as_a_whole_ends_replies_that_have_begun() {
    for streams in [REPLIES, BOTH] {
        let mut pair = open();
        let first = if streams == BOTH { metadata() } else { message(1) };
        let made = pair.stream(streams, first);
        pair.drive();
        let served = pair.served();
        let StreamKey::Served(serving) = served else { panic!("it is served here") };
        pair.server.endpoint.send(served, [metadata(), message(1)].concat().into(), false);
        let reply = CallBytes::status(&Status::aborted("no more"));
        pair.server.endpoint.reply(serving, reply.clone());
        // Whatever comes later comes too late.
        pair.server.endpoint.reply(serving, reply);
        pair.server.endpoint.send(served, message(1).into(), true);
        pair.drive();
        use RecordKind::{Message, Metadata, Status as Failed};
        assert_eq!(kinds(&mut pair, made), [Metadata, Message, Failed]);
        assert!(pair.ended(ticket(made)).is_ok());
        pair.advance(100 * MS);
        assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
    }
}

#[test]
fn who_does_not_read_keeps_the_writer_waiting() {
    let config = Transport::default();
    let most = config.stream_window_bytes + config.stream_send_bytes;
    let mut pair = open();
    let made = pair.stream(BOTH, metadata());
    pair.drive();
    let served = pair.served();
    // As long as it is read, the window becomes wider.
    let mut sent = 0;
    while sent < 4 << 20 {
        pair.client.endpoint.send(made, message(10_000).into(), false);
        sent += 10_000;
        pair.drive();
        kinds(&mut pair, served);
    }
    // Then nobody reads.
    let mut unread = 0;
    while 0 < pair.client.endpoint.room(made) {
        pair.client.endpoint.send(made, message(10_000).into(), false);
        unread += 10_000;
        pair.drive();
    }
    assert!((most * 3 / 4..=most + 20_000).contains(&unread), "{unread}");
    pair.advance(Duration::from_secs(60));
    assert!(pair.client.ended.len() == 1 && pair.client.rooms.is_empty(), "nothing is wrong");
    assert_eq!(pair.client.counters().probes_sent, 0);
    let held = pair.server.endpoint.bytes_held().0;
    let beyond = held - config.stream_window_bytes;
    assert!(beyond <= 10_003, "no more than that is set aside, and one message: {beyond}");
    kinds(&mut pair, served);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.client.rooms, [made]);
    pair.client.endpoint.send(made, Bytes::new(), true);
    pair.advance(Duration::from_secs(1));
    let messages = kinds(&mut pair, served).len();
    pair.advance(Duration::from_secs(1));
    assert!(messages != 0 && pair.server.fins.len() == 1);
}

#[test]
fn an_idle_stream_takes_up_little_and_a_busy_one_more() {
    let mut pair = open();
    // As many as may be.
    let keys: Vec<_> = (0..1_024).map(|_| pair.stream(BOTH, metadata())).collect();
    pair.advance(100 * MS);
    assert_eq!(pair.server.endpoint.bytes_held().0, 1_024 * (32 << 10));
    for key in keys {
        pair.cancel(ticket(key));
    }
    pair.drive();
    assert_eq!(pair.server.stopped.len(), 1_024);
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
}

#[test]
fn a_cancelled_stream_stops_its_handler_at_any_time() {
    let mut pair = open();
    for replies in [false, true] {
        let made = pair.stream(BOTH, metadata());
        pair.drive();
        let served = pair.served();
        if replies {
            pair.server.endpoint.send(served, [metadata(), message(10)].concat().into(), false);
            pair.drive();
        }
        pair.client.endpoint.send(made, message(10).into(), true);
        pair.drive();
        pair.cancel(ticket(made));
        pair.drive();
        assert_eq!(pair.server.stopped.pop().map(StreamKey::Served), Some(served));
        assert_eq!(pair.server.endpoint.room(served), 0);
        pair.server.endpoint.send(served, message(10).into(), true);
        pair.advance(1_000 * MS);
        assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
    }
}

#[test]
fn messages_of_every_size_get_through() {
    let config = Transport { message_bytes_max: 200_000, ..Transport::default() };
    let mut pair = open_with(config);
    let sizes = [0, 1, 1_160, 1_199, 1_200, 1_201, 65_535, 65_536, 65_537, 199_999, 200_000];
    let made = pair.stream(BOTH, metadata());
    pair.drive();
    let served = pair.served();
    pair.server.endpoint.send(served, metadata().into(), false);
    for size in sizes {
        pair.client.endpoint.send(made, message(size).into(), false);
        pair.server.endpoint.send(served, message(size).into(), false);
        pair.drive();
        let now = pair.now;
        let there = pair.server.take_records(now, served);
        assert_eq!(there.last().unwrap().bytes.len(), size);
        let back = pair.client.take_records(now, made);
        assert_eq!(back.last().unwrap().bytes.len(), size);
        assert!(back.last().unwrap().bytes.iter().all(|&byte| byte == 7));
    }
    let unary = sizes.map(|size| pair.call(size));
    pair.echoes = true;
    pair.drive();
    for (call, size) in unary.into_iter().zip(sizes) {
        assert_eq!(pair.ended(call).as_ref().unwrap().len(), size);
    }
}

#[test]
fn a_message_that_is_too_large_ends_the_call_where_it_is_sent() {
    let config = Transport { message_bytes_max: 1_000, ..Transport::default() };
    let mut pair = open_with(config);
    // Before anything of the call has gone out.
    let made = pair.stream(BOTH, metadata());
    pair.client.endpoint.send(made, message(1_001).into(), false);
    pair.client.act_once();
    let exhausted = Code::ResourceExhausted;
    assert_eq!(pair.failed(ticket(made)), (exhausted, Outcome::NotExecuted));
    pair.drive();
    assert_eq!(pair.server.started, 1, "it never gets there");
    let records = [metadata(), message(3), message(1_001)].concat();
    let failed = pair.try_stream(BOTH, records, None).unwrap_err();
    let Failed { status, bytes, .. } = failed;
    assert_eq!((status.code(), status.outcome()), (exhausted, Outcome::NotExecuted));
    assert!(0 < bytes.len(), "they may go elsewhere");
    // Later.
    let made = pair.stream(BOTH, metadata());
    pair.drive();
    pair.client.endpoint.send(made, message(1_001).into(), true);
    pair.drive();
    assert_eq!(pair.failed(ticket(made)), (exhausted, Outcome::Unknown));
    assert_eq!(pair.server.stopped.len(), 1);
    // Of a reply.
    let made = pair.stream(REPLIES, message(1));
    pair.drive();
    pair.server.arrived.clear();
    pair.server.stopped.clear();
    let made_later = pair.stream(REPLIES, message(1));
    pair.drive();
    let served = pair.served();
    let records = [metadata(), message(1_001), message(1)].concat();
    pair.server.endpoint.send(served, records.into(), false);
    pair.drive();
    assert_eq!(pair.server.stopped.len(), 1);
    let read = status_from_wire(pair.client.records[0].1.bytes.clone()).unwrap();
    assert_eq!((read.code(), read.outcome()), (exhausted, Outcome::Executed));
    assert!(read.message().contains("transport.message_bytes_max"), "{read}");
    assert!(pair.ended(ticket(made_later)).is_ok());
    assert!(!pair.client.ended.contains_key(&ticket(made)));
}

#[test]
fn a_message_that_is_too_large_is_refused_where_it_comes_by_its_head() {
    let small = Transport { message_bytes_max: 1_000, ..Transport::default() };
    // The first call of a session: the limit is not known yet.
    let mut pair = Pair::with(Transport::default(), small);
    pair.echoes = false;
    let made = pair.stream(BOTH, [metadata(), message(30_000)].concat());
    pair.drive();
    let records = &pair.client.records;
    let read = status_from_wire(records[0].1.bytes.clone()).unwrap();
    assert_eq!((read.code(), read.outcome()), (Code::ResourceExhausted, Outcome::NotExecuted));
    assert!(read.message().contains("transport.message_bytes_max"), "{read}");
    assert!(pair.ended(ticket(made)).is_ok());
    let said: usize = pair.sent.iter().map(|sent| sent.bytes.len()).sum();
    assert!(said < 45_000, "{said}");
    assert_eq!(pair.server.endpoint.bytes_held().0, 0);
}

#[test]
fn a_deadline_ends_a_stream_on_both_sides() {
    let mut pair = open();
    let deadline = pair.now + 500 * MS;
    let made = pair.try_stream(BOTH, metadata(), Some(deadline)).unwrap();
    pair.drive();
    let served = pair.served();
    pair.server.endpoint.send(served, metadata().into(), false);
    pair.advance(501 * MS);
    assert_eq!(pair.failed(ticket(made)).0, Code::DeadlineExceeded);
    assert_eq!(pair.server.stopped.len(), 1);
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
}

#[test]
fn an_idle_stream_lives_as_long_as_both_nodes_do() {
    let mut pair = open();
    let made = pair.stream(BOTH, metadata());
    pair.drive();
    let served = pair.served();
    pair.advance(Duration::from_secs(600));
    pair.server.endpoint.send(served, metadata().into(), false);
    pair.drive();
    assert_eq!(kinds(&mut pair, made), [RecordKind::Metadata]);
    pair.lose = Box::new(|_| true);
    pair.advance(Duration::from_secs(9));
    assert!(pair.server.stopped.is_empty() && pair.client.ended.len() == 1);
    pair.advance(Duration::from_secs(3));
    assert_eq!(pair.server.stopped.len(), 1, "without a word of the caller for ten seconds");
    assert_eq!(pair.failed(ticket(made)), (Code::Unavailable, Outcome::Unknown));
}
