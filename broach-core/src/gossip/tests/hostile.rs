//! Datagrams that should not be, and nodes that do what they should not.

use prost::Message;

use super::sim::{CLUSTER, Flight, MS, SECOND, Sim};
use crate::gossip::{Facts, Me, Role};
use crate::ids::{ClusterHash, Instance, PacketNumber, SessionId};
use crate::observe::DropReason;
use crate::wire::{HEADER_BYTES, KNOCK_BYTES, Kind, TRAILER_BYTES, schema, stateless};

/// All that five nodes say to each other while one joins, one leaves and one dies.
fn recorded() -> (Sim, Vec<usize>, Vec<Flight>) {
    let mut sim = Sim::new(1);
    sim.loss = 0.1;
    sim.recorded = Some(Vec::new());
    let nodes = sim.cluster(7);
    sim.crash(nodes[6]);
    sim.run(5 * SECOND);
    sim.with(nodes[5], |membership, now| membership.leave(now));
    sim.run(20 * SECOND);
    sim.crash(nodes[5]);
    let recorded = sim.recorded.take().unwrap();
    assert!(500 < recorded.len(), "{}", recorded.len());
    (sim, nodes[..5].to_vec(), recorded)
}

#[test]
fn damage_is_noticed_and_changes_nothing() {
    let (mut sim, nodes, recorded) = recorded();
    let before: Vec<u64> =
        nodes.iter().map(|&index| sim.nodes[index].membership.version()).collect();
    for flight in &recorded {
        for _ in 0..4 {
            let mut bytes = flight.bytes.clone();
            let at = sim.draw(bytes.len() as u64) as usize;
            if sim.draw(2) == 0 {
                bytes.truncate(at)
            } else {
                bytes[at] ^= 1 << sim.draw(8)
            }
            let index = nodes[sim.draw(5) as usize];
            sim.take(index, flight.from, bytes);
        }
    }
    for (&index, &before) in nodes.iter().zip(&before) {
        assert_eq!(sim.nodes[index].membership.version(), before);
        assert!(sim.counters(index).datagrams_add_up());
        assert!(10 < sim.dropped(index, DropReason::Checksum));
    }
}

#[test]
fn nonsense_under_a_right_checksum_does_no_lasting_harm() {
    let (mut sim, nodes, recorded) = recorded();
    for flight in &recorded {
        for _ in 0..10 {
            let body = &flight.bytes[HEADER_BYTES..flight.bytes.len() - TRAILER_BYTES];
            let mut body = body.to_vec();
            for _ in 0..=sim.draw(3) {
                match sim.draw(4) {
                    0 => body.truncate(sim.draw(body.len() as u64 + 1) as usize),
                    1 if !body.is_empty() => {
                        let at = sim.draw(body.len() as u64) as usize;
                        body[at] = sim.draw(256) as u8;
                    }
                    2 => {
                        let other = &recorded[sim.draw(recorded.len() as u64) as usize].bytes;
                        let from = HEADER_BYTES + sim.draw((other.len() - 24) as u64) as usize;
                        body.extend_from_slice(&other[from..other.len() - TRAILER_BYTES]);
                    }
                    _ => body.extend((0..20).map(|_| sim.draw(256) as u8)),
                }
            }
            let sender = flight.bytes[4..12].try_into().map(u64::from_be_bytes).unwrap();
            let bytes = sealed(sender, &body);
            let index = nodes[sim.draw(5) as usize];
            sim.take(index, flight.from, bytes);
            sim.drain(index);
        }
        sim.run(MS);
    }
    for &index in &nodes {
        assert!(sim.counters(index).datagrams_add_up());
        assert!(10 < sim.dropped(index, DropReason::Malformed));
        assert!(sim.nodes[index].membership.member(sim.nodes[index].addr).is_some());
    }
    // Members that were made up die, and the real ones contradict what was said of them.
    let recovered = sim.run_until(120 * SECOND, |sim| {
        nodes.iter().all(|&index| {
            nodes.iter().all(|&other| {
                let node = &sim.nodes[other];
                sim.view(index, node.addr)
                    .is_some_and(|(instance, state)| instance == node.instance && state.is_live())
            })
        })
    });
    assert!(recovered.is_some());
}

