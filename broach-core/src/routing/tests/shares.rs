//! Simulations of many calls: who gets how many of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Caller, cluster, member};
use crate::deadline::Time;
use crate::rng::Rng;
use crate::routing::{Directory, Member, Picker, PowerOfTwoChoices, RoundRobin, Source};

/// How long a node takes to answer.
type Takes = fn(&mut Rng) -> Duration;

fn steady(_: &mut Rng) -> Duration {
    Duration::from_millis(1)
}

/// Half a millisecond and a tail without a mean to speak of: one in a hundred takes over 20 ms.
fn heavy(rng: &mut Rng) -> Duration {
    let pareto = (1.0 - rng.fraction()).powf(-1.0 / 1.25);
    Duration::from_micros((500.0 * pareto.min(4_000.0)) as u64)
}

/// As many do: quick, and now and then a hundred times as slow, for instance while memory is
/// tidied up.
fn hiccups(rng: &mut Rng) -> Duration {
    let quick = 800 + rng.below(400);
    Duration::from_micros(if rng.chance(0.01) { 100 * quick } else { quick })
}

/// How many of so many calls each member gets, with `at_once` under way at any time. The node at
/// `slow` takes ten times as long as the others.
fn shares<P: Picker>(
    caller: &Caller<P>,
    calls: usize,
    at_once: usize,
    takes: Takes,
    slow: Option<usize>,
    seed: u64,
) -> Vec<usize> {
    let members = caller.directory.snapshot().len();
    let (mut rng, mut shares) = (Rng::from_seed(seed), vec![0; members]);
    let mut now = Time::from_nanos(1);
    let (mut ends, mut under_way) = (BinaryHeap::new(), slab::Slab::new());
    for _ in 0..calls {
        if ends.len() == at_once {
            let Some(Reverse((end, key, took))) = ends.pop() else { unreachable!() };
            now = end;
            let ended: crate::routing::InFlight = under_way.remove(key);
            ended.on_reply(now, took);
        }
        let target = caller.choose(now, &[]).unwrap().unwrap().target;
        let at = usize::from(target.member.addr().port()) - 1;
        shares[at] += 1;
        let took = takes(&mut rng) * if slow == Some(at) { 10 } else { 1 };
        ends.push(Reverse((now + took, under_way.insert(target), took)));
    }
    shares
}

/// How many calls at once, and a seed.
const SITUATIONS: [(usize, u64); 8] =
    [(1, 1), (1, 2), (1, 3), (1, 4), (8, 5), (64, 6), (64, 7), (512, 8)];

const SEED: u64 = 11;
const CALLS: usize = 100_000;

#[test]
fn equal_nodes_get_equal_shares_whatever_the_noise() {
    for (at_once, seed) in SITUATIONS {
        for (name, takes) in [("steady", steady as Takes), ("heavy", heavy), ("hiccups", hiccups)] {
            let powers = Caller::new(&cluster(5), PowerOfTwoChoices::new());
            let turns = Caller::new(&cluster(5), RoundRobin::new());
            for shares in [
                shares(&powers, CALLS, at_once, takes, None, seed),
                shares(&turns, CALLS, at_once, takes, None, seed),
            ] {
                let even = shares.iter().all(|share| (18_000..=22_000).contains(share));
                assert!(even, "{name}, {at_once} at once, seed {seed}: {shares:?}");
            }
        }
    }
}

#[test]
fn a_slow_node_gets_a_third_of_its_share_at_most_and_is_not_forgotten() {
    for (at_once, seed) in SITUATIONS {
        for (name, takes) in [("steady", steady as Takes), ("heavy", heavy), ("hiccups", hiccups)] {
            let caller = Caller::new(&cluster(5), PowerOfTwoChoices::new());
            let shares = shares(&caller, CALLS, at_once, takes, Some(2), seed);
            let slow = shares[2];
            assert!(slow <= CALLS / 5 / 3, "{name}, {at_once} at once, seed {seed}: {shares:?}");
            assert!(50 <= slow, "{name}, {at_once} at once, seed {seed}: {shares:?}");
        }
    }
}

#[test]
fn a_node_that_has_become_quick_gets_its_share_again() {
    let caller = Caller::new(&cluster(5), PowerOfTwoChoices::new());
    let before = shares(&caller, CALLS, 8, steady, Some(2), SEED);
    let after = shares(&caller, CALLS, 8, steady, None, SEED);
    assert!(before[2] < 18_000 / 3 && 18_000 <= after[2], "{before:?} {after:?}");
}

#[test]
fn weights_are_shares() {
    for at_once in [1, 64] {
        let directory = Directory::new(Source::Cluster);
        let weighted = |(port, weight)| Member { weight, ..member(port, &["a.B"]) };
        directory.update((1..).zip([200, 100]).map(weighted).collect());
        let caller = Caller::new(&directory, PowerOfTwoChoices::new());
        let shares = shares(&caller, CALLS, at_once, steady, None, SEED);
        assert!((63_000..70_000).contains(&shares[0]), "{at_once} at once: {shares:?}");
    }
}

#[test]
fn the_node_itself_gets_its_share_and_not_all() {
    let directory = Directory::new(Source::Cluster);
    let own = |port| Member { own: port == 1, ..member(port, &["a.B"]) };
    directory.update((1..=5).map(own).collect());
    let caller = Caller::new(&directory, PowerOfTwoChoices::new());
    let mut own = 0;
    for ms in 0..10_000 {
        let (now, chosen) = (super::at(ms), caller.choose(super::at(ms), &[]).unwrap().unwrap());
        let here = chosen.target.member.is_self();
        own += u32::from(here);
        let took = if here { Duration::from_micros(5) } else { Duration::from_micros(500) };
        chosen.target.on_reply(now, took);
    }
    assert!((1_800..=2_200).contains(&own), "{own}");
}
