//! Calls that nobody waits for any more: their handlers are stopped, their places are free.

use std::time::Duration;

use broach_core::observe::CloseReason;
use broach_core::{Code, Context};
use broach_tests::broach::testing::v1::{ProbeClient, ScriptClient};
use broach_tests::requests::{act, call_in_the_end, echo, good_call, wait};
use broach_tests::{Probe, Script, Tap, World, faults, for_seeds, millis, secs, transport};
use futures::FutureExt;
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn dropping_a_call_drops_its_handler() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    let dropped = Instant::now();
    call.abort();
    probe.until(|probe| probe.stopped() == 1).await;
    assert!(dropped.elapsed() <= millis(5), "{:?}", dropped.elapsed());
    good_call(&channel).await;
    let (here, there) = (world.watch(2).counters(), node.counters());
    assert_eq!(here.calls_ended, [(Code::Ok, 1), (Code::Cancelled, 1)].into());
    assert_eq!(here.attempts_ended, [(Code::Ok, 1), (Code::Cancelled, 1)].into());
    assert_eq!(there.handlers_ended, [(Code::Ok, 1), (Code::Cancelled, 1)].into());
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_before_it_is_polled_sends_nothing() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
    drop(ProbeClient::new(channel.clone()).echo(echo(1)).timeout(secs(1)));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(tap.log(), []);
    assert_eq!(world.watch(2).counters().calls_started, 0);
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_before_the_server_knows_of_it_never_runs() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(20)));
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    // The request is on its way, without a token, and can only be sent back.
    let call = ProbeClient::new(channel.clone()).echo(echo(1));
    timeout(millis(30), call).await.unwrap_err();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(probe.started(), 0);
    call_in_the_end(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_its_place_to_the_next() {
    let world = World::new(1);
    let probe = Probe::new();
    let config = transport(|config| config.calls_per_session_max = 1);
    let node = world.node(1).transport(config).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    good_call(&channel).await;
    let first = tokio::spawn(client.wait(wait(1)));
    probe.until(|probe| probe.started_for(1) == 1).await;
    let second = tokio::spawn(client.wait(wait(2)));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(probe.started_for(2), 0, "there is room for one call only");
    first.abort();
    probe.until(|probe| probe.started_for(2) == 1).await;
    probe.release(1);
    second.await.unwrap().unwrap();
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_while_it_waits_for_its_place_is_never_sent() {
    let world = World::new(1);
    let probe = Probe::new();
    let config = transport(|config| config.calls_per_session_max = 1);
    let node = world.node(1).transport(config).serve(probe.server()).start().await.unwrap();
    let client = ProbeClient::new(world.channel(2, 1).await);
    client.echo(echo(1)).await.unwrap();
    let first = tokio::spawn(client.wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    let second = tokio::spawn(client.wait(wait(2)));
    tokio::time::sleep(millis(100)).await;
    second.abort();
    probe.release(1);
    first.await.unwrap().unwrap();
    client.echo(echo(3)).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(probe.started_for(2), 0);
    world.end((node, client)).await;
}

#[tokio::test(start_paused = true)]
async fn the_loser_of_a_select_is_cancelled() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let client = ProbeClient::new(world.channel(2, 1).await);
    let won = tokio::select! {
        result = client.echo(echo(1)) => result.unwrap().token,
        result = client.wait(wait(2)) => panic!("nobody let it: {result:?}"),
    };
    assert_eq!(won, 1);
    probe.until(|probe| probe.running() == 0).await;
    assert_eq!(probe.stopped(), probe.started_for(2));
    world.end((node, client)).await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_first_call_cancels_all_below() {
    let (world, probe) = (World::new(1), Probe::new());
    let last = world.node(1).serve(probe.server()).start().await.unwrap();
    let next = ProbeClient::new(world.channel(4, 1).await);
    let script = Script::new(move |_: Context, _| {
        let call = next.wait(wait(1));
        async move { call.await.map(|_| String::new()) }
    });
    let middle = world.node(2).serve(script.server()).start().await.unwrap();
    drop(script);
    let client = ScriptClient::new(world.channel(3, 2).await);
    let call = tokio::spawn(client.act(act("")));
    probe.until(|probe| probe.running() == 1).await;
    call.abort();
    probe.until(|probe| probe.stopped() == 1).await;
    let ended = world.watch(4).counters().calls_ended;
    assert_eq!(ended, [(Code::Cancelled, 1)].into());
    world.end((last, middle, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_may_meet_its_cancellation_half_way() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(10)));
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    let call = ProbeClient::new(channel.clone()).echo(echo(1));
    timeout(millis(15), call).await.unwrap_err();
    tokio::time::sleep(secs(1)).await;
    assert_eq!((probe.started_for(1), probe.stopped()), (1, 0));
    assert_eq!(world.watch(2).closed(CloseReason::Protocol), 0);
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[test]
fn cancellations_get_through_bad_networks() {
    let struck = for_seeds(0..20, |world| async move {
        let probe = Probe::new();
        let node = world.node(1).serve(probe.server()).start().await.unwrap();
        let channel = world.channel(2, 1).await;
        good_call(&channel).await;
        world.network.set_faults(faults(|faults| {
            (faults.loss, faults.jitter) = (0.4, millis(5));
        }));
        let client = ProbeClient::new(channel.clone());
        let calls: Vec<_> = (0..20)
            .map(|token| tokio::spawn(client.wait(wait(token)).timeout(secs(600))))
            .collect();
        probe.until(|probe| probe.running() == 20).await;
        let dropped = Instant::now();
        for call in calls {
            call.abort();
            tokio::time::sleep(millis(2)).await;
        }
        probe.until(|probe| probe.stopped() == 20).await;
        assert!(dropped.elapsed() <= secs(10), "{:?}", dropped.elapsed());
        let struck = world.network.struck();
        world.network.set_faults(faults(|_| {}));
        call_in_the_end(&channel).await;
        world.end((node, channel, client)).await;
        struck
    });
    assert!(struck.iter().all(|struck| 0 < struck.lost), "{struck:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_polled_once_and_forgotten_runs_until_it_is_dropped() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let mut call = ProbeClient::new(world.channel(2, 1).await).wait(wait(1));
    assert!((&mut call).now_or_never().is_none());
    probe.until(|probe| probe.running() == 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(probe.running(), 1);
    drop(call);
    probe.until(|probe| probe.stopped() == 1).await;
    world.end(node).await;
}
