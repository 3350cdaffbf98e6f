//! What goes over the wire while calls are made, and what time does to them.

use std::time::Duration;

use super::pair::{DATA, MS, Pair, Sent};
use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::rng::Rng;
use crate::wire::Open;

/// A pair with an open session.
fn open() -> Pair {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair.sent.clear();
    pair
}

#[test]
fn one_call_after_the_other_takes_two_datagrams_each() {
    let mut pair = open();
    for _ in 0..100 {
        let call = pair.call(100);
        pair.drive();
        assert!(pair.is_answered(call));
    }
    assert_eq!(pair.sent.len(), 200);
    pair.advance(100 * MS);
    assert_eq!(pair.sent.len(), 201, "the last reply is acknowledged on its own");
}

#[test]
fn calls_that_are_made_together_share_datagrams() {
    let mut pair = open();
    for _ in 0..64 {
        pair.call(32);
    }
    pair.drive();
    assert_eq!(pair.client.ended.len(), 65);
    // Some 70 bytes each on the way there, and 42 back.
    assert!(pair.sent.len() <= 8, "{} datagrams", pair.sent.len());
}

#[test]
fn a_call_that_takes_its_time_is_acknowledged_and_asked_after_once_a_second() {
    let mut pair = open();
    pair.echoes = false;
    let call = pair.make(10, 0, Duration::from_secs(60));
    pair.advance(20 * MS);
    assert_eq!(pair.take_kinds(), [('>', DATA), ('<', DATA)], "request and acknowledgement");
    pair.advance(Duration::from_secs(10));
    let asked = pair.sent.iter().filter(|sent| sent.from == pair.client.addr).count();
    assert!((9..=11).contains(&asked), "{asked}");
    let arrived = std::mem::take(&mut pair.server.arrived);
    pair.server.reply(&arrived[0]);
    pair.drive();
    assert!(pair.is_answered(call));
    assert_eq!(pair.client.counters().probes_sent, 0);
}

#[test]
fn a_large_call_does_not_hold_up_small_ones() {
    let mut pair = open();
    let large = pair.call(4 << 20);
    // The network takes a while: a few datagrams at a time.
    let mut rounds = Vec::new();
    let mut small = None;
    for round in 0..100_000 {
        let now = pair.now;
        if round == 3 {
            small = Some((pair.call(10), round));
        }
        for sent in pair.client.transmit(now).into_iter().chain(pair.server.transmit(now)) {
            let end = if sent.to == pair.server.addr { &mut pair.server } else { &mut pair.client };
            end.receive(now, sent.from, sent.bytes);
        }
        let arrived = take_events(&mut pair);
        for call in arrived {
            pair.server.reply(&call);
        }
        if let Some((call, made)) = small
            && pair.is_answered(call)
        {
            rounds.push(round - made);
            small = None;
        }
        if pair.is_answered(large) {
            assert!(rounds[0] <= 3, "the small call took {} round trips", rounds[0]);
            assert!(20 < round, "the large call took {round}");
            return;
        }
        pair.now = pair.now + MS / 10;
        pair.client.endpoint.handle_timeout(pair.now);
        pair.server.endpoint.handle_timeout(pair.now);
    }
    panic!("the large call never ended");
}

/// Lets both ends act without answering, and takes the calls that have come.
fn take_events(pair: &mut Pair) -> Vec<crate::proto::Arrived> {
    pair.echoes = false;
    pair.client.act_once();
    pair.server.act_once();
    std::mem::take(&mut pair.server.arrived)
}

#[test]
fn sixteen_mebibytes_get_there_and_back_at_one_percent_loss() {
    let mut pair = Pair::new();
    let mut rng = Rng::from_seed(16);
    pair.lose = Box::new(move |_| rng.chance(0.01));
    let bytes = 16 << 20;
    let call = pair.call(bytes);
    pair.advance(Duration::from_secs(10));
    assert!(pair.is_answered(call));
    assert_eq!(pair.ended(call).as_ref().unwrap().len(), bytes);
    let sent: usize = pair.sent.iter().map(|sent| sent.bytes.len()).sum();
    // Lost pieces go again, and only they.
    assert!(sent < 2 * bytes * 107 / 100, "{sent} bytes for {bytes} each way");
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
}

