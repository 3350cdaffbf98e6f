//! Datagrams for the membership that are damaged, forged or far too many.

use broach_core::observe::DropReason;
use broach_core::{Instance, config};
use broach_tests::broach::wire::v1 as wire;
use broach_tests::forge::{Forged, GOSSIP, hash, seal};
use broach_tests::requests::good_call;
use broach_tests::{Cluster, Tap, World, eventually, millis, secs};

/// Three nodes and a fourth with a tap, after all that gossip has to say was said: joining, probes,
/// tables, news, an end.
async fn talkative(seed: u64) -> (Cluster, Tap) {
    let mut cluster = Cluster::of(World::new(seed), 3).await;
    let tap = Tap::new(cluster.world.socket(4));
    let probe = cluster.probe(4);
    let builder = cluster.world.node_on(4, tap.clone()).join([World::addr(1)]);
    cluster.start_with(4, builder.serve(probe.server())).await;
    cluster.full().await;
    tokio::time::sleep(secs(25)).await;
    cluster.crash(3).await;
    cluster.full().await;
    cluster.start(3).await;
    cluster.full().await;
    cluster.node(4).set_zone("here").unwrap();
    tokio::time::sleep(secs(25)).await;
    (cluster, tap)
}

/// Datagrams of each sort that node 4 has sent for the membership, none twice.
fn gossip(tap: &Tap) -> Vec<Vec<u8>> {
    let sort = |bytes: &Vec<u8>| {
        let forged = Forged::read(bytes)?;
        let gossip: wire::Gossip =
            broach_core::codegen::prost::Message::decode(&*forged.body).ok()?;
        let has = [
            gossip.cookie != 0,
            gossip.new_cookie != 0,
            !gossip.updates.is_empty(),
            gossip.copy,
            gossip.knock.is_some(),
            gossip.probe.is_some(),
            gossip.answer.is_some(),
            gossip.relay.is_some(),
            gossip.relay_failed.is_some(),
            gossip.summary.is_some(),
            !gossip.listings.is_empty(),
            gossip.fetch.is_some(),
            gossip.pull.is_some(),
            gossip.page.is_some(),
        ];
        (forged.kind == GOSSIP).then_some(has)
    };
    let mut sorts = std::collections::BTreeMap::new();
    for bytes in tap.sent() {
        if let Some(sort) = sort(&bytes) {
            sorts.entry(sort).or_insert(bytes);
        }
    }
    println!("{} sorts of gossip datagrams", sorts.len());
    assert!(6 < sorts.len());
    sorts.into_values().collect()
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// What each node knows, all of it.
fn views(cluster: &Cluster) -> Vec<u64> {
    cluster.alive().into_iter().map(|node| cluster.node(node).members().version()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_prefix_and_every_flipped_bit_is_dropped_and_changes_nothing() {
    let (cluster, tap) = talkative(1).await;
    let before = views(&cluster);
    let dropped = |why| cluster.world.watch(1).dropped(why);
    let all = || cluster.world.watch(1).counters().datagrams_dropped.values().sum::<u64>();
    let (already, mut sent) = (all(), 0);
    for bytes in gossip(&tap) {
        for len in 1..bytes.len() {
            tap.inject(World::addr(1), &bytes[..len]);
            sent += 1;
        }
        for bit in 0..8 * bytes.len() {
            tap.inject(World::addr(1), &flipped(&bytes, bit));
            sent += 1;
        }
        tokio::time::sleep(millis(5)).await;
    }
    println!("{sent} damaged datagrams");
    assert_eq!(all() - already, sent);
    let reasons = [DropReason::Truncated, DropReason::Checksum, DropReason::Magic];
    assert!(reasons.into_iter().all(|why| 0 < dropped(why)));
    tokio::time::sleep(secs(15)).await;
    assert_eq!(views(&cluster), before, "{}", cluster.story());
    assert_eq!(cluster.false_deaths(), []);
    good_call(&cluster.channel(1)).await;
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn altered_datagrams_with_a_right_checksum_do_no_lasting_harm() {
    for from_member in [true, false] {
        let (cluster, tap) = talkative(2).await;
        let stranger = Tap::new(cluster.world.socket(66));
        let mut sent = 0;
        for bytes in gossip(&tap) {
            // Beyond the header: who sends it is another matter.
            for bit in 8 * 20..8 * (bytes.len() - 4) {
                let mut altered = flipped(&bytes, bit);
                seal(&mut altered);
                let from = if from_member { &tap } else { &stranger };
                from.inject(World::addr(1), &altered);
                sent += 1;
                if sent % 20 == 0 {
                    tokio::time::sleep(millis(50)).await;
                }
            }
        }
        println!("{sent} altered datagrams, from a member: {from_member}");
        // What they said of others is contradicted, and who does not exist is found dead.
        tokio::time::sleep(secs(60)).await;
        let took = cluster.full().await;
        println!("all is well again, at the latest a minute and {took:?} later");
        for number in cluster.alive() {
            good_call(&cluster.channel(number)).await;
        }
        drop(stranger);
        cluster.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_is_dropped_and_counted() {
    let cluster = Cluster::of(World::new(3), 3).await;
    let stranger = Tap::new(cluster.world.socket(66));
    let before = views(&cluster);
    let answered = || stranger.received().len();
    let mut sent = 0;
    for length in 0..200_u64 {
        for salt in 0..10_u64 {
            let byte =
                |at: u64| (at.wrapping_mul(0x9e37_79b9).wrapping_add(salt * length) >> 5) as u8;
            let body: Vec<u8> = (0..length).map(byte).collect();
            let mut forged = Forged::new(GOSSIP, 0x77, 0, &wire::Gossip::default());
            forged.body = body;
            stranger.inject(World::addr(1), &forged.bytes());
            sent += 1;
        }
        tokio::time::sleep(millis(20)).await;
    }
    let watch = cluster.world.watch(1);
    let malformed = watch.dropped(DropReason::Malformed) + watch.dropped(DropReason::Cluster);
    assert_eq!(malformed, sent);
    println!("{sent} pieces of garbage, {} answers", answered());
    tokio::time::sleep(secs(5)).await;
    assert_eq!(views(&cluster), before);
    good_call(&cluster.channel(1)).await;
    drop(stranger);
    cluster.end().await;
}

/// News of members that do not exist.
fn invented(from: Instance, first: u32) -> Vec<u8> {
    let record = |number: u32| wire::Record {
        address: [&(0x0b00_0000 + number).to_be_bytes()[..], &7400_u16.to_be_bytes()].concat(),
        epoch: 1_000,
        instance: 0x1000_0000 + u64::from(number),
        incarnation: 1,
        weight: 100,
        ..wire::Record::default()
    };
    let update = |number| wire::Update {
        record: broach_core::codegen::prost::Message::encode_to_vec(&record(number)),
        ..wire::Update::default()
    };
    let gossip = wire::Gossip {
        cluster: hash("default"),
        updates: (first..first + 20).map(update).collect(),
        ..wire::Gossip::default()
    };
    Forged::new(GOSSIP, from.0, 0, &gossip).bytes()
}

#[tokio::test(start_paused = true)]
async fn a_member_that_floods_is_cut_off_and_the_others_live() {
    let mut cluster = Cluster::new(World::new(4));
    let tap = Tap::new(cluster.world.socket(4));
    for number in 1..=4 {
        let probe = cluster.probe(number);
        let node = match number {
            4 => cluster.world.node_on(4, tap.clone()),
            _ => cluster.world.node(number).observe(cluster.notes.of(number)),
        };
        let mut small = config::Gossip::default();
        small.members_max = 200;
        let builder = node.join([World::addr(1)]).gossip(small).serve(probe.server());
        cluster.start_with(number, builder).await;
    }
    cluster.full().await;
    let flooder = cluster.node(4).instance();
    let mut sent = 0;
    // 5 s, with 1 MB in each.
    for turn in 0..1_000 {
        for piece in 0..5 {
            tap.inject(World::addr(1), &invented(flooder, 20 * (5 * turn + piece)));
            sent += 1;
        }
        assert!(cluster.node(1).members().len() <= 200, "{}", cluster.node(1).members().len());
        tokio::time::sleep(millis(5)).await;
        if turn % 100 == 0 {
            for number in [1, 2, 3] {
                good_call(&cluster.channel(number)).await;
            }
        }
    }
    let floods = cluster.world.watch(1).dropped(DropReason::Flood);
    println!("{floods} of {sent} datagrams were dropped as a flood");
    assert!(sent / 2 < floods, "{floods}");
    let spent =
        cluster.node(1).counters().bytes_sent as f64 / cluster.world.elapsed().as_secs_f64();
    println!("node 1 has sent {spent:.0} bytes/s");
    // Those who do not exist are found dead, and everybody else is there.
    let honest = [1, 2, 3].map(World::addr);
    let knows = |number: u8| {
        let members = cluster.node(number).members();
        honest.iter().all(|&addr| members.get(addr).is_some()) && members.len() <= 4
    };
    let begun = cluster.world.elapsed();
    for _ in 0..180 {
        if [1, 2, 3].into_iter().all(knows) {
            break;
        }
        tokio::time::sleep(secs(10)).await;
    }
    eventually(|| [1, 2, 3].into_iter().all(knows)).await;
    println!("all is well again after {:?}", cluster.world.elapsed() - begun);
    cluster.end().await;
}
