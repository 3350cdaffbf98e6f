//! Simulations of many calls: who gets how many of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Caller, cluster, member};
use crate::deadline::Time;
use crate::rng::Rng;
use crate::routing::{
    Directory, LeastInFlight, Member, Picker, PowerOfTwoChoices, Random, RoundRobin, Source,
    WeightedRoundRobin,
};

/// How long a node takes to answer.
type Takes = fn(&mut Rng) -> Duration;

/// When the node at a place answers what it would answer then.
type Stills = fn(usize, Time) -> Time;

/// At once.
fn never(_: usize, then: Time) -> Time {
    then
}

/// Each node stands still for 20 ms four times a second, and all that it has to do waits. They do
/// so in turn, as processes do that share processors.
fn now_and_then(node: usize, then: Time) -> Time {
    let ms = 1_000_000;
    let phase = (then.as_nanos() + 250 * ms - node as u64 * 50 * ms) % (250 * ms);
    then + Duration::from_nanos((20 * ms).saturating_sub(phase))
}

/// One node stands still once, as long as an operating system lets a process wait at times.
fn once(node: usize, then: Time) -> Time {
    let [from, to] = [200, 230].map(|ms| Time::from_nanos(ms * 1_000_000));
    if node == 3 && from < then && then < to { to } else { then }
}

/// The noises that there are.
const NOISES: [(&str, (Takes, Stills)); 5] = [
    ("standing still once", (steady, once)),
    ("steady", (steady, never)),
    ("heavy", (heavy, never)),
    ("hiccups", (hiccups, never)),
    ("standing still", (steady, now_and_then)),
];

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
    (takes, stills): (Takes, Stills),
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
        let end = stills(at, now + took);
        ends.push(Reverse((end, under_way.insert(target), end.since(now))));
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
    let mut furthest = [0.0_f64; 5];
    for (at_once, seed) in SITUATIONS {
        // For so long that each node stands still several times.
        let calls = CALLS * at_once.div_ceil(64);
        let fair = calls / 5;
        for (name, noise) in NOISES {
            let powers = Caller::new(&cluster(5), PowerOfTwoChoices::new());
            let turns = Caller::new(&cluster(5), RoundRobin::new());
            let weighted = Caller::new(&cluster(5), WeightedRoundRobin::new());
            let random = Caller::new(&cluster(5), Random::new());
            let least = Caller::new(&cluster(5), LeastInFlight::new());
            for (picker, shares) in [
                shares(&powers, calls, at_once, noise, None, seed),
                shares(&turns, calls, at_once, noise, None, seed),
                shares(&weighted, calls, at_once, noise, None, seed),
                shares(&random, calls, at_once, noise, None, seed),
                shares(&least, calls, at_once, noise, None, seed),
            ]
            .iter()
            .enumerate()
            {
                // Where single calls take seconds, whoever has some of them has more to do.
                if picker == 4 && name == "heavy" {
                    continue;
                }
                let even = shares.iter().all(|&share| share.abs_diff(fair) <= fair / 10);
                assert!(even, "{picker}: {name}, {at_once} at once, seed {seed}: {shares:?}");
                let off = |share: &usize| share.abs_diff(fair) as f64 / fair as f64;
                let off = shares.iter().map(off).fold(0.0, f64::max);
                furthest[picker] = off.max(furthest[picker]);
            }
        }
    }
    println!("furthest from fair: {furthest:.3?}");
}

#[test]
fn a_slow_node_gets_a_third_of_its_share_at_most_and_is_not_forgotten() {
    for (at_once, seed) in SITUATIONS {
        for (name, noise) in NOISES {
            let caller = Caller::new(&cluster(5), PowerOfTwoChoices::new());
            let shares = shares(&caller, CALLS, at_once, noise, Some(2), seed);
            let slow = shares[2];
            assert!(slow <= CALLS / 5 / 3, "{name}, {at_once} at once, seed {seed}: {shares:?}");
            assert!(50 <= slow, "{name}, {at_once} at once, seed {seed}: {shares:?}");
        }
    }
}

#[test]
fn a_node_that_has_become_quick_gets_its_share_again() {
    let caller = Caller::new(&cluster(5), PowerOfTwoChoices::new());
    let before = shares(&caller, CALLS, 8, (steady, never), Some(2), SEED);
    let after = shares(&caller, CALLS, 8, (steady, never), None, SEED);
    assert!(before[2] < 18_000 / 3 && 18_000 <= after[2], "{before:?} {after:?}");
}

#[test]
fn weights_are_shares() {
    for at_once in [1, 64] {
        let directory = Directory::new(Source::Cluster);
        let weighted = |(port, weight)| Member { weight, ..member(port, &["a.B"]) };
        directory.update(Time::ZERO, (1..).zip([200, 100]).map(weighted).collect());
        let caller = Caller::new(&directory, PowerOfTwoChoices::new());
        let shares = shares(&caller, CALLS, at_once, (steady, never), None, SEED);
        assert!((63_000..70_000).contains(&shares[0]), "{at_once} at once: {shares:?}");
    }
}

#[test]
fn the_node_itself_gets_its_share_and_not_all() {
    let directory = Directory::new(Source::Cluster);
    let own = |port| Member { own: port == 1, ..member(port, &["a.B"]) };
    directory.update(Time::ZERO, (1..=5).map(own).collect());
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

#[test]
fn one_slow_answer_does_not_keep_calls_away_for_long() {
    let caller = Caller::new(&cluster(2), PowerOfTwoChoices::new());
    let (ms, mut late, mut elsewhere) = (Duration::from_millis(1), 1, 0);
    // Ten calls a second; the very first one to the second node took long.
    for step in 0..1_000 {
        let now = super::at(100 * step);
        let target = caller.choose(now, &[]).unwrap().unwrap().target;
        let second = target.member.addr().port() == 2;
        let took = if second { std::mem::replace(&mut late, 0) * 99 * ms + ms } else { ms };
        target.on_reply(now + took, took);
        if !second {
            elsewhere += 1;
        } else if late == 0 && 50 < elsewhere {
            panic!("{elsewhere} calls went elsewhere in a row");
        } else {
            elsewhere = 0;
        }
    }
    assert!(elsewhere <= 50, "{elsewhere} calls went elsewhere in a row");
}
