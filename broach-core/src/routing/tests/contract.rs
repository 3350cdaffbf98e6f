//! What every [`Picker`] has to do, asked of each of them.

use std::time::Duration;

use super::{Caller, at, cluster, member, tally};
use crate::routing::{Directory, Member, Picker, PowerOfTwoChoices, RoundRobin, Source};

/// Asks every picker the same.
macro_rules! of_every_picker {
    ($($question:ident)*) => {
        mod power_of_two_choices {
            $(#[test]
            fn $question() {
                super::$question(super::PowerOfTwoChoices::new);
            })*
        }
        mod round_robin {
            $(#[test]
            fn $question() {
                super::$question(super::RoundRobin::new);
            })*
        }
    };
}

of_every_picker! {
    it_chooses_one_that_there_is
    equal_ones_are_called_equally
    one_that_is_tried_is_left_to_others
    nobody_is_starved_by_what_is_not_known
    it_bears_numbers_at_their_limits
}

fn it_chooses_one_that_there_is<P: Picker>(picker: fn() -> P) {
    for count in [1, 2, 3, 7, 100] {
        let caller = Caller::new(&cluster(count), picker());
        let picks = caller.picks(at(0), 1_000);
        assert!(picks.iter().all(|port| (1..=count).contains(port)), "of {count}");
    }
    let nobody = Caller::new(&cluster(0), picker());
    assert!(nobody.choose(at(0), &[]).unwrap().is_none());
}

fn equal_ones_are_called_equally<P: Picker>(picker: fn() -> P) {
    let caller = Caller::new(&cluster(5), picker());
    let shares = tally::<5>(&caller.picks(at(0), 100_000));
    assert!(shares.iter().all(|share| (19_000..=21_000).contains(share)), "{shares:?}");
}

fn one_that_is_tried_is_left_to_others<P: Picker>(picker: fn() -> P) {
    let directory = cluster(4);
    let caller = Caller::new(&directory, picker());
    for _ in 0..100 {
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

/// A node joins others whose latencies are known, and which have calls under way.
fn nobody_is_starved_by_what_is_not_known<P: Picker>(picker: fn() -> P) {
    let directory = cluster(4);
    let caller = Caller::new(&directory, picker());
    for ms in 0..1_000 {
        let chosen = caller.choose(at(ms), &[]).unwrap().unwrap();
        chosen.target.on_reply(at(ms), Duration::from_millis(5));
    }
    directory.update((1..=5).map(|port| member(port, &["a.B"])).collect());
    let shares = tally::<5>(&caller.picks(at(1_000), 1_000));
    assert!((150..=250).contains(&shares[4]), "{shares:?}");
}

fn it_bears_numbers_at_their_limits<P: Picker>(picker: fn() -> P) {
    let directory = Directory::new(Source::Cluster);
    let weights = [1, u32::MAX, 100];
    let weighted = |(port, weight)| Member { weight, ..member(port, &["a.B"]) };
    directory.update((1..).zip(weights).map(weighted).collect());
    let caller = Caller::new(&directory, picker());
    for took in [Duration::ZERO, Duration::MAX, Duration::from_nanos(u64::MAX)] {
        for _ in 0..100 {
            let now = crate::deadline::Time::from_nanos(u64::MAX);
            let chosen = caller.choose(now, &[]).unwrap().unwrap();
            chosen.target.on_reply(now, took);
        }
    }
}
