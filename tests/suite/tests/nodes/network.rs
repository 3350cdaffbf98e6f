//! The network of the tests: partitions, cuts and pulled plugs, and that one seed gives one run.

use std::net::SocketAddr;

use broach_core::observe::CloseReason;
use broach_core::testing::TraceHash;
use broach_core::{Channel, Code, Node, Outcome};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{call_in_the_end, echo, good_call};
use broach_tests::{Probe, World, faults, for_seeds, millis, secs};

#[tokio::test(start_paused = true)]
async fn a_partition_keeps_calls_within_its_groups_until_it_heals() {
    let world = World::new(1);
    let probe = Probe::new();
    let nodes = [start(&world, &probe, 1).await, start(&world, &probe, 2).await];
    let mut channels = Vec::new();
    for (caller, to) in [(11, 1), (12, 2), (21, 1), (22, 2)] {
        channels.push(world.channel(caller, to).await);
        good_call(&channels[channels.len() - 1]).await;
    }
    assert_eq!(world.network.struck().severed, 0);

    let sides = [addrs([1, 11, 12]), addrs([2, 21, 22])];
    world.network.partition([&sides[0][..], &sides[1][..]]);
    for (channel, inside) in channels.iter().zip([true, false, false, true]) {
        assert_eq!(answers(channel).await, inside);
    }
    let severed = world.network.struck().severed;
    assert!(0 < severed);

    // Another partition takes the place of the first, and leaves out one of the callers.
    let together = addrs([1, 2, 11, 12, 21]);
    world.network.partition([&together[..]]);
    for (channel, inside) in channels.iter().zip([true, true, true, false]) {
        assert_eq!(answers(channel).await, inside);
    }

    world.network.heal();
    let severed = world.network.struck().severed;
    for channel in &channels {
        call_in_the_end(channel).await;
    }
    assert_eq!(world.network.struck().severed, severed);
    world.end((nodes, channels)).await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_lets_requests_through_but_no_replies() {
    let (world, probe, node, channel) = open().await;
    world.network.cut(World::addr(1), World::addr(2));
    assert!(!answers(&channel).await);
    assert_eq!(probe.started_for(TOKEN), 1, "the request came through");
    world.network.heal();
    call_in_the_end(&channel).await;

    let started = probe.started();
    world.network.cut(World::addr(2), World::addr(1));
    assert!(!answers(&channel).await);
    world.network.heal();
    assert_eq!(probe.started(), started, "no request came through");
    call_in_the_end(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_when_a_partition_begins_arrives() {
    let (world, probe, node, channel) = open().await;
    world.network.set_faults(faults(|faults| faults.delay = millis(50)));
    let call = tokio::spawn(ProbeClient::new(channel.clone()).echo(echo(TOKEN)).timeout(secs(2)));
    tokio::time::sleep(millis(10)).await;
    world.network.partition([]);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.outcome(), Outcome::Unknown, "{status:#}");
    assert_eq!(probe.started_for(TOKEN), 1);
    world.network.heal();
    call_in_the_end(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_unplugged_crashes_without_a_goodbye() {
    let (world, probe, node, channel) = open().await;
    let addr = World::addr(1);
    world.network.unplug(addr);
    drop(node);
    // Its driver notices, and gives the address back.
    tokio::time::sleep(millis(1)).await;
    assert_eq!(world.watch(1).closed(CloseReason::Local), 1, "it has said goodbye");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.watch(2).closed(CloseReason::Remote), 0, "and nobody has heard it");

    world.network.heal();
    assert!(!answers(&channel).await, "to heal is not to plug in");
    world.network.plug_in(addr);
    let node = start(&world, &probe, 1).await;
    let call = ProbeClient::new(channel.clone()).echo_again(echo(1));
    assert_eq!(call.response().await.unwrap().peer.unwrap().instance, node.instance());
    world.end((node, channel)).await;
}

#[test]
fn two_runs_of_one_seed_have_one_trace() {
    let run = |seed: u64| {
        let traces = for_seeds([seed], |world| async move {
            let (trace, probe) = (TraceHash::new(), Probe::new());
            world.network.set_faults(faults(|faults| faults.loss = 0.1));
            let node = world.node(1).observe(trace.of("node")).serve(probe.server());
            let node = node.start().await.unwrap();
            let caller = world.caller(2).observe(trace.of("caller"));
            let channel = caller.connect(World::addr(1)).await.unwrap();
            for token in 0..50 {
                // Its outcome is not the point.
                let _ = ProbeClient::new(channel.clone()).echo(echo(token)).await;
            }
            world.network.unplug(World::addr(1));
            assert!(!answers(&channel).await);
            world.network.plug_in(World::addr(1));
            call_in_the_end(&channel).await;
            assert!(0 < world.network.struck().lost && 0 < world.network.struck().severed);
            let value = (trace.digest(), trace.events());
            world.end((node, channel)).await;
            value
        });
        traces[0]
    };
    for seed in 1..=3 {
        let first = run(seed);
        assert!(500 < first.1, "{} events", first.1);
        assert_eq!(first, run(seed), "seed {seed}");
    }
    assert_ne!(run(1).0, run(2).0);
}

/// A node and a channel to it, which know each other.
async fn open() -> (World, Probe, Node, Channel) {
    let (world, probe) = (World::new(1), Probe::new());
    let node = start(&world, &probe, 1).await;
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    (world, probe, node, channel)
}

async fn start(world: &World, probe: &Probe, number: u8) -> Node {
    world.node(number).serve(probe.server()).start().await.expect("it can start")
}

fn addrs<const N: usize>(numbers: [u8; N]) -> [SocketAddr; N] {
    numbers.map(World::addr)
}

/// Whether a call is answered, rather than not at all.
async fn answers(channel: &Channel) -> bool {
    let call = ProbeClient::new(channel.clone()).echo(echo(TOKEN)).timeout(secs(2));
    match call.await {
        Ok(_) => true,
        Err(status) => {
            let silent = [Code::Unavailable, Code::DeadlineExceeded].contains(&status.code());
            assert!(silent, "{status:#}");
            false
        }
    }
}

const TOKEN: u64 = 7;
