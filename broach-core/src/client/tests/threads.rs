//! Pickers that are asked on many threads, while nodes come and go.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::advert::Location;
use crate::deadline::Time;
use crate::routing::tests::{Caller, at, cluster, member};
use crate::routing::{
    ConsistentHash, LeastInFlight, Nearest, NetworkQuality, Picker, PowerOfTwoChoices, Random,
    RoundRobin, Sticky, WeightedRoundRobin, ZoneFirst,
};

#[test]
fn every_picker_can_be_asked_on_many_threads_while_nodes_come_and_go() {
    ask(PowerOfTwoChoices::new());
    ask(RoundRobin::new());
    ask(Random::new());
    ask(WeightedRoundRobin::new());
    ask(LeastInFlight::new());
    ask(ConsistentHash::new());
    ask(ConsistentHash::unbounded());
    ask(NetworkQuality::new());
    ask(ZoneFirst::new("").with(WeightedRoundRobin::new()));
    ask(Nearest::new(Location::new(0.0, 0.0).unwrap()));
    ask(Sticky::new());
    ask(Sticky::new().with(RoundRobin::new()));
}

#[test]
fn turns_are_shared_out_exactly_whoever_takes_them() {
    let caller = Caller::new(&cluster(5), WeightedRoundRobin::new());
    let taken = std::thread::scope(|scope| {
        let takers = [(); 4].map(|()| scope.spawn(|| caller.picks(at(0), 2_500)));
        takers.map(|taker| taker.join().unwrap()).concat()
    });
    for port in 1..=5 {
        assert_eq!(taken.iter().filter(|&&taken| taken == port).count(), 2_000, "of node {port}");
    }
}

fn ask<P: Picker>(picker: P) {
    let directory = cluster(4);
    let caller = Caller::new(&directory, picker);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for turn in 0..5_000 {
                        let chosen = caller.choose(at(turn), &[]).unwrap().unwrap();
                        chosen.target.on_reply(at(turn), Duration::from_millis(1));
                    }
                })
            })
            .collect();
        let changes = scope.spawn(|| {
            let mut count = 4;
            while !over.load(Relaxed) {
                count = 2 + (count + 3) % 7;
                let members = (1..=count).map(|port| member(port, &["a.B"]));
                directory.update(Time::ZERO, members.collect());
                std::thread::yield_now();
            }
        });
        let ends: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        over.store(true, Relaxed);
        changes.join().unwrap();
        assert!(ends.iter().all(Result::is_ok), "one has panicked");
    });
}
