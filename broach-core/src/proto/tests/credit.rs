//! Credit: who may send how much, and what that takes up.

use std::time::Duration;

use super::excess::{forge, piece, receive, session, write_piece};
use super::pair::{End, MS, Pair, addr};
use super::path::{Link, Path};
use super::records::{message, metadata};
use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::proto::{CallBytes, StreamKey, Streams};
use crate::rng::Rng;
use crate::status::Status;

const BOTH: Streams = Streams { requests: true, replies: true };

pub(super) fn open_with(config: &Transport) -> Pair {
    let mut pair = Pair::with(config.clone(), config.clone());
    pair.call(1);
    pair.advance(100 * MS);
    pair.sent.clear();
    pair
}

/// As little memory as messages of so many bytes can do with.
pub(super) fn tight(message: usize) -> Transport {
    let mut config = Transport { message_bytes_max: message, ..Transport::default() };
    config.reassembly_bytes_per_session_max = message + config.metadata_bytes_max + (256 << 10);
    config.reassembly_bytes_max = config.reassembly_bytes_per_session_max;
    config.validate().unwrap();
    config
}

#[test]
fn the_largest_messages_get_through_one_after_the_other() {
    let bytes = 2 << 20;
    let mut pair = open_with(&tight(bytes));
    let mut rng = Rng::from_seed(1);
    pair.lose = Box::new(move |_| rng.chance(0.02));
    // All begin at once, and there is memory for one of them; and so it is on the way back.
    let calls: Vec<_> = (0..12).map(|_| pair.call(bytes)).collect();
    let small: Vec<_> = (0..100).map(|_| pair.call(20_000)).collect();
    pair.advance(Duration::from_secs(9));
    for call in calls.into_iter().chain(small) {
        assert!(pair.is_answered(call), "{:?}", pair.client.ended.get(&call));
    }
    assert_eq!(pair.server.counters().calls_refused.len(), 0);
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.endpoint.bytes_held(), (0, 0));
    }
}

#[test]
fn sixteen_mebibytes_both_ways_in_the_smallest_memory() {
    let bytes = 16 << 20;
    let mut pair = open_with(&tight(bytes));
    let calls = [0; 3].map(|_| pair.call(bytes));
    pair.advance(Duration::from_secs(9));
    for call in calls {
        assert_eq!(pair.ended(call).as_ref().unwrap().len(), bytes);
    }
}

#[test]
fn of_sixteen_mebibytes_little_more_goes_again_than_is_lost() {
    let bytes = 16 << 20;
    for (share, delay) in [(0.0, 5 * MS), (0.02, 5 * MS), (0.02, MS / 10)] {
        let way = || Link { loss: share, ..Link::of(delay) };
        let mut path = Path::new(1, 1, &Transport::default(), way(), way());
        path.call(0, 10);
        path.run(path.now + Duration::from_secs(1), |_| false);
        path.reset_tally();
        path.call(0, bytes);
        path.run(path.now + Duration::from_secs(300), |_| false);
        let (tally, took) = (path.tally(), path.callers[0].made[1].took);
        // Beside the bytes of the call: the headers, and what each piece says.
        let again = tally.bytes as f64 / bytes as f64 - 1.0;
        println!("{share} lost, {delay:?}: {:.2} % more, {took:?}, {tally:?}", again * 100.0);
        assert!(took.is_some());
        assert!(again < 0.035 + 1.3 * share, "{again}");
    }
}

#[test]
fn streams_that_stay_open_do_not_keep_the_largest_message_out() {
    let bytes = 1 << 20;
    let config = tight(bytes);
    let mut pair = open_with(&config);
    pair.echoes = false;
    // As many as find room, none of which is read.
    let streams: Vec<_> = (0..20).map(|_| pair.stream(BOTH, metadata())).collect();
    pair.drive();
    for &made in &streams {
        pair.client.endpoint.send(made, message(200_000).into(), false);
    }
    pair.advance(1_000 * MS);
    let refused = pair.client.ended.values().filter(|result| result.is_ok()).count() - 1;
    assert!((1..20).contains(&refused), "{refused} were told that there is no room");
    // What streams have is left in them; messages wait for what is not.
    let large = pair.call(bytes);
    pair.advance(1_000 * MS);
    let now = pair.now;
    let keys: Vec<StreamKey> = pair.server.records.iter().map(|(key, _)| *key).collect();
    for key in keys {
        pair.server.take_records(now, key);
    }
    pair.server.arrived.retain(|call| !call.streams.any());
    pair.echoes = true;
    pair.advance(5_000 * MS);
    assert!(pair.is_answered(large), "{:?}", pair.client.ended.get(&large));
}

