//! More calls, bytes and sessions than are taken at once: what waits, what is refused and how, and
//! that all of it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broach_core::config::Transport;
use broach_core::observe::{DropReason, Held};
use broach_core::{Channel, Code, Node, Outcome, Status};
use broach_tests::broach::testing::v1::{EchoReply, ProbeClient, ScriptClient};
use broach_tests::requests::{act, call_in_the_end, echo, echo_bytes, good_call, wait};
use broach_tests::{Probe, Script, Tap, World, faults, millis, secs, transport};
use futures::future::join_all;
use tower::limit::ConcurrencyLimitLayer;

#[tokio::test(start_paused = true)]
async fn calls_beyond_what_the_server_takes_wait_their_turn() {
    let (world, crowd) = (World::new(1), Crowd::default());
    let node = serve(&world, calls_max(10), &crowd).await;
    let channels = [world.channel(2, 1).await, world.channel(3, 1).await];
    for channel in &channels {
        good_call(channel).await;
    }
    let results = join_all((0..200).map(|_| crowd.call(&channels[0]))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(crowd.most(), 10);
    // The limit is one of each session.
    let both = (0..400).map(|call| crowd.call(&channels[call % 2]));
    assert!(join_all(both).await.iter().all(Result::is_ok));
    assert_eq!(crowd.most(), 20);
    lives_on(world, (node, channels)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_caller_that_does_not_know_the_limit_yet_are_served_or_refused() {
    let (world, crowd) = (World::new(1), Crowd::default());
    let node = serve(&world, calls_max(10), &crowd).await;
    let channel = world.channel(2, 1).await;
    let results = join_all((0..200).map(|_| crowd.call(&channel))).await;
    let served = results.iter().filter(|result| result.is_ok()).count();
    for status in results.into_iter().filter_map(Result::err) {
        let text = "the serving node takes 10 calls of one session at once \
                    (transport.calls_per_session_max)";
        assert_exhausted(&status, text);
    }
    assert!(10 <= served && crowd.most() == 10, "{served} served");
    assert_eq!(node.counters().handlers_started, served as u64);
    lives_on(world, (node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_limits_handlers_lets_the_others_wait() {
    let (world, crowd) = (World::new(1), Crowd::default());
    let builder = world.node(1).layer(ConcurrencyLimitLayer::new(3));
    let builder = builder.serve(crowd.service().server()).serve(Probe::new().server());
    let node = builder.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let results = join_all((0..100).map(|_| crowd.call(&channel))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(crowd.most(), 3);
    lives_on(world, (node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_those_that_may_wait_fail_at_once() {
    let (world, probe) = (World::new(1), Probe::new());
    let builder = world.node(1).transport(calls_max(10)).serve(probe.server());
    let node = builder.start().await.unwrap();
    let config = transport(|config| config.calls_waiting_max = 20);
    let channel = world.caller(2).transport(config).connect(World::addr(1)).await.unwrap();
    good_call(&channel).await;
    let client = ProbeClient::new(channel.clone());
    let mut calls = Vec::new();
    for token in 1..=30 {
        calls.push(tokio::spawn(client.wait(wait(token))));
        tokio::time::sleep(millis(1)).await;
    }
    assert_eq!(probe.running(), 10);
    let begun = world.elapsed();
    let status = client.wait(wait(31)).await.unwrap_err();
    let text = "20 calls to 10.0.0.1:7400 are waiting to be sent already \
                (transport.calls_waiting_max)";
    assert_exhausted(&status, text);
    assert!(world.elapsed() - begun <= millis(1), "it is said at once");
    probe.release(30);
    assert!(join_all(calls).await.into_iter().all(|call| call.unwrap().is_ok()));
    assert_eq!(probe.started_for(31), 0);
    // Nor do more than these get as far as the driver in one go.
    let results = join_all((100..200).map(|token| client.echo(echo(token)))).await;
    let refused: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 80);
    for status in refused {
        let text = "20 calls wait for this node's driver already (transport.calls_waiting_max)";
        assert_exhausted(&status, text);
    }
    drop(client);
    lives_on(world, (node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_many_times_the_window_all_end_and_keep_to_it() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
    world.network.set_faults(faults(|faults| faults.delay = millis(25)));
    good_call(&channel).await;
    tokio::time::sleep(secs(1)).await;
    let before = tap.sent().len();
    let calls = (0..3_000).map(|token| {
        let call = ProbeClient::new(channel.clone()).echo(echo_bytes(token, 700));
        tokio::spawn(call.timeout(secs(60)))
    });
    let calls: Vec<_> = calls.collect();
    // Before anything can have come back: what 32 datagrams of 1200 bytes hold.
    tokio::time::sleep(millis(40)).await;
    let bytes: usize = tap.sent()[before..].iter().map(Vec::len).sum();
    assert!((37_000..=32 * 1200).contains(&bytes), "{bytes}");
    for (token, call) in (0..).zip(calls) {
        let request = echo_bytes(token, 700);
        let reply = EchoReply { token, payload: request.payload };
        assert!(call.await.unwrap().unwrap() == reply, "call {token} got another reply");
        assert_eq!(probe.started_for(token), 1);
    }
    assert!(1_500 < tap.sent().len(), "no two of them fit into one datagram");
    lives_on(world, (node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn large_requests_take_turns_within_what_the_server_holds() {
    let (world, probe) = (World::new(1), Probe::new());
    let config = transport(|config| {
        config.message_bytes_max = 400_000;
        config.reassembly_bytes_per_session_max = 1_000_000;
    });
    let node = world.node(1).transport(config).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let large = |token| ProbeClient::new(channel.clone()).echo(echo_bytes(token, 300_000));
    // In the first round the caller does not know the limit yet.
    for token in [100, 200] {
        let results = join_all((token..token + 40).map(large)).await;
        let failed: Vec<Status> = results.into_iter().filter_map(Result::err).collect();
        assert!(failed.is_empty(), "{} of 40: {:#}", failed.len(), failed[0]);
    }
    lives_on(world, (node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn replies_that_do_not_arrive_keep_new_calls_out_and_no_longer() {
    let (world, probe) = (World::new(1), Probe::new());
    let tap = Tap::new(world.socket(1));
    let config = transport(|config| config.reply_bytes_max = 100_000);
    let builder = world.node_on(1, tap.clone()).transport(config).serve(probe.server());
    let node = builder.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    tap.let_pass(|datagram| datagram.bytes.len() < 500);
    let large = ProbeClient::new(channel.clone()).echo(echo_bytes(1, 200_000)).timeout(secs(60));
    let large = tokio::spawn(large);
    probe.until(|probe| probe.started_for(1) == 1).await;
    let refused = tokio::spawn(ProbeClient::new(channel.clone()).echo(echo(2)));
    world.watch(1).until(|tally| !tally.counters.calls_refused.is_empty()).await;
    assert!(200_000 < node.held().reply_bytes);
    // What the caller is told of it travels with the rest.
    tap.let_pass(|_| true);
    let text =
        "too many replies of the serving node have not arrived yet (transport.reply_bytes_max)";
    assert_exhausted(&refused.await.unwrap().unwrap_err(), text);
    assert_eq!(large.await.unwrap().unwrap().payload, echo_bytes(1, 200_000).payload);
    tokio::time::sleep(millis(100)).await;
    assert_eq!(probe.started_for(2), 0);
    assert_eq!(node.held(), Held::default());
    lives_on(world, (node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn sessions_beyond_the_limit_are_refused_until_one_ends() {
    let (world, probe) = (World::new(1), Probe::new());
    let config = transport(|config| config.sessions_max = 2);
    let node = world.node(1).transport(config).serve(probe.server()).start().await.unwrap();
    let mut callers = Vec::new();
    for caller in 2..=4 {
        callers.push(world.channel(caller, 1).await);
    }
    good_call(&callers[0]).await;
    good_call(&callers[1]).await;
    tokio::time::sleep(secs(1)).await;
    let status = ProbeClient::new(callers[2].clone()).echo(echo(1)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    let text = "10.0.0.1:7400 takes no more sessions now (transport.sessions_max)";
    assert_eq!((status.message(), status.attempts().len()), (text, 4));
    assert_eq!(world.watch(1).dropped(DropReason::SessionLimit), 4);
    good_call(&callers[0]).await;
    callers.remove(0);
    world.watch(1).until(|tally| tally.counters.sessions_open() == 1).await;
    assert_eq!(probe.started_for(1), 0);
    good_call(&callers[1]).await;
    world.end((node, callers)).await;
}

#[tokio::test(start_paused = true)]
async fn with_no_room_for_half_open_sessions_callers_prove_themselves_first() {
    let world = World::new(1);
    let config = transport(|config| config.half_open_max = 0);
    let builder = world.node(1).transport(config).serve(Probe::new().server());
    let node = builder.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let call = ProbeClient::new(channel.clone()).echo_again(echo(1)).response();
    assert_eq!(call.await.unwrap().attempts.len(), 1, "it costs a round trip and no attempt");
    assert_eq!(world.watch(1).dropped(DropReason::Token), 1);
    lives_on(world, (node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn more_sessions_than_are_remembered_may_come_and_go() {
    let (world, probe) = (World::new(1), Probe::new());
    let config = transport(|config| config.closed_max = 5);
    let node = world.node(1).transport(config).serve(probe.server()).start().await.unwrap();
    // It has a token from the beginning, and no session any more when it comes back.
    let old = world.channel(2, 1).await;
    good_call(&old).await;
    tokio::time::sleep(secs(61)).await;
    for caller in 10..60 {
        let channel = world.channel(caller, 1).await;
        good_call(&channel).await;
        drop(channel);
        tokio::time::sleep(millis(10)).await;
    }
    assert_eq!(node.counters().sessions_open(), 0);
    call_in_the_end(&old).await;
    assert_eq!(probe.started(), 52, "each of them ran once");
    lives_on(world, (node, old)).await;
}

/// A service whose handlers take their time, and that knows how many there were at once.
#[derive(Clone, Default)]
struct Crowd {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Crowd {
    fn service(&self) -> Script {
        let crowd = self.clone();
        Script::new(move |_, _| {
            let crowd = crowd.clone();
            async move {
                let now = 1 + crowd.now.fetch_add(1, Ordering::Relaxed);
                crowd.most.fetch_max(now, Ordering::Relaxed);
                tokio::time::sleep(millis(20)).await;
                crowd.now.fetch_sub(1, Ordering::Relaxed);
                Ok(String::new())
            }
        })
    }

    async fn call(&self, channel: &Channel) -> Result<(), Status> {
        ScriptClient::new(channel.clone()).act(act("")).await.map(|_| ())
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

async fn serve(world: &World, config: Transport, crowd: &Crowd) -> Node {
    let builder = world.node(1).transport(config).serve(Probe::new().server());
    builder.serve(crowd.service().server()).start().await.unwrap()
}

fn calls_max(calls: usize) -> Transport {
    transport(|config| config.calls_per_session_max = calls)
}

fn assert_exhausted(status: &Status, text: &str) {
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::ResourceExhausted, Outcome::NotExecuted), "{status:#}");
    assert_eq!(status.message(), text);
}

/// The node answers somebody new, and then everything ends.
async fn lives_on<T>(world: World, all: T) {
    let channel = world.channel(99, 1).await;
    good_call(&channel).await;
    world.end((all, channel)).await;
}
