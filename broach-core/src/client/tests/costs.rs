//! What it costs to choose: `BROACH_PICKS=200000 cargo test --release -p broach-core --lib costs --
//! --nocapture` prints it, for the table of guide::balancing. Otherwise it only sees that it can be
//! measured.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use crate::advert::Location;
use crate::rng::Rng;
use crate::routing::tests::{Caller, addr, at, cluster};
use crate::routing::{
    ConsistentHash, Directory, LeastInFlight, Nearest, NetworkQuality, Picker, PowerOfTwoChoices,
    Random, RoundRobin, Selection, Sticky, WeightedRoundRobin, ZoneFirst,
};

const NODES: [u16; 4] = [5, 20, 100, 1000];

/// How many choices each figure is made of.
fn picks() -> u32 {
    std::env::var("BROACH_PICKS").ok().and_then(|picks| picks.parse().ok()).unwrap_or(50)
}

fn print(name: &str, per_pick: impl Fn(u16) -> f64) {
    let costs = NODES.map(|nodes| format!("{:>8.0}", per_pick(nodes)));
    println!("{name:<24} {}", costs.join(" "));
}

/// Nanoseconds for choosing a node by a picker, all that is around it included.
fn cost<P: Picker>(directory: &Arc<Directory>, picker: P, selection: Selection) -> f64 {
    let mut caller = Caller::new(directory, picker);
    caller.selection = selection;
    let once = || {
        let (picks, begun) = (picks(), Instant::now());
        for _ in 0..picks {
            black_box(caller.choose(at(1), &[]).unwrap());
        }
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(picks)
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// The same for a ring of hashes, 100 for each node, without anything around it; and microseconds
/// for making it.
fn ring(nodes: u16) -> (f64, f64) {
    let mut rng = Rng::from_seed(1);
    let names: Vec<u64> = (0..nodes).map(|_| rng.next_u64()).collect();
    let begun = Instant::now();
    let points = |(node, name): (usize, &u64)| {
        let name = *name;
        (0..100_u64).map(move |point| (mix(name ^ mix(point)), node))
    };
    let mut ring: Vec<(u64, usize)> = names.iter().enumerate().flat_map(points).collect();
    ring.sort_unstable();
    let made = begun.elapsed().as_secs_f64() * 1e6;
    let (picks, begun) = (picks(), Instant::now());
    for key in 0..picks {
        let place = ring.partition_point(|&(point, _)| point < mix(u64::from(key)));
        black_box(ring[place % ring.len()].1);
    }
    (begun.elapsed().as_secs_f64() * 1e9 / f64::from(picks), made)
}

/// As quick to make as what stands for a key and a node.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number ^ (number >> 31)
}

#[test]
fn of_choosing() {
    let any = Selection::new;
    println!("ns for {NODES:?} nodes");
    print("Random", |nodes| cost(&cluster(nodes), Random::new(), any()));
    print("RoundRobin", |nodes| cost(&cluster(nodes), RoundRobin::new(), any()));
    print("PowerOfTwoChoices", |nodes| cost(&cluster(nodes), PowerOfTwoChoices::new(), any()));
    print("WeightedRoundRobin", |nodes| cost(&cluster(nodes), WeightedRoundRobin::new(), any()));
    print("LeastInFlight", |nodes| cost(&cluster(nodes), LeastInFlight::new(), any()));
    print("NetworkQuality", |nodes| cost(&cluster(nodes), NetworkQuality::new(), any()));
    print("ZoneFirst", |nodes| cost(&cluster(nodes), ZoneFirst::new("here"), any()));
    let here = Location::new(0.0, 0.0).unwrap();
    print("Nearest", |nodes| cost(&cluster(nodes), Nearest::new(here), any()));
    print("Sticky", |nodes| cost(&cluster(nodes), Sticky::new(), any()));
    let key = || Selection::new().key("ada");
    print("ConsistentHash", |nodes| cost(&cluster(nodes), ConsistentHash::new(), key()));
    print("  unbounded", |nodes| cost(&cluster(nodes), ConsistentHash::unbounded(), key()));
    print("  a ring", |nodes| ring(nodes).0);
    print("  a ring, made (us)", |nodes| ring(nodes).1);
    let zone = || Selection::new().zone("");
    print("one is silent, Random", |nodes| {
        let directory = cluster(nodes);
        directory.look().targets()[0].live.standing.on_silent(at(0));
        cost(&directory, Random::new(), any())
    });
    let one = || Selection::new().node(addr(3));
    print("a node", |nodes| cost(&cluster(nodes), Random::new(), one()));
    print("a zone, then Random", |nodes| cost(&cluster(nodes), Random::new(), zone()));
}
