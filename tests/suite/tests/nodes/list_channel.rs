//! Channels to several nodes: how calls are shared out, and which node takes what another refuses.

use broach_core::{Channel, Code, Node, Outcome, Status};
use broach_tests::broach::testing::v1::{ProbeClient, ScriptClient};
use broach_tests::layers::refuse;
use broach_tests::requests::{act, echo, echo_bytes, good_call, sleep, wait};
use broach_tests::{Numbers, Probe, Script, World, client, millis, secs};
use futures::future::join_all;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn nodes_are_called_in_turn() {
    let three = Three::new().await;
    for token in 0..30 {
        three.client().echo(echo(token)).await.unwrap();
    }
    assert_eq!(three.started(), [10, 10, 10]);
    let calls = (0..300).map(|token| three.client().echo(echo(token)));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(three.started(), [110, 110, 110]);
    three.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_named_twice_counts_once() {
    let three = Three::new().await;
    let list = three.world.list(8, &[1, 1, 2, 1]).await;
    for token in 0..20 {
        ProbeClient::new(list.clone()).echo(echo(token)).await.unwrap();
    }
    assert_eq!(three.started(), [10, 10, 0]);
    let Three { world, nodes, channel, .. } = three;
    world.end((nodes, channel, list)).await;
}

#[tokio::test(start_paused = true)]
async fn a_draining_node_costs_no_call() {
    let mut three = Three::new().await;
    three.warm().await;
    let busy = tokio::spawn(three.client().wait(wait(77)));
    three.probes[0].until(|probe| probe.running() == 1).await;
    let drain = tokio::spawn(three.nodes[0].take().unwrap().shutdown());
    tokio::time::sleep(millis(10)).await;
    let mut refused = 0;
    for token in 100..130 {
        // Also the bytes of the request have to be there at the second try.
        let request = echo_bytes(token, 3_000);
        let response = three.client().echo(request.clone()).response().await.unwrap();
        assert!(response.message.payload == request.payload, "{token} got something else");
        assert_ne!(response.peer.unwrap().addr, World::addr(1));
        for attempt in response.attempts.iter().filter(|attempt| attempt.code != Code::Ok) {
            refused += 1;
            assert_eq!(attempt.peer, Some(World::addr(1)));
            assert_eq!((attempt.code, attempt.outcome), (Code::Unavailable, Outcome::NotExecuted));
            assert!(attempt.message.contains("shutting down"), "{attempt}");
        }
        assert_eq!(three.started_for(token), 1);
    }
    assert!(0 < refused, "its turn never came");
    three.probes[0].release(1);
    busy.await.unwrap().unwrap();
    drain.await.unwrap().unwrap();
    three.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_one_node_does_not_serve_another_does() {
    let world = World::new(1);
    let probe = Probe::new();
    let nodes = (
        world.node(1).serve(Numbers.server()).start().await.unwrap(),
        world.node(2).start().await.unwrap(),
        world.node(3).serve(probe.server()).start().await.unwrap(),
    );
    let channel = world.list(9, &[1, 2, 3]).await;
    for token in 0..9 {
        let client = ProbeClient::new(channel.clone());
        let response = client.echo(echo(token)).response().await.unwrap();
        assert_eq!(response.peer.unwrap().addr, World::addr(3));
        let (_, failed) = response.attempts.split_last().unwrap();
        for attempt in failed {
            let expected = (Code::Unimplemented, Outcome::NotExecuted);
            assert_eq!((attempt.code, attempt.outcome), expected, "{attempt}");
        }
    }
    let status = channel.call("no.such.Service/Method", "").await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unimplemented, Outcome::NotExecuted));
    let mut tried: Vec<_> = status.attempts().iter().filter_map(|attempt| attempt.peer).collect();
    tried.sort_unstable();
    assert_eq!(tried, [1, 2, 3].map(World::addr));
    world.end((nodes, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_lists_the_attempts() {
    let world = World::new(1);
    let probe = Probe::new();
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let node = world.node(number).layer(refuse(Code::Unavailable)).serve(probe.server());
        nodes.push(node.start().await.unwrap());
    }
    let channel = world.list(9, &[1, 2, 3]).await;
    let status = ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    let peers: Vec<_> = status.attempts().iter().map(|attempt| attempt.peer.unwrap()).collect();
    // Each once, and then from the beginning.
    assert_eq!(peers, [1, 2, 3, 1].map(World::addr));
    let text = format!("{status:#}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "UNAVAILABLE: refused, as the test wants it");
    assert_eq!(lines[1].trim(), "outcome: NotExecuted");
    for (line, peer) in lines[2..].iter().zip(&peers) {
        assert!(line.contains(&peer.to_string()), "{line}");
        assert!(line.contains("UNAVAILABLE (NotExecuted): refused"), "{line}");
    }
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(probe.started(), 0);
    world.end((nodes, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_their_budget_when_all_nodes_refuse() {
    let world = World::new(1);
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let node = world.node(number).layer(refuse(Code::Unavailable));
        nodes.push(node.serve(Probe::new().server()).start().await.unwrap());
    }
    let channel = world.list(9, &[1, 2, 3]).await;
    // A thousand calls a second.
    let (begun, mut calls, mut count) = (Instant::now(), tokio::task::JoinSet::new(), 0);
    while begun.elapsed() < secs(5) {
        for token in 0..10 {
            calls.spawn(ProbeClient::new(channel.clone()).echo(echo(token)));
            count += 1;
        }
        tokio::time::sleep(millis(10)).await;
    }
    for result in calls.join_all().await {
        assert_eq!(result.unwrap_err().code(), Code::Unavailable);
    }
    let seconds = begun.elapsed().as_secs() + 1;
    let counters = world.watch(9).counters();
    assert_eq!(counters.calls_started, count);
    let retries = counters.attempts_started - counters.calls_started;
    // What time pays in lasts for ten seconds, and is there at the beginning.
    let most = count / 10 + 10 * seconds + 10 * 10;
    assert!(retries <= most, "{retries} retries of {count} calls in {seconds} s");
    assert!(most * 9 / 10 <= retries, "{retries} retries are fewer than were paid for: {most}");
    world.end((nodes, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn one_attempt_is_one_attempt() {
    let mut three = Three::new().await;
    three.warm().await;
    drop(three.nodes[0].take());
    let config = client(|config| config.attempts_max = 1);
    let addrs = [1, 2, 3].map(World::addr);
    let single = three.world.caller(8).client(config).list(addrs).await.unwrap();
    let mut failed = 0;
    for token in 0..9 {
        let call = ProbeClient::new(single.clone()).echo_again(echo(token)).timeout(secs(1));
        if let Err(status) = call.await {
            failed += 1;
            assert_eq!(status.attempts().len(), 1);
        }
    }
    assert!(0 < failed, "the turn of the dead node never came");
    let Three { world, nodes, channel, .. } = three;
    world.end((nodes, channel, single)).await;
}

/// Two nodes in front, which ask nodes behind them, of which the first refuses.
struct TwoRows {
    world: World,
    behind: [Probe; 2],
    all: Vec<Node>,
}

impl TwoRows {
    /// `front` says whether each node in front takes calls at all.
    async fn new(front: [bool; 2]) -> Self {
        let world = World::new(1);
        let behind = [Probe::new(), Probe::new()];
        let mut all = Vec::new();
        let refusing = world.node(1).layer(refuse(Code::Unavailable)).serve(behind[0].server());
        all.push(refusing.start().await.unwrap());
        all.push(world.node(2).serve(behind[1].server()).start().await.unwrap());
        for (number, takes) in [(3, front[0]), (4, front[1])] {
            let next = ProbeClient::new(world.list(number + 10, &[1, 2]).await);
            let script = Script::new(move |_, _| {
                let call = next.echo(echo(5));
                async move { call.await.map(|_| String::new()) }
            });
            let node = world.node(number).serve(script.server());
            let node = if takes { node } else { node.layer(refuse(Code::Unavailable)) };
            all.push(node.start().await.unwrap());
        }
        Self { world, behind, all }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retried_call_is_not_retried_again_further_down() {
    let TwoRows { world, behind, all } = TwoRows::new([false, true]).await;
    let channel = world.list(9, &[3, 4]).await;
    // The first node in front refuses; the second one is called as a retry, and so does not go on
    // to the second node behind it.
    let status = ScriptClient::new(channel.clone()).act(act("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(behind.each_ref().map(Probe::started), [0, 0]);
    let nested = world.watch(14).counters();
    assert_eq!((nested.calls_started, nested.attempts_started), (1, 1));
    world.end((all, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_first_try_is_retried_further_down() {
    let TwoRows { world, behind, all } = TwoRows::new([true, true]).await;
    let channel = world.list(9, &[3, 4]).await;
    ScriptClient::new(channel.clone()).act(act("")).await.unwrap();
    assert_eq!(behind.each_ref().map(Probe::started), [0, 1]);
    world.end((all, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_passes_on_an_error_has_run_all_the_same() {
    // What the handlers ask refuses to be asked: that call was not executed, but theirs was.
    let world = World::new(1);
    let behind = world.node(1).layer(refuse(Code::Unavailable)).serve(Probe::new().server());
    let mut all = vec![behind.start().await.unwrap()];
    let ran = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for number in [2, 3] {
        let next = ProbeClient::new(world.channel(number + 10, 1).await);
        let ran = std::sync::Arc::clone(&ran);
        let script = Script::new(move |_, _| {
            ran.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let call = next.echo(echo(1));
            async move { call.await.map(|_| String::new()) }
        });
        all.push(world.node(number).serve(script.server()).start().await.unwrap());
    }
    let channel = world.list(9, &[2, 3]).await;
    let status = ScriptClient::new(channel.clone()).act(act("")).await.unwrap_err();
    assert_eq!(ran.load(std::sync::atomic::Ordering::Relaxed), 1, "{status:#}");
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Executed));
    world.end((all, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn that_the_last_node_refuses_says_nothing_of_those_before() {
    let world = World::new(1);
    let probe = Probe::new();
    let first = world.node(1).serve(probe.server()).start().await.unwrap();
    let second = world.node(2).layer(refuse(Code::Unavailable)).serve(Probe::new().server());
    let second = second.start().await.unwrap();
    let channel = world.list(9, &[1, 2]).await;
    let call = ProbeClient::new(channel.clone()).sleep_again(sleep(1, 60_000));
    let calling = tokio::spawn(call.timeout(secs(2)));
    probe.until(|probe| probe.running() == 1).await;
    drop(first);
    let status = calling.await.unwrap().unwrap_err();
    let outcomes: Vec<_> = status.attempts().iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes[..2], [Outcome::Unknown, Outcome::NotExecuted], "{status:#}");
    assert_eq!((probe.started(), status.outcome()), (1, Outcome::Unknown), "{status:#}");
    world.end((second, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn only_what_says_so_is_tried_elsewhere() {
    let world = World::new(1);
    let probes = [Probe::new(), Probe::new()];
    let mut nodes = Vec::new();
    for (number, probe) in (1..).zip(&probes) {
        nodes.push(world.node(number).serve(probe.server()).start().await.unwrap());
    }
    let channel = world.list(9, &[1, 2]).await;
    for code in Code::ALL.into_iter().filter(|&code| code != Code::Ok) {
        let before: usize = probes.iter().map(Probe::started).sum();
        let call = ProbeClient::new(channel.clone()).fail(broach_tests::requests::fail(code, ""));
        let status: Status = call.await.unwrap_err();
        let after: usize = probes.iter().map(Probe::started).sum();
        assert_eq!((status.code(), status.outcome()), (code, Outcome::Executed));
        assert_eq!((status.attempts().len(), after), (1, before + 1), "{code}");
    }
    good_call(&channel).await;
    world.end((nodes, channel)).await;
}

/// Nodes at 1, 2 and 3, and a channel to all of them.
pub(crate) struct Three {
    pub(crate) world: World,
    pub(crate) probes: [Probe; 3],
    pub(crate) nodes: Vec<Option<Node>>,
    pub(crate) channel: Channel,
}

impl Three {
    pub(crate) async fn new() -> Self {
        let world = World::new(1);
        let probes = [Probe::new(), Probe::new(), Probe::new()];
        let mut nodes = Vec::new();
        for (number, probe) in (1..).zip(&probes) {
            let node = world.node(number).serve(probe.server()).start().await.unwrap();
            nodes.push(Some(node));
        }
        let channel = world.list(9, &[1, 2, 3]).await;
        Self { world, probes, nodes, channel }
    }

    pub(crate) fn client(&self) -> ProbeClient {
        ProbeClient::new(self.channel.clone())
    }

    /// Everybody knows everybody, so that what comes is not about opening sessions.
    pub(crate) async fn warm(&self) {
        for _ in 0..3 {
            self.client().echo(echo(0)).await.unwrap();
        }
    }

    pub(crate) fn started(&self) -> [usize; 3] {
        self.probes.each_ref().map(Probe::started)
    }

    pub(crate) fn started_for(&self, token: u64) -> usize {
        self.probes.iter().map(|probe| probe.started_for(token)).sum()
    }

    pub(crate) async fn end(self) {
        self.world.end((self.nodes, self.channel)).await;
    }
}