#[test]
fn small_calls_pass_large_ones_and_large_ones_end_all_the_same() {
    let mut pair = open_with(&Transport::default());
    let large = pair.call(8 << 20);
    let mut answered_after = Vec::new();
    for round in 0..10_000 {
        let small = pair.call(60_000);
        for _ in 0..20 {
            pair.exchange_once();
        }
        assert!(pair.is_answered(small), "round {round}");
        if pair.is_answered(large) {
            answered_after.push(round);
            break;
        }
    }
    assert_eq!(answered_after.len(), 1);
}

#[test]
fn a_message_that_waits_for_memory_is_found_among_hundreds_of_smaller_ones() {
    let mut pair = open_with(&tight(4 << 20));
    let large = [0; 3].map(|_| pair.call(4 << 20));
    let small: Vec<_> = (0..300).map(|_| pair.call(100_000)).collect();
    pair.advance(Duration::from_secs(9));
    for call in large.into_iter().chain(small) {
        assert!(pair.is_answered(call), "{:?}", pair.client.ended.get(&call));
    }
}

#[test]
fn a_record_that_nobody_reads_keeps_nobody_else_waiting() {
    let bytes = 1 << 20;
    let mut pair = open_with(&tight(bytes));
    pair.echoes = false;
    let made = [0; 3].map(|_| pair.stream(BOTH, metadata()));
    pair.drive();
    let served = made.map(|_| pair.served());
    for round in 0..3 {
        for key in made {
            pair.client.endpoint.send(key, message(bytes).into(), false);
        }
        // The last is read first; the others are not read meanwhile.
        for key in served.into_iter().rev() {
            let now = pair.now;
            let mut came = pair.server.take_records(now, key);
            pair.advance(1_000 * MS);
            let now = pair.now;
            came.extend(pair.server.take_records(now, key));
            assert_eq!(came.len(), 1, "round {round}: {key:?}");
        }
    }
    let large = pair.call(bytes);
    pair.echoes = true;
    pair.advance(1_000 * MS);
    assert!(pair.is_answered(large));
}

#[test]
fn a_refusal_is_heard_where_there_is_no_room_for_a_window() {
    let (small, large) = (tight(1 << 20), Transport::default());
    let mut pair = Pair::with(small, large);
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    let streams: Vec<_> = (0..3).map(|_| pair.stream(BOTH, metadata())).collect();
    pair.drive();
    for _ in &streams {
        let served = pair.served();
        pair.server.endpoint.send(served, metadata().into(), false);
    }
    pair.drive();
    let [refused, told] = [0; 2].map(|_| pair.stream(BOTH, metadata()));
    pair.drive();
    let StreamKey::Served(serving) = pair.served() else { unreachable!() };
    pair.server.endpoint.reply(serving, CallBytes::status(&Status::not_found("nowhere")));
    let served = pair.served();
    pair.server.endpoint.send(served, metadata().into(), false);
    pair.drive();
    let StreamKey::Made { ticket, .. } = refused else { unreachable!() };
    assert_eq!(pair.ended(ticket).as_ref().unwrap(), "", "its status has come as a record");
    let StreamKey::Made { ticket, .. } = told else { unreachable!() };
    assert_eq!(pair.failed(ticket), (Code::ResourceExhausted, Outcome::Unknown));
}

#[test]
fn credit_that_is_lost_is_given_again() {
    for seed in 0..20 {
        let mut pair = open_with(&tight(1 << 20));
        let mut rng = Rng::from_seed(seed);
        // What goes back is credit and acknowledgements for the most part.
        let server = pair.server.addr;
        pair.lose = Box::new(move |sent| sent.from == server && rng.chance(0.5));
        let calls: Vec<_> =
            (0..4).map(|_| pair.make(900_000, 0, Duration::from_secs(60))).collect();
        pair.advance(Duration::from_secs(60));
        for call in calls {
            assert!(pair.is_answered(call), "seed {seed}: {:?}", pair.client.ended.get(&call));
        }
    }
}

