//! Five nodes, and what may happen to them, on twenty seeds at ten per cent loss.

use super::sim::{MS, SECOND, Sim};
use crate::gossip::{Change, State};

const SEEDS: std::ops::Range<u64> = 0..20;

fn lossy(seed: u64) -> (Sim, Vec<usize>) {
    let mut sim = Sim::new(seed);
    (sim.loss, sim.duplicate) = (0.1, 0.05);
    let nodes = sim.cluster(5);
    (sim, nodes)
}

#[test]
fn a_crash_is_noticed_by_all_and_nobody_else_is_taken_for_dead() {
    for seed in SEEDS {
        let (mut sim, nodes) = lossy(seed);
        sim.run(60 * SECOND);
        assert_eq!(sim.false_deaths(), 0, "seed {seed}");
        let gone = nodes[(seed % 5) as usize];
        let addr = sim.nodes[gone].addr;
        sim.crash(gone);
        let rest = sim.running();
        let dead = |sim: &Sim| {
            let dead = |&index: &usize| sim.view(index, addr).unwrap().1 == State::Dead;
            rest.iter().all(dead)
        };
        let noticed = sim.run_until(20 * SECOND, dead);
        assert!(noticed.is_some_and(|took| took < 12 * SECOND), "seed {seed}: {noticed:?}");
        let told = sim.log.iter().filter(|(_, _, change)| matches!(change, Change::Dead { .. }));
        assert_eq!(told.count(), 4, "seed {seed}: each says so once");
        sim.run(30 * SECOND);
        assert!(sim.is_full(&rest), "seed {seed}");
        assert_eq!(sim.false_deaths(), 0, "seed {seed}");
    }
}

#[test]
fn a_node_that_leaves_is_gone_at_once_and_not_dead() {
    for seed in SEEDS {
        let (mut sim, nodes) = lossy(seed);
        sim.run(5 * SECOND);
        let gone = nodes[(seed % 5) as usize];
        let (addr, instance) = (sim.nodes[gone].addr, sim.nodes[gone].instance);
        sim.with(gone, |membership, now| membership.leave(now));
        let left = sim.run_until(2 * SECOND, |sim| sim.nodes[gone].membership.has_left());
        assert!(left.is_some_and(|took| took < 600 * MS), "seed {seed}: {left:?}");
        sim.crash(gone);
        let rest = sim.running();
        let known =
            |sim: &Sim| rest.iter().all(|&index| sim.view(index, addr).unwrap().1 == State::Left);
        let took = sim.run_until(20 * SECOND, known);
        assert!(took.is_some_and(|took| took < 2 * SECOND), "seed {seed}: {took:?}");
        sim.run(30 * SECOND);
        assert_eq!(sim.deaths_of(instance), 0, "seed {seed}");
        assert!(sim.is_full(&rest), "seed {seed}");
    }
}

#[test]
fn a_restart_is_another_life_and_no_death() {
    for seed in SEEDS {
        let (mut sim, nodes) = lossy(seed);
        sim.run(5 * SECOND);
        let number = (seed % 5) as usize;
        let old = sim.nodes[nodes[number]].instance;
        sim.crash(nodes[number]);
        sim.run(300 * MS);
        // Its seed is another node, and itself.
        sim.start(number, &[(number + 1) % 5, number]);
        let all = sim.running();
        let took = sim.run_until(10 * SECOND, |sim| sim.is_full(&all));
        assert!(took.is_some_and(|took| took < 3 * SECOND), "seed {seed}: {took:?}");
        sim.run(30 * SECOND);
        assert!(sim.is_full(&all), "seed {seed}");
        assert_eq!((sim.deaths_of(old), sim.false_deaths()), (0, 0), "seed {seed}");
        let replaced = |change: &Change| matches!(change, Change::Up { replaces: Some(instance), .. } if *instance == old);
        assert_eq!(sim.log.iter().filter(|(_, _, change)| replaced(change)).count(), 4);
    }
}

#[test]
fn a_partition_of_a_minute_heals() {
    for seed in SEEDS {
        let (mut sim, nodes) = lossy(seed);
        sim.run(5 * SECOND);
        for &index in &nodes[..2] {
            let addr = sim.nodes[index].addr;
            sim.groups.insert(addr, 1);
        }
        sim.run(60 * SECOND);
        assert!(sim.is_full(&nodes[..2]) && sim.is_full(&nodes[2..]), "seed {seed}");
        sim.groups.clear();
        let took = sim.run_until(60 * SECOND, |sim| sim.is_full(&nodes));
        assert!(took.is_some_and(|took| took < 35 * SECOND), "seed {seed}: {took:?}");
    }
}

#[test]
fn a_seed_that_runs_twice_does_the_same_twice() {
    let trace = |seed| {
        let (mut sim, nodes) = lossy(seed);
        sim.crash(nodes[1]);
        sim.run(30 * SECOND);
        (sim.trace(), sim.log.len())
    };
    for seed in SEEDS {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_ne!(trace(1), trace(2));
}
