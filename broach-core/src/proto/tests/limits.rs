//! What is bounded, and what is said when a bound is reached.

use std::time::Duration;

use super::pair::{MS, Pair, Sent};
use crate::code::{Code, Outcome};
use crate::config::{SizeLimits, Transport};
use crate::observe::DropReason;
use crate::wire::{Datagram, Frame, Frames};

/// What stands in the first piece of a request and in no other: see [`Pair::make_call`].
const METHOD: [u8; 8] = 1_u64.to_le_bytes();

fn server(change: impl FnOnce(&mut Transport)) -> Pair {
    let mut config = Transport::default();
    change(&mut config);
    Pair::with(Transport::default(), config)
}

#[test]
fn a_request_larger_than_the_server_takes_names_the_limit() {
    let mut pair = server(|config| config.message_bytes_max = 100_000);
    let call = pair.call(300_000);
    pair.advance(1_000 * MS);
    assert_eq!(pair.failed(call), (Code::ResourceExhausted, Outcome::NotExecuted));
    let text = pair.ended(call).as_ref().unwrap_err().to_string();
    assert!(text.contains("transport.message_bytes_max"), "{text}");
    assert_eq!(pair.server.started, 0);
    let good = pair.call(90_000);
    pair.advance(1_000 * MS);
    assert!(pair.is_answered(good));
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
}

#[test]
fn a_reply_larger_than_the_client_takes_names_the_limit() {
    let config = Transport { message_bytes_max: 100_000, ..Transport::default() };
    let mut pair = Pair::with(config, Transport::default());
    // The endpoint does not look at what it sends; whoever uses it does.
    let call = pair.call(300_000);
    pair.advance(1_000 * MS);
    let status = pair.ended(call).as_ref().unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::Executed));
    assert!(status.message().contains("transport.message_bytes_max"), "{status}");
    pair.advance(1_000 * MS);
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0), "the rest of the reply is not sent");
}

#[test]
fn callers_keep_to_the_number_of_calls_that_the_server_takes() {
    let mut pair = server(|config| config.calls_per_session_max = 10);
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    for _ in 0..50 {
        pair.call(10);
    }
    pair.advance(100 * MS);
    assert_eq!(pair.server.arrived.len(), 10);
    pair.echoes = true;
    pair.advance(100 * MS);
    assert_eq!(pair.client.ended.len(), 51);
    assert!(pair.client.ended.values().all(Result::is_ok));
}

#[test]
fn calls_beyond_the_number_are_refused_if_the_caller_does_not_know_it() {
    let mut pair = server(|config| config.calls_per_session_max = 10);
    pair.echoes = false;
    let calls: Vec<_> = (0..20).map(|_| pair.call(10)).collect();
    pair.advance(100 * MS);
    let refused = calls.iter().filter(|call| pair.client.ended.contains_key(call));
    let refused: Vec<_> = refused.map(|&call| pair.failed(call)).collect();
    assert_eq!(refused, [(Code::ResourceExhausted, Outcome::NotExecuted); 10]);
    assert_eq!(pair.server.arrived.len(), 10);
}

#[test]
fn too_many_waiting_calls_fail_at_once() {
    let config = Transport { calls_waiting_max: 5, ..Transport::default() };
    let mut pair = Pair::with(config, Transport::default());
    let calls: Vec<_> = (0..6).map(|_| pair.call(10)).collect();
    assert_eq!(pair.failed(calls[5]), (Code::ResourceExhausted, Outcome::NotExecuted));
    let text = pair.ended(calls[5]).as_ref().unwrap_err().to_string();
    assert!(text.contains("transport.calls_waiting_max"), "{text}");
    pair.drive();
    assert!(calls[..5].iter().all(|&call| pair.is_answered(call)));
}

#[test]
fn the_largest_message_gets_through_although_a_piece_of_it_is_missing_for_long() {
    let mut pair = server(|config| {
        config.message_bytes_max = 4 << 20;
        config.reassembly_bytes_per_session_max = (4 << 20) + (300 << 10);
    });
    pair.call(1);
    pair.advance(100 * MS);
    // All of it but one piece, in datagrams of the usual size.
    pair.lose = Box::new(|sent| 1_472 < sent.bytes.len() || carries(sent, 40_000));
    let call = pair.call(4 << 20);
    let mut held = 0;
    for _ in 0..100 {
        pair.advance(20 * MS);
        held = held.max(pair.server.endpoint.bytes_held().0);
    }
    assert!(4 << 20 < held, "only {held} bytes have been set aside");
    assert!(!pair.client.ended.contains_key(&call));
    pair.lose = Box::new(|_| false);
    pair.advance(1_000 * MS);
    assert!(pair.is_answered(call), "{:?}", pair.client.ended.get(&call));
}

