//! Deadlines: who sets them, who keeps them, and how they travel.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use broach_core::observe::DropReason;
use broach_core::{Channel, Code, Context, Outcome, Status};
use broach_tests::broach::testing::v1::{ProbeClient, ScriptClient};
use broach_tests::requests::{act, call_in_the_end, echo, good_call, sleep, wait};
use broach_tests::{Probe, Script, Tap, Tapped, World, faults, millis, secs};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_call_without_a_timeout_ends_after_ten_seconds() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let begun = Instant::now();
    let status = ProbeClient::new(channel.clone()).wait(wait(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.outcome(), Outcome::Unknown);
    assert_near(begun.elapsed(), secs(10));
    assert!(status.message().contains("10.0.0.1:7400"), "{status}");
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_the_call_and_its_handler() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    let begun = Instant::now();
    let status = client.wait(wait(1)).timeout(millis(250)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
    assert_near(begun.elapsed(), millis(250));
    probe.until(|probe| probe.stopped() == 1).await;
    assert_near(begun.elapsed(), millis(250));
    assert_eq!(node.counters().handlers_ended[&Code::DeadlineExceeded], 1);
    assert!(probe.last_seen().time_left.unwrap() <= millis(250));
    good_call(&channel).await;
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn the_server_keeps_the_deadline_without_being_told() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
    good_call(&channel).await;
    let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)).timeout(millis(500)));
    let begun = Instant::now();
    probe.until(|probe| probe.running() == 1).await;
    // From here on the server hears nothing of its caller.
    tap.let_pass(|_| false);
    probe.until(|probe| probe.stopped() == 1).await;
    assert_near(begun.elapsed(), millis(500));
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    tap.let_pass(|_| true);
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn no_handler_starts_after_its_deadline_however_long_it_had_to_wait() {
    let (started, late) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let (starts, lates) = (Arc::clone(&started), Arc::clone(&late));
    let script = Script::new(move |cx, request| {
        starts.fetch_add(1, Relaxed);
        lates.fetch_add(usize::from(cx.time_left() == Some(millis(0))), Relaxed);
        async move {
            // It keeps its thread for so long.
            if request.text == "slow" {
                tokio::time::advance(millis(2)).await;
            }
            Ok(String::new())
        }
    });
    let world = World::new(1);
    let node = world.node(1).serve(script.server()).serve(Probe::new().server());
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ScriptClient::new(channel.clone());
    // At first handlers have tasks of their own; once they have proved quick they do not.
    for _ in 0..2 {
        let before = started.load(Relaxed);
        let calls = (0..200).map(|_| client.act(act("slow")).timeout(millis(100)));
        for result in futures::future::join_all(calls).await {
            assert!(result.err().is_none_or(|status| status.code() == Code::DeadlineExceeded));
        }
        tokio::time::sleep(secs(1)).await;
        let ran = started.load(Relaxed) - before;
        assert!((1..=60).contains(&ran), "{ran} handlers were started");
        assert_eq!(late.load(Relaxed), 0, "handlers were started after their deadline");
        for _ in 0..100 {
            client.act(act("quick")).await.unwrap();
        }
    }
    good_call(&channel).await;
    assert!(node.counters().calls_refused.contains_key(&Code::DeadlineExceeded));
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_done_before_its_deadline_is_not_touched_by_it() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    client.sleep(sleep(1, 190)).timeout(millis(200)).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!((probe.finished(), probe.stopped()), (1, 0));
    assert_eq!(world.watch(2).counters().calls_ended, [(Code::Ok, 1)].into());
    good_call(&channel).await;
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_time_travels() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(50)));
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let client = ProbeClient::new(world.channel(2, 1).await);
    client.echo(echo(1)).timeout(secs(1)).await.unwrap();
    // The first call was sent twice, for want of a token, with the way there and back in between.
    assert_near(probe.last_seen().time_left.unwrap(), millis(900));
    client.echo(echo(2)).timeout(secs(1)).await.unwrap();
    assert_near(probe.last_seen().time_left.unwrap(), secs(1));
    world.end((node, client)).await;
}

#[tokio::test(start_paused = true)]
async fn the_wait_in_the_servers_socket_counts() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
    good_call(&channel).await;
    tokio::time::sleep(millis(100)).await;
    world.network.stop(World::addr(1));
    tap.let_pass(first(1));
    let call = tokio::spawn(ProbeClient::new(channel.clone()).echo(echo(1)).timeout(secs(1)));
    tokio::time::sleep(millis(200)).await;
    world.network.resume(World::addr(1));
    tap.let_pass(|_| true);
    call.await.unwrap().unwrap();
    assert_near(probe.last_seen().time_left.unwrap(), millis(800));
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_too_long_is_never_started() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
    good_call(&channel).await;
    tokio::time::sleep(millis(100)).await;
    // Of what the caller sends, one datagram waits at the server and no other reaches it: neither a
    // repetition nor the cancellation.
    world.network.stop(World::addr(1));
    tap.let_pass(first(1));
    let call = ProbeClient::new(channel.clone()).echo(echo(7)).timeout(millis(50));
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
    tokio::time::sleep(millis(20)).await;
    let refused = node.counters().calls_refused;
    world.network.resume(World::addr(1));
    tokio::time::sleep(millis(5)).await;
    assert!(refused.is_empty(), "it was not read before");
    assert_eq!(node.counters().calls_refused, [(Code::DeadlineExceeded, 1)].into());
    assert_eq!(probe.started_for(7), 0);
    tap.let_pass(|_| true);
    good_call(&channel).await;
    assert_eq!(world.watch(1).dropped(DropReason::Malformed), 0);
    world.end((node, channel)).await;
}

