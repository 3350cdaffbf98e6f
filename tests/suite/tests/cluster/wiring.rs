//! What the membership, the transport and the channels of a node tell each other.

use broach_core::{Code, Outcome};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::broach::wire::v1 as wire;
use broach_tests::forge::{Forged, GOSSIP, INIT, VERSIONS};
use broach_tests::requests::{echo, sleep};
use broach_tests::{Cluster, Probe, Tap, World, eventually, millis, secs};

/// How many datagrams of the membership have been sent through here.
fn gossip(tap: &Tap) -> usize {
    tap.sent().iter().filter(|bytes| bytes[1] >> 4 == GOSSIP).count()
}

#[tokio::test(start_paused = true)]
async fn nodes_that_call_each_other_need_not_be_probed() {
    let (world, probe) = (World::new(1), Probe::new());
    let one = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let two = world.node_on(2, tap.clone()).join([World::addr(1)]).start().await.unwrap();
    two.wait_for_members(2).await;
    let client = ProbeClient::new(two.channel());
    tokio::time::sleep(secs(10)).await;
    let before = gossip(&tap);
    tokio::time::sleep(secs(10)).await;
    let idle = gossip(&tap) - before;
    for token in 0..100 {
        client.echo(echo(token)).await.unwrap();
        tokio::time::sleep(millis(100)).await;
    }
    let busy = gossip(&tap) - before - idle;
    assert!(30 <= idle && busy <= 8, "{idle} in 10 s without calls, {busy} with them");
    drop(client);
    world.end((one, two)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_datagram_to_a_member_names_the_life_that_is_meant() {
    let (world, probe) = (World::new(1), Probe::new());
    let one = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let builder = world.node_on(2, tap.clone()).join([World::addr(1)]);
    let two = builder.client_only().start().await.unwrap();
    two.wait_for_members(1).await;
    // The node's own question of what the member offers is the first.
    eventually(|| tap.sent().iter().any(|bytes| bytes[1] >> 4 == INIT)).await;
    let sent = tap.sent();
    let first = sent.iter().find(|bytes| bytes[1] >> 4 == INIT).unwrap();
    assert_eq!(Forged::read(first).unwrap().init.unwrap().meant, one.instance().0);
    world.end((one, two)).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_silent_for_a_moment_is_called_again_as_soon_as_it_is_heard() {
    let cluster = Cluster::of(World::new(1), 3).await;
    let caller = cluster.world.node(9).join([World::addr(1)]).start().await.unwrap();
    caller.wait_for_members(4).await;
    let client = ProbeClient::new(caller.channel());
    let calls = {
        let client = client.clone();
        tokio::spawn(async move {
            for token in 0.. {
                tokio::spawn(client.sleep_again(sleep(token, 1)));
                tokio::time::sleep(millis(5)).await;
            }
        })
    };
    let started = || cluster.probes().nth(1).unwrap().started();
    eventually(|| 20 <= started()).await;
    cluster.world.network.stop(World::addr(2));
    // Long enough to seem silent, and not to be taken for dead.
    tokio::time::sleep(millis(900)).await;
    cluster.world.network.resume(World::addr(2));
    tokio::time::sleep(millis(500)).await;
    let (before, resumed) = (started(), cluster.world.elapsed());
    eventually(|| before + 20 <= started()).await;
    let took = cluster.world.elapsed() - resumed;
    assert!(took <= secs(2), "{took:?}");
    calls.abort();
    tokio::time::sleep(secs(1)).await;
    drop((client, caller));
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_calls_a_node_of_another_version_is_told() {
    let cluster = Cluster::of(World::new(1), 2).await;
    let old = Tap::new(cluster.world.socket(7));
    let channel = cluster.node(1).connect(World::addr(7)).await.unwrap();
    let call = tokio::spawn(ProbeClient::new(channel.clone()).echo(echo(1)));
    let (from, bytes) = old.receive().await.remove(0);
    let init = Forged::read(&bytes).unwrap().init.unwrap();
    let versions = wire::Versions { versions: vec![2, 3] };
    old.inject(from, &Forged::new(VERSIONS, init.from, 0, &versions).bytes());
    let status = call.await.unwrap().unwrap_err();
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::FailedPrecondition, Outcome::NotExecuted), "{status:#}");
    drop((channel, old));
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_cannot_be_reached_holds_nobody_up() {
    for seed in 0..20 {
        let world = World::new(seed);
        let probe = Probe::new();
        let mut nodes = Vec::new();
        for number in 1..=3 {
            let builder = world.node(number).join([World::addr(1)]).serve(probe.server());
            // What the third one says of itself leads nowhere.
            let builder = if number == 3 { builder.advertise("10.9.9.9:9") } else { builder };
            nodes.push(builder.start().await.unwrap());
        }
        nodes[0].wait_for_members(3).await;
        let caller = world.node(9).join([World::addr(1)]).client_only().start().await.unwrap();
        let begun = world.elapsed();
        ProbeClient::new(caller.channel()).echo_again(echo(1)).await.unwrap();
        let took = world.elapsed() - begun;
        assert!(took <= millis(1_000), "seed {seed}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_no_member_finds_those_who_replace_the_only_one_that_it_knew() {
    for seed in 0..10 {
        let mut cluster = Cluster::of(World::new(seed), 1).await;
        let caller = cluster.world.node(9).join([1, 2].map(World::addr)).client_only();
        let caller = caller.start().await.unwrap();
        caller.wait_for_members(1).await;
        cluster.crash(1).await;
        eventually(|| caller.members().is_empty()).await;
        cluster.start(2).await;
        let begun = cluster.world.elapsed();
        let client = ProbeClient::new(caller.channel());
        client.echo(echo(1)).await.unwrap();
        let took = cluster.world.elapsed() - begun;
        assert!(took <= secs(6), "seed {seed}: {took:?}");
        drop((client, caller));
    }
}
