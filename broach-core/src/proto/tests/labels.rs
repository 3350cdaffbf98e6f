//! What the end of a session says of its calls, when nodes forget, have no room, or were replaced.

use std::time::Duration;

use bytes::Bytes;

use super::pair::{DATA, INIT, MS, Pair, Sent, addr};
use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::ids::{CallId, ClusterHash, Instance, MethodId, PacketNumber, SessionId};
use crate::observe::DropReason;
use crate::proto::Ticket;
use crate::wire::{Header, Init, Kind, Open, Piece, Writer, schema, stateless};

/// A server that soon gives up on callers that are not heard of.
fn impatient() -> Transport {
    let idle_client = Duration::from_millis(500);
    let idle_server = Duration::from_secs(2);
    let dead_after = Duration::from_secs(60);
    Transport { idle_client, idle_server, dead_after, ..Transport::default() }
}

/// A call that the server is at work on when it gives up on the caller, in a session that is open
/// or that the caller is opening with a token.
fn abandoned(config: Transport, opening: bool) -> (Pair, Ticket) {
    let mut pair = Pair::with(impatient(), config);
    // Both have been there for so long that the time since then says nothing.
    pair.advance(Duration::from_secs(100));
    pair.call(1);
    pair.advance(if opening { 5_000 } else { 100 } * MS);
    assert_eq!(pair.client.counters().sessions_open(), u64::from(!opening));
    pair.echoes = false;
    let started = pair.server.started;
    let call = pair.make(10, 0, Duration::from_secs(60));
    // Nothing says that it has arrived, not even the server's part of the opening.
    let server = pair.server.addr;
    pair.lose = Box::new(move |sent| sent.from == server);
    pair.advance(MS);
    assert_eq!(pair.server.started, started + 1);
    pair.lose = Box::new(|_| true);
    pair.advance(Duration::from_secs(5));
    assert_eq!(pair.server.counters().sessions_open(), 0, "it has given up on the caller");
    assert_eq!(pair.client.counters().sessions_open(), 1);
    pair.lose = Box::new(|_| false);
    (pair, call)
}

/// The datagram with which somebody else opens a session.
fn init(number: u64, write: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let header =
        Header { kind: Kind::Init, ack_now: false, to: SessionId(0), number: PacketNumber(number) };
    let (from, instance) = (SessionId(0x7700), Instance(0x77));
    let init = Init { from, instance, meant: None, cluster: ClusterHash(1), token: None };
    let mut buffer = Vec::new();
    let mut writer = Writer::begin(&mut buffer, 1_200, header, Some(&init));
    write(&mut writer);
    writer.finish_padded(crate::config::BASE_DATAGRAM_BYTES);
    buffer.into()
}

/// Somebody else opens a session with the server.
fn somebody_comes(pair: &mut Pair) {
    let bytes = init(0, |writer| {
        writer.ping();
    });
    pair.server.receive(pair.now, addr("10.9.9.9:9"), bytes);
    drop(pair.server.transmit(pair.now));
}

/// How the call ends once datagrams get through again.
fn end(pair: &mut Pair, call: Ticket) -> (Code, Outcome) {
    pair.advance(Duration::from_secs(1));
    pair.failed(call)
}

#[test]
fn a_call_of_a_session_that_has_ended_may_have_run() {
    let (mut pair, call) = abandoned(impatient(), false);
    assert_eq!(end(&mut pair, call), (Code::Unavailable, Outcome::Unknown));
}

#[test]
fn so_may_one_of_a_session_that_the_caller_is_still_opening() {
    let (mut pair, call) = abandoned(impatient(), true);
    assert_eq!(end(&mut pair, call), (Code::Unavailable, Outcome::Unknown));
}

#[test]
fn so_may_one_of_a_session_that_is_forgotten() {
    for opening in [false, true] {
        let (mut pair, call) = abandoned(Transport { closed_max: 1, ..impatient() }, opening);
        // The next session that ends takes the place of the first in the server's memory.
        pair.lose = Box::new(|_| true);
        somebody_comes(&mut pair);
        pair.advance(Duration::from_secs(5));
        assert_eq!(pair.server.counters().sessions_open(), 0);
        pair.lose = Box::new(|_| false);
        assert_eq!(end(&mut pair, call), (Code::Unavailable, Outcome::Unknown), "{opening}");
    }
}

#[test]
fn a_call_for_which_there_was_no_room_never_runs() {
    let mut pair = Pair::with(impatient(), Transport { sessions_max: 1, ..impatient() });
    pair.call(1);
    pair.advance(Duration::from_secs(5));
    somebody_comes(&mut pair);
    let (now, started) = (pair.now, pair.server.started);
    let refused = pair.call(10);
    let copies: Vec<Sent> = pair.client.transmit(now);
    assert_eq!(copies[0].kind(), INIT);
    pair.server.receive(now, copies[0].from, copies[0].bytes.clone());
    pair.drive();
    assert_eq!(pair.failed(refused), (Code::Unavailable, Outcome::NotExecuted));
    // Another copy comes when there is room.
    pair.advance(Duration::from_secs(5));
    assert_eq!(pair.server.counters().sessions_open(), 0);
    for copy in copies {
        pair.server.receive(pair.now, copy.from, copy.bytes);
    }
    pair.drive();
    assert_eq!(pair.server.started, started);
    let good = pair.call(10);
    pair.advance(100 * MS);
    assert!(pair.is_answered(good));
}