#[test]
fn a_black_hole_is_not_filled() {
    let mut pair = open();
    pair.lose = Box::new(|_| true);
    for _ in 0..1_000 {
        pair.make(100, 0, Duration::from_secs(5));
    }
    pair.advance(Duration::from_secs(5));
    assert!(pair.sent.len() <= 32 + 30, "{} datagrams for a thousand calls", pair.sent.len());
    assert!(pair.client.ended.len() == 1_001);
}

#[test]
fn a_node_that_says_nothing_is_silent_after_a_while_and_dead_later() {
    let mut pair = open();
    pair.lose = Box::new(|_| true);
    let minute = Duration::from_secs(60);
    let stays = pair.make_call(10, 0, minute, true);
    let goes = pair.make_call(10, Open::IDEMPOTENT, minute, true);
    let alone = pair.make_call(10, Open::IDEMPOTENT, minute, false);
    pair.advance(299 * MS);
    assert_eq!(pair.client.ended.len(), 1);
    pair.advance(2 * MS);
    assert_eq!(pair.failed(goes), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(pair.client.ended.len(), 2, "the others have nowhere to go, or may have run");
    // One more that can go elsewhere does not even begin, and is not in doubt.
    let new = pair.make_call(10, 0, minute, true);
    assert_eq!(pair.failed(new), (Code::Unavailable, Outcome::NotExecuted));
    pair.advance(Duration::from_secs(10));
    for call in [stays, alone] {
        assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::Unknown));
    }
    let text = pair.ended(stays).as_ref().unwrap_err().to_string();
    assert_eq!(
        text,
        "UNAVAILABLE: 10.0.0.2:2 does not answer any more, for 10s (transport.dead_after)"
    );
}

#[test]
fn a_node_that_hears_nothing_is_silent_whatever_it_says() {
    let mut pair = open();
    let client = pair.client.addr;
    // The request is all that gets there. The server repeats its reply, for want of an
    // acknowledgement.
    let mut passed = false;
    pair.lose = Box::new(move |sent| sent.from == client && std::mem::replace(&mut passed, true));
    let first = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(first));
    let goes = pair.make_call(10, Open::IDEMPOTENT, Duration::from_secs(60), true);
    let heard = pair.client.counters().datagrams_received;
    pair.advance(400 * MS);
    assert!(heard < pair.client.counters().datagrams_received);
    assert_eq!(pair.failed(goes), (Code::Unavailable, Outcome::Unknown));
}

#[test]
fn a_call_that_never_got_out_of_the_opening_may_go_elsewhere_whatever_it_does() {
    let mut pair = Pair::new();
    pair.lose = Box::new(|_| true);
    let call = pair.make_call(10, 0, Duration::from_secs(60), true);
    pair.advance(400 * MS);
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::NotExecuted));
}

#[test]
fn nobody_there_means_not_executed_unless_it_may_run_twice() {
    let mut pair = Pair::new();
    pair.lose = Box::new(|_| true);
    let once = pair.make(10, 0, Duration::from_secs(5));
    pair.advance(Duration::from_secs(5));
    assert_eq!(pair.failed(once), (Code::DeadlineExceeded, Outcome::NotExecuted));
    assert!(pair.sent.len() <= 30, "{}", pair.sent.len());
    let mut pair = Pair::new();
    pair.lose = Box::new(|_| true);
    let twice = pair.make(10, Open::IDEMPOTENT, Duration::from_secs(5));
    pair.advance(Duration::from_secs(5));
    assert_eq!(pair.failed(twice), (Code::DeadlineExceeded, Outcome::Unknown));
    let text = pair.ended(twice).as_ref().unwrap_err().to_string();
    assert_eq!(text, "DEADLINE_EXCEEDED: 10.0.0.2:2 did not answer within 5.000s");
}

