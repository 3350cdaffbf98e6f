//! A node that is about to end and says so.

use std::time::Duration;

use super::pair::{MS, Pair};
use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::proto::Condition::{self, Leaving, Well};
use crate::rng::Rng;

/// How a call that is answered now finds the server.
fn found(pair: &mut Pair) -> Condition {
    let call = pair.call(10);
    pair.advance(500 * MS);
    assert!(pair.is_answered(call));
    pair.client.conditions[&call]
}

#[test]
fn whoever_calls_a_node_hears_that_it_is_about_to_end() {
    let mut pair = Pair::new();
    assert_eq!(found(&mut pair), Well);
    pair.server.endpoint.go_away();
    pair.advance(100 * MS);
    assert_eq!(found(&mut pair), Leaving, "and calls are served all the same");
    // Another life of it does not leave.
    pair.restart_server();
    let lost = pair.idempotent_call(10);
    pair.advance(1_000 * MS);
    assert!(pair.client.ended.contains_key(&lost));
    assert_eq!(found(&mut pair), Well);
}

#[test]
fn a_caller_that_comes_later_hears_it_with_the_first_answer() {
    let mut pair = Pair::new();
    pair.server.endpoint.go_away();
    assert_eq!(found(&mut pair), Leaving);
}

#[test]
fn it_is_told_until_it_has_been_heard() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut pair = Pair::new();
        assert_eq!(found(&mut pair), Well);
        let mut rng = Rng::from_seed(seed);
        pair.lose = Box::new(move |_| rng.chance(0.5));
        pair.server.endpoint.go_away();
        pair.advance(Duration::from_secs(5));
        pair.lose = Box::new(|_| false);
        assert_eq!(found(&mut pair), Leaving);
    }
}

#[test]
fn calls_that_wait_go_elsewhere_if_they_can() {
    let few = Transport { calls_per_session_max: 2, ..Transport::default() };
    let mut pair = Pair::with(Transport::default(), few);
    assert_eq!(found(&mut pair), Well);
    pair.echoes = false;
    let (minute, mut calls) = (Duration::from_secs(60), Vec::new());
    for goes in [true, false, true, false] {
        calls.push(pair.make_call(10, 0, minute, goes));
    }
    pair.advance(100 * MS);
    assert_eq!(pair.server.arrived.len(), 2);
    pair.server.endpoint.go_away();
    pair.advance(100 * MS);
    assert_eq!(pair.failed(calls[2]), (Code::Unavailable, Outcome::NotExecuted));
    assert!(pair.ended(calls[2]).as_ref().unwrap_err().is_shutting_down());
    assert_eq!(pair.client.conditions[&calls[2]], Leaving);
    assert_eq!(pair.client.ended.len(), 2, "the others are under way, or have nowhere to go");
    pair.echoes = true;
    pair.advance(100 * MS);
    assert!([0, 1, 3].into_iter().all(|index| pair.is_answered(calls[index])));
}
