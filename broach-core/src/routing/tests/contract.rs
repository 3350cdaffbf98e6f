//! What every [`Picker`] has to do, asked of each of them. That it can be asked on many threads is
//! in `client/tests/threads.rs`.

use std::time::Duration;

use super::{Caller, SEED, at, cluster, member, tally};
use crate::advert::Location;
use crate::deadline::Time;
use crate::routing::{
    ByKey, ConsistentHash, Directory, LeastInFlight, Member, Nearest, NetworkQuality, Picker,
    PowerOfTwoChoices, Random, RoundRobin, Selection, Source, Sticky, WeightedRoundRobin,
    ZoneFirst,
};

/// Asks each of these pickers each of the questions.
macro_rules! ask {
    ($questions:tt of $($name:ident: $picker:expr;)*) => {
        $(mod $name {
            use super::*;
            ask!(each $questions $picker);
        })*
    };
    (each { $($question:ident)* } $picker:expr) => {
        $(#[test]
        fn $question() {
            super::$question(|| $picker);
        })*
    };
}

mod every_picker {
    use super::*;

    ask! {
        {
            it_chooses_one_that_there_is
            one_that_is_tried_is_left_to_others
            it_leaves_out_who_is_not_to_be_called
            it_bears_numbers_at_their_limits
            the_same_seed_gives_the_same_choices
        } of
        power_of_two_choices: PowerOfTwoChoices::new();
        round_robin: RoundRobin::new();
        random: Random::new();
        weighted_round_robin: WeightedRoundRobin::new();
        least_in_flight: LeastInFlight::new();
        consistent_hash: ConsistentHash::new();
        consistent_hash_unbounded: ConsistentHash::unbounded();
        by_key: ByKey::or(RoundRobin::new());
        network_quality: NetworkQuality::new();
        zone_first: ZoneFirst::new("here");
        zone_first_in_turn: ZoneFirst::new("here").with(WeightedRoundRobin::new());
        nearest: Nearest::new(Location::new(52.52, 13.4).unwrap());
        nearest_in_turn: Nearest::new(Location::new(-33.9, 151.2).unwrap()).with(RoundRobin::new());
        sticky: Sticky::new();
        sticky_in_turn: Sticky::new().with(RoundRobin::new());
    }
}

/// Those that share calls out evenly.
mod every_fair_picker {
    use super::*;

    ask! {
        {
            equal_ones_are_called_equally_and_again_after_a_join
            nobody_is_starved_by_what_is_not_known
            one_that_is_new_gets_its_share_little_by_little
        } of
        power_of_two_choices: PowerOfTwoChoices::new();
        round_robin: RoundRobin::new();
        random: Random::new();
        weighted_round_robin: WeightedRoundRobin::new();
        least_in_flight: LeastInFlight::new();
        by_key: ByKey::or(PowerOfTwoChoices::new());
        network_quality: NetworkQuality::new();
        zone_first: ZoneFirst::new("here").with(WeightedRoundRobin::new());
        nearest: Nearest::new(Location::new(0.0, 0.0).unwrap()).with(Random::new());
    }
}

/// Those to which a weight is a share.
mod every_weighing_picker {
    use super::*;

    ask! {
        { weights_are_shares } of
        weighted_round_robin: WeightedRoundRobin::new();
        least_in_flight: LeastInFlight::new();
        network_quality: NetworkQuality::new();
    }
}

/// Calls with these keys, and one without.
fn selections() -> impl Clone + Iterator<Item = Selection> {
    let keys = (0..20_u32).map(|key| Selection::new().key(key.to_be_bytes()));
    keys.chain([Selection::new()])
}

fn it_chooses_one_that_there_is<P: Picker>(picker: fn() -> P) {
    for count in [1, 2, 3, 7, 100] {
        let mut caller = Caller::new(&cluster(count), picker());
        for selection in selections() {
            caller.selection = selection;
            let picks = caller.picks(at(0), 100);
            assert!(picks.iter().all(|port| (1..=count).contains(port)), "of {count}");
        }
    }
    let nobody = Caller::new(&cluster(0), picker());
    assert!(nobody.choose(at(0), &[]).unwrap().is_none());
}

fn one_that_is_tried_is_left_to_others<P: Picker>(picker: fn() -> P) {
    let directory = cluster(4);
    let mut caller = Caller::new(&directory, picker());
    for selection in selections().chain(selections()) {
        caller.selection = selection;
        let mut tried = Vec::new();
        while let Some(chosen) = caller.choose(at(0), &tried).unwrap() {
            assert_eq!(chosen.alone, tried.len() == 3);
            tried.push(std::sync::Arc::clone(&chosen.target));
        }
        let mut ports: Vec<u16> = tried.iter().map(|target| target.member.addr.port()).collect();
        ports.sort_unstable();
        assert_eq!(ports, [1, 2, 3, 4]);
    }
}

fn it_leaves_out_who_is_not_to_be_called<P: Picker>(picker: fn() -> P) {
    let directory = Directory::new(Source::Cluster);
    let members = (1..=9).map(|port| Member {
        draining: port == 2,
        weight: if port == 5 { 0 } else { 100 },
        zone: (if port < 7 { "here" } else { "there" }).to_owned(),
        ..member(port, &["a.B"])
    });
    directory.update(Time::ZERO, members.collect());
    directory.look().targets()[3].live.standing.on_silent(at(0));
    let mut caller = Caller::new(&directory, picker());
    for selection in selections() {
        caller.selection = selection;
        let picks = caller.picks(at(1), 100);
        assert!(!picks.iter().any(|port| [2, 4, 5].contains(port)), "{picks:?}");
        caller.selection = caller.selection.zone("there");
        let picks = caller.picks(at(1), 100);
        assert!(picks.iter().all(|port| (7..=9).contains(port)), "{picks:?}");
    }
}

