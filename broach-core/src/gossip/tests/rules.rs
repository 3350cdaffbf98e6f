//! The rules of the protocol, one by one.

use prost::Message;

use super::sim::{CLUSTER, MS, SECOND, Sim};
use crate::gossip::{AdvertName, Change, Facts, Me, Role, State};
use crate::ids::{Instance, PacketNumber, SessionId};
use crate::wire::{Kind, schema, stateless};

#[test]
fn changed_facts_and_adverts_reach_all() {
    let mut sim = Sim::new(1);
    let nodes = sim.cluster(10);
    sim.run(5 * SECOND);
    let addr = sim.nodes[nodes[3]].addr;
    let before = sim.log.len();
    let facts = Facts { weight: 7, zone: "eu-1".into(), draining: true };
    let said = facts.clone();
    sim.with(nodes[3], |membership, now| membership.set_facts(now, said));
    let advert = AdvertName { version: 2, hash: 0xfeed };
    sim.with(nodes[3], |membership, now| membership.set_advert(now, advert));
    let known = |sim: &Sim| {
        nodes.iter().all(|&index| {
            let member = sim.nodes[index].membership.member(addr).unwrap();
            *member.facts() == facts && member.advert() == advert
        })
    };
    let took = sim.run_until(5 * SECOND, known);
    assert!(took.is_some_and(|took| took < 2 * SECOND), "{took:?}");
    let wanted = sim.log[before..].iter().filter_map(|(_, index, change)| match change {
        Change::AdvertWanted { peer, advert: wanted, ask } => {
            assert_eq!((peer.addr, *wanted), (addr, advert));
            assert_ne!(*ask, sim.nodes[*index].addr, "one does not ask oneself");
            Some(*index)
        }
        _ => None,
    });
    assert_eq!(wanted.count(), 9, "each wants it once");
}

#[test]
fn many_changes_within_a_second_are_one() {
    let mut sim = Sim::new(2);
    let nodes = sim.cluster(2);
    sim.run(5 * SECOND);
    let addr = sim.nodes[nodes[0]].addr;
    let incarnation =
        |sim: &Sim| sim.nodes[nodes[0]].membership.member(addr).unwrap().incarnation();
    let before = incarnation(&sim);
    for version in 1..=100 {
        let advert = AdvertName { version, hash: version };
        sim.with(nodes[0], |membership, now| membership.set_advert(now, advert));
        sim.run(10 * MS);
    }
    sim.run(2 * SECOND);
    assert!(incarnation(&sim) <= before + 3);
    let known = sim.nodes[nodes[1]].membership.member(addr).unwrap().advert();
    assert_eq!(known.version, 100);
}

