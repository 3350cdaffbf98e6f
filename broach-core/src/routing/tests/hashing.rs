//! Calls with keys: that they go to the same node, and which keys move when.

use std::collections::BTreeMap;

use super::{Caller, addr, at, cluster, member};
use crate::deadline::Time;
use crate::routing::target::InFlight;
use crate::routing::{ByKey, ConsistentHash, Directory, Member, RoundRobin, Selection, Source};

impl Caller<ConsistentHash> {
    /// The node to which a call with this key goes, as its port, while it is under way.
    fn call(&mut self, key: u32) -> InFlight {
        self.selection = Selection::new().key(key.to_be_bytes());
        self.choose(at(0), &[]).unwrap().unwrap().target
    }

    /// The ports of the nodes of so many keys.
    fn owners(&mut self, keys: u32) -> Vec<u16> {
        (0..keys).map(|key| self.call(key).member.addr.port()).collect()
    }
}

fn of(ports: impl IntoIterator<Item = u16>) -> Vec<Member> {
    ports.into_iter().map(|port| member(port, &["a.B"])).collect()
}

fn counts(ports: &[u16]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    ports.iter().for_each(|&port| *counts.entry(port).or_default() += 1);
    counts
}

const KEYS: u32 = 100_000;

#[test]
fn keys_move_to_the_node_that_joins_and_nowhere_else() {
    for count in [1, 2, 3, 5, 10, 20, 50] {
        let directory = cluster(count);
        let mut caller = Caller::new(&directory, ConsistentHash::unbounded());
        let before = caller.owners(KEYS);
        directory.update(Time::ZERO, of(1..=count + 1));
        let after = caller.owners(KEYS);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        let (mut here, mut elsewhere) = (0, 0);
        moved.for_each(|(_, &port)| {
            *(if port == count + 1 { &mut here } else { &mut elsewhere }) += 1
        });
        let fair = f64::from(KEYS) / f64::from(count + 1);
        println!("{count} + 1 nodes: {:.3}/(N+1) of the keys move", f64::from(here) / fair);
        assert_eq!(elsewhere, 0, "{count} nodes");
        assert!((0.9 * fair..=1.1 * fair).contains(&f64::from(here)), "{count}: {here} of {fair}");
    }
}

#[test]
fn keys_of_a_node_that_goes_are_shared_by_the_others_and_come_back() {
    let directory = cluster(5);
    let mut caller = Caller::new(&directory, ConsistentHash::unbounded());
    let before = caller.owners(KEYS);
    // Whether it is gone or only silent.
    directory.look().targets()[2].live.standing.on_silent(at(0));
    let silent = caller.owners(KEYS);
    directory.update(Time::ZERO, of([1, 2, 4, 5]));
    let gone = caller.owners(KEYS);
    assert_eq!(silent, gone);
    let taken: Vec<u16> =
        before.iter().zip(&gone).filter(|&(&before, _)| before == 3).map(|(_, &now)| now).collect();
    let kept = before.iter().zip(&gone).all(|(&before, &now)| before == 3 || before == now);
    let even = counts(&taken).values().all(|&count| count.abs_diff(taken.len() / 4) < 300);
    assert!(kept && even, "{:?}", counts(&taken));
    directory.update(Time::ZERO, of([5, 4, 3, 2, 1]));
    assert_eq!(caller.owners(KEYS), before, "the order does not matter");
}

#[test]
fn keys_are_shared_out_by_weights_and_move_only_from_or_to_the_node_whose_weight_changes() {
    let directory = Directory::new(Source::Cluster);
    let weighted = |weights: [u32; 3]| {
        let weighted = |(port, weight)| Member { weight, ..member(port, &["a.B"]) };
        (1..).zip(weights).map(weighted).collect()
    };
    directory.update(Time::ZERO, weighted([100, 100, 100]));
    let mut caller = Caller::new(&directory, ConsistentHash::unbounded());
    let equal = caller.owners(KEYS);
    directory.update(Time::ZERO, weighted([200, 100, 100]));
    let heavier = caller.owners(KEYS);
    let shares = counts(&heavier);
    assert!(
        shares[&1].abs_diff(50_000) < 1_000 && shares[&2].abs_diff(25_000) < 1_000,
        "{shares:?}"
    );
    assert!(equal.iter().zip(&heavier).all(|(before, now)| before == now || *now == 1));
}