/// Whether a datagram holds this byte of a request.
fn carries(sent: &Sent, byte: u64) -> bool {
    let Ok(datagram) = Datagram::decode(sent.bytes.clone()) else { return false };
    let mut frames = Frames::new(datagram.body);
    let next = std::iter::from_fn(|| frames.next().ok().flatten());
    next.into_iter().any(|frame| match frame {
        Frame::Request(piece) => {
            (piece.offset..piece.offset + piece.data.len() as u64).contains(&byte)
        }
        _ => false,
    })
}

#[test]
fn unfinished_requests_are_held_up_to_a_limit() {
    let mut pair = server(|config| {
        config.message_bytes_max = 400_000;
        config.reassembly_bytes_per_session_max = 1_000_000;
    });
    pair.call(1);
    pair.advance(100 * MS);
    // Requests that lack their beginning and are given up, of which the server does not hear.
    let server = pair.server.addr;
    pair.lose = Box::new(move |sent| {
        let begins = sent.bytes.windows(8).any(|bytes| bytes == METHOD);
        // Of larger datagrams there would be few without a beginning.
        sent.to == server && (begins || !(500..=1_472).contains(&sent.bytes.len()))
    });
    let mut most = 0;
    for _ in 0..20 {
        let call = pair.call(300_000);
        for _ in 0..20 {
            pair.advance(5 * MS);
            most = most.max(pair.server.endpoint.bytes_held().0);
        }
        pair.cancel(call);
    }
    // The rest is kept for one message of the largest size, with what may come with it.
    let rest = 1_000_000 - 400_000 - (8 << 10) - (64 << 10);
    assert!(rest - 40_000 < most && most <= rest, "{most}");
    assert!(pair.server.counters().calls_refused[&Code::ResourceExhausted] != 0);
    pair.lose = Box::new(|_| false);
    pair.advance(1_000 * MS);
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
}

#[test]
fn with_too_many_strangers_a_token_has_to_be_shown_first() {
    let mut pair = server(|config| config.half_open_max = 0);
    let call = pair.idempotent_call(10);
    pair.drive();
    assert!(pair.is_answered(call));
    assert_eq!(pair.server.counters().datagrams_dropped[&DropReason::Token], 1);
}

#[test]
fn sessions_beyond_the_limit_are_refused() {
    let mut pair = server(|config| config.sessions_max = 1);
    pair.call(1);
    pair.drive();
    let config = Transport::default();
    let other = super::pair::addr("10.0.0.9:9");
    pair.client = super::pair::End::new(pair.now, other, 900, 1, config);
    pair.advance(100 * MS);
    let call = pair.call(1);
    pair.drive();
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::NotExecuted));
    let text = pair.ended(call).as_ref().unwrap_err().to_string();
    assert!(text.contains("transport.sessions_max"), "{text}");
    assert_eq!(pair.server.counters().datagrams_dropped[&DropReason::SessionLimit], 1);
}

#[test]
fn what_a_server_is_known_not_to_take_is_not_sent() {
    let mut pair = server(|config| config.message_bytes_max = 1_000);
    let small = pair.call(1_000);
    pair.drive();
    assert!(pair.is_answered(small));
    pair.sent.clear();
    let large = pair.call(1_001);
    pair.drive();
    assert_eq!(pair.failed(large), (Code::ResourceExhausted, Outcome::NotExecuted));
    let text = pair.ended(large).as_ref().unwrap_err().to_string();
    let said = "has 1001 bytes, and 10.0.0.2:2 takes 1000 (transport.message_bytes_max)";
    assert!(text.contains(said), "{text}");
    assert!(pair.sent.is_empty());
}

#[test]
fn a_call_to_serve_tells_what_the_caller_takes() {
    let client =
        Transport { message_bytes_max: 500, metadata_bytes_max: 50, ..Transport::default() };
    let mut pair = Pair::with(client, Transport::default());
    pair.echoes = false;
    pair.call(1);
    pair.drive();
    let limits = SizeLimits { message: 500, metadata: 50 };
    assert_eq!(pair.server.arrived[0].limits, limits);
}

#[test]
fn replies_that_do_not_arrive_keep_new_calls_out() {
    let mut pair = server(|config| config.reply_bytes_max = 100_000);
    pair.call(1);
    pair.advance(100 * MS);
    let server = pair.server.addr;
    pair.lose = Box::new(move |sent| sent.from == server && 500 < sent.bytes.len());
    pair.make(200_000, 0, Duration::from_secs(60));
    pair.advance(100 * MS);
    assert!(100_000 < pair.server.endpoint.bytes_held().1);
    let refused = pair.call(10);
    pair.drive();
    pair.lose = Box::new(|_| false);
    pair.advance(1_000 * MS);
    assert_eq!(pair.failed(refused), (Code::ResourceExhausted, Outcome::NotExecuted));
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
    let taken = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(taken));
}
