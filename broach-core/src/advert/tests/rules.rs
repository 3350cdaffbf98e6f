//! What is asked, of whom, when, and what is kept.

use std::collections::BTreeSet;

use crate::advert::tests::sim::{Faults, MS, World, advert, node, sized};
use crate::advert::{Advert, EncodedAdvert, Fetch};
use crate::deadline::Time;

#[test]
fn one_transfer_serves_for_all_who_offer_the_same() {
    let mut world = World::new(1);
    world.hold(&advert(1), 1..=1000);
    world.tell();
    world.run(200 * MS);
    assert!(world.knows(&advert(1)));
    assert_eq!(world.asked.len(), 1);
    assert_eq!(world.fetcher.next_timeout(), None);
}

#[test]
fn what_this_node_offers_itself_is_not_fetched() {
    let mut world = World::new(1);
    world.store.set_own(advert(1));
    world.hold(&advert(1), 1..=5);
    world.tell();
    // It stays known when this node has long begun to offer something else.
    (2..=20).for_each(|number| world.store.set_own(advert(number)));
    world.tell();
    world.run(1000 * MS);
    assert!(world.knows(&advert(1)) && world.asked.is_empty());
}

#[test]
fn no_advert_and_nobody_who_has_one_are_nothing_to_fetch() {
    let mut world = World::new(1);
    let nothing = EncodedAdvert::new(Advert::default()).unwrap();
    world.hold(&nothing, 1..=5);
    world.hold(&advert(1), []);
    world.tell();
    world.run(1000 * MS);
    assert!(world.asked.is_empty());
}

#[test]
fn the_larger_the_cluster_the_longer_the_first_asks_are_spread() {
    let first = |seed, members| {
        let mut world = World::new(seed);
        world.hold(&advert(1), 1..=members);
        world.tell();
        world.run(200 * MS);
        world.asked[0].0.since(Time::ZERO)
    };
    let spread = |members| (0..50).map(|seed| first(seed, members)).collect::<Vec<_>>();
    assert!(spread(10).iter().all(|wait| wait.is_zero()));
    assert!(spread(505).iter().all(|wait| *wait <= 50 * MS));
    let (min, max) = (*spread(2000).iter().min().unwrap(), *spread(2000).iter().max().unwrap());
    assert!(min < 15 * MS && 85 * MS < max && max <= 100 * MS, "{min:?} {max:?}");
}

#[test]
fn everything_arrives_whatever_nodes_do() {
    for seed in 0..100 {
        let mut world = World::new(seed);
        world.faults = Faults { silent: 0.2, wrong: 0.2, without: 0.2 };
        for number in 0..40 {
            world.hold(&advert(number), (0..5).map(|at| (number * 3 + at) as u16 + 1));
        }
        world.tell();
        world.run(120_000 * MS);
        for number in 0..40 {
            assert!(world.knows(&advert(number)), "seed {seed}: advert {number} is missing");
        }
        assert!(0 < world.refused, "seed {seed}");
        assert_eq!(world.fetcher.next_timeout(), None, "seed {seed}");
    }
}

#[test]
fn a_seed_replays_who_is_asked_and_when() {
    let run = || {
        let mut world = World::new(5);
        world.faults = Faults { silent: 0.3, wrong: 0.1, without: 0.1 };
        (0..20).for_each(|number| world.hold(&advert(number), 1..=200));
        world.tell();
        world.run(60_000 * MS);
        world.asked
    };
    assert_eq!(run(), run());
}

#[test]
fn after_a_failure_somebody_else_is_asked_ever_later() {
    let mut world = World::new(3);
    world.faults.silent = 1.0;
    world.hold(&advert(1), 1..=2);
    world.tell();
    world.run(60_000 * MS);
    let pairs = world.asked.windows(2);
    assert!(pairs.clone().all(|pair| pair[0].1.ask != pair[1].1.ask));
    let waits = pairs.map(|pair| pair[1].0.since(pair[0].0) - 1000 * MS);
    let waits: Vec<_> = waits.take(8).collect();
    assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000].map(|wait| wait * MS));
    // For as long as it is wanted.
    world.run(600_000 * MS);
    world.faults.silent = 0.0;
    world.run(6_000 * MS);
    assert!(world.knows(&advert(1)));
}

#[test]
fn who_does_not_have_it_or_has_something_else_is_left_alone_for_a_while() {
    for (faults, refused) in [
        (Faults { without: 1.0, ..Faults::default() }, 0),
        (Faults { wrong: 1.0, ..Faults::default() }, 3),
    ] {
        let mut world = World::new(4);
        world.faults = faults;
        world.hold(&advert(1), 1..=3);
        world.tell();
        world.run(4_500 * MS);
        let asked: BTreeSet<_> = world.asked.iter().map(|(_, fetch)| fetch.ask).collect();
        assert_eq!((asked.len(), world.asked.len()), (3, 3));
        assert_eq!(world.refused, refused);
        world.run(1_500 * MS);
        assert!(3 < world.asked.len());
    }
}

