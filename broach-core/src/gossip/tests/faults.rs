//! Few nodes, slow nodes, lost seeds, observers.

use super::sim::{CLUSTER, MS, SECOND, Sim};
use crate::gossip::{Change, Role, State};

#[test]
fn two_nodes_alone_watch_each_other_and_meet_again() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        sim.loss = 0.1;
        let nodes = sim.cluster(2);
        sim.run(120 * SECOND);
        assert_eq!(sim.false_deaths(), 0, "seed {seed}");
        let other = sim.nodes[nodes[1]].addr;
        sim.groups.insert(other, 1);
        let dead = |sim: &Sim| sim.view(nodes[0], other).unwrap().1 == State::Dead;
        let took = sim.run_until(10 * SECOND, dead);
        assert!(took.is_some_and(|took| took < 4 * SECOND), "seed {seed}: {took:?}");
        sim.run(60 * SECOND);
        sim.groups.clear();
        let took = sim.run_until(60 * SECOND, |sim| sim.is_full(&nodes));
        assert!(took.is_some_and(|took| took < 35 * SECOND), "seed {seed}: {took:?}");
    }
}

#[test]
fn a_node_finds_a_seed_that_comes_up_later() {
    for (wait, limit) in [(3, 4), (60, 6), (900, 35)] {
        let mut sim = Sim::new(wait);
        let lone = sim.start(1, &[0, 1, 7]);
        sim.run(wait as u32 * SECOND);
        assert!(sim.is_full(&[lone]));
        let seed = sim.start(0, &[]);
        let took = sim.run_until(60 * SECOND, |sim| sim.is_full(&[lone, seed]));
        assert!(took.is_some_and(|took| took < limit * SECOND), "{took:?} after {wait} s");
    }
}

#[test]
fn a_lone_node_is_quiet() {
    let mut sim = Sim::new(1);
    // Its own address is its only seed.
    let lone = sim.start(0, &[0]);
    sim.run(600 * SECOND);
    assert_eq!(sim.nodes[lone].datagrams_sent, 0);
    let tries = sim.start(1, &[7, 8]);
    sim.run(3600 * SECOND);
    // Two seeds: some 130 times in the first ten minutes, and every 30 s from then on.
    assert!(sim.nodes[tries].datagrams_sent < 500, "{}", sim.nodes[tries].datagrams_sent);
    let bytes = sim.nodes[tries].bytes_sent;
    assert!(bytes / 3600 < 20, "{bytes} bytes in an hour");
}

#[test]
fn an_observer_sees_everything_and_leaves_no_trace() {
    for seed in 0..10 {
        let mut sim = Sim::new(seed);
        sim.loss = 0.1;
        let nodes = sim.cluster(5);
        let observer = sim.start_as(50, &[0, 1], Role::Observer, CLUSTER);
        let sees = |sim: &Sim| sim.has_full_view(observer, &nodes);
        let took = sim.run_until(10 * SECOND, sees);
        assert!(took.is_some_and(|took| took < 3 * SECOND), "seed {seed}: {took:?}");
        sim.start(5, &[0]);
        let all: Vec<usize> = sim.running().into_iter().filter(|&one| one != observer).collect();
        let took = sim.run_until(20 * SECOND, |sim| sim.has_full_view(observer, &all));
        assert!(took.is_some_and(|took| took < 12 * SECOND), "seed {seed}: {took:?}");
        let gone = sim.nodes[nodes[2]].addr;
        sim.crash(nodes[2]);
        let took = sim.run_until(40 * SECOND, |sim| {
            sim.view(observer, gone).is_none_or(|(_, state)| state == State::Dead)
        });
        assert!(took.is_some_and(|took| took < 8 * SECOND), "seed {seed}: {took:?}");
        let addr = sim.nodes[observer].addr;
        for index in sim.running() {
            assert_eq!(sim.view(index, addr), None, "seed {seed}");
        }
        assert_eq!(sim.nodes[observer].membership.members().count(), 5);
        sim.with(observer, |membership, now| membership.leave(now));
        assert!(sim.nodes[observer].membership.has_left());
    }
}

#[test]
fn a_process_that_stopped_does_not_accuse_the_others() {
    for seed in 0..10 {
        let mut sim = Sim::new(seed);
        let nodes = sim.cluster(5);
        for round in 0..10 {
            sim.run(5 * SECOND);
            sim.pause(nodes[round % 5], SECOND);
            sim.run(2 * SECOND);
        }
        assert_eq!(sim.false_deaths(), 0, "seed {seed}");
        // Stopped for longer, it is taken for dead, and shows that it is not.
        let before = sim.log.len();
        sim.pause(nodes[1], 30 * SECOND);
        sim.run(30 * SECOND);
        let took = sim.run_until(20 * SECOND, |sim| sim.is_full(&nodes));
        assert!(took.is_some_and(|took| took < 10 * SECOND), "seed {seed}: {took:?}");
        let accused = sim.log[before..].iter().filter(|(_, index, change)| {
            *index == nodes[1] && matches!(change, Change::Dead { .. })
        });
        assert_eq!(accused.count(), 0, "seed {seed}");
    }
}