/// A caller at 3, a node at 2 that does as the test says, and a probe at 1 that it calls.
struct Chain {
    world: World,
    probe: Probe,
    caller: ScriptClient,
    all: Box<dyn std::any::Any>,
}

impl Chain {
    async fn new<F>(act: impl Fn(ProbeClient, Context) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let (world, probe) = (World::new(1), Probe::new());
        let last = world.node(1).serve(probe.server()).start().await.unwrap();
        let next = ProbeClient::new(world.channel(4, 1).await);
        let script = Script::new(move |cx, _| {
            let acting = act(next.clone(), cx);
            async move { acting.await.map(|()| String::new()) }
        });
        let middle = world.node(2).serve(script.server()).start().await.unwrap();
        let caller = ScriptClient::new(world.channel(3, 2).await);
        let all = Box::new((last, middle));
        Self { world, probe, caller, all }
    }

    async fn call(&self) -> Result<(), Status> {
        self.caller.act(act("")).timeout(secs(1)).await.map(|_| ())
    }

    /// What the handlers of the last node saw of their time.
    fn times_left(&self) -> Vec<Duration> {
        self.probe.seen().iter().map(|seen| seen.time_left.unwrap()).collect()
    }

    async fn end(self) {
        self.world.end((self.all, self.caller)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_handler_inherit_the_rest_of_its_time() {
    let chain = Chain::new(|next, _| async move {
        tokio::time::sleep(millis(300)).await;
        next.echo(echo(1)).await?;
        next.echo(echo(2)).timeout(secs(5)).await?;
        next.echo(echo(3)).timeout(millis(100)).await.map(|_| ())
    });
    let chain = chain.await;
    chain.call().await.unwrap();
    let [plain, longer, shorter] = chain.times_left()[..] else { panic!("three calls were made") };
    assert_near(plain, millis(700));
    assert_near(longer, millis(700));
    assert_near(shorter, millis(100));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_call_has_time_of_its_own() {
    let chain = Chain::new(|next, _| async move {
        tokio::time::sleep(millis(300)).await;
        next.echo(echo(1)).detached().await.map(|_| ())
    });
    let chain = chain.await;
    chain.call().await.unwrap();
    assert_near(chain.times_left()[0], secs(10));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_its_own_inherits_what_it_is_told_to() {
    let chain = Chain::new(|next, cx| async move {
        tokio::time::sleep(millis(300)).await;
        let other = next.clone();
        let inheriting = tokio::spawn(async move { next.echo(echo(1)).inherit(&cx).await });
        inheriting.await.unwrap()?;
        let forgetful = tokio::spawn(async move { other.echo(echo(2)).await });
        forgetful.await.unwrap().map(|_| ())
    });
    let chain = chain.await;
    chain.call().await.unwrap();
    let [inheriting, forgetful] = chain.times_left()[..] else { panic!("two calls were made") };
    assert_near(inheriting, millis(700));
    assert_near(forgetful, secs(10));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_first_call_ends_all_below() {
    let chain = Chain::new(|next, _| async move { next.wait(wait(1)).await.map(|_| ()) }).await;
    let begun = Instant::now();
    let status = chain.call().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    chain.probe.until(|probe| probe.stopped() == 1).await;
    assert_near(begun.elapsed(), secs(1));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn no_time_at_all_is_a_deadline_too() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    for _ in 0..2 {
        let call = ProbeClient::new(channel.clone()).echo(echo(1)).timeout(Duration::ZERO);
        assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
        assert_eq!(probe.started_for(1), 0);
        // The second time there is a session.
        call_in_the_end(&channel).await;
    }
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn all_the_time_in_the_world_is_a_timeout_too() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let client = ProbeClient::new(world.channel(2, 1).await);
    client.sleep(sleep(1, 3_600_000)).timeout(Duration::MAX).await.unwrap();
    world.end((node, client)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_within_the_process_end_at_their_deadline_too() {
    let probe = Probe::new();
    let client = ProbeClient::new(Channel::in_process(probe.server()));
    let begun = Instant::now();
    let status = client.wait(wait(1)).timeout(millis(20)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
    assert_near(begun.elapsed(), millis(20));
    assert_eq!(probe.stopped(), 1);
}

/// Lets this many datagrams pass and no more.
fn first(count: usize) -> impl FnMut(&Tapped) -> bool + Send {
    let mut passed = 0;
    move |_| {
        passed += 1;
        passed <= count
    }
}

/// Within the ticks of timers, of which each way through the network takes one.
fn assert_near(elapsed: Duration, expected: Duration) {
    let difference = elapsed.abs_diff(expected);
    assert!(difference <= millis(10), "{elapsed:?} is not {expected:?}");
}