#[test]
fn a_holder_that_vanishes_is_not_asked_again() {
    let mut world = World::new(6);
    world.faults.silent = 1.0;
    world.hold(&advert(1), 1..=2);
    world.tell();
    world.run(500 * MS);
    world.hold(&advert(1), [2]);
    world.faults.silent = 0.0;
    world.asked.clear();
    world.tell();
    world.run(3_000 * MS);
    assert!(world.knows(&advert(1)));
    assert!(world.asked.iter().all(|(_, fetch)| fetch.ask == node(2)));
}

#[test]
fn a_holder_that_is_new_is_asked_at_once() {
    let mut world = World::new(6);
    world.faults.silent = 1.0;
    world.hold(&advert(1), 1..=3);
    world.tell();
    world.run(30_000 * MS);
    // Its turn comes when nobody is being asked.
    while world.fetcher.next_timeout().is_none() {
        world.run(MS);
    }
    world.faults.silent = 0.0;
    world.hold(&advert(1), 1..=4);
    world.asked.clear();
    world.tell();
    let timeout = 3_000 * MS;
    let fetch = Fetch { hash: advert(1).hash(), ask: node(4), timeout };
    assert_eq!(world.asked, [(world.now, fetch)]);
}

#[test]
fn everybody_is_asked_before_anybody_is_asked_twice() {
    let mut world = World::new(13);
    world.faults.silent = 1.0;
    world.hold(&advert(1), 1..=9);
    world.tell();
    world.run(100_000 * MS);
    for round in world.asked.chunks_exact(9) {
        let distinct: BTreeSet<_> = round.iter().map(|(_, fetch)| fetch.ask).collect();
        assert_eq!(distinct.len(), 9);
    }
}

#[test]
fn a_hash_that_changes_while_it_is_fetched_is_fetched_no_further() {
    let mut world = World::new(7);
    world.faults.silent = 1.0;
    world.hold(&advert(1), [1]);
    world.tell();
    world.run(500 * MS);
    world.held.clear();
    world.hold(&advert(2), [1]);
    world.faults.silent = 0.0;
    world.tell();
    world.run(5_000 * MS);
    assert!(world.knows(&advert(2)) && !world.knows(&advert(1)));
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn an_answer_that_comes_when_nobody_has_it_any_more_is_kept_for_a_while() {
    let mut world = World::new(8);
    world.hold(&advert(1), [1]);
    world.tell();
    world.held.clear();
    world.tell();
    world.run(2 * MS);
    assert!(world.knows(&advert(1)));
    world.run(59_000 * MS);
    assert!(world.knows(&advert(1)));
    world.run(1_000 * MS);
    assert!(!world.knows(&advert(1)));
    assert_eq!(world.fetcher.next_timeout(), None);
}

#[test]
fn a_member_that_comes_back_within_a_minute_is_known_at_once() {
    let mut world = World::new(9);
    world.hold(&advert(1), [1]);
    world.tell();
    world.run(10 * MS);
    world.held.clear();
    world.tell();
    world.run(50_000 * MS);
    world.hold(&advert(1), [1]);
    world.tell();
    assert!(world.knows(&advert(1)));
    world.run(100_000 * MS);
    assert!(world.knows(&advert(1)));
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn only_so_many_are_kept_that_nobody_has() {
    let mut world = World::new(10);
    (0..200).for_each(|number| world.hold(&advert(number), [1, 2, 3]));
    world.tell();
    world.run(1_000 * MS);
    assert!((0..200).all(|number| world.knows(&advert(number))));
    world.held.clear();
    world.tell();
    assert_eq!((0..200).filter(|&number| world.knows(&advert(number))).count(), 64);
}

#[test]
fn beyond_the_memory_for_adverts_no_more_are_fetched_and_that_is_said_once() {
    let mut world = World::new(11);
    let large = |number| sized(number, 250_000);
    (0..80).for_each(|number| world.hold(&large(number), [1, 2, 3]));
    world.tell();
    world.run(60_000 * MS);
    let known = |world: &World| (0..80).filter(|&number| world.knows(&large(number))).count();
    let (before, asked) = (known(&world), world.asked.len());
    assert!((60..70).contains(&before), "{before}");
    assert_eq!(world.told_full, [80 - before]);
    world.tell();
    world.run(60_000 * MS);
    assert_eq!((world.told_full.len(), world.asked.len()), (1, asked));
    // What nobody has any more makes room.
    let gone = world.held.keys().copied().filter(|hash| world.store.get(*hash).is_some());
    let gone: Vec<_> = gone.collect();
    gone.into_iter().take(30).for_each(|hash| drop(world.held.remove(&hash)));
    world.tell();
    world.run(1_000 * MS);
    assert!(world.held.values().all(|(advert, _)| world.knows(advert)));
    assert_eq!(world.told_full.len(), 1);
}

#[test]
fn results_that_nobody_waits_for_change_nothing() {
    let mut world = World::new(12);
    let stray = advert(1);
    let result = Ok(stray.bytes().clone());
    assert!(world.fetcher.on_result(world.now, stray.hash(), result).is_ok());
    assert!(!world.knows(&stray));
    assert_eq!(world.fetcher.poll(world.now), None);
}
