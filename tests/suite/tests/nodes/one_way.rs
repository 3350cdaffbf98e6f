//! One-way calls: the caller waits until a handler has begun, and the handler goes on by itself.

use broach_core::{Channel, Code, Outcome};
use broach_tests::broach::testing::v1::{DialogClient, Item, ProbeClient, ScriptClient};
use broach_tests::requests::{act, echo, fail, good_call, sleep, wait};
use broach_tests::{Probe, World, faults, for_seeds, millis, secs, transport};
use futures::future::join_all;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn the_handler_outlives_the_call_and_whoever_made_it() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    ProbeClient::new(channel.clone()).wait(wait(1)).timeout(secs(60)).one_way().await.unwrap();
    assert_eq!(probe.running(), 1);
    drop(channel);
    tokio::time::sleep(secs(30)).await;
    assert_eq!((probe.running(), world.watch(2).counters().sessions_open()), (1, 0));
    probe.release(1);
    probe.until(|probe| probe.finished() == 1).await;
    assert_eq!(node.counters().handlers_ended, [(Code::Ok, 1)].into());
    assert_eq!(world.watch(2).counters().calls_ended, [(Code::Ok, 1)].into());
    world.end(node).await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_within_a_round_trip_however_long_the_handler_takes() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    world.network.set_faults(faults(|faults| faults.delay = millis(5)));
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    client.echo(echo(1)).await.unwrap();
    let begun = Instant::now();
    client.sleep(sleep(2, 1_000)).one_way().await.unwrap();
    assert!(begun.elapsed() <= millis(12), "{:?}", begun.elapsed());
    probe.until(|probe| probe.finished() == 2).await;
    assert!(millis(1_000) <= begun.elapsed());
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_known_at_once_is_told() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    for channel in [world.channel(2, 1).await, node.channel(), Channel::in_process(probe.server())]
    {
        let client = ProbeClient::new(channel.clone());
        let status = client.fail(fail(Code::NotFound, "")).one_way().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::NotFound, Outcome::Executed));
        let other = ScriptClient::new(channel.clone());
        let status = other.act(act("")).one_way().await.unwrap_err();
        // A channel to whoever offers it finds nobody.
        let codes = [Code::Unimplemented, Code::Unavailable];
        assert!(codes.contains(&status.code()) && status.outcome() == Outcome::NotExecuted);
        let streams = DialogClient::new(channel);
        let status = streams.ask(futures::stream::iter([Item::default()])).one_way().await;
        let status = status.unwrap_err();
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::InvalidArgument, Outcome::NotExecuted)
        );
        assert!(status.message().ends_with("/Ask streams, so it cannot be called one-way"));
        client.echo(echo(1)).one_way().await.unwrap();
    }
    assert_eq!(probe.started_for(1), 3);
    world.end(node).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_calls_itself_one_way() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let in_process = Channel::in_process(probe.server());
    for (done, channel) in (1..).zip([node.channel(), in_process]) {
        ProbeClient::new(channel).wait(wait(1)).one_way().await.unwrap();
        assert_eq!(probe.running(), 1);
        probe.release(1);
        probe.until(|probe| probe.finished() == done).await;
        let cut = ProbeClient::new(node.channel()).wait(wait(2)).timeout(millis(50)).one_way();
        cut.await.unwrap();
        probe.until(|probe| probe.stopped() == done).await;
    }
    world.end(node).await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_stops_the_handler() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    let begun = Instant::now();
    client.wait(wait(1)).timeout(secs(3)).one_way().await.unwrap();
    probe.until(|probe| probe.stopped() == 1).await;
    assert!(begun.elapsed() <= secs(3) + millis(2), "{:?}", begun.elapsed());
    assert_eq!(node.counters().handlers_ended, [(Code::DeadlineExceeded, 1)].into());
    good_call(&channel).await;
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn more_of_them_than_a_node_takes_are_refused() {
    let (world, probe) = (World::new(1), Probe::new());
    let config = transport(|config| config.one_way_calls_max = 2);
    let node = world.node(1).transport(config).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    for token in [1, 2] {
        client.wait(wait(token)).one_way().await.unwrap();
    }
    for channel in [channel.clone(), node.channel()] {
        let status = ProbeClient::new(channel).wait(wait(3)).one_way().await.unwrap_err();
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::ResourceExhausted, Outcome::NotExecuted)
        );
        let text = "2 handlers of one-way calls are at work already (transport.one_way_calls_max)";
        assert!(status.message().contains(text), "{status}");
    }
    probe.release(2);
    probe.until(|probe| probe.finished() == 2).await;
    assert_eq!(probe.started_for(3), 0);
    client.echo(echo(4)).one_way().await.unwrap();
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_waits_for_them_and_stops_them_in_the_end() {
    for released in [true, false] {
        let (world, probe) = (World::new(1), Probe::new());
        let builder = world.node(1).drain_timeout(secs(3)).serve(probe.server());
        let node = builder.start().await.unwrap();
        let channel = world.channel(2, 1).await;
        let client = ProbeClient::new(channel.clone());
        client.wait(wait(1)).timeout(secs(60)).one_way().await.unwrap();
        let ending = tokio::spawn(node.shutdown());
        tokio::time::sleep(secs(2)).await;
        assert!(!ending.is_finished() && probe.running() == 1);
        if released {
            probe.release(1);
        }
        let _ = ending.await.unwrap();
        let ended = (probe.finished(), probe.stopped());
        assert_eq!(ended, if released { (1, 0) } else { (0, 1) });
        world.end((channel, client)).await;
    }
}

#[test]
fn each_runs_once_whatever_the_network_does() {
    for_seeds(0..10, async |world: World| {
        let probe = Probe::new();
        let node = world.node(1).serve(probe.server()).start().await.unwrap();
        world.network.set_faults(faults(|faults| {
            (faults.loss, faults.duplicate) = (0.2, 0.2);
            (faults.delay, faults.jitter) = (millis(2), millis(10));
        }));
        let channel = world.channel(2, 1).await;
        let client = ProbeClient::new(channel.clone());
        let calls = (0..100).map(|token| client.sleep(sleep(token, 500)).one_way());
        for result in join_all(calls).await {
            result.unwrap();
        }
        probe.until(|probe| probe.finished() == 100).await;
        assert!((0..100).all(|token| probe.started_for(token) == 1));
        assert!(0 < world.network.struck().lost);
        world.network.set_faults(faults(|_| {}));
        world.end((node, channel, client)).await;
    });
}
