//! How fast and how reliable it is, at 10 and 100 nodes.
//!
//! The bounds are looser than what is measured, so that they hold for any seed. For the figures of
//! `guide::membership`, over more seeds and at any size:
//!
//! ```text
//! BROACH_FIGURES=10,100,1000,stalls cargo test --release -p broach-core --lib figures -- \
//!     --nocapture
//! ```

use std::time::Duration;

use super::sim::{MS, SECOND, Sim};
use crate::gossip::{AdvertName, Change, State};

const LIMIT: Duration = Duration::from_secs(300);

/// A cluster that has come to rest.
fn rested(members: usize, loss: f64, seed: u64) -> (Sim, Vec<usize>) {
    let mut sim = Sim::new(seed);
    let nodes = sim.cluster(members);
    sim.loss = loss;
    sim.run(15 * SECOND);
    (sim, nodes)
}

/// How long until all know a node that joins, and until it knows all.
fn join(members: usize, loss: f64, seed: u64) -> (Duration, Duration) {
    let (mut sim, nodes) = rested(members - 1, loss, seed);
    let joined = sim.start(members, &[seed as usize % members.min(5)]);
    let (addr, instance) = (sim.nodes[joined].addr, sim.nodes[joined].instance);
    let all = sim.running();
    let mut full = None;
    let start = sim.now;
    let known = sim.run_until(LIMIT, |sim| {
        if full.is_none() && sim.has_full_view(joined, &all) {
            full = Some(sim.now.since(start));
        }
        let knows = |&index: &usize| sim.view(index, addr) == Some((instance, State::Alive));
        full.is_some() && nodes.iter().all(knows)
    });
    (known.expect("all hear of it"), full.expect("it hears of all"))
}

/// How long until all know that a node has left, or died.
fn gone(members: usize, loss: f64, seed: u64, leaves: bool) -> Duration {
    let (mut sim, nodes) = rested(members, loss, seed);
    let gone = nodes[sim.draw(members as u64) as usize];
    let addr = sim.nodes[gone].addr;
    if leaves {
        sim.with(gone, |membership, now| membership.leave(now));
    } else {
        sim.crash(gone);
    }
    let others: Vec<usize> = nodes.into_iter().filter(|&index| index != gone).collect();
    let knows = |sim: &Sim, index| !sim.view(index, addr).unwrap().1.is_live();
    let took = sim.run_until(LIMIT, |sim| others.iter().all(|&index| knows(sim, index)));
    took.expect("all hear of it")
}

/// How long until all know the version of a new advert.
fn advert(members: usize, loss: f64, seed: u64) -> Duration {
    let (mut sim, nodes) = rested(members, loss, seed);
    let addr = sim.nodes[nodes[1]].addr;
    let advert = AdvertName { version: 1, hash: 1 };
    sim.with(nodes[1], |membership, now| membership.set_advert(now, advert));
    let knows = |sim: &Sim, index: usize| {
        sim.nodes[index].membership.member(addr).unwrap().advert() == advert
    };
    let took = sim.run_until(LIMIT, |sim| nodes.iter().all(|&index| knows(sim, index)));
    took.expect("all hear of it")
}

/// How long until all know the new life of a node that restarts, and how often the old one was
/// taken for dead.
fn restart(members: usize, loss: f64, seed: u64) -> (Duration, usize) {
    let (mut sim, nodes) = rested(members, loss, seed);
    let old = sim.nodes[nodes[2]].instance;
    sim.crash(nodes[2]);
    sim.run(200 * MS);
    sim.start(2, &[0, 1]);
    let all = sim.running();
    let took = sim.run_until(LIMIT, |sim| sim.is_full(&all));
    (took.expect("all hear of it"), sim.deaths_of(old))
}

/// How long until all know all again, once a partition of a minute is over.
fn heal(members: usize, loss: f64, seed: u64) -> Duration {
    let (mut sim, nodes) = rested(members, loss, seed);
    for &index in &nodes[..members / 2] {
        let addr = sim.nodes[index].addr;
        sim.groups.insert(addr, 1);
    }
    sim.run(60 * SECOND);
    sim.groups.clear();
    sim.run_until(LIMIT, |sim| sim.is_full(&nodes)).expect("it heals")
}

