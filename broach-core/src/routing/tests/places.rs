//! Pickers that go by where nodes are: zones, the globe, the network, and where calls went before.

use std::sync::Arc;
use std::time::Duration;

use super::{Caller, at, member, tally};
use crate::advert::{Advert, Location};
use crate::deadline::Time;
use crate::ids::Instance;
use crate::routing::{
    Directory, Member, MemberState, Nearest, NetworkQuality, Offers, RoundRobin, Selection, Source,
    Sticky, WeightedRoundRobin, ZoneFirst,
};

fn directory(members: impl IntoIterator<Item = Member>) -> Arc<Directory> {
    let directory = Directory::new(Source::Cluster);
    directory.update(Time::ZERO, members.into_iter().collect());
    directory
}

fn zoned(port: u16, zone: &str) -> Member {
    Member { zone: zone.to_owned(), ..member(port, &["a.B"]) }
}

/// The share of calls that stay in a zone with four nodes, of which so many are well, beside
/// another zone with four nodes.
fn stays(well: u16) -> f64 {
    let state = |port| if port <= well { MemberState::Alive } else { MemberState::Suspect };
    let here = (1..=4).map(|port| Member { state: state(port), ..zoned(port, "here") });
    let directory = directory(here.chain((5..=8).map(|port| zoned(port, "there"))));
    let picker = ZoneFirst::new("here").with(WeightedRoundRobin::new());
    let shares = tally::<8>(&Caller::new(&directory, picker).picks(at(0), 10_000));
    assert!(shares[usize::from(well)..4].iter().all(|&share| share == 0), "{shares:?}");
    shares[..4].iter().sum::<usize>() as f64 / 10_000.0
}

#[test]
fn calls_stay_in_their_zone_as_far_as_it_has_nodes_that_are_well() {
    let shares = [4, 3, 2, 1, 0].map(stays);
    // 1.4 times the average of all zones.
    let expected = [1.0, 1.0, 1.4 * 2.0 / 3.0, 1.4 * 1.0 / 2.5, 0.0];
    let close = |(share, expected): (&f64, f64)| (share - expected).abs() < 0.02;
    assert!(shares.iter().zip(expected).all(close), "{shares:?}");
}

#[test]
fn a_zone_without_others_keeps_its_calls_and_one_without_nodes_has_none() {
    let suspect = |port| Member { state: MemberState::Suspect, ..zoned(port, "here") };
    let alone = directory([zoned(1, "here"), suspect(2), suspect(3)]);
    let caller = Caller::new(&alone, ZoneFirst::new("here"));
    assert_eq!(tally::<3>(&caller.picks(at(0), 100)), [100, 0, 0]);
    let caller = Caller::new(&alone, ZoneFirst::new("nowhere").with(RoundRobin::new()));
    assert_eq!(tally::<3>(&caller.picks(at(0), 100)), [100, 0, 0]);
}

#[test]
fn nodes_that_a_call_does_not_wish_for_do_not_count() {
    let group = |group: &str| {
        Offers::Only(Arc::new(Advert { group: group.into(), ..offers(&member(1, &["a.B"])) }))
    };
    let here = |port, state, named| Member { state, offers: group(named), ..zoned(port, "here") };
    let directory = directory([
        here(1, MemberState::Alive, "new"),
        Member { offers: group("new"), ..zoned(2, "there") },
        Member { offers: group("old"), ..zoned(3, "there") },
        Member { offers: group("old"), ..zoned(4, "there") },
    ]);
    let mut caller = Caller::new(&directory, ZoneFirst::new("here"));
    caller.selection = Selection::new().group("new");
    assert_eq!(tally::<4>(&caller.picks(at(0), 100)), [100, 0, 0, 0]);
    caller.selection = Selection::new();
    assert!((600..800).contains(&tally::<4>(&caller.picks(at(0), 1_000))[0]));
}

fn offers(member: &Member) -> Advert {
    let Offers::Only(advert) = &member.offers else { unreachable!() };
    (**advert).clone()
}

fn placed(port: u16, latitude: f64, longitude: f64) -> Member {
    let location = Some(Location::new(latitude, longitude).unwrap());
    let advert = Advert { location, ..offers(&member(port, &["a.B"])) };
    Member { offers: Offers::Only(Arc::new(advert)), ..member(port, &["a.B"]) }
}

#[test]
fn the_nearest_are_called_and_who_is_about_as_near() {
    // Frankfurt twice, some 20 km apart; Paris, Sydney, and one that does not say.
    let nodes = [
        placed(1, 50.11, 8.68),
        placed(2, 50.03, 8.57),
        placed(3, 48.86, 2.35),
        placed(4, -33.87, 151.21),
        member(5, &["a.B"]),
    ];
    let berlin = Location::new(52.52, 13.40).unwrap();
    let auckland = Location::new(-36.85, 174.76).unwrap();
    let picks = |members: &[Member], from| {
        let near = Nearest::new(from).with(RoundRobin::new());
        tally::<5>(&Caller::new(&directory(members.to_vec()), near).picks(at(0), 100))
    };
    assert_eq!(picks(&nodes, berlin), [50, 50, 0, 0, 0]);
    assert_eq!(picks(&nodes, auckland), [0, 0, 0, 100, 0]);
    assert_eq!(picks(&nodes[2..], berlin), [0, 0, 100, 0, 0]);
    assert_eq!(picks(&nodes[4..], berlin), [0, 0, 0, 0, 100]);
    let strict = Nearest::new(berlin).slack_km(0.0).with(RoundRobin::new());
    let strict = Caller::new(&directory(nodes), strict);
    let picks = tally::<5>(&strict.picks(at(0), 100));
    assert_eq!(picks[0] + picks[1], 100);
    assert!(picks.contains(&0) && !picks.contains(&50), "{picks:?}");
}