fn it_bears_numbers_at_their_limits<P: Picker>(picker: fn() -> P) {
    let directory = Directory::with_slow_start(Source::Cluster, Duration::MAX);
    let weights = [1, u32::MAX, 100, u32::MAX];
    let weighted = |(port, weight)| Member { weight, ..member(port, &["a.B"]) };
    directory.update(Time::ZERO, (1..).zip(weights).map(weighted).collect());
    let caller = Caller::new(&directory, picker());
    for took in [Duration::ZERO, Duration::MAX, Duration::from_nanos(u64::MAX)] {
        for _ in 0..100 {
            let now = Time::from_nanos(u64::MAX);
            let chosen = caller.choose(now, &[]).unwrap().unwrap();
            chosen.target.on_reply(now, took);
            chosen.target.live.rtt.set(took);
        }
    }
}

fn the_same_seed_gives_the_same_choices<P: Picker>(picker: fn() -> P) {
    let run = || {
        let directory = cluster(7);
        let mut caller = Caller::new(&directory, picker());
        let mut picks = Vec::new();
        for (turn, selection) in (0..).zip(selections().cycle().take(1_000)) {
            caller.selection = selection;
            let chosen = caller.choose(at(turn), &[]).unwrap().unwrap();
            let port = chosen.target.member.addr.port();
            chosen.target.on_reply(at(turn), Duration::from_millis(u64::from(port)));
            picks.push(port);
            if turn == 500 {
                let members = (2..=9).map(|port| member(port, &["a.B"]));
                directory.update(at(turn), members.collect());
            }
        }
        picks
    };
    assert_eq!(run(), run());
}

fn equal_ones_are_called_equally_and_again_after_a_join<P: Picker>(picker: fn() -> P) {
    let directory = Directory::with_slow_start(Source::Cluster, Duration::from_secs(5));
    let join = |now, count| {
        directory.update(now, (1..=count).map(|port| member(port, &["a.B"])).collect());
    };
    join(at(0), 5);
    let caller = Caller::new(&directory, picker());
    let shares = tally::<5>(&caller.picks(at(0), 100_000));
    assert!(shares.iter().all(|share| (18_000..=22_000).contains(share)), "{shares:?}");
    join(at(60_000), 6);
    // When its slow start is over.
    let before = shares;
    let shares = tally::<6>(&caller.picks(at(65_000), 100_000));
    let name = std::any::type_name::<P>().rsplit("::").next().unwrap_or_default();
    println!("{name}: {before:?}, and with one more {shares:?}");
    assert!(shares.iter().all(|share| (15_000..=18_333).contains(share)), "{shares:?}");
}

/// A node joins others whose latencies are known, and which have calls under way.
fn nobody_is_starved_by_what_is_not_known<P: Picker>(picker: fn() -> P) {
    let directory = cluster(4);
    let caller = Caller::new(&directory, picker());
    for ms in 0..1_000 {
        let chosen = caller.choose(at(ms), &[]).unwrap().unwrap();
        chosen.target.on_reply(at(ms), Duration::from_millis(5));
        chosen.target.live.rtt.set(Duration::from_millis(1));
    }
    directory.update(at(1_000), (1..=5).map(|port| member(port, &["a.B"])).collect());
    let shares = tally::<5>(&caller.picks(at(1_000), 1_000));
    assert!((150..=250).contains(&shares[4]), "{shares:?}");
}

/// Of what others get: a tenth at first, 55 % after half of the time. Whoever draws two and takes
/// the better one gives it somewhat more, because it is better than nobody.
fn one_that_is_new_gets_its_share_little_by_little<P: Picker>(picker: fn() -> P) {
    let directory = Directory::with_slow_start(Source::Cluster, Duration::from_secs(10));
    directory.update(at(0), (1..=4).map(|port| member(port, &["a.B"])).collect());
    let caller = Caller::new(&directory, picker());
    let joined = 60_000;
    directory.update(at(joined), (1..=5).map(|port| member(port, &["a.B"])).collect());
    for (after, part) in [
        (0, 0.08..=0.18),
        (5_000, 0.5..=0.7),
        (9_000, 0.85..=1.0),
        (10_000, 0.95..=1.05),
        (99_000, 0.95..=1.05),
    ] {
        let shares = tally::<5>(&caller.picks(at(joined + after), 40_000));
        let others = shares[..4].iter().sum::<usize>() as f64 / 4.0;
        assert!(part.contains(&(shares[4] as f64 / others)), "{after} ms after: {shares:?}");
    }
}

fn weights_are_shares<P: Picker>(picker: fn() -> P) {
    let directory = Directory::new(Source::Cluster);
    let weighted = |(port, weight)| Member { weight, ..member(port, &["a.B"]) };
    directory.update(Time::ZERO, (1..).zip([200, 100, 100]).map(weighted).collect());
    let caller = Caller::new(&directory, picker());
    let shares = tally::<3>(&caller.picks(at(0), 40_000));
    for (share, fair) in shares.into_iter().zip([20_000, 10_000, 10_000]) {
        assert!(share.abs_diff(fair) < fair / 20, "{shares:?}, seed {SEED}");
    }
}