/// How long it takes nodes that all start within one second to know each other, from the start of
/// the first.
fn cold_start(members: usize, seed: u64) -> Duration {
    let mut sim = Sim::new(seed);
    let nodes: Vec<usize> = (0..members)
        .map(|number| {
            let index = sim.start(number, &[0, 1, 2]);
            sim.run(SECOND / members as u32);
            index
        })
        .collect();
    SECOND + sim.run_until(LIMIT, |sim| sim.is_full(&nodes)).expect("all find each other")
}

/// Bytes per second that a node sends while nothing happens, and datagrams.
fn idle(members: usize, seed: u64) -> (f64, f64) {
    let (mut sim, nodes) = rested(members, 0.0, seed);
    let datagrams = |sim: &Sim| -> u64 { sim.nodes.iter().map(|node| node.datagrams_sent).sum() };
    let before = (sim.bytes_sent(), datagrams(&sim));
    sim.run(100 * SECOND);
    let per = nodes.len() as f64 * 100.0;
    ((sim.bytes_sent() - before.0) as f64 / per, (datagrams(&sim) - before.1) as f64 / per)
}

/// How often a node that lives was taken for dead, all observers together.
fn false_alarms(members: usize, loss: f64, duration: Duration, seed: u64) -> usize {
    let (mut sim, _) = rested(members, loss, seed);
    sim.run(duration);
    sim.false_deaths()
}

/// So many of 128 nodes are held up for some time, again and again: how often one of the others is
/// taken for dead, by the others and by all.
fn stalls(slow: usize, hold: Duration, health_max: u32, seed: u64) -> (usize, usize) {
    let mut sim = Sim::new(seed);
    sim.config.health_max = health_max;
    let nodes = sim.cluster(128);
    sim.run(15 * SECOND);
    let before = sim.log.len();
    let end = sim.now + 120 * SECOND;
    while sim.now < end {
        nodes[..slow].iter().for_each(|&index| sim.hold(index, hold));
        sim.run(hold + 100 * MS);
    }
    sim.run(15 * SECOND);
    let healthy: Vec<_> = nodes[slow..].iter().map(|&index| sim.nodes[index].instance).collect();
    let deaths = sim.log[before..].iter().filter_map(|(_, index, change)| match change {
        Change::Dead { peer } => Some((*index, peer.instance)),
        _ => None,
    });
    let deaths: Vec<_> = deaths.filter(|(_, whom)| healthy.contains(whom)).collect();
    let among = deaths.iter().filter(|(by, _)| slow <= *by).count();
    (among, deaths.len())
}

fn percentile(mut times: Vec<Duration>, share: f64) -> Duration {
    times.sort();
    times[((times.len() - 1) as f64 * share).round() as usize]
}

#[test]
fn news_reach_all_within_a_second() {
    for (members, seeds, loss, limit) in
        [(10, 10, 0.1, 1_000), (100, 3, 0.0, 800), (100, 3, 0.1, 1_200), (100, 2, 0.2, 2_500)]
    {
        for seed in 0..seeds {
            let limit = limit * MS;
            let (known, full) = join(members, loss, seed);
            let text = format!("{members} nodes, loss {loss}, seed {seed}");
            // A knock that is lost is repeated after 0.2 s, a pull after 0.25 s.
            let lost = if loss == 0.0 { Duration::ZERO } else { 1_500 * MS };
            assert!(known < limit + lost, "{text}: joined after {known:?}");
            assert!(full < 300 * MS + lost, "{text}: full after {full:?}");
            let left = gone(members, loss, seed, true);
            assert!(left < limit, "{text}: left after {left:?}");
            let told = advert(members, loss, seed);
            assert!(told < limit, "{text}: told after {told:?}");
        }
    }
}

#[test]
fn a_crash_is_noticed_within_seconds() {
    for (members, seeds, loss, limit) in [(10, 10, 0.0, 5), (10, 10, 0.1, 8), (100, 3, 0.1, 8)] {
        let times = (0..seeds).map(|seed| gone(members, loss, seed, false));
        let times: Vec<Duration> = times.collect();
        let most = *times.iter().max().unwrap();
        assert!(most < limit * SECOND, "{members} nodes, loss {loss}: {times:?}");
    }
}