#[test]
fn calls_that_get_through_stand_for_probes() {
    let mut sim = Sim::new(1);
    let nodes = sim.cluster(2);
    sim.run(20 * SECOND);
    let before = sim.nodes[nodes[0]].datagrams_sent;
    let addr = sim.nodes[nodes[1]].addr;
    let instance = sim.nodes[nodes[1]].instance;
    // Nothing of the membership gets through, but calls do.
    sim.groups.insert(addr, 1);
    for _ in 0..200 {
        sim.with(nodes[0], |membership, now| membership.on_evidence(now, addr, instance));
        sim.run(100 * MS);
    }
    assert_eq!(sim.view(nodes[0], addr).unwrap().1, State::Alive);
    let sent = sim.nodes[nodes[0]].datagrams_sent - before;
    assert!(sent < 10, "{sent} datagrams although nothing had to be asked");
    assert_eq!(sim.deaths_of(instance), 0);
    // Evidence of another life is none.
    let other = crate::ids::Instance(instance.0 ^ 1);
    for _ in 0..100 {
        sim.with(nodes[0], |membership, now| membership.on_evidence(now, addr, other));
        sim.run(100 * MS);
    }
    assert_eq!(sim.view(nodes[0], addr).unwrap().1, State::Dead);
}

#[test]
fn a_node_that_hears_little_accuses_hardly_anybody() {
    let mut sim = Sim::new(3);
    let nodes = sim.cluster(20);
    sim.run(10 * SECOND);
    let addr = sim.nodes[nodes[4]].addr;
    sim.deaf.insert(addr, 0.8);
    sim.run(120 * SECOND);
    let healthy = sim.nodes.iter().filter(|node| node.addr != addr);
    let dead: usize = healthy.map(|node| sim.deaths_of(node.instance)).sum();
    assert!(dead <= 2, "{dead} of the others were taken for dead");
}

#[test]
fn an_observer_hears_soon_of_those_who_join_with_it() {
    for seed in 0..10 {
        let mut sim = Sim::new(seed);
        let first = sim.start(0, &[]);
        let second = sim.start(1, &[0]);
        let observer = sim.start_as(50, &[0], Role::Observer, CLUSTER);
        sim.run(250 * MS);
        assert!(sim.has_full_view(observer, &[first, second]), "seed {seed}");
    }
}

#[test]
fn an_observer_whose_only_member_is_gone_forgets_it_and_looks_for_others() {
    for seed in 0..10 {
        let mut sim = Sim::new(seed);
        sim.loss = 0.1;
        let only = sim.start(0, &[]);
        let observer = sim.start_as(50, &[0, 1], Role::Observer, CLUSTER);
        let sees = |sim: &Sim| sim.has_full_view(observer, &[only]);
        assert!(sim.run_until(5 * SECOND, sees).is_some(), "seed {seed}");
        // Nothing is wrong with it for a long time.
        sim.run(600 * SECOND);
        assert_eq!(sim.false_deaths(), 0, "seed {seed}");
        sim.crash(only);
        let forgot = |sim: &Sim| sim.nodes[observer].membership.members().count() == 0;
        let took = sim.run_until(10 * SECOND, forgot);
        assert!(took.is_some_and(|took| took < 5 * SECOND), "seed {seed}: {took:?}");
        sim.run(20 * SECOND);
        let other = sim.start(1, &[]);
        // It asks every 5 s by then, and one in five questions or answers is lost.
        let found = sim.run_until(60 * SECOND, |sim| sim.has_full_view(observer, &[other]));
        assert!(found.is_some_and(|took| took < 25 * SECOND), "seed {seed}: {found:?}");
    }
}

#[test]
fn of_more_seeds_than_are_tried_at_a_time_each_has_its_turn() {
    let mut sim = Sim::new(1);
    let seeds: Vec<usize> = (1..=700).collect();
    let node = sim.start(0, &seeds);
    sim.run(30 * SECOND);
    // The one that the order of addresses puts last.
    let other = sim.start(700, &[]);
    assert!(sim.run_until(60 * SECOND, |sim| sim.is_full(&[node, other])).is_some());
}
