//! How sessions end, and what is left of them.

use std::time::Duration;

use super::pair::{MS, Pair};
use crate::code::{Code, Outcome};
use crate::ids::Instance;
use crate::observe::CloseReason;
use crate::peer::Peer;
use crate::status::Status;

#[test]
fn an_unused_session_is_closed_by_its_caller_first() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(Duration::from_secs(44));
    assert_eq!(pair.client.counters().sessions_open(), 1);
    pair.advance(Duration::from_secs(2));
    assert_eq!(pair.client.counters().sessions_closed[&CloseReason::Idle], 1);
    assert_eq!(pair.server.counters().sessions_closed[&CloseReason::Remote], 1);
    let now = pair.now;
    assert_eq!(pair.client.endpoint.poll_timeout(now), None, "nothing is waited for any more");
    assert_eq!(pair.server.endpoint.poll_timeout(now), None);
}

#[test]
fn a_session_whose_goodbye_is_lost_ends_by_itself() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair.lose = Box::new(|_| true);
    pair.advance(Duration::from_secs(61));
    assert_eq!(pair.client.counters().sessions_open(), 0);
    assert_eq!(pair.server.counters().sessions_closed[&CloseReason::Idle], 1);
}

#[test]
fn a_node_that_stops_tells_its_callers() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    let call = pair.call(10);
    pair.advance(100 * MS);
    let now = pair.now;
    pair.server.endpoint.close_all(now);
    pair.drive();
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::Unknown));
    let text = pair.ended(call).as_ref().unwrap_err().to_string();
    assert!(text.contains("10.0.0.2:2 has closed the session: it is shutting down"), "{text}");
    assert_eq!(pair.server.stopped.len(), 1);
}

#[test]
fn calls_to_a_node_that_others_call_dead_end_unless_it_answers_here() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    let call = pair.call(10);
    pair.advance(100 * MS);
    let (addr, [life, another]) = (pair.server.addr, [200, 201].map(Instance));
    let die = |pair: &mut Pair, instance| {
        let now = pair.now;
        pair.client.endpoint.on_dead(now, Peer { addr, instance });
        pair.drive();
    };
    die(&mut pair, life);
    assert_eq!(pair.client.counters().sessions_open(), 1, "it answers");
    pair.lose = Box::new(|_| true);
    pair.advance(Duration::from_secs(3));
    die(&mut pair, another);
    assert_eq!(pair.client.counters().sessions_open(), 1, "somebody else is dead");
    die(&mut pair, life);
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::Unknown));
    let text = pair.ended(call).as_ref().unwrap_err().to_string();
    assert!(text.contains("10.0.0.2:2 does not answer any more, and the other"), "{text}");
}

#[test]
fn a_call_that_crosses_the_goodbye_was_not_executed() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    let taken = pair.call(10);
    pair.drive();
    let crossing = pair.call(10);
    let now = pair.now;
    let sent = pair.client.transmit(now);
    pair.server.endpoint.close_all(now);
    pair.drive();
    assert_eq!(pair.failed(taken), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(pair.failed(crossing), (Code::Unavailable, Outcome::NotExecuted));
    // Which is true: when it arrives it is refused.
    let started = pair.server.started;
    sent.into_iter().for_each(|sent| pair.server.receive(now, sent.from, sent.bytes));
    pair.drive();
    assert_eq!(pair.server.started, started);
}

#[test]
fn a_call_that_any_life_may_start_is_in_doubt_after_the_goodbye_of_one() {
    let mut pair = Pair::new();
    pair.echoes = false;
    pair.idempotent_call(10);
    let now = pair.now;
    let first = pair.client.transmit(now).remove(0);
    pair.server.receive(now, first.from, first.bytes);
    pair.server.act_once();
    // The next one goes out with the probe, to the life that says goodbye, and is taken by the one
    // that comes after it.
    let crossing = pair.idempotent_call(10);
    let now = now + 100 * MS;
    pair.client.endpoint.handle_timeout(now);
    let second = pair.client.transmit(now);
    pair.server.endpoint.close_all(now);
    let goodbye = pair.server.transmit(now);
    pair.restart_server();
    second.into_iter().for_each(|sent| pair.server.receive(now, sent.from, sent.bytes));
    pair.server.act_once();
    assert_eq!(pair.server.started, 2, "both calls, in the one datagram");
    goodbye.into_iter().for_each(|sent| pair.client.receive(now, sent.from, sent.bytes));
    pair.drive();
    assert_eq!(pair.failed(crossing), (Code::Unavailable, Outcome::Unknown));
}

#[test]
fn a_caller_that_has_heard_nothing_yet_is_told_too() {
    let mut pair = Pair::new();
    pair.echoes = false;
    let call = pair.idempotent_call(10);
    let now = pair.now;
    let first = pair.client.transmit(now).remove(0);
    pair.server.receive(now, first.from, first.bytes.clone());
    pair.server.act_once();
    pair.server.endpoint.close_all(now);
    let goodbye = pair.server.transmit(now);
    let bytes: usize = goodbye.iter().map(|sent| sent.bytes.len()).sum();
    assert!(goodbye.len() == 1 && bytes <= 3 * first.bytes.len());
    pair.client.receive(now, goodbye[0].from, goodbye[0].bytes.clone());
    pair.drive();
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(pair.client.counters().sessions_closed[&CloseReason::Remote], 1);
}

#[test]
fn calls_to_a_node_that_has_stopped_are_surely_not_executed() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    let now = pair.now;
    pair.server.endpoint.close_all(now);
    pair.drive();
    pair.lose = Box::new(|_| true);
    let call = pair.make_call(10, 0, Duration::from_secs(60), true);
    pair.advance(400 * MS);
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::NotExecuted));
}

#[test]
fn a_node_that_takes_no_more_calls_finishes_those_that_it_has() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    let early = pair.call(10);
    pair.advance(100 * MS);
    pair.server.endpoint.refuse_calls(Status::unavailable("shutting down"));
    let late = pair.call(10);
    pair.advance(100 * MS);
    assert_eq!(pair.failed(late), (Code::Unavailable, Outcome::NotExecuted));
    assert!(!pair.server.endpoint.has_served_all());
    let arrived = std::mem::take(&mut pair.server.arrived);
    arrived.iter().for_each(|call| pair.server.reply(call));
    pair.advance(100 * MS);
    assert!(pair.is_answered(early));
    assert!(pair.server.endpoint.has_served_all());
}

#[test]
fn a_caller_that_vanishes_leaves_nothing_behind() {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair.echoes = false;
    pair.call(100_000);
    pair.advance(100 * MS);
    pair.lose = Box::new(|_| true);
    let arrived = std::mem::take(&mut pair.server.arrived);
    arrived.iter().for_each(|call| pair.server.reply(call));
    pair.advance(Duration::from_secs(11));
    assert_eq!(pair.server.counters().sessions_closed[&CloseReason::Dead], 1);
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
}
