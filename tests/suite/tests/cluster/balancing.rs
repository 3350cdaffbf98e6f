//! Which member of a cluster a call goes to: pickers, keys, nodes that are new.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use broach_core::picker::{
    ConsistentHash, LeastInFlight, Nearest, NetworkQuality, PowerOfTwoChoices, Random, RoundRobin,
    Sticky, WeightedRoundRobin, ZoneFirst,
};
use broach_core::{Channel, Location, NodeBuilder, Outcome};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{echo, sleep};
use broach_tests::{Cluster, World, faults, for_seeds, millis, secs};
use futures::{StreamExt, stream};

/// Nodes that are told more by their numbers, and one more, number 9, that serves nothing.
async fn told(world: World, nodes: u8, tell: impl Fn(u8, NodeBuilder) -> NodeBuilder) -> Cluster {
    let mut cluster = Cluster::new(world);
    for number in 1..=nodes {
        let probe = cluster.probe(number);
        let builder = tell(number, cluster.builder(number).serve(probe.server()));
        cluster.start_with(number, builder).await;
    }
    cluster.start_with(9, cluster.builder(9)).await;
    cluster.full().await;
    cluster
}

/// How many of so many calls, some of them at once, each node answers. All are answered.
async fn shares(channel: Channel, calls: u64) -> BTreeMap<SocketAddr, u64> {
    let client = ProbeClient::new(channel);
    let calls = stream::iter(0..calls).map(|token| client.sleep(sleep(token, 1)).response());
    let mut calls = calls.buffer_unordered(16);
    let mut shares = BTreeMap::new();
    while let Some(response) = calls.next().await {
        let peer = response.unwrap().peer.unwrap();
        *shares.entry(peer.addr).or_default() += 1;
    }
    shares
}

/// The numbers of nodes that are called for these keys, one after the other.
async fn owners(channel: Channel, keys: u64) -> Vec<u8> {
    let client = ProbeClient::new(channel);
    let mut owners = Vec::new();
    for key in 0..keys {
        let call = client.echo(echo(key)).key(key.to_be_bytes()).response();
        owners.push(number_of(call.await.unwrap().peer.unwrap().addr));
    }
    owners
}

fn number_of(addr: SocketAddr) -> u8 {
    (1..=9).find(|&number| World::addr(number) == addr).unwrap()
}

