//! Those who do not keep to the credit that they have, or claim what they do not send.

use std::time::Duration;

use bytes::Bytes;

use super::credit::{open_with, tight};
use super::pair::{MS, Pair};
use super::records::metadata;
use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::ids::{CallId, MethodId, PacketNumber, SessionId};
use crate::observe::CloseReason;
use crate::wire::{Header, Kind, Open, Piece, RecordKind, Writer, put_record_head};

/// The caller's session, as the server knows it.
pub(super) fn session(pair: &Pair) -> SessionId {
    let last = pair.sent.iter().rfind(|sent| sent.to == pair.server.addr).unwrap();
    SessionId(u64::from_be_bytes(last.bytes[4..12].try_into().unwrap()))
}

/// A datagram of the session that the client did not send.
pub(super) fn forge(to: SessionId, number: u64, write: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let mut buffer = Vec::new();
    let header = Header { kind: Kind::Data, ack_now: false, to, number: PacketNumber(number) };
    let mut writer = Writer::begin(&mut buffer, 60_000, header, None);
    write(&mut writer);
    writer.finish();
    buffer.into()
}

pub(super) fn piece(call: u64, flags: u32, offset: u64, size: u64) -> Piece {
    let open = Open { method: MethodId(1), timeout_us: 0, flags };
    let open = (offset == 0).then_some(open);
    Piece { call: CallId(call), open, offset, fin: false, size }
}

pub(super) fn write_piece(writer: &mut Writer<'_>, piece: &Piece, data: &[u8]) {
    writer.request(piece, data.len(), |buffer| buffer.extend_from_slice(data));
}

/// The server gets a forged datagram.
pub(super) fn receive(pair: &mut Pair, bytes: Bytes) {
    let (now, from) = (pair.now, pair.client.addr);
    pair.server.receive(now, from, bytes);
    pair.server.endpoint.check_accounts();
}

#[test]
fn who_sends_more_than_allowed_is_shut_out() {
    for flags in [0, Open::STREAMS_REQUESTS] {
        let mut pair = open_with(&Transport::default());
        pair.call(1);
        pair.drive();
        let to = session(&pair);
        let head = if flags == 0 { vec![0; 100] } else { metadata() };
        let begun =
            forge(to, 1_000, |writer| write_piece(writer, &piece(50, flags, 0, 1 << 20), &head));
        receive(&mut pair, begun);
        let within = piece(50, flags, (32 << 10) - 100, 0);
        receive(&mut pair, forge(to, 1_001, |writer| write_piece(writer, &within, &[0; 100])));
        assert_eq!(pair.server.counters().sessions_open(), 1);
        // It may have been given credit by now, if there was time to give any.
        let beyond = piece(51, flags, (32 << 10) - 99, 0);
        let open = piece(51, flags, 0, 1 << 20);
        receive(&mut pair, forge(to, 1_002, |writer| write_piece(writer, &open, &head)));
        receive(&mut pair, forge(to, 1_003, |writer| write_piece(writer, &beyond, &[0; 100])));
        pair.drive();
        assert_eq!(pair.server.counters().sessions_closed[&CloseReason::Protocol], 1);
        assert_eq!(pair.server.endpoint.bytes_held().0, 0);
    }
}

#[test]
fn credit_for_nothing_does_no_harm() {
    let mut pair = open_with(&Transport::default());
    let to = session_after_call(&mut pair);
    for (number, call) in (1_000..).zip([0, 1, 5, u64::MAX]) {
        let bytes = forge(to, number, |writer| {
            assert!(writer.credit(CallId(call), u64::MAX));
            assert!(writer.allowance(u64::MAX, u64::MAX));
        });
        receive(&mut pair, bytes);
    }
    assert_eq!(pair.server.counters().sessions_open(), 1);
}

