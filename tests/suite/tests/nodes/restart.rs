//! Nodes that end and begin again on the same address.

use std::time::Duration;

use broach_core::testing::History;
use broach_core::{Channel, Code, Node, Outcome, Status};
use broach_tests::broach::testing::v1::{EchoReply, ProbeClient};
use broach_tests::requests::{call_in_the_end, echo, good_call, sleep, wait};
use broach_tests::{Probe, Tap, World, faults, for_seeds, millis, secs};
use tokio::task::JoinSet;

#[tokio::test(start_paused = true)]
async fn a_call_to_the_next_life_is_made_again_without_a_word() {
    let (world, probe, server, channel) = open().await;
    server.kill().await;
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    // The caller believes that the session is still there. Its call must not run twice, and it is
    // certain that it did not run at all.
    let call = ProbeClient::new(channel.clone()).echo(echo(1));
    let response = call.response().await.unwrap();
    let [refused, answered] = &response.attempts[..] else { panic!("{:?}", response.attempts) };
    assert_eq!((refused.code, refused.outcome), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(answered.code, Code::Ok);
    assert_eq!(response.peer.unwrap().instance, node.instance());
    assert_eq!(probe.started_for(1), 1);
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_last_life_may_have_run_is_not_made_again() {
    let (world, probe, server, channel) = open().await;
    let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    server.kill().await;
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(status.attempts().len(), 1, "{status:#}");
    tokio::time::sleep(secs(30)).await;
    assert_eq!(probe.started_for(1), 1);
    call_in_the_end(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_is_made_again_in_the_next_life() {
    let (world, probe, server, channel) = open().await;
    let call = ProbeClient::new(channel.clone()).wait(wait(1)).idempotent().response();
    let call = tokio::spawn(call);
    probe.until(|probe| probe.running() == 1).await;
    server.kill().await;
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    probe.until(|probe| probe.started_for(1) == 2).await;
    assert!(probe.last_seen().is_retry);
    probe.release(1);
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.peer.unwrap().instance, node.instance());
    assert_eq!(response.attempts[0].outcome, Outcome::Unknown);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_says_goodbye_ends_calls_at_once() {
    let (world, probe, server, channel) = open().await;
    let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    let dropped = world.elapsed();
    drop(server);
    let status = call.await.unwrap().unwrap_err();
    assert!(world.elapsed() - dropped <= millis(5));
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Unknown));
    assert!(status.message().contains("shutting down"), "{status}");
    assert_eq!(probe.stopped(), 1);
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_begins_again_on_its_address_is_a_stranger() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    for life in 1..=3 {
        let tap = Tap::new(world.socket(2));
        let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
        good_call(&channel).await;
        let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(life)));
        probe.until(|probe| probe.started_for(life) == 1).await;
        // It dies without a word, with a call under way.
        tap.let_pass(|_| false);
        call.abort();
        drop(channel);
        tokio::time::sleep(millis(1)).await;
    }
    let instances: std::collections::BTreeSet<_> =
        probe.seen().iter().map(|seen| seen.peer.unwrap().instance).collect();
    assert_eq!(instances.len(), 3);
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    // What the dead ones left behind goes by itself.
    probe.until(|probe| probe.running() == 0).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_stopped_for_a_minute_goes_on() {
    let (world, probe, server, channel) = open().await;
    let addr = World::addr(1);
    world.network.stop(addr);
    let call = ProbeClient::new(channel.clone()).echo(echo(1)).timeout(secs(30));
    let status = call.await.unwrap_err();
    assert_eq!(status.outcome(), Outcome::Unknown, "{status:#}");
    tokio::time::sleep(secs(30)).await;
    world.network.resume(addr);
    tokio::time::sleep(secs(1)).await;
    assert!(probe.started_for(1) <= 1);
    call_in_the_end(&channel).await;
    good_call(&channel).await;
    world.end((server, channel)).await;
}

#[test]
fn labels_are_true_when_servers_restart_under_load() {
    let outcomes = for_seeds(0..20, |world| async move {
        let probe = Probe::new();
        let mut server = Server::start(&world, &probe).await;
        let channel = world.channel(2, 1).await;
        world.network.set_faults(faults(|faults| {
            (faults.loss, faults.duplicate) = (0.05, 0.1);
            (faults.delay, faults.jitter) = (millis(1), millis(10));
        }));
        let mut calls = JoinSet::new();
        for token in 0..600 {
            calls.spawn(load_call(channel.clone(), token, world.elapsed()));
            tokio::time::sleep(millis(3)).await;
            // Every other life says goodbye before the next one begins.
            if token % 120 == 119 {
                if token % 240 == 119 {
                    server.kill().await
                } else {
                    drop(server)
                }
                tokio::time::sleep(millis(token)).await;
                server = Server::start(&world, &probe).await;
            }
        }
        let mut history = History::new();
        for (token, begun, ended, result) in calls.join_all().await {
            history.call(token, is_idempotent(token), begun + secs(4));
            match result {
                Ok(reply) => history.replied(token, ended, reply.token == token),
                Err(status) => history.failed(token, ended, status.code(), status.outcome()),
            }
        }
        tokio::time::sleep(secs(60)).await;
        for seen in probe.seen() {
            history.execution(seen.token, seen.time_left == Some(Duration::ZERO));
        }
        assert_eq!(history.judge(millis(3)), []);
        world.network.set_faults(faults(|_| {}));
        call_in_the_end(&channel).await;
        world.end((server, channel)).await;
        (history.replies(), history.failures())
    });
    for (replies, failures) in outcomes {
        // What the lives took with them, and what arrived while there was none, fails; not more.
        assert!(500 <= replies, "{replies} replies: {failures:?}");
    }
}

/// A node, and how to end it without a word.
struct Server {
    node: Node,
    tap: Tap,
}

impl Server {
    async fn start(world: &World, probe: &Probe) -> Self {
        let tap = Tap::new(world.socket(1));
        let node = world.node_on(1, tap.clone()).serve(probe.server()).start().await.unwrap();
        Self { node, tap }
    }

    async fn kill(self) {
        self.tap.let_pass(|_| false);
        drop(self.node);
        // Its driver notices, and gives the address back.
        tokio::time::sleep(millis(1)).await;
    }
}

/// A server and a channel to it, which know each other.
async fn open() -> (World, Probe, Server, Channel) {
    let (world, probe) = (World::new(1), Probe::new());
    let server = Server::start(&world, &probe).await;
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    (world, probe, server, channel)
}

const fn is_idempotent(token: u64) -> bool {
    token.is_multiple_of(3)
}

async fn load_call(
    channel: Channel,
    token: u64,
    begun: Duration,
) -> (u64, Duration, Duration, Result<EchoReply, Status>) {
    let client = ProbeClient::new(channel);
    let started = tokio::time::Instant::now();
    let result = match (is_idempotent(token), token % 2) {
        (true, _) => client.echo_again(echo(token)).timeout(secs(4)).await,
        (false, 0) => client.echo(echo(token)).timeout(secs(4)).await,
        (false, _) => {
            let slept = client.sleep(sleep(token, 20)).timeout(secs(4)).await;
            slept.map(|_| EchoReply { token, payload: Vec::new() })
        }
    };
    (token, begun, begun + started.elapsed(), result)
}