#[tokio::test(start_paused = true)]
async fn equal_nodes_get_equal_shares_and_again_after_a_join() {
    let mut cluster = told(World::new(30), 5, |_, builder| builder).await;
    cluster.world.network.set_faults(faults(|faults| {
        faults.loss = 0.01;
        faults.jitter = millis(1);
    }));
    let channel = cluster.channel(9);
    let channels = [
        ("PowerOfTwoChoices", channel.picker(PowerOfTwoChoices::new())),
        ("RoundRobin", channel.picker(RoundRobin::new())),
        ("Random", channel.picker(Random::new())),
        ("WeightedRoundRobin", channel.picker(WeightedRoundRobin::new())),
        ("LeastInFlight", channel.picker(LeastInFlight::new())),
    ];
    for nodes in [5, 6] {
        for (name, channel) in &channels {
            let calls = 5_000;
            let shares = shares(channel.clone(), calls).await;
            println!("{name}, {calls} calls over {nodes} nodes: {:?}", shares.values());
            let fair = calls / nodes;
            let even = shares.values().all(|share| share.abs_diff(fair) <= fair / 10);
            assert!(even && shares.len() as u64 == nodes, "{name}: {shares:?}");
        }
        if nodes == 5 {
            cluster.start(6).await;
            cluster.full().await;
            // It is not new any more then.
            tokio::time::sleep(secs(6)).await;
        }
    }
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_joins_gets_its_share_little_by_little() {
    let mut cluster = told(World::new(31), 4, |_, builder| builder).await;
    // Those who came one after the other when there was nobody yet are not new.
    let before = shares(cluster.channel(9), 2_000).await;
    assert!(before.values().all(|share| share.abs_diff(500) < 75), "{before:?}");
    tokio::time::sleep(secs(60)).await;
    cluster.start(5).await;
    cluster.full().await;
    let mut parts = Vec::new();
    for _ in 0..7 {
        let shares = shares(cluster.channel(9).picker(RoundRobin::new()), 1_000).await;
        let joined = shares.get(&World::addr(5)).copied().unwrap_or_default();
        parts.push(joined as f64 / ((1_000 - joined) as f64 / 4.0));
        tokio::time::sleep(millis(900)).await;
    }
    println!("of what others get, one second after the other: {parts:.2?}");
    assert!(parts[0] < 0.35 && 0.4 < parts[2] && parts[2] < 0.8 && 0.95 < parts[6], "{parts:?}");
    cluster.end().await;
}

#[test]
fn a_key_has_the_same_node_for_everybody_and_moves_only_to_one_that_joins() {
    for_seeds(32..35, async |world| {
        let mut cluster = told(world, 5, |_, builder| builder).await;
        cluster.start_with(8, cluster.builder(8)).await;
        cluster.full().await;
        cluster.world.network.set_faults(faults(|faults| {
            faults.loss = 0.02;
            faults.duplicate = 0.05;
            faults.jitter = millis(2);
        }));
        let keys = 400;
        let before = owners(cluster.channel(9), keys).await;
        assert_eq!(owners(cluster.channel(8), keys).await, before);
        cluster.start(6).await;
        cluster.full().await;
        let after = owners(cluster.channel(9), keys).await;
        assert_eq!(owners(cluster.channel(8), keys).await, after);
        let moved: Vec<(u8, u8)> =
            before.into_iter().zip(after).filter(|(before, after)| before != after).collect();
        println!("{} of {keys} keys have moved to the sixth node", moved.len());
        assert!(moved.iter().all(|&(_, after)| after == 6), "{moved:?}");
        assert!(moved.len() as f64 <= 1.3 * keys as f64 / 6.0, "{}", moved.len());
        cluster.end().await;
    });
}

#[test]
fn keys_of_a_dead_node_are_called_elsewhere_and_others_stay() {
    for_seeds(36..39, async |world| {
        let mut cluster = told(world, 4, |_, builder| builder).await;
        let channel = cluster.channel(9).picker(ConsistentHash::unbounded());
        let keys = 100;
        let before = owners(channel.clone(), keys).await;
        let lost: Vec<u64> = (0..keys).filter(|&key| before[key as usize] == 2).collect();
        cluster.crash(2).await;
        let client = ProbeClient::new(channel.clone());
        // Nobody has noticed yet. What may run twice is done elsewhere; what may not says where it
        // was, and that it is not known whether it ran.
        let key = |at: usize| lost[at].to_be_bytes();
        let calls = [
            client.echo(echo(1_000)).key(key(0)).idempotent().response(),
            client.echo(echo(1_001)).key(key(1)).response(),
        ];
        let [again, once] = futures::future::join_all(calls).await.try_into().unwrap();
        let response = again.unwrap();
        assert_eq!(response.attempts[0].peer, Some(World::addr(2)));
        assert_ne!(response.peer.unwrap().addr, World::addr(2));
        let status = once.unwrap_err();
        assert_eq!(status.outcome(), Outcome::Unknown, "{status:#}");
        assert!(format!("{status:#}").contains(&World::addr(2).to_string()), "{status:#}");
        cluster.when(|| cluster.node(9).members().get(World::addr(2)).is_none()).await;
        let after = owners(channel.clone(), keys).await;
        for (key, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!(before == after || *before == 2 && *after != 2, "key {key}");
        }
        // It comes back at its address, and so do its keys.
        cluster.start(2).await;
        cluster.full().await;
        assert_eq!(owners(channel.clone(), keys).await, before);
        drop((client, channel));
        cluster.end().await;
    });
}

#[tokio::test(start_paused = true)]
async fn calls_stay_in_their_zone_until_it_has_too_few_nodes() {
    let zone = |number: u8| if number <= 3 { "here" } else { "there" };
    let mut cluster = told(World::new(40), 6, |number, builder| builder.zone(zone(number))).await;
    let channel = cluster.channel(9).picker(ZoneFirst::new("here"));
    let stays = async |calls| {
        let shares = shares(channel.clone(), calls).await;
        let here = shares.iter().filter(|(addr, _)| zone(number_of(**addr)) == "here");
        here.map(|(_, share)| share).sum::<u64>() as f64 / calls as f64
    };
    assert_eq!(stays(600).await, 1.0);
    for number in [1, 2] {
        cluster.take(number).shutdown().await.unwrap();
    }
    cluster.when(|| cluster.node(9).members().len() == 5).await;
    // 1.4 times the average of one here and three there, for half of all calls.
    let share = stays(2_000).await;
    assert!((share - 0.7).abs() < 0.05, "{share}");
    cluster.take(3).shutdown().await.unwrap();
    cluster.when(|| cluster.node(9).members().len() == 4).await;
    assert_eq!(stays(600).await, 0.0);
    drop(channel);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_nearest_nodes_are_those_that_say_so() {
    let cluster = told(World::new(41), 4, |number, builder| match number {
        1 => builder.location(40.71, -74.01),
        2 => builder.location(48.86, 2.35),
        3 => builder.location(50.85, 4.35),
        _ => builder,
    })
    .await;
    let from = |latitude, longitude| {
        let from = Location::new(latitude, longitude).unwrap();
        cluster.channel(9).picker(Nearest::new(from))
    };
    let called = async |channel| {
        let shares = shares(channel, 50).await;
        shares.keys().copied().map(number_of).collect::<Vec<u8>>()
    };
    assert_eq!(called(from(42.36, -71.06)).await, [1]);
    assert_eq!(called(from(51.51, -0.13)).await, [2, 3], "some 20 km is no difference");
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_far_away_is_called_less() {
    let cluster = told(World::new(42), 4, |_, builder| builder).await;
    cluster.world.network.set_faults(faults(|faults| {
        faults.loss = 0.01;
        faults.delay = millis(1);
    }));
    cluster.world.network.set_distance(World::addr(3), millis(10));
    let channel = cluster.channel(9).picker(NetworkQuality::new());
    let before = shares(channel.clone(), 500).await;
    let shares = shares(channel.clone(), 2_000).await;
    println!("at 20 ms more than the others: first {before:?}, then {shares:?}");
    let far = shares.get(&World::addr(3)).copied().unwrap_or_default();
    assert!(far < 50 && shares.len() >= 3, "{shares:?}");
    drop(channel);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_sticky_channel_stays_with_its_node_until_that_has_gone() {
    let mut cluster = told(World::new(43), 4, |_, builder| builder).await;
    let channel = cluster.channel(9).picker(Sticky::new());
    let only = async || {
        let shares = shares(channel.clone(), 100).await;
        assert_eq!(shares.len(), 1, "{shares:?}");
        number_of(*shares.keys().next().unwrap())
    };
    let first = only().await;
    cluster.start(5).await;
    cluster.full().await;
    assert_eq!(only().await, first);
    cluster.take(first).shutdown().await.unwrap();
    let second = only().await;
    assert_ne!(second, first);
    cluster.start(first).await;
    cluster.full().await;
    assert_eq!(only().await, second);
    drop(channel);
    cluster.end().await;
}