#[test]
fn who_replies_with_more_than_it_has_credit_for_is_shut_out() {
    let mut pair = open_with(&Transport::default());
    pair.echoes = false;
    let call = pair.call(1);
    pair.advance(10 * MS);
    let id = pair.server.arrived[0].serving.call;
    let last = pair.sent.iter().rfind(|sent| sent.to == pair.client.addr).unwrap();
    let to = SessionId(u64::from_be_bytes(last.bytes[4..12].try_into().unwrap()));
    let beyond = Piece { call: id, open: None, offset: 32 << 10, fin: false, size: 0 };
    let bytes = forge(to, 1_000, |writer| {
        writer.reply(&beyond, 1, |buffer| buffer.push(0));
    });
    let (now, from) = (pair.now, pair.server.addr);
    pair.client.receive(now, from, bytes);
    pair.client.act_once();
    assert_eq!(pair.client.counters().sessions_closed[&CloseReason::Protocol], 1);
    assert_eq!(pair.failed(call), (Code::Internal, Outcome::Unknown));
    assert!(pair.ended(call).as_ref().unwrap_err().message().contains("more of a call"));
}

fn session_after_call(pair: &mut Pair) -> SessionId {
    pair.call(1);
    pair.drive();
    session(pair)
}

#[test]
fn a_length_that_is_only_claimed_costs_nothing() {
    let mut pair = open_with(&Transport::default());
    let to = session_after_call(&mut pair);
    let mut records = metadata();
    put_record_head(&mut records, RecordKind::Message, 4 << 30);
    records.extend_from_slice(&[0; 100]);
    let claimed = piece(50, Open::STREAMS_REQUESTS, 0, 0);
    receive(&mut pair, forge(to, 1_000, |writer| write_piece(writer, &claimed, &records)));
    let large = piece(51, 0, 0, 4 << 30);
    receive(&mut pair, forge(to, 1_001, |writer| write_piece(writer, &large, &[0; 100])));
    pair.drive();
    assert_eq!(pair.server.counters().calls_refused[&Code::ResourceExhausted], 2);
    assert_eq!(pair.server.endpoint.bytes_held().0, 0);
}

#[test]
fn thousands_of_calls_with_nothing_in_them_stay_within_the_memory() {
    for flags in [0, Open::STREAMS_REQUESTS | Open::STREAMS_REPLIES] {
        let mut config = tight(1 << 20);
        config.calls_per_session_max = 100_000;
        let mut pair = open_with(&config);
        pair.echoes = false;
        let to = session_after_call(&mut pair);
        let size = if flags == 0 { 1 << 20 } else { 0 };
        let mut most = 0;
        for call in 10..5_000 {
            let first = piece(call, flags, 0, size);
            receive(
                &mut pair,
                forge(to, 1_000 + call, |writer| write_piece(writer, &first, &metadata())),
            );
            most = most.max(pair.server.endpoint.bytes_held().0);
            let now = pair.now;
            pair.server.transmit(now);
            pair.server.endpoint.check_accounts();
        }
        assert!(config.reassembly_bytes_max / 20 < most, "{most}");
        assert!(most <= config.reassembly_bytes_max, "{most}");
        let refused = pair.server.counters().calls_refused[&Code::ResourceExhausted];
        assert!(4_000 < refused, "{refused}");
        // They are gone with their session; those of others were not kept out for ever.
        pair.advance(Duration::from_secs(61));
        assert_eq!(pair.server.endpoint.bytes_held().0, 0);
    }
}

#[test]
fn pieces_full_of_holes_are_not_kept() {
    let mut pair = open_with(&Transport::default());
    let to = session_after_call(&mut pair);
    let dropped = pair.server.counters().datagrams_dropped.values().sum::<u64>();
    for number in 0..1_000 {
        let hole = piece(50, 0, 2 + 2 * number, 0);
        receive(&mut pair, forge(to, 1_000 + number, |writer| write_piece(writer, &hole, b"x")));
    }
    let dropped = pair.server.counters().datagrams_dropped.values().sum::<u64>() - dropped;
    assert!(900 < dropped, "{dropped}");
    assert_eq!(pair.server.counters().sessions_open(), 1);
}