#[test]
fn a_process_that_was_stopped_does_not_take_others_for_dead() {
    let mut pair = open();
    pair.echoes = false;
    let call = pair.make(10, 0, Duration::from_secs(60));
    pair.advance(Duration::from_secs(2));
    // Nothing is handled for twenty seconds, and then everything at once.
    pair.now = pair.now + Duration::from_secs(20);
    pair.echoes = true;
    pair.client.endpoint.handle_timeout(pair.now);
    pair.advance(MS);
    pair.server.endpoint.handle_timeout(pair.now);
    let arrived = std::mem::take(&mut pair.server.arrived);
    arrived.iter().for_each(|call| pair.server.reply(call));
    pair.advance(1_000 * MS);
    assert!(pair.is_answered(call));
}

#[test]
fn at_the_deadline_the_caller_is_told_and_the_handler_stopped() {
    let mut pair = open();
    pair.echoes = false;
    let call = pair.make(10, 0, 250 * MS);
    pair.advance(249 * MS);
    assert_eq!((pair.client.ended.len(), pair.server.stopped.len()), (1, 0));
    pair.advance(MS);
    assert_eq!(pair.failed(call), (Code::DeadlineExceeded, Outcome::Unknown));
    assert_eq!(pair.server.stopped.len(), 1);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0));
    assert!(pair.server.endpoint.has_served_all());
}

#[test]
fn a_request_that_took_too_long_to_come_is_not_started() {
    let mut pair = open();
    pair.echoes = false;
    let call = pair.make(10, 0, 100 * MS);
    let now = pair.now;
    let sent: Vec<Sent> = pair.client.transmit(now);
    // It lay in the server's socket for as long as it had.
    let later = now + 100 * MS;
    pair.server.receive_late(now, later, pair.client.addr, sent[0].bytes.clone());
    pair.now = later;
    pair.drive();
    assert_eq!(pair.server.started, 1, "only the call that opened the session");
    assert_eq!(pair.failed(call), (Code::DeadlineExceeded, Outcome::NotExecuted));
}

#[test]
fn a_dropped_call_stops_its_handler_and_says_nothing() {
    let mut pair = open();
    pair.echoes = false;
    let call = pair.call(10);
    pair.advance(50 * MS);
    assert_eq!(pair.server.arrived.len(), 1);
    pair.cancel(call);
    pair.advance(50 * MS);
    assert_eq!(pair.server.stopped.len(), 1);
    assert!(!pair.client.ended.contains_key(&call));
    assert!(pair.server.endpoint.has_served_all());
}

#[test]
fn a_call_dropped_before_it_was_sent_never_is() {
    let mut pair = open();
    let call = pair.call(10);
    pair.cancel(call);
    pair.drive();
    assert_eq!(pair.sent.len(), 0);
}

#[test]
fn a_lost_request_costs_milliseconds() {
    let mut pair = open();
    let mut first = true;
    pair.lose = Box::new(move |_| std::mem::take(&mut first));
    let call = pair.call(10);
    pair.advance(15 * MS);
    assert!(pair.is_answered(call));
}

#[test]
fn the_window_and_the_probes_are_all_that_is_in_flight() {
    let mut pair = Pair::with(Transport::default(), Transport::default());
    pair.call(1);
    pair.advance(100 * MS);
    pair.sent.clear();
    pair.lose = Box::new(|_| true);
    // More than one may send unasked.
    pair.call(1 << 20);
    pair.call(1 << 20);
    pair.drive();
    // And one datagram that tries whether the path carries its size.
    assert_eq!(pair.sent.len(), 32 + 1);
    assert_eq!(pair.sent[32].bytes.len(), 1_232);
}

#[test]
fn who_answers_is_reported_a_few_times_a_second_and_who_does_not_is_not() {
    let mut pair = open();
    let (client, server) = (pair.client.addr, pair.server.addr);
    for end in [&mut pair.client, &mut pair.server] {
        end.answered.clear();
    }
    for _ in 0..100 {
        pair.call(10);
        pair.advance(10 * MS);
    }
    for (end, peer) in [(&pair.client, server), (&pair.server, client)] {
        assert!((8..=10).contains(&end.answered.len()), "{:?}", end.answered);
        assert!(end.answered.iter().all(|&(addr, _)| addr == peer), "{:?}", end.answered);
    }
    let from = pair.client.addr;
    pair.lose = Box::new(move |sent| sent.from == from);
    pair.client.answered.clear();
    pair.call(10);
    pair.advance(1_000 * MS);
    assert_eq!(pair.client.answered, []);
}