#[test]
fn fields_that_are_not_known_get_through() {
    let mut sim = Sim::new(3);
    let nodes = sim.cluster(3);
    sim.run(5 * SECOND);
    let address = vec![10, 9, 9, 9, 0, 9].into();
    let record = schema::Record { address, epoch: 5, instance: 77, ..Default::default() };
    let mut raw = record.encode_to_vec();
    // Field 99, a number.
    raw.extend_from_slice(&[0x98, 0x06, 0x2a]);
    let update = schema::Update { record: raw.clone().into(), ..Default::default() };
    let gossip = schema::Gossip { cluster: CLUSTER.0, updates: vec![update], ..Default::default() };
    // In the name of a member.
    let sender = SessionId(sim.nodes[nodes[0]].instance.0);
    let bytes = stateless(Kind::Gossip, sender, PacketNumber(0), &gossip);
    let from = sim.nodes[nodes[0]].addr;
    sim.take(nodes[1], from, bytes);
    sim.drain(nodes[1]);
    sim.run(300 * MS);
    let addr = "10.9.9.9:9".parse().unwrap();
    for &index in &nodes {
        let member = sim.nodes[index].membership.member(addr).unwrap();
        assert_eq!(member.to_update().record[..], raw[..]);
        assert_eq!(member.instance(), Instance(77));
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_a_node_out() {
    for leaves in [false, true] {
        let mut sim = Sim::new(4);
        let nodes = sim.cluster(5);
        sim.run(5 * SECOND);
        let (addr, old) = (sim.nodes[nodes[2]].addr, sim.nodes[nodes[2]].instance);
        if leaves {
            sim.with(nodes[2], |membership, now| membership.leave(now));
            sim.run(SECOND);
        }
        sim.crash(nodes[2]);
        let me = Me {
            addr,
            instance: Instance(99),
            epoch: 1,
            cluster: CLUSTER,
            role: Role::Member,
            facts: Facts::default(),
        };
        let again = sim.start_me(me);
        let seeds = vec![sim.nodes[nodes[0]].addr];
        sim.with(again, |membership, now| membership.set_seeds(now, seeds));
        let all = sim.running();
        let took = sim.run_until(60 * SECOND, |sim| sim.is_full(&all));
        assert!(took.is_some_and(|took| took < 5 * SECOND), "{took:?}");
        assert_eq!(sim.deaths_of(old), 0);
        assert_eq!(sim.named(again), [""; 0], "it is no quarrel");
    }
}

#[test]
fn a_node_that_is_called_dead_contradicts() {
    let mut sim = Sim::new(5);
    let nodes = sim.cluster(5);
    sim.run(5 * SECOND);
    let (addr, instance) = (sim.nodes[nodes[1]].addr, sim.nodes[nodes[1]].instance);
    let before = sim.nodes[nodes[1]].membership.member(addr).unwrap().incarnation();
    let mut update = sim.nodes[nodes[1]].membership.member(addr).unwrap().to_update();
    update.state = schema::MemberState::Dead as i32;
    let gossip = schema::Gossip { cluster: CLUSTER.0, updates: vec![update], ..Default::default() };
    let sender = SessionId(sim.nodes[nodes[0]].instance.0);
    let bytes = stateless(Kind::Gossip, sender, PacketNumber(0), &gossip);
    let from = sim.nodes[nodes[0]].addr;
    for &index in &nodes[2..] {
        sim.take(index, from, bytes.clone());
        sim.drain(index);
        assert_eq!(sim.view(index, addr), Some((instance, State::Dead)));
    }
    let took = sim.run_until(10 * SECOND, |sim| sim.is_full(&nodes));
    assert!(took.is_some_and(|took| took < 3 * SECOND), "{took:?}");
    sim.run(30 * SECOND);
    let after = sim.nodes[nodes[1]].membership.member(addr).unwrap().incarnation();
    assert_eq!(after, before + 1, "once for each incarnation");
    assert_eq!(sim.counters(nodes[1]).suspicions_refuted, 1);
    assert!(sim.is_full(&nodes));
}

#[test]
fn the_dead_are_forgotten_after_a_while_and_asked_until_then() {
    let mut sim = Sim::new(6);
    let nodes = sim.cluster(3);
    let addr = sim.nodes[nodes[2]].addr;
    sim.crash(nodes[2]);
    sim.run(540 * SECOND);
    assert_eq!(sim.view(nodes[0], addr).unwrap().1, State::Dead);
    sim.run(90 * SECOND);
    assert_eq!(sim.view(nodes[0], addr), None);
    assert_eq!(sim.view(nodes[1], addr), None);
    let version = sim.nodes[nodes[0]].membership.version();
    sim.run(60 * SECOND);
    assert_eq!(sim.nodes[nodes[0]].membership.version(), version, "nothing changes any more");
}

#[test]
fn a_lone_node_does_not_wake_to_tell_nobody_its_news() {
    let mut sim = Sim::new(9);
    let lone = sim.start(1, &[]);
    let advert = AdvertName { version: 1, hash: 0xfeed };
    sim.with(lone, |membership, now| membership.set_advert(now, advert));
    sim.run(SECOND);
    let until = sim.now + 60 * SECOND;
    let mut wakes = 0;
    while let Some(due) = sim.nodes[lone].membership.next_timeout().filter(|&due| due < until) {
        sim.run(due.since(sim.now) + MS);
        wakes += 1;
    }
    assert!(wakes <= 10, "{wakes}");
    // Whoever comes learns of it all the same.
    let other = sim.start(2, &[1]);
    let addr = sim.nodes[lone].addr;
    let knows = |sim: &Sim| {
        let known = sim.nodes[other].membership.member(addr);
        known.is_some_and(|member| member.advert() == advert)
    };
    assert!(sim.run_until(2 * SECOND, knows).is_some());
}