#[test]
fn a_node_that_the_network_reaches_sooner_is_called_more_often() {
    let directory = directory((1..=4).map(|port| member(port, &["a.B"])));
    let rtts = [1, 1, 3, 30].map(Duration::from_millis);
    let members = directory.look();
    members.targets().iter().zip(rtts).for_each(|(target, rtt)| target.live.rtt.set(rtt));
    let caller = Caller::new(&directory, NetworkQuality::new());
    let shares = tally::<4>(&caller.picks(at(0), 100_000));
    // 1 : 1 : 1/9 : 1/900.
    let fair = [47_350, 47_350, 5_261, 53];
    let close = |(share, fair): (&usize, usize)| share.abs_diff(fair) <= fair / 20 + 30;
    assert!(shares.iter().zip(fair).all(close), "{shares:?}");
    // With a lot to do nearby those far away are as good.
    let busy: Vec<_> = (0..1_000).map(|_| caller.choose(at(0), &[]).unwrap().unwrap()).collect();
    let far = busy.iter().filter(|chosen| chosen.target.member.addr.port() == 4).count();
    assert!((10..100).contains(&far), "{far}");
}

#[test]
fn calls_stay_with_their_node_until_that_is_not_well() {
    let directory = directory((1..=5).map(|port| member(port, &["a.B", "c.D"])));
    let caller = Caller::new(&directory, Sticky::new());
    let first = caller.picks(at(0), 1)[0];
    assert_eq!(caller.picks(at(0), 100), [first; 100]);
    // A node that joins changes nothing, and neither does one that cannot be called just now.
    directory.update(Time::ZERO, (1..=9).map(|port| member(port, &["a.B", "c.D"])).collect());
    let tried = caller.choose(at(0), &[]).unwrap().unwrap().target;
    assert_ne!(
        caller.choose(at(0), &[Arc::clone(&tried)]).unwrap().unwrap().target.name,
        tried.name
    );
    drop(tried);
    assert_eq!(caller.picks(at(0), 100), [first; 100]);
    // One that is silent does, for good.
    let place = usize::from(first) - 1;
    directory.look().targets()[place].live.standing.on_silent(at(0));
    let second = caller.picks(at(1), 1)[0];
    assert_ne!(second, first);
    directory.look().targets()[place].live.standing.on_answer();
    assert_eq!(caller.picks(at(2), 100), [second; 100]);
    // And so does another life at the same address.
    let members = (1..=9).map(|port| {
        let instance = Some(Instance(if port == second { 2 } else { 1 }));
        Member { instance, ..member(port, &["a.B"]) }
    });
    directory.update(Time::ZERO, members.collect());
    let mut new = caller.picks(at(3), 100);
    new.dedup();
    assert_eq!(new.len(), 1);
}

#[test]
fn each_key_stays_with_a_node_of_its_own_and_keys_are_spread() {
    let directory = directory((1..=5).map(|port| member(port, &["a.B"])));
    let mut caller = Caller::new(&directory, Sticky::new().with(RoundRobin::new()));
    let mut all = |members: u16| {
        directory.update(Time::ZERO, (1..=members).map(|port| member(port, &["a.B"])).collect());
        let mut of = |key: u32| {
            caller.selection = Selection::new().key(key.to_be_bytes());
            caller.picks(at(0), 1)[0]
        };
        (0..1_000).map(&mut of).collect::<Vec<u16>>()
    };
    let before = all(5);
    assert!(tally::<5>(&before).iter().all(|&share| 150 < share), "{:?}", tally::<5>(&before));
    assert_eq!(all(9), before);
    let fewer = all(4);
    let stay = |(&before, &after): (&u16, &u16)| before == after || before == 5;
    assert!(before.iter().zip(&fewer).all(stay));
}

#[test]
fn calls_with_other_wishes_have_nodes_and_turns_of_their_own() {
    let nodes = (1..=4).map(|port| zoned(port, if port <= 2 { "a" } else { "b" }));
    let directory = directory(nodes);
    let mut sticky = Caller::new(&directory, Sticky::new());
    let mut in_turn = Caller::new(&directory, RoundRobin::new());
    let mut weighted = Caller::new(&directory, WeightedRoundRobin::new());
    let stuck = sticky.picks(at(0), 1)[0];
    let mut turns = [Vec::new(), Vec::new()];
    for zone in ["a", "b"].into_iter().cycle().take(200) {
        let selection = Selection::new().zone(zone);
        sticky.selection = selection.clone();
        sticky.picks(at(0), 1);
        in_turn.selection = selection.clone();
        turns[0].extend(in_turn.picks(at(0), 1));
        weighted.selection = selection;
        turns[1].extend(weighted.picks(at(0), 1));
    }
    sticky.selection = Selection::new();
    assert_eq!(sticky.picks(at(0), 1), [stuck]);
    for turns in turns {
        assert_eq!(tally::<4>(&turns), [50; 4]);
    }
}

#[test]
fn one_service_does_not_stick_to_the_node_of_another() {
    let directory = directory([member(1, &["a.B"]), member(2, &["c.D"])]);
    let mut caller = Caller::new(&directory, Sticky::new());
    for _ in 0..10 {
        for (service, port) in [("a.B/C", 1), ("c.D/E", 2)] {
            caller.method = crate::method::MethodSpec::named(service).unwrap();
            assert_eq!(caller.picks(at(0), 1), [port]);
        }
    }
}
