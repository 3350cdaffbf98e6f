//! How a session begins: tokens, the first calls, restarts.

use super::pair::{DATA, INIT, MS, Pair, RESET, RETRY, Sent};
use crate::code::{Code, Outcome};
use crate::observe::{CloseReason, DropReason};
use crate::wire::BASE_DATAGRAM_BYTES;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn the_first_call_that_must_run_once_takes_one_more_round_trip() {
    let mut pair = Pair::new();
    let first = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(first));
    assert_eq!(
        pair.take_kinds(),
        [('>', INIT), ('<', RETRY), ('>', INIT), ('<', INIT), ('>', DATA)]
    );
    let second = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(second));
    assert_eq!(pair.take_kinds(), [('>', DATA), ('<', DATA)]);
}

#[test]
fn a_first_call_that_may_run_twice_is_answered_at_once() {
    let mut pair = Pair::new();
    let call = pair.idempotent_call(10);
    pair.drive();
    assert!(pair.is_answered(call));
    assert_eq!(pair.take_kinds()[..2], [('>', INIT), ('<', INIT)]);
}

#[test]
fn the_next_session_shows_the_token_of_the_last() {
    let mut pair = Pair::new();
    pair.call(10);
    pair.advance(Duration::from_secs(120));
    assert_eq!(pair.client.counters().sessions_closed[&CloseReason::Idle], 1);
    assert_eq!(pair.server.counters().sessions_closed[&CloseReason::Remote], 1);
    pair.take_kinds();
    let call = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(call));
    assert_eq!(pair.take_kinds()[..2], [('>', INIT), ('<', INIT)], "no RETRY");
}

#[test]
fn a_token_that_has_grown_old_is_replaced_and_the_call_was_not_executed() {
    let mut pair = Pair::new();
    pair.call(10);
    pair.advance(DAY);
    pair.take_kinds();
    let call = pair.call(10);
    pair.drive();
    // Whoever makes calls makes this one again, without a doubt that it did not run.
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::NotExecuted));
    let again = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(again));
    assert_eq!(pair.server.started, 2);
}

#[test]
fn the_first_datagrams_are_padded() {
    let mut pair = Pair::new();
    pair.call(10);
    pair.drive();
    let client = pair.client.addr;
    let opening = |sent: &&Sent| sent.from == client && sent.kind() == INIT;
    let sizes: Vec<usize> = pair.sent.iter().filter(opening).map(|sent| sent.bytes.len()).collect();
    assert_eq!(sizes, [BASE_DATAGRAM_BYTES; 2]);
}

#[test]
fn recorded_datagrams_run_nothing_again() {
    for idempotent in [false, true] {
        let mut pair = Pair::new();
        for _ in 0..20 {
            if idempotent {
                pair.idempotent_call(3_000)
            } else {
                pair.call(3_000)
            };
            pair.drive();
        }
        let recorded: Vec<Sent> = pair.sent.clone();
        let replay = |pair: &mut Pair, from_elsewhere: bool| {
            let server = pair.server.addr;
            for sent in recorded.iter().filter(|sent| sent.to == server) {
                let mut from = sent.from;
                from.set_port(from.port() + u16::from(from_elsewhere));
                let now = pair.now;
                pair.server.receive(now, from, sent.bytes.clone());
                pair.drive();
            }
        };
        assert_eq!(pair.server.started, 20);
        replay(&mut pair, false);
        assert_eq!(pair.server.started, 20, "at once");
        replay(&mut pair, true);
        assert_eq!(pair.server.started, 20, "from another address");
        pair.advance(Duration::from_secs(61));
        replay(&mut pair, false);
        assert_eq!(pair.server.started, 20, "after the session");
        pair.advance(DAY);
        replay(&mut pair, false);
        // A request that may run twice needs no proof that it is fresh, and the first of them came
        // in an INIT.
        let again = if idempotent { 20..=21 } else { 20..=20 };
        assert!(again.contains(&pair.server.started), "a day later: {}", pair.server.started);
        pair.restart_server();
        replay(&mut pair, false);
        let again = if idempotent { 0..=1 } else { 0..=0 };
        assert!(again.contains(&pair.server.started), "after a restart: {}", pair.server.started);
        pair.advance(DAY);
    }
}

#[test]
fn a_restart_is_noticed_at_once_and_what_was_sent_before_is_unknown() {
    let mut pair = Pair::new();
    pair.call(10);
    pair.advance(100 * MS);
    pair.echoes = false;
    let before = pair.call(10);
    pair.drive();
    pair.advance(100 * MS);
    pair.restart_server();
    pair.advance(50 * MS);
    let after = pair.call(10);
    pair.take_kinds();
    pair.drive();
    assert_eq!(pair.take_kinds(), [('>', DATA), ('<', RESET)]);
    assert_eq!(pair.failed(before), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(pair.failed(after), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(pair.server.started, 0);
    let text = pair.ended(after).as_ref().unwrap_err().to_string();
    assert_eq!(text, "UNAVAILABLE: 10.0.0.2:2 does not know the session any more");
}

#[test]
fn a_caller_that_knew_the_life_before_is_told_of_the_new_one() {
    let mut pair = Pair::new();
    pair.call(10);
    pair.advance(Duration::from_secs(120));
    pair.restart_server();
    pair.advance(100 * MS);
    pair.take_kinds();
    let call = pair.call(10);
    pair.drive();
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(pair.take_kinds(), [('>', INIT), ('<', RESET)]);
    let again = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(again));
}

#[test]
fn a_caller_with_a_new_life_on_the_old_address_is_not_taken_for_the_old_one() {
    let mut pair = Pair::new();
    pair.echoes = false;
    pair.call(10);
    pair.drive();
    let config = crate::config::Transport::default();
    pair.client = super::pair::End::new(pair.now, pair.client.addr, 101, 1, config);
    pair.echoes = true;
    let call = pair.call(10);
    pair.advance(100 * MS);
    assert!(pair.is_answered(call));
    assert_eq!(pair.server.started, 2);
    assert_eq!(pair.client.ended.len(), 1, "the reply to the life before went nowhere");
}

#[test]
fn a_retry_that_comes_twice_does_no_harm() {
    let mut pair = Pair::new();
    let call = pair.call(10);
    let now = pair.now;
    let first = pair.client.transmit(now);
    for _ in 0..3 {
        let from = pair.client.addr;
        pair.server.receive(now, from, first[0].bytes.clone());
    }
    pair.drive();
    assert!(pair.is_answered(call));
    assert_eq!(pair.server.started, 1);
    assert_eq!(pair.client.counters().datagrams_dropped[&DropReason::Stray], 2);
    assert_eq!(pair.client.counters().sessions_opened, 1);
}

#[test]
fn opening_survives_the_loss_of_any_datagram() {
    for lost in 0..6 {
        for idempotent in [false, true] {
            let mut pair = Pair::new();
            let mut count = 0;
            pair.lose = Box::new(move |_| {
                count += 1;
                count == lost + 1
            });
            let call = if idempotent { pair.idempotent_call(10) } else { pair.call(10) };
            pair.advance(1_000 * MS);
            assert!(pair.is_answered(call), "datagram {lost}, {idempotent}");
            assert_eq!(pair.server.started, 1, "datagram {lost}, {idempotent}");
        }
    }
}