fn sealed(sender: u64, body: &[u8]) -> Vec<u8> {
    let empty = schema::Gossip::default();
    let mut bytes = stateless(Kind::Gossip, SessionId(sender), PacketNumber(0), &empty);
    bytes.truncate(HEADER_BYTES);
    bytes.extend_from_slice(body);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn nobody_gets_more_than_they_sent_before_they_are_members() {
    let (mut sim, nodes, recorded) = recorded();
    let victim = "10.99.0.1:1".parse().unwrap();
    sim.recorded = Some(Vec::new());
    let (mut received, index) = (0, nodes[0]);
    for flight in recorded {
        // Also with the instance of a member.
        received += flight.bytes.len();
        let before = sim.recorded.as_ref().unwrap().len();
        let asked = flight.bytes.len();
        sim.take(index, victim, flight.bytes);
        sim.drain(index);
        let sent = &sim.recorded.as_ref().unwrap()[before..];
        let sent = sent.iter().filter(|flight| flight.to == victim);
        let bytes: usize = sent.map(|flight| flight.bytes.len()).sum();
        assert!(bytes <= asked, "{bytes} bytes in answer to {asked}");
        sim.run(20 * MS);
    }
    let sent = sim.recorded.unwrap();
    let bytes: usize =
        sent.iter().filter(|flight| flight.to == victim).map(|flight| flight.bytes.len()).sum();
    assert!(0 < bytes && bytes < received, "{bytes} bytes for {received}");
}

#[test]
fn a_member_that_floods_is_not_listened_to() {
    let mut sim = Sim::new(2);
    sim.config.members_max = 300;
    let nodes = sim.cluster(5);
    sim.run(5 * SECOND);
    let (from, sender) = (sim.nodes[nodes[4]].addr, sim.nodes[nodes[4]].instance);
    let before = sim.nodes[nodes[0]].bytes_sent;
    for round in 0..1_000_u32 {
        for part in 0..10 {
            let updates = (0..20).map(|number| {
                let id = (round * 200 + part * 20 + number).to_be_bytes();
                let address = vec![11, id[1], id[2], id[3], 1, 1].into();
                let record =
                    schema::Record { address, instance: 1, epoch: 1, ..Default::default() };
                let record = record.encode_to_vec().into();
                schema::Update { record, ..Default::default() }
            });
            let updates = updates.collect();
            let gossip = schema::Gossip { cluster: CLUSTER.0, updates, ..Default::default() };
            let bytes = stateless(Kind::Gossip, SessionId(sender.0), PacketNumber(0), &gossip);
            sim.take(nodes[0], from, bytes);
        }
        sim.drain(nodes[0]);
        sim.run(10 * MS);
    }
    assert!(5_000 < sim.dropped(nodes[0], DropReason::Flood));
    assert_eq!(sim.named(nodes[0]).len(), 1, "{:?}", sim.named(nodes[0]));
    for &index in &nodes {
        let sent = sim.nodes[index].bytes_sent - before;
        assert!(sent < 64_000 * 12, "{sent} bytes in ten seconds");
        assert!(sim.nodes[index].membership.members().count() <= 300);
    }
    for &index in &nodes {
        assert_eq!(sim.deaths_of(sim.nodes[index].instance), 0);
    }
    // The members that were made up die in time, and are forgotten.
    let took = sim.run_until(1_800 * SECOND, |sim| sim.is_full(&nodes));
    assert!(took.is_some());
}

#[test]
fn strangers_do_not_keep_a_node_that_is_alone_from_its_seeds() {
    let mut sim = Sim::new(6);
    let (alone, seed) = (sim.start(0, &[1]), sim.start(1, &[]));
    let padding = vec![0; KNOCK_BYTES].into();
    let knock = schema::Gossip { cluster: CLUSTER.0, padding, ..Default::default() };
    // One second in which the seed is not heard.
    sim.groups.insert(Sim::addr(1), 1);
    for number in 0..10_000_u32 {
        let from = ([11, 0, (number >> 8) as u8, number as u8], 1).into();
        let sender = SessionId(u64::from(number) + 1);
        sim.take(alone, from, stateless(Kind::Gossip, sender, PacketNumber(0), &knock));
        sim.drain(alone);
        if number == 2_000 {
            sim.groups.clear();
        }
        if number % 2 == 0 {
            sim.run(MS);
        }
    }
    assert!(sim.is_full(&[alone, seed]));
}

#[test]
fn another_cluster_is_named_once_and_not_joined() {
    let mut sim = Sim::new(3);
    let nodes = sim.cluster(2);
    let other = ClusterHash(0xbad);
    let stranger = sim.start_as(9, &[0, 1], Role::Member, other);
    sim.run(60 * SECOND);
    assert!(sim.is_full(&nodes) && sim.is_full(&[stranger]));
    assert_eq!(sim.named(stranger).len(), 2, "{:?}", sim.named(stranger));
    assert!(sim.named(stranger)[0].contains("00000000000000c1"));
    assert_eq!(sim.named(nodes[0]).len(), 1);
    assert!(sim.named(nodes[0])[0].contains("0000000000000bad"));
    assert!(10 < sim.dropped(nodes[0], DropReason::Cluster));
}

#[test]
fn another_version_is_named_once() {
    let mut sim = Sim::new(4);
    let node = sim.start(0, &[9]);
    for _ in 0..3 {
        sim.with(node, |membership, _| membership.on_versions(Sim::addr(9), &[0x0a, 1, 2]));
    }
    // One that speaks this version too, and something that is no list of versions.
    for body in [&[0x0a, 2, 1, 2][..], &[0xff]] {
        sim.with(node, |membership, _| membership.on_versions(Sim::addr(8), body));
    }
    assert_eq!(sim.dropped(node, DropReason::Stray), 1);
    assert_eq!(sim.dropped(node, DropReason::Malformed), 1);
    assert_eq!(sim.named(node).len(), 1);
    assert!(sim.named(node)[0].contains("VersionDiffers"));
}

#[test]
fn two_nodes_with_one_address_are_both_named() {
    let mut sim = Sim::new(5);
    let nodes = sim.cluster(3);
    sim.run(5 * SECOND);
    let (addr, own) = (sim.nodes[nodes[1]].addr, sim.nodes[nodes[1]].instance);
    let me = Me {
        addr,
        instance: Instance(0xdb1),
        epoch: 1_700_000_100_000,
        cluster: CLUSTER,
        role: Role::Member,
        facts: Facts::default(),
    };
    let double = sim.start_me(me);
    let seeds = vec![sim.nodes[nodes[0]].addr];
    sim.with(double, |membership, now| membership.set_seeds(now, seeds));
    let before = sim.bytes_sent();
    sim.run(60 * SECOND);
    let said: Vec<String> = [sim.named(nodes[1]), sim.named(double)].concat();
    assert!(!said.is_empty() && said.len() <= 2, "{said:?}");
    for text in &said {
        assert!(text.contains("AddressClaimed") && text.contains(&addr.to_string()), "{text}");
        assert!(text.contains(&own.to_string()) && text.contains("0000000000000db1"), "{text}");
    }
    let sent = (sim.bytes_sent() - before) / 60;
    assert!(sent < 4 * 2_000, "{sent} bytes a second");
    // Once one of them is gone, the other has the address for itself.
    sim.crash(double);
    let took = sim.run_until(60 * SECOND, |sim| sim.is_full(&nodes));
    assert!(took.is_some(), "{took:?}");
}