#[test]
fn nobody_is_taken_for_dead_who_is_not() {
    // Some 6 node-hours.
    for (members, loss, seconds) in [(100, 0.05, 120), (100, 0.1, 60), (10, 0.1, 360)] {
        let alarms = false_alarms(members, loss, seconds * SECOND, 1);
        assert_eq!(alarms, 0, "{members} nodes, loss {loss}");
    }
}

#[test]
fn nodes_that_are_held_up_do_not_accuse_others() {
    for (slow, hold) in [(4, 4 * SECOND), (8, 16 * SECOND)] {
        let (among_healthy, _) = stalls(slow, hold, 8, 1);
        assert_eq!(among_healthy, 0, "{slow} held for {hold:?}");
    }
}

#[test]
fn partitions_restarts_and_cold_starts_end_well() {
    for (members, seeds) in [(10, 5), (100, 2)] {
        for seed in 0..seeds {
            let healed = heal(members, 0.0, seed);
            assert!(healed < 35 * SECOND, "{members} nodes, seed {seed}: {healed:?}");
            let (known, deaths) = restart(members, 0.0, seed);
            assert!(known < 1_200 * MS && deaths == 0, "{known:?}, {deaths}");
            let started = cold_start(members, seed);
            assert!(started < 4 * SECOND, "{members} nodes, seed {seed}: {started:?}");
        }
    }
}

#[test]
fn little_is_sent_while_nothing_happens() {
    for members in [10, 100] {
        let (bytes, datagrams) = idle(members, 1);
        assert!(bytes < 500.0, "{members} nodes: {bytes} B/s");
        assert!(datagrams < 5.0, "{members} nodes: {datagrams} datagrams a second");
    }
}

#[test]
fn figures() {
    let Some(sizes) = std::env::var_os("BROACH_FIGURES") else { return };
    for size in sizes.to_string_lossy().split(',') {
        let Ok(members) = size.parse::<usize>() else { continue };
        let large = 500 <= members;
        let seeds = if large { 1 } else { 20 };
        let row = |name: &str, measure: &dyn Fn(u64) -> Duration| {
            let times: Vec<Duration> = (0..seeds).map(measure).collect();
            let [half, most] = [0.5, 1.0].map(|share| percentile(times.clone(), share));
            println!("{members} | {name} | {half:.2?} | {most:.2?}");
        };
        let (bytes, datagrams) = idle(members, 0);
        println!("{members} | idle | {bytes:.0} B/s | {datagrams:.2} datagrams/s");
        row("cold start", &|seed| cold_start(members, seed));
        for &loss in if large { &[0.0][..] } else { &[0.0, 0.1, 0.2] } {
            row(&format!("join known, {loss}"), &|seed| join(members, loss, seed).0);
            row(&format!("joiner full, {loss}"), &|seed| join(members, loss, seed).1);
            row(&format!("leave, {loss}"), &|seed| gone(members, loss, seed, true));
            row(&format!("advert, {loss}"), &|seed| advert(members, loss, seed));
            row(&format!("crash, {loss}"), &|seed| gone(members, loss, seed, false));
            row(&format!("restart, {loss}"), &|seed| restart(members, loss, seed).0);
        }
        if !large {
            row("heal", &|seed| heal(members, 0.0, seed));
            for loss in [0.05, 0.1, 0.2] {
                let hour = 3_600 * SECOND / members as u32;
                let alarms: usize =
                    (0..20).map(|seed| false_alarms(members, loss, hour, seed)).sum();
                println!("{members} | false deaths in 20 node-hours, {loss} | {alarms}");
            }
        }
    }
    for (slow, hold) in [(1, 1), (4, 4), (16, 4), (8, 16), (16, 16)] {
        if !sizes.to_string_lossy().contains("stalls") {
            break;
        }
        let [with, without] = [8, 0].map(|health| stalls(slow, hold * SECOND, health, 0));
        println!("{slow} of 128 held {hold} s | {with:?} | without local health {without:?}");
    }
}