#[test]
fn a_call_that_waits_for_credit_ends_at_its_deadline_and_nobody_is_silent() {
    let mut pair = open_with(&tight(1 << 20));
    // Another caller has credit, and memory, and sends nothing any more.
    let mut holder = End::new(pair.now, addr("10.0.0.9:9"), 900, 1, Transport::default());
    std::mem::swap(&mut pair.client, &mut holder);
    pair.call(1);
    pair.drive();
    let to = session(&pair);
    let first = piece(50, 0, 0, 1 << 20);
    receive(&mut pair, forge(to, 1_000, |writer| write_piece(writer, &first, &[0; 100])));
    std::mem::swap(&mut pair.client, &mut holder);
    pair.advance(MS);
    assert_eq!(pair.server.endpoint.bytes_held().0, 1 << 20);
    let waits = pair.make_call(1 << 20, 0, Duration::from_secs(1), true);
    let small = pair.make_call(900, 0, Duration::from_secs(60), true);
    pair.advance(MS);
    assert!(pair.is_answered(small), "what needs no credit goes on");
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.failed(waits), (Code::DeadlineExceeded, Outcome::NotExecuted));
    assert_eq!(pair.client.counters().sessions_open(), 1);
    // What the other one has is given back with its session.
    let waits = pair.make_call(1 << 20, 0, Duration::from_secs(100), true);
    pair.advance(Duration::from_secs(90));
    assert!(pair.is_answered(waits));
    assert_eq!(pair.server.endpoint.bytes_held().0, 0);
}

#[test]
fn who_waits_for_credit_is_not_silent_and_goes_on_when_there_is_some() {
    let mut pair = open_with(&Transport::default());
    pair.echoes = false;
    let made = pair.stream(BOTH, metadata());
    pair.drive();
    let served = pair.served();
    pair.client.endpoint.send(made, message(200_000).into(), false);
    pair.client.endpoint.send(made, message(200_000).into(), false);
    pair.drive();
    assert_eq!(pair.server.records.len(), 1, "the second one waits until the first one is read");
    pair.advance(Duration::from_secs(120));
    let now = pair.now;
    pair.server.take_records(now, served);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.server.records.len(), 1);
    assert_eq!(pair.client.ended.len(), 1);
    assert_eq!(pair.client.counters().sessions_open(), 1);
}

#[test]
fn the_allowance_becomes_smaller_with_the_number_of_sessions_and_is_told() {
    let mut pair = open_with(&Transport::default());
    let before = pair.server.endpoint.told();
    assert_eq!(before.allowance, 32 << 10);
    let (now, server) = (pair.now, pair.server.addr);
    for number in 0..1_000_u32 {
        let [a, b] = [(number >> 8) as u8, number as u8];
        let other = addr(&format!("10.1.{a}.{b}:1"));
        let mut end = End::new(now, other, 1_000 + u64::from(number), 1, Transport::default());
        std::mem::swap(&mut pair.client, &mut end);
        pair.idempotent_call(1);
        pair.drive();
        std::mem::swap(&mut pair.client, &mut end);
    }
    let now_told = pair.server.endpoint.told();
    assert!(now_told.allowance < 3_000, "{now_told:?}");
    // The first one hears of it with the next reply.
    let call = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(call));
    pair.sent.clear();
    pair.lose = Box::new(move |sent| sent.from == server);
    pair.call(1 << 20);
    pair.drive();
    let sent: usize = pair.sent.iter().map(|sent| sent.bytes.len()).sum();
    assert!(sent < 5_000, "{sent}");
}

#[test]
fn room_for_replies_is_kept_when_calls_begin() {
    let config = Transport { reply_bytes_max: 100_000, ..Transport::default() };
    let mut pair = open_with(&config);
    pair.echoes = false;
    let calls: Vec<_> = (0..40).map(|_| pair.call(10)).collect();
    pair.drive();
    assert_eq!(pair.server.arrived.len(), 25, "with 4 KiB for each");
    let refused = calls.iter().filter(|call| pair.client.ended.contains_key(call));
    let refused: Vec<_> = refused.map(|&call| pair.failed(call)).collect();
    assert_eq!(refused, [(Code::ResourceExhausted, Outcome::NotExecuted); 15]);
    pair.echoes = true;
    pair.drive();
    let call = pair.call(10);
    pair.advance(10 * MS);
    assert!(pair.is_answered(call));
}