#[test]
fn a_node_of_another_version_says_nothing_of_the_life_before() {
    let mut pair = Pair::with(impatient(), impatient());
    pair.call(1);
    pair.advance(Duration::from_secs(5));
    let started = pair.server.started;
    let (now, server) = (pair.now, pair.server.addr);
    let call = pair.call(10);
    let first = pair.client.transmit(now).remove(0);
    pair.server.receive(now, first.from, first.bytes.clone());
    pair.server.act_once();
    drop(pair.server.transmit(now));
    assert_eq!(pair.server.started, started + 1);
    // The node is replaced by one of another version before its answer has got through.
    let from = u64::from_be_bytes(first.bytes[20..28].try_into().unwrap());
    let versions = schema::Versions { versions: vec![2] };
    let bytes = stateless(Kind::Versions, SessionId(from), PacketNumber(0), &versions);
    pair.client.receive(now, server, bytes.into());
    pair.lose = Box::new(|_| true);
    pair.drive();
    assert_eq!(pair.failed(call), (Code::FailedPrecondition, Outcome::Unknown));
}

#[test]
fn an_unfinished_request_goes_with_its_caller() {
    let mut pair = Pair::with(impatient(), impatient());
    pair.call(1);
    pair.advance(100 * MS);
    // The beginning of a large request never comes, and then the caller is gone.
    let mut count = 0;
    pair.lose = Box::new(move |_| {
        count += 1;
        count == 1 || 10 < count
    });
    pair.call(300_000);
    pair.advance(Duration::from_secs(1));
    assert_ne!(pair.server.endpoint.bytes_held().0, 0);
    pair.lose = Box::new(|_| true);
    pair.advance(Duration::from_secs(20));
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
    assert_eq!(pair.server.counters().sessions_open(), 0);
    assert!(pair.server.endpoint.has_served_all());
}

#[test]
fn what_is_kept_for_a_caller_that_acknowledges_nothing_is_bounded() {
    let mut pair = Pair::with(
        Transport::default(),
        Transport { calls_per_session_max: 4, ..Transport::default() },
    );
    pair.call(1);
    pair.advance(100 * MS);
    let last = pair.sent.iter().rfind(|sent| sent.to == pair.server.addr && sent.kind() == DATA);
    let to = u64::from_be_bytes(last.unwrap().bytes[4..12].try_into().unwrap());
    let to = SessionId(to);
    let from = pair.client.addr;
    let flags = Open::IDEMPOTENT;
    let open = Open { method: MethodId(1), timeout_us: 0, flags };
    pair.echoes = false;
    let mut most = 0;
    for number in 0..20_000_u64 {
        let kind = Kind::Data;
        let number = PacketNumber(100 + number);
        let header = Header { kind, ack_now: false, to, number };
        let mut buffer = Vec::new();
        let mut writer = Writer::begin(&mut buffer, 1_200, header, None);
        let call = CallId(number.0);
        let piece = Piece { call, open: Some(open), offset: 0, fin: true, size: 0 };
        writer.request(&piece, 1, |buffer| buffer.push(7));
        writer.finish();
        pair.server.receive(pair.now, from, buffer.into());
        pair.server.act_once();
        drop(pair.server.transmit(pair.now));
        pair.now = pair.now + MS;
        pair.server.endpoint.handle_timeout(pair.now);
        most = most.max(pair.server.endpoint.bytes_held().1);
    }
    assert!(most < 1 << 20, "{most}");
    // And such a caller does not keep its session for ever.
    assert_eq!(pair.server.counters().sessions_open(), 0);
}

#[test]
fn small_inits_and_mere_goodbyes_open_no_session() {
    let mut pair = Pair::new();
    let goodbye = init(0, |writer| {
        writer.close(&schema::Close::default());
    });
    pair.server.receive(pair.now, addr("10.9.9.9:9"), goodbye);
    let header =
        Header { kind: Kind::Init, ack_now: false, to: SessionId(0), number: PacketNumber(0) };
    let (from, instance) = (SessionId(0x7700), Instance(0x77));
    let init = Init { from, instance, meant: None, cluster: ClusterHash(1), token: None };
    let mut buffer = Vec::new();
    let mut writer = Writer::begin(&mut buffer, 1_200, header, Some(&init));
    writer.ping();
    writer.finish();
    pair.server.receive(pair.now, addr("10.9.9.9:9"), buffer.into());
    assert_eq!(pair.server.counters().sessions_opened, 0);
    let dropped = pair.server.counters().datagrams_dropped;
    assert_eq!((dropped[&DropReason::Stray], dropped[&DropReason::Truncated]), (1, 1));
}