#[test]
fn no_node_has_more_than_the_bound_says() {
    for bound in [1.0, 1.25, 2.0] {
        let directory = cluster(7);
        let mut caller = Caller::new(&directory, ConsistentHash::bounded(bound));
        // Three keys only, so most calls are too many for their node.
        let mut under_way = Vec::new();
        for call in 1_u32..=1_000 {
            under_way.push(caller.call(call % 3));
            let ports: Vec<u16> = under_way.iter().map(|call| call.member.addr.port()).collect();
            let most = counts(&ports).into_values().max().unwrap();
            let limit = (bound * f64::from(call) / 7.0).ceil() as usize;
            assert!(most <= limit, "{most} of {call} calls, and the bound is {bound}");
        }
    }
}

#[test]
fn with_a_bound_a_key_comes_back_to_its_node() {
    let mut caller = Caller::new(&cluster(7), ConsistentHash::new());
    let quiet = caller.call(1).member.addr;
    let busy: Vec<_> = (0..100).map(|_| caller.call(1)).collect();
    assert!(busy.iter().any(|call| call.member.addr != quiet));
    assert_eq!(busy[0].member.addr, quiet);
    drop(busy);
    assert_eq!(caller.call(1).member.addr, quiet);
}

#[test]
fn without_a_bound_a_key_stays_however_busy_its_node_is() {
    let mut caller = Caller::new(&cluster(7), ConsistentHash::unbounded());
    let busy: Vec<_> = (0..100).map(|_| caller.call(1)).collect();
    assert!(busy.iter().all(|call| call.member.addr == busy[0].member.addr));
}

/// What guide::balancing says, written down once more: other programs rely on it.
#[test]
fn where_keys_go_stays_the_same_for_ever() {
    let directory = Directory::new(Source::Cluster);
    let at_addr = |text: &str| Member { addr: text.parse().unwrap(), ..member(1, &["a.B"]) };
    let addrs = ["10.0.0.1:7400", "10.0.0.2:7400", "10.0.0.3:7400", "[2001:db8::1]:7400"];
    directory.update(Time::ZERO, addrs.map(at_addr).to_vec());
    let mut caller = Caller::new(&directory, ConsistentHash::unbounded());
    let mut owners = Vec::new();
    for key in ["", "ada", "bob", "carol", "dave", "eve", "frank", "grace"] {
        caller.selection = Selection::new().key(key);
        let target = caller.choose(at(0), &[]).unwrap().unwrap().target;
        owners.push(addrs.iter().position(|addr| *addr == target.member.addr.to_string()).unwrap());
    }
    assert_eq!(owners, [2, 0, 0, 1, 1, 0, 1, 3]);
}

#[test]
fn a_key_counts_unless_the_picker_takes_no_notice() {
    let directory = cluster(5);
    let mut by_key = Caller::new(&directory, ByKey::or(RoundRobin::new()));
    assert_eq!(by_key.picks(at(0), 5), [1, 2, 3, 4, 5]);
    by_key.selection = Selection::new().key("ada");
    let picks = by_key.picks(at(0), 100);
    assert!(picks.iter().all(|port| *port == picks[0]), "{picks:?}");
    let mut in_turn = Caller::new(&directory, RoundRobin::new());
    in_turn.selection = Selection::new().key("ada");
    assert_eq!(in_turn.picks(at(0), 5), [1, 2, 3, 4, 5]);
}

#[test]
fn a_key_of_a_node_that_was_tried_goes_to_the_next_one() {
    let directory = cluster(3);
    let mut caller = Caller::new(&directory, ConsistentHash::unbounded());
    let first = caller.call(7);
    let second = caller.choose(at(0), &[std::sync::Arc::clone(&first)]).unwrap().unwrap().target;
    assert_ne!(first.member.addr, second.member.addr);
    let ports = [1, 2, 3].into_iter().filter(|port| addr(*port) != first.member.addr);
    directory.update(Time::ZERO, of(ports));
    assert_eq!(caller.call(7).member.addr, second.member.addr);
}
