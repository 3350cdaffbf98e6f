//! Services, methods, settings and bytes that make no sense: each is refused with its name, and the
//! node lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use broach_core::observe::Counters;
use broach_core::{
    Body, Channel, ChannelBuilder, Code, Node, NodeBuilder, Outcome, Reply, Request, Routes,
    StartError, Status,
};
use broach_tests::broach::testing::v1::{Number, NumbersClient, ProbeClient};
use broach_tests::requests::{echo, good_call};
use broach_tests::{Numbers, Probe, World, client, transport};
use tower::ServiceExt;
use tower::layer::layer_fn;
use tower::util::service_fn;

#[tokio::test(start_paused = true)]
async fn two_services_of_one_name_are_refused_at_the_start() {
    let world = World::new(1);
    let (one, other) = (Probe::new(), Probe::new());
    let twice = world.node(1).serve(one.server()).serve(Numbers.server()).serve(other.server());
    let error = twice.start().await.unwrap_err();
    assert!(matches!(error, StartError::Register(_)), "{error:?}");
    let text = "service broach.testing.v1.Probe is served twice: give serve() each service once";
    assert_eq!(error.to_string(), text);
    // The address is free again.
    let node = world.node(1).serve(one.server()).serve(Numbers.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    assert_eq!((one.started(), other.started()), (1, 0));
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn settings_that_cannot_work_are_named_at_the_start() {
    let world = World::new(1);
    let live = Live::on(&world).await;
    let wrong = transport(|config| config.keep_alive = config.dead_after);
    let text = "setting transport.keep_alive: must be below transport.dead_after";
    assert_eq!(start_error(Node::builder().transport(wrong.clone())).await, text);
    assert_eq!(connect_error(Channel::builder().transport(wrong)).await, text);
    let small = transport(|config| config.datagram_bytes = Some(1199));
    let text = "setting transport.datagram_bytes: must be from 1200 to 65507, but is 1199";
    assert_eq!(start_error(Node::builder().transport(small.clone())).await, text);
    assert_eq!(connect_error(Channel::builder().transport(small)).await, text);
    let wrong = client(|config| config.attempts_max = 0);
    let text = "setting client.attempts_max: must be at least 1";
    assert_eq!(start_error(Node::builder().client(wrong.clone())).await, text);
    assert_eq!(connect_error(Channel::builder().client(wrong)).await, text);
    live.end(world).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_method_is_named_and_nothing_is_executed() {
    let world = World::new(1);
    let live = Live::on(&world).await;
    for method in ["no.Such/Method", "broach.testing.v1.Probe/Missing", "Probe/Echo"] {
        let status = live.channel.call(method, "").await.unwrap_err();
        let label = (status.code(), status.outcome());
        assert_eq!(label, (Code::Unimplemented, Outcome::NotExecuted), "{status:#}");
        assert_eq!(status.message(), format!("10.0.0.1:7400 does not serve {method}"));
        assert_eq!(status.attempts().len(), 1, "to call it again would be no use: {status:#}");
    }
    // A service that is declared, and served by nobody.
    let numbers = NumbersClient::new(live.channel.clone());
    let status = numbers.next(number(1)).await.unwrap_err();
    drop(numbers);
    let text = "10.0.0.1:7400 does not serve broach.testing.v1.Numbers/Next";
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, text));
    let counters = live.node.counters();
    assert_eq!((counters.handlers_started, counters.calls_refused[&Code::Unimplemented]), (0, 4));
    live.end(world).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_serves_nothing_says_what_it_does_not_serve() {
    let world = World::new(1);
    let node = world.node(1).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    for _ in 0..2 {
        let status = ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap_err();
        let label = (status.code(), status.outcome());
        assert_eq!(label, (Code::Unimplemented, Outcome::NotExecuted), "{status:#}");
        let text = "10.0.0.1:7400 does not serve broach.testing.v1.Probe/Echo";
        assert_eq!(status.message(), text);
    }
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_malformed_name_of_a_method_is_refused_where_it_is_written() {
    let world = World::new(1);
    let live = Live::on(&world).await;
    for name in ["", "/", "Echo", "Probe/", "/Echo", "/broach.testing.v1.Probe/Echo", "a/b/c"] {
        let status = live.channel.call(name, "").await.unwrap_err();
        let label = (status.code(), status.outcome());
        assert_eq!(label, (Code::InvalidArgument, Outcome::NotExecuted), "{status:#}");
        let text = format!(
            "{name:?} is no method: it must read package.Service/Method, like \
             greeter.v1.Greeter/SayHello"
        );
        assert_eq!(status.message(), text);
    }
    assert_eq!(live.channel.counters(), Counters::default(), "nothing was sent");
    live.end(world).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_allowed_is_refused_where_it_is_written() {
    let world = World::new(1);
    let live = Live::on(&world).await;
    for key in ["", "Upper", "with space", "ü", "k".repeat(65).as_str()] {
        let call = || ProbeClient::new(live.channel.clone()).echo(echo(1));
        for call in [call().metadata(key, "v"), call().persistent_metadata(key, "v")] {
            let status = call.metadata("good", "v").await.unwrap_err();
            let label = (status.code(), status.outcome());
            assert_eq!(label, (Code::InvalidArgument, Outcome::NotExecuted), "{status:#}");
            let shown: String = key.chars().take(64).collect();
            let text = format!("metadata key {shown:?} is not allowed: a key is 1 to 64 bytes of");
            assert!(status.message().starts_with(&text), "{status}");
        }
    }
    assert_eq!(live.channel.counters(), Counters::default(), "nothing was sent");
    live.end(world).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_request_are_refused_before_the_handler() {
    let world = World::new(1);
    let live = Live::on(&world).await;
    let good = b"\x08\x07\x12\x02hi";
    // Cut short, a length without its bytes, a key that is none, a varint without an end, another
    // type under a known number, and text.
    let garbage: [&[u8]; 6] =
        [&good[..5], b"\x12\xff\x01", b"\x00", &[0xff; 11], b"\x0a\x01a", b"hello"];
    for bytes in garbage {
        let call = live.channel.call("broach.testing.v1.Probe/Echo", bytes.to_vec());
        let status = call.await.unwrap_err();
        let label = (status.code(), status.outcome());
        assert_eq!(label, (Code::InvalidArgument, Outcome::NotExecuted), "{bytes:?}: {status:#}");
        let text = "the request of broach.testing.v1.Probe/Echo does not decode: ";
        assert!(status.message().starts_with(text), "{status}");
    }
    assert_eq!(live.probe.started(), 0);
    let echoed = live.channel.call("broach.testing.v1.Probe/Echo", good.to_vec()).await.unwrap();
    assert_eq!(echoed, &good[..]);
    live.end(world).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_reply_are_an_error_of_a_call_that_ran() {
    let world = World::new(1);
    let probe = Probe::new();
    // Every other reply is spoilt on its way.
    let odd = Arc::new(AtomicBool::new(false));
    let spoil = layer_fn(move |inner: Routes| {
        let odd = Arc::clone(&odd);
        service_fn(move |request: Request| {
            let spoils = !odd.fetch_xor(true, Ordering::Relaxed);
            let reply = inner.clone().oneshot(request);
            async move {
                let reply = reply.await?;
                let garbage = Reply::new(Body::Message(vec![0xff; 11].into()));
                Ok::<_, Status>(if spoils { garbage } else { reply })
            }
        })
    });
    let node = world.node(1).layer(spoil).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let status = ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::Executed));
    let text = "the reply of broach.testing.v1.Probe/Echo does not decode: ";
    assert!(status.message().starts_with(text), "{status}");
    let hint = "; perhaps this program and 10.0.0.1:7400 do not share one .proto";
    assert!(status.message().ends_with(hint), "{status}");
    let [attempt] = status.attempts() else { panic!("{status:#}") };
    assert_eq!((attempt.peer, attempt.code), (Some(World::addr(1)), Code::Ok));
    assert_eq!(probe.started_for(1), 1);
    good_call(&channel).await;
    world.end((node, channel)).await;
}

/// A node that serves a probe, and a channel to it.
struct Live {
    probe: Probe,
    node: Node,
    channel: Channel,
}

impl Live {
    async fn on(world: &World) -> Self {
        let probe = Probe::new();
        let node = world.node(1).serve(probe.server()).start().await.unwrap();
        let channel = world.channel(2, 1).await;
        Self { probe, node, channel }
    }

    async fn end(self, world: World) {
        good_call(&self.channel).await;
        world.end((self.node, self.channel)).await;
    }
}

async fn start_error(builder: NodeBuilder) -> String {
    builder.start().await.unwrap_err().to_string()
}

async fn connect_error(builder: ChannelBuilder) -> String {
    builder.connect("127.0.0.1:1").await.unwrap_err().to_string()
}

const fn number(value: i64) -> Number {
    Number { value }
}
