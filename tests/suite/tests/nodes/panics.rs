//! Handlers that panic: their callers are told, and nobody else notices.

use std::panic::panic_any;

use broach_core::{Channel, Code, Node, Outcome, Request, Routes, Status};
use broach_tests::broach::testing::v1::{Nothing, ProbeClient, ScriptClient};
use broach_tests::requests::{act, good_call, wait};
use broach_tests::{Probe, Script, World, millis};
use futures::future::join_all;
use tower::layer::layer_fn;
use tower::util::service_fn;

const ACT: &str = "broach.testing.v1.Script/Act";

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_answer_and_calls_under_way_go_on() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    let others: Vec<_> = (1..=5).map(|token| tokio::spawn(client.wait(wait(token)))).collect();
    probe.until(|probe| probe.running() == 5).await;
    let panics = join_all((0..20).map(|_| client.panic(Nothing {}))).await;
    for status in panics.into_iter().map(Result::unwrap_err) {
        assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::Executed));
        let text = "the handler of broach.testing.v1.Probe/Panic panicked: as the test wants it";
        assert_eq!(status.message(), text);
        assert_eq!(status.attempts().len(), 1, "{status:#}");
    }
    let counters = node.counters();
    assert_eq!((counters.handlers_ended[&Code::Internal], counters.handlers_running()), (20, 5));
    probe.release(5);
    assert!(join_all(others).await.into_iter().all(|call| call.unwrap().is_ok()));
    drop(client);
    lives_on(world, node, channel).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_caught_wherever_the_handler_is() {
    let script = Script::new(|_, request| {
        // Before there is a future at all.
        assert!(request.text != "making", "while {}", request.text);
        async move {
            match &*request.text {
                "first" => panic!("at the first poll"),
                "number" => panic_any(7),
                _ => {}
            }
            // From here on it has a task of its own.
            tokio::time::sleep(millis(10)).await;
            assert!(request.text != "later", "after {} ms", 10);
            Ok(request.text)
        }
    });
    let world = World::new(1);
    let node = world.node(1).serve(script.server()).serve(Probe::new().server());
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ScriptClient::new(channel.clone());
    for (which, said) in [
        ("making", "while making"),
        ("first", "at the first poll"),
        ("number", "(no message)"),
        ("later", "after 10 ms"),
    ] {
        let status = client.act(act(which)).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::Executed));
        assert_eq!(status.message(), format!("the handler of {ACT} panicked: {said}"));
    }
    assert_eq!(client.act(act("nothing")).await.unwrap().text, "nothing");
    drop(client);
    lives_on(world, node, channel).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_not_a_reason_to_call_again() {
    let (world, first, second) = (World::new(1), Probe::new(), Probe::new());
    let nodes = (
        world.node(1).serve(first.server()).start().await.unwrap(),
        world.node(2).serve(second.server()).start().await.unwrap(),
    );
    let channel = world.list(3, &[1, 2]).await;
    let client = ProbeClient::new(channel.clone());
    let status = client.panic(Nothing {}).idempotent().await.unwrap_err();
    assert_eq!((status.code(), status.attempts().len()), (Code::Internal, 1));
    assert_eq!(first.started() + second.started(), 1);
    drop(client);
    good_call(&channel).await;
    world.end((nodes, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_layer_is_caught_too() {
    let layer = layer_fn(|inner: Routes| {
        service_fn(move |request: Request| {
            assert!(request.method.name() != "Panic", "in the layer");
            tower::ServiceExt::oneshot(inner.clone(), request)
        })
    });
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).layer(layer).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let status: Status = ProbeClient::new(channel.clone()).panic(Nothing {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let text = "the handler of broach.testing.v1.Probe/Panic panicked: in the layer";
    assert_eq!(status.message(), text);
    assert_eq!(probe.started(), 0);
    lives_on(world, node, channel).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_it_is_stopped_hurts_nobody() {
    /// Panics when it is dropped, as guards sometimes do.
    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            panic!("on the way out, as the test wants it");
        }
    }

    let script = Script::new(|_, _| async move {
        let _guard = Guard;
        std::future::pending::<()>().await;
        Ok(String::new())
    });
    let world = World::new(1);
    let node = world.node(1).serve(script.server()).serve(Probe::new().server());
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ScriptClient::new(channel.clone());
    let status = client.act(act("")).timeout(millis(50)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
    good_call(&channel).await;
    assert_eq!(node.counters().handlers_running(), 0);
    drop(client);
    lives_on(world, node, channel).await;
}

async fn lives_on(world: World, node: Node, channel: Channel) {
    good_call(&channel).await;
    world.end((node, channel)).await;
}
