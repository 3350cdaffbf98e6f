//! Nodes and channels that end while calls are under way: each call ends, with a true outcome, and
//! nothing is left.

use std::sync::{Arc, Mutex, OnceLock};

use broach_core::observe::CloseReason;
use broach_core::{Channel, Code, Node, Outcome};
use broach_tests::broach::testing::v1::{ActReply, ProbeClient, ScriptClient};
use broach_tests::requests::{act, echo, good_call, sleep, wait};
use broach_tests::{Probe, Script, World, eventually, millis, secs};
use tokio::sync::oneshot;

#[tokio::test(start_paused = true)]
async fn run_until_serves_until_the_signal_and_lets_calls_finish() {
    let (world, probe, node, channel) = start().await;
    let client = ProbeClient::new(channel.clone());
    let (signal, signalled) = oneshot::channel::<()>();
    let running = tokio::spawn(node.run_until(signalled));
    let under_way = tokio::spawn(client.wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    signal.send(()).unwrap();
    tokio::time::sleep(millis(10)).await;
    let status = client.echo(echo(2)).timeout(millis(100)).await.unwrap_err();
    assert_eq!(status.outcome(), Outcome::NotExecuted);
    let first = &status.attempts()[0];
    assert_eq!((first.code, &*first.message), (Code::Unavailable, "the node is shutting down"));
    assert!(!running.is_finished(), "a call is under way");
    probe.release(1);
    under_way.await.unwrap().unwrap();
    running.await.unwrap().unwrap();
    // The address is free at once. The caller has yet to hear the goodbye: its call crosses it.
    let next = world.node(1).serve(probe.server()).start().await.unwrap();
    let response = client.echo(echo(3)).response().await.unwrap();
    let [crossed, answered] = &response.attempts[..] else { panic!("{:?}", response.attempts) };
    assert_eq!((crossed.code, crossed.outcome), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!((answered.code, probe.started_for(3)), (Code::Ok, 1));
    good_call(&channel).await;
    drop(client);
    world.end((next, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_in_time_is_stopped_and_counted() {
    let (world, probe) = (World::new(1), Probe::new());
    let builder = world.node(1).drain_timeout(secs(3)).serve(probe.server());
    let node = builder.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    let calls: Vec<_> = (1..=2).map(|token| tokio::spawn(client.wait(wait(token)))).collect();
    probe.until(|probe| probe.running() == 2).await;
    let begun = world.elapsed();
    let unfinished = node.shutdown().await.unwrap_err();
    let took = world.elapsed() - begun;
    assert!(secs(3) <= took && took <= millis(3_010), "{took:?}");
    let text = "2 handlers were still running when the time for shutting down was over \
                (drain_timeout); each is stopped where it waits next";
    assert_eq!(unfinished.to_string(), text);
    for call in calls {
        let status = call.await.unwrap().unwrap_err();
        let label = (status.code(), status.outcome());
        assert_eq!(label, (Code::Unavailable, Outcome::Unknown), "{status:#}");
    }
    eventually(|| probe.stopped() == 2).await;
    let next = world.node(1).serve(probe.server()).start().await.unwrap();
    good_call(&channel).await;
    drop(client);
    world.end((next, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_hurry_stops_what_is_under_way_and_it_is_told() {
    let (world, probe, node, channel) = start().await;
    let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    let begun = world.elapsed();
    let unfinished = node.shutdown_or_stop(tokio::time::sleep(secs(2))).await.unwrap_err();
    let took = world.elapsed() - begun;
    assert!(secs(2) <= took && took <= millis(2_010), "{took:?}");
    assert!(unfinished.to_string().starts_with("1 handlers were"), "{unfinished}");
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Unknown));
    eventually(|| probe.stopped() == 1).await;
    let next = world.node(1).serve(probe.server()).start().await.unwrap();
    next.shutdown_or_stop(std::future::ready(())).await.expect("nothing was under way");
    world.end(channel).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_still_call_others_while_its_node_shuts_down() {
    let (world, probe) = (World::new(1), Probe::new());
    let back = world.node(3).serve(probe.server()).start().await.unwrap();
    // Whose handler calls through the node's own socket, after a while.
    let own: Arc<OnceLock<Channel>> = Arc::default();
    let through = Arc::clone(&own);
    let script = Script::new(move |_, _| {
        let channel = through.get().expect("the node has started").clone();
        async move {
            tokio::time::sleep(millis(500)).await;
            ProbeClient::new(channel).echo(echo(7)).await?;
            Ok("done".to_owned())
        }
    });
    let node = world.node(1).serve(script.server()).start().await.unwrap();
    own.set(node.connect(World::addr(3)).await.unwrap()).unwrap();
    let channel = world.channel(2, 1).await;
    let call = tokio::spawn(ScriptClient::new(channel.clone()).act(act("")));
    tokio::time::sleep(millis(100)).await;
    node.shutdown().await.unwrap();
    assert_eq!(call.await.unwrap().unwrap(), ActReply { text: "done".to_owned() });
    assert_eq!(probe.started_for(7), 1);
    // The node's channel ends with it.
    let status = ProbeClient::new(own.get().unwrap().clone()).echo(echo(8)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(status.message(), "this node has stopped");
    world.end((back, channel, script, own)).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_node_ends_whatever_still_holds_a_channel_of_it() {
    let (world, probe, node, channel) = start().await;
    let back = world.node(3).serve(Probe::new().server()).start().await.unwrap();
    let own = node.connect(World::addr(3)).await.unwrap();
    good_call(&own).await;
    let into = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    let out_of = tokio::spawn(ProbeClient::new(own.clone()).wait(wait(2)));
    probe.until(|probe| probe.running() == 1).await;
    tokio::time::sleep(millis(10)).await;
    drop(node);
    for call in [into, out_of] {
        let status = call.await.unwrap().unwrap_err();
        let label = (status.code(), status.outcome());
        assert_eq!(label, (Code::Unavailable, Outcome::Unknown), "{status:#}");
        assert!(status.message().contains("shutting down"), "{status}");
    }
    assert_eq!(probe.stopped(), 1);
    let status = ProbeClient::new(own.clone()).echo(echo(3)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(status.message(), "this node has stopped");
    // Its address is free although the channel is still there.
    let next = world.node(1).serve(probe.server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((next, back, channel, own)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_made_as_its_node_is_dropped_is_surely_not_executed() {
    let (world, probe, node, channel) = start().await;
    let caller = world.node(3).start().await.unwrap();
    let own = caller.connect(World::addr(1)).await.unwrap();
    good_call(&own).await;
    drop(caller);
    // Its driver has not even heard of it.
    let call = ProbeClient::new(own.clone()).echo(echo(1)).idempotent();
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(status.message(), "this node has stopped");
    assert_eq!(probe.started_for(1), 0);
    good_call(&channel).await;
    world.end((node, channel, own)).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_channel_lets_its_calls_finish_and_then_says_goodbye() {
    let (world, probe, node, channel) = start().await;
    let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    drop(channel);
    tokio::time::sleep(secs(1)).await;
    assert_eq!((probe.stopped(), node.counters().sessions_open()), (0, 1));
    probe.release(1);
    call.await.unwrap().unwrap();
    world.watch(1).until(|tally| tally.counters.sessions_open() == 0).await;
    assert_eq!(world.watch(1).closed(CloseReason::Remote), 1);
    assert_eq!(world.watch(2).closed(CloseReason::Local), 1);
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_dropped_by_its_own_handler_ends_that_call_too() {
    let world = World::new(1);
    let own: Arc<Mutex<Option<Node>>> = Arc::default();
    let inside = Arc::clone(&own);
    let script = Script::new(move |_, _| {
        drop(inside.lock().unwrap().take());
        std::future::pending()
    });
    let node = world.node(1).serve(script.server()).start().await.unwrap();
    *own.lock().unwrap() = Some(node);
    let channel = world.channel(2, 1).await;
    let status = ScriptClient::new(channel.clone()).act(act("")).await.unwrap_err();
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::Unavailable, Outcome::Unknown), "{status:#}");
    let node = world.node(1).serve(Probe::new().server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_what_shuts_a_node_down_ends_it_at_once() {
    let (world, probe, node, channel) = start().await;
    let call = tokio::spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    probe.until(|probe| probe.running() == 1).await;
    let shutdown = tokio::time::timeout(millis(100), node.shutdown()).await;
    assert!(shutdown.is_err(), "a handler was at work");
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(probe.stopped(), 1);
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_calls_others_through_the_socket_that_it_serves_on() {
    let world = World::new(1);
    let (probes, mut nodes) = ([Probe::new(), Probe::new()], Vec::new());
    for (number, probe) in (1..).zip(&probes) {
        nodes.push(world.node(number).serve(probe.server()).start().await.unwrap());
    }
    let there = nodes[0].connect(World::addr(2)).await.unwrap();
    let back = nodes[1].connect(World::addr(1)).await.unwrap();
    let itself = nodes[0].connect(World::addr(1)).await.unwrap();
    for (channel, to, from) in [(&there, 1, 0), (&back, 0, 1), (&itself, 0, 0)] {
        good_call(channel).await;
        let peer = probes[to].last_seen().peer.unwrap();
        assert_eq!((peer.addr, peer.instance), (nodes[from].local_addr(), nodes[from].instance()));
        assert_eq!(channel.counters(), nodes[from].counters(), "one socket");
    }
    // One session for each direction, and one with itself at each of its ends.
    assert_eq!(nodes[1].counters().sessions_open(), 2);
    assert_eq!(nodes[0].counters().sessions_open(), 4);
    world.end((nodes, there, back, itself)).await;
}

#[tokio::test]
async fn an_address_is_free_as_soon_as_its_node_has_shut_down_loopback() {
    let probe = Probe::new();
    let first = Node::builder().serve(probe.server()).start().await.unwrap();
    let addr = first.local_addr();
    let channel = Channel::connect(addr).await.unwrap();
    let mut node = first;
    for _ in 0..20 {
        let call = ProbeClient::new(channel.clone()).sleep(sleep(1, 5));
        let call = tokio::spawn(call);
        probe.until(|probe| 0 < probe.running()).await;
        node.shutdown().await.unwrap();
        call.await.unwrap().expect("it was waited for");
        node = Node::builder().bind(addr).serve(probe.server()).start().await.unwrap();
    }
    good_call(&channel).await;
}

async fn start() -> (World, Probe, Node, Channel) {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    (world, probe, node, channel)
}
