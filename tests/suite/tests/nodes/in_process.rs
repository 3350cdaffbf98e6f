//! Channels within the process beside channels over the network: they do the same.

use broach_core::{Channel, Code, Node, Outcome, Status};
use broach_tests::broach::testing::v1::{Number, NumbersClient, NumbersServer, ProbeClient};
use broach_tests::greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloRequest};
use broach_tests::requests::{echo_bytes, good_call};
use broach_tests::{Numbers, Probe, World, millis};
use futures::StreamExt;

#[tokio::test(start_paused = true)]
async fn unary_calls_are_the_same_over_either_channel() {
    let (world, node, remote) = open().await;
    let mut results = Vec::new();
    for channel in [remote.clone(), Channel::in_process(Numbers.server())] {
        let client = NumbersClient::new(channel.clone());
        let good = client.next(number(41)).await.map_err(text);
        let response = client.next(number(1)).response().await.unwrap();
        let bad = client.next(number(-1)).await.map_err(text);
        let by_name = channel.call("broach.testing.v1.Numbers/Next", "\x08\x05").await;
        let malformed = channel.call("broach.testing.v1.Numbers/Next", "\x08").await;
        let no_name = channel.call("nonsense", "").await;
        assert_eq!(response.attempts.len(), 1);
        results.push((
            (good, response.message, response.metadata, bad),
            (by_name.map_err(text), malformed.map_err(text), no_name.map_err(text)),
        ));
    }
    assert_eq!(results[0], results[1]);
    let ((good, ..), (by_name, malformed, _)) = &results[0];
    assert_eq!(good, &Ok(number(42)));
    assert_eq!(by_name.as_deref(), Ok(&b"\x08\x06"[..]));
    let malformed = malformed.as_ref().unwrap_err();
    assert!(malformed.starts_with("INVALID_ARGUMENT NotExecuted"), "{malformed}");
    world.end((node, remote)).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_method_is_unimplemented_over_either_channel() {
    let (world, node, remote) = open().await;
    for channel in [remote.clone(), Channel::in_process(Numbers.server())] {
        for name in ["broach.testing.v1.Numbers/Previous", "no.such.Service/Method"] {
            let status = channel.call(name, "").await.unwrap_err();
            let expected = (Code::Unimplemented, Outcome::NotExecuted);
            assert_eq!((status.code(), status.outcome()), expected);
            assert!(status.message().contains(name), "{status}");
        }
    }
    world.end((node, remote)).await;
}

#[tokio::test(start_paused = true)]
async fn all_four_shapes_are_the_same_over_either_channel() {
    let (world, node, remote) = open().await;
    for channel in [remote.clone(), Channel::in_process(Numbers.server())] {
        let client = NumbersClient::new(channel.clone());
        assert_eq!(client.next(number(1)).await.unwrap(), number(2));
        let counted = client.count(number(3)).await.unwrap();
        assert_eq!(counted.metadata().get("counting"), Some("up"));
        assert_eq!(values(counted).await, [Ok(1), Ok(2), Ok(3)]);
        let sum = client.sum(futures::stream::iter([1, 2, 3].map(number))).await.unwrap();
        assert_eq!(sum, number(6));
        let sums = client.sums(futures::stream::iter([1, 2, 3].map(number))).await.unwrap();
        assert_eq!(values(sums).await, [Ok(1), Ok(3), Ok(6)]);
        // Nothing at all is a stream too.
        let nothing = || futures::stream::empty::<Number>();
        assert_eq!(client.sum(nothing()).await.unwrap(), number(0));
        assert_eq!(values(client.sums(nothing()).await.unwrap()).await, []);
        assert_eq!(values(client.count(number(0)).await.unwrap()).await, []);
    }
    world.end((node, remote)).await;
}

#[tokio::test(start_paused = true)]
async fn all_four_shapes_fail_with_the_handlers_status_over_either_channel() {
    let (world, node, remote) = open().await;
    for channel in [remote.clone(), Channel::in_process(Numbers.server())] {
        let client = NumbersClient::new(channel.clone());
        let fed = || futures::stream::iter([1, 2, -3, 4].map(number));
        for status in [
            client.next(number(-1)).await.unwrap_err(),
            client.count(number(-1)).await.unwrap_err(),
            client.sum(fed()).await.unwrap_err(),
        ] {
            assert_eq!((status.code(), status.outcome()), (Code::OutOfRange, Outcome::Executed));
        }
        // What was sent before comes before the status.
        let sums = values(client.sums(fed()).await.unwrap()).await;
        assert_eq!(sums, [Ok(1), Ok(3), Err(Code::OutOfRange)]);
    }
    world.end((node, remote)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_asked_for_a_stream_as_if_it_were_unary_says_what_it_is() {
    // As someone does who has another `.proto`, or none.
    let (world, node, channel) = open().await;
    for (method, shape) in [
        ("Count", "server streaming"),
        ("Sum", "client streaming"),
        ("Sums", "bidirectional streaming"),
    ] {
        let name = format!("broach.testing.v1.Numbers/{method}");
        let status = channel.call(&name, "\x08\x05").await.unwrap_err();
        let expected = (Code::Unimplemented, Outcome::NotExecuted);
        assert_eq!((status.code(), status.outcome()), expected);
        assert!(status.message().starts_with(&format!("{name} is {shape}: ")), "{status}");
        assert_eq!(status.attempts().len(), 1, "the node was asked");
    }
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_method_left_out_is_unimplemented_over_the_network_too() {
    /// An implementation from before the methods were added.
    struct Old;

    impl Greeter for Old {}

    let world = World::new(1);
    let node = world.node(1).serve(GreeterServer::new(Old)).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let request = HelloRequest { name: "Ada".into() };
    let status = GreeterClient::new(channel.clone()).say_hello(request).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unimplemented, Outcome::NotExecuted));
    let says = "greeter.v1.Greeter/SayHello is not implemented here";
    assert_eq!(status.message(), says);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_method_left_out_at_one_node_is_called_at_another() {
    struct Old;

    impl broach_tests::broach::testing::v1::Probe for Old {}

    let world = World::new(1);
    let probe = Probe::new();
    let old = broach_tests::broach::testing::v1::ProbeServer::new(Old);
    let nodes = [
        world.node(1).serve(old).start().await.unwrap(),
        world.node(2).serve(probe.server()).start().await.unwrap(),
    ];
    let channel = world.list(3, &[1, 2]).await;
    let client = ProbeClient::new(channel.clone());
    for token in 0..4 {
        let response = client.echo(echo_bytes(token, 10)).response().await.unwrap();
        assert_eq!(response.peer.unwrap().addr, World::addr(2));
    }
    assert_eq!(probe.started(), 4);
    world.end((nodes, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn one_server_may_be_called_both_ways_at_once() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let remote = world.channel(2, 1).await;
    let local = Channel::in_process(probe.server());
    for channel in [&remote, &local] {
        good_call(channel).await;
    }
    let [over_network, within] = &probe.seen()[..] else { panic!("{:?}", probe.seen()) };
    assert!(over_network.peer.is_some() && over_network.key.is_some());
    assert!(within.peer.is_none() && within.key.is_none());
    assert_eq!(within.time_left, Some(millis(10_000)));
    world.end((node, remote, local)).await;
}

/// A node that serves numbers, and a channel to it.
async fn open() -> (World, Node, Channel) {
    let world = World::new(1);
    let node = world.node(1).serve(NumbersServer::new(Numbers)).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    (world, node, channel)
}

async fn values(numbers: broach_core::Receiver<Number>) -> Vec<Result<i64, Code>> {
    let value = |number: Result<Number, Status>| match number {
        Ok(number) => Ok(number.value),
        Err(status) => Err(status.code()),
    };
    numbers.map(value).collect().await
}

/// What a caller can tell one error from another by.
fn text(status: Status) -> String {
    format!("{} {} {}", status.code(), status.outcome(), status.message())
}

const fn number(value: i64) -> Number {
    Number { value }
}
