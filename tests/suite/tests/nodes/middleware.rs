//! Layers around channels and nodes: what they see, and what they can do to a call.

use broach_core::codegen::prost::Message;
use broach_core::{
    Body, Channel, Code, Node, NodeBuilder, Outcome, Reply, Request, Routes, Status,
};
use broach_tests::broach::testing::v1::{EchoReply, EchoRequest, ProbeClient};
use broach_tests::layers::{LayerLog, around, refuse};
use broach_tests::requests::{call_in_the_end, echo, sleep};
use broach_tests::{Probe, World, millis};
use tower::ServiceExt;

#[tokio::test(start_paused = true)]
async fn a_layer_around_a_channel_sees_each_call_once_whatever_its_attempts() {
    let world = World::new(1);
    let probe = Probe::new();
    let refusing = world.node(1).layer(refuse(Code::Unavailable)).serve(Probe::new().server());
    let nodes = [
        refusing.start().await.unwrap(),
        world.node(2).serve(probe.server()).start().await.unwrap(),
    ];
    let log = LayerLog::default();
    let plain = world.list(3, &[1, 2]).await;
    let channel = plain.layer(log.layer("layer"));
    let call = ProbeClient::new(channel.clone()).echo(echo(1)).metadata("k", "v");
    let response = call.response().await.unwrap();
    assert_eq!(response.attempts.len(), 2, "the first node refused");
    assert_eq!(log.take(), ["layer: Echo from here, k = v", "layer: OK"]);
    // The channel inside is as it was.
    call_in_the_end(&plain).await;
    assert_eq!(log.take(), [""; 0]);
    world.end((nodes, plain, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_around_a_node_sees_method_peer_and_metadata() {
    let log = LayerLog::default();
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).layer(log.layer("layer")).serve(probe.server());
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    client.echo(echo(1)).metadata("k", "v").await.unwrap();
    assert_eq!(log.take(), ["layer: Echo from 10.0.0.2:7400, k = v", "layer: OK"]);
    client.sleep(sleep(2, 1_000)).timeout(millis(20)).await.unwrap_err();
    probe.until(|probe| probe.running() == 0).await;
    assert_eq!(log.take(), ["layer: Sleep from 10.0.0.2:7400", "layer: dropped"]);
    // A method that is not served is refused before.
    channel.call("no.such.Service/Method", "").await.unwrap_err();
    assert_eq!(log.take(), [""; 0]);
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_added_later_is_further_out() {
    for over_network in [true, false] {
        let log = LayerLog::default();
        let both = Both::new(over_network, |node| {
            node.layer(log.layer("inner server")).layer(log.layer("outer server"))
        });
        let both = both.await;
        let channel =
            both.channel.layer(log.layer("inner client")).layer(log.layer("outer client"));
        ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
        let log = log.take();
        let order: Vec<&str> = log.iter().filter_map(|line| line.split(':').next()).collect();
        let mut expected = vec!["outer client", "inner client"];
        if over_network {
            expected.extend(["outer server", "inner server", "inner server", "outer server"]);
        }
        expected.extend(["inner client", "outer client"]);
        assert_eq!(order, expected);
        both.end(channel).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_change_what_goes_along_both_ways() {
    let (world, probe) = (World::new(1), Probe::new());
    let server = around(|mut request: Request, routes: Routes| async move {
        request.metadata.insert("server", "saw it").unwrap();
        request.metadata.remove("secret");
        let mut reply: Reply = routes.oneshot(request).await?;
        reply.metadata.insert("served", "yes").unwrap();
        Ok(reply)
    });
    let client = around(|mut request: Request, channel: Channel| async move {
        request.metadata.insert("client", "was here").unwrap();
        let mut reply = channel.oneshot(request).await?;
        assert_eq!(reply.metadata.get("served"), Some("yes"));
        reply.metadata.insert("seen", "by the client's layer").unwrap();
        Ok::<_, Status>(reply)
    });
    let node = world.node(1).layer(server).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await.layer(client);
    let call = ProbeClient::new(channel.clone()).echo(echo(1)).metadata("secret", "x");
    let response = call.response().await.unwrap();
    let seen = probe.last_seen().metadata;
    assert_eq!((seen.get("client"), seen.get("server")), (Some("was here"), Some("saw it")));
    assert_eq!(seen.get("secret"), None);
    assert_eq!(response.metadata.get("served"), Some("yes"));
    assert_eq!(response.metadata.get("seen"), Some("by the client's layer"));
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_look_at_the_message_and_change_it() {
    let (world, probe) = (World::new(1), Probe::new());
    let double = around(|mut request: Request, routes: Routes| async move {
        let bytes = request.body.as_message().unwrap().clone();
        let mut message = EchoRequest::decode(bytes).unwrap();
        message.token *= 2;
        request.body = Body::message(&message);
        routes.oneshot(request).await
    });
    let node = world.node(1).layer(double).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let reply = ProbeClient::new(channel.clone()).echo(echo(21)).await.unwrap();
    assert_eq!((reply.token, probe.started_for(42)), (42, 1));
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_around_a_channel_may_answer_by_itself() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let answer = around(|_: Request, _: Channel| async {
            let message = EchoReply { token: 7, payload: b"from the layer".to_vec() };
            Ok::<_, Status>(Reply::new(Body::message(&message)))
        });
        let channel = both.channel.layer(answer);
        let response = ProbeClient::new(channel.clone()).echo(echo(1)).response().await.unwrap();
        assert_eq!(response.message.payload, b"from the layer");
        assert_eq!((response.peer, response.attempts), (None, vec![]));
        let counters = channel.counters();
        assert_eq!((counters.calls_started, counters.attempts_started), (1, 0));
        assert_eq!(counters.calls_ended, [(Code::Ok, 1)].into());
        assert_eq!(counters.datagrams_sent, 0);
        assert_eq!(both.probe.started(), 0);
        both.end(channel).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_around_a_node_may_answer_by_itself() {
    let (world, probe) = (World::new(1), Probe::new());
    let answer = around(|_: Request, _: Routes| async {
        let message = EchoReply { token: 7, payload: b"from the layer".to_vec() };
        Ok::<_, Status>(Reply::new(Body::message(&message)))
    });
    let node = world.node(1).layer(answer).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let response = ProbeClient::new(channel.clone()).echo(echo(1)).response().await.unwrap();
    assert_eq!(response.message.payload, b"from the layer");
    assert_eq!(response.peer.unwrap().addr, World::addr(1));
    assert_eq!(probe.started(), 0);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_layer_fails_with_is_what_the_caller_gets() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let channel = both.channel.layer(refuse(Code::PermissionDenied));
        let status = ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap_err();
        let expected = (Code::PermissionDenied, Outcome::NotExecuted);
        assert_eq!((status.code(), status.outcome()), expected);
        assert_eq!(status.attempts(), []);
        assert_eq!(both.probe.started(), 0);
        both.end(channel).await;
    }
    // On the other side it is an attempt that fails.
    let both = Both::new(true, |node| node.layer(refuse(Code::PermissionDenied))).await;
    let status = ProbeClient::new(both.channel.clone()).echo(echo(1)).await.unwrap_err();
    let expected = (Code::PermissionDenied, Outcome::NotExecuted);
    assert_eq!((status.code(), status.outcome()), expected);
    assert_eq!(status.attempts().len(), 1);
    assert_eq!(both.probe.started(), 0);
    both.end(()).await;
}

/// A channel to a service, over the network or within the process.
pub(crate) struct Both {
    pub(crate) world: World,
    pub(crate) probe: Probe,
    pub(crate) node: Option<Node>,
    pub(crate) channel: Channel,
}

impl Both {
    /// Over the network the node is built as the test says.
    pub(crate) async fn new(
        over_network: bool,
        build: impl FnOnce(NodeBuilder) -> NodeBuilder,
    ) -> Self {
        let (world, probe) = (World::new(1), Probe::new());
        let (node, channel) = if over_network {
            let node = build(world.node(1).serve(probe.server())).start().await.unwrap();
            (Some(node), world.channel(2, 1).await)
        } else {
            (None, Channel::in_process(probe.server()))
        };
        Self { world, probe, node, channel }
    }

    pub(crate) async fn end<T>(self, more: T) {
        self.world.end((self.node, self.channel, more)).await;
    }
}
