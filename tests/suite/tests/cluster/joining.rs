//! Nodes find each other from any one address that lives.

use std::time::Duration;

use broach_core::Node;
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::echo;
use broach_tests::{Cluster, Fate, World, faults, for_seeds, millis, secs};

/// Starts five nodes on a network that loses so much, on 20 seeds; tells how long each time it took
/// until all knew all.
fn five_join(loss: f64) -> Vec<Duration> {
    let mut times = for_seeds(0..20, async |world| {
        world.network.set_faults(faults(|faults| faults.loss = loss));
        let cluster = Cluster::of(world, 5).await;
        let took = cluster.world.elapsed();
        assert!(0 < cluster.world.network.struck().lost || loss == 0.0);
        assert_eq!(cluster.false_deaths(), []);
        cluster.end().await;
        took
    });
    times.sort();
    times
}

#[test]
fn five_nodes_know_each_other_at_once() {
    let times = five_join(0.0);
    println!("5 nodes, no loss: {:?}, at worst {:?}", times[times.len() / 2], times.last());
    assert!(times.iter().all(|&took| took <= millis(300)), "{times:?}");
}

#[test]
fn five_nodes_know_each_other_within_seconds_on_a_bad_network() {
    let times = five_join(0.1);
    println!("5 nodes, 10 % loss: {:?}, at worst {:?}", times[times.len() / 2], times.last());
    assert!(times.iter().all(|&took| took <= secs(3)), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn one_seed_that_lives_is_enough() {
    let mut cluster = Cluster::of(World::new(1), 2).await;
    let seeds = [20, 21, 2, 22].map(World::addr);
    let probe = cluster.probe(3);
    let builder = cluster.world.node(3).join(seeds).serve(probe.server());
    cluster.start_with(3, builder).await;
    let took = cluster.full().await;
    assert!(took <= millis(300), "{took:?}");
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn all_may_have_one_list_with_themselves_in_it() {
    let mut cluster = Cluster::new(World::new(2));
    let seeds = [1, 2, 3, 4, 5].map(World::addr);
    for number in 1..=5 {
        let probe = cluster.probe(number);
        let builder = cluster.world.node(number).join(seeds).serve(probe.server());
        cluster.start_with(number, builder).await;
    }
    let took = cluster.full().await;
    assert!(took <= millis(500), "{took:?}");
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_only_seed_is_itself_waits_for_others() {
    let mut cluster = Cluster::new(World::new(3));
    let probe = cluster.probe(1);
    let builder = cluster.world.node(1).join([World::addr(1)]).serve(probe.server());
    cluster.start_with(1, builder).await;
    tokio::time::sleep(secs(30)).await;
    assert_eq!(cluster.node(1).members().len(), 1);
    cluster.client(1).echo(echo(1)).await.unwrap();
    cluster.start(2).await;
    cluster.full().await;
    cluster.end().await;
}

#[test]
fn seeds_that_start_later_are_found() {
    let times = for_seeds(0..20, async |world| {
        world.network.set_faults(faults(|faults| faults.loss = 0.1));
        let mut cluster = Cluster::new(world);
        cluster.start(3).await;
        cluster.start(4).await;
        // Long enough that the tries have become rare.
        tokio::time::sleep(secs(60)).await;
        assert_eq!(cluster.node(3).members().len(), 1, "nobody has told it of the other");
        cluster.start(1).await;
        let took = cluster.full().await;
        cluster.end().await;
        took
    });
    println!("a seed that starts after a minute is found within {:?}", times.iter().max());
    // They try every 5 s, and one try or the other may get lost.
    assert!(times.iter().all(|&took| took <= secs(20)), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_only_calls_leaves_no_trace() {
    let cluster = Cluster::of(World::new(4), 3).await;
    let before: Vec<u64> = (1..=3).map(|node| cluster.node(node).members().version()).collect();
    let noted = cluster.notes.all().len();
    let builder = cluster.world.node(9).join([World::addr(2)]).client_only();
    let caller: Node = builder.start().await.unwrap();
    let client = ProbeClient::new(caller.channel());
    for token in 0..30 {
        client.echo(echo(token)).await.unwrap();
    }
    let members = caller.members();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|member| member.services().is_some() && !member.is_self()));
    assert!(cluster.probes().all(|probe| 0 < probe.started()), "it calls all of them");
    tokio::time::sleep(secs(30)).await;
    assert_eq!(caller.members().len(), 3);
    drop(client);
    caller.shutdown().await.unwrap();
    tokio::time::sleep(secs(30)).await;
    let after: Vec<u64> = (1..=3).map(|node| cluster.node(node).members().version()).collect();
    assert_eq!(before, after, "nobody has learnt anything");
    assert_eq!(cluster.notes.all().len(), noted, "{}", cluster.story());
    assert!((1..=3).all(|node| cluster.node(node).members().get(World::addr(9)).is_none()));
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_only_calls_sees_who_comes_and_goes() {
    let mut cluster = Cluster::of(World::new(5), 3).await;
    let builder = cluster.world.node(9).join([World::addr(1)]).client_only();
    let caller: Node = builder.observe(cluster.notes.of(9)).start().await.unwrap();
    cluster.when(|| caller.members().len() == 3).await;
    cluster.start(4).await;
    let took = cluster.when(|| caller.members().len() == 4).await;
    assert!(took <= secs(4), "it asks every 2 s: {took:?}");
    let gone = cluster.crash(4).await;
    let took = cluster.when(|| caller.members().len() == 3).await;
    assert!(took <= secs(10), "{took:?}");
    assert_eq!(cluster.notes.times(gone, Fate::Died).len(), 4, "{}", cluster.story());
    // It goes on with another one if the one that it joined through is gone.
    cluster.take(1).shutdown().await.unwrap();
    cluster.when(|| caller.members().len() == 2).await;
    ProbeClient::new(caller.channel()).echo(echo(1)).await.unwrap();
    drop(caller);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_only_calls_cannot_serve() {
    let mut cluster = Cluster::new(World::new(6));
    let probe = cluster.probe(1);
    let builder = cluster.world.node(1).client_only().serve(probe.server());
    let error = builder.start().await.unwrap_err().to_string();
    assert!(error.contains("client_only()") && error.contains("serve()"), "{error}");
    cluster.end().await;
}
