//! Calls of a node to its own services.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tower::layer::layer_fn;
use tower::{Service, service_fn};

use super::{SELF, World, addr, member_of, method, ms, own, until};
use crate::client::Channel;
use crate::code::{Code, Outcome};
use crate::exchange::Request;
use crate::server::Routes;
use crate::status::Status;
use crate::{Node, Security};

#[tokio::test(start_paused = true)]
async fn what_a_node_serves_itself_it_calls_without_the_socket() {
    let world = World::new();
    world.update([own()]);
    let response = world.echo().response().await.unwrap();
    assert_eq!(response.message, "hello");
    assert_eq!(response.peer.unwrap().addr, addr(SELF));
    let [attempt] = &response.attempts[..] else { panic!("{:?}", response.attempts) };
    assert_eq!((attempt.peer, attempt.code), (Some(addr(SELF)), Code::Ok));
    let counters = world.observe.counters();
    assert_eq!((counters.datagrams_sent, counters.sessions_opened), (0, 0));
    assert_eq!((counters.handlers_started, counters.attempts_started), (1, 1));
    assert_eq!(counters.handlers_running(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_shares_the_calls_with_others() {
    let world = World::new();
    let (one, first) = world.node(1).await;
    world.update([own(), member_of(1, &one)]);
    for _ in 0..1_000 {
        world.echo().await.unwrap();
    }
    let shares = [world.own.started(), first.started()];
    assert!(shares.iter().all(|share| (400..=600).contains(share)), "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn one_call_after_the_other_lets_others_run() {
    let world = World::new();
    world.update([own()]);
    let other = tokio::spawn(async {});
    let mut calls = 0;
    while !other.is_finished() {
        world.echo().await.unwrap();
        calls += 1;
        assert!(calls < 10_000, "nobody else has run");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_internal_error() {
    let world = World::new();
    world.update([own()]);
    let call = world.channel.unary::<String, String>(method("Panic"), String::new());
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::Executed));
    assert_eq!(status.message(), "the handler of test.v1.Test/Panic panicked: as it was asked to");
    assert_eq!((world.own.running(), world.observe.counters().handlers_running()), (0, 0));
    world.echo().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_ends_with_its_deadline_and_with_its_call() {
    let world = World::new();
    world.update([own()]);
    let begun = tokio::time::Instant::now();
    let status = world.hold().timeout(ms(300)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
    assert!(status.message().contains("Call::timeout"), "{status}");
    assert!((ms(300)..=ms(302)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(world.own.running(), 0);
    let dropped = tokio::spawn(world.hold());
    until(|| world.own.running() == 1).await;
    dropped.abort();
    assert!(dropped.await.is_err());
    assert_eq!((world.own.running(), world.own.started()), (0, 2));
    let counters = world.observe.counters();
    assert_eq!(counters.handlers_running(), 0);
    let target = Arc::clone(&world.directory.snapshot().targets()[0]);
    assert_eq!(target.live.in_flight.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_takes_none_of_its_own_calls() {
    let world = World::new();
    let (one, first) = world.node(1).await;
    world.update([own()]);
    let held = tokio::spawn(world.hold());
    until(|| world.own.running() == 1).await;
    world.serve.refuse(Status::shutting_down("the node is shutting down"));
    let done = tokio::spawn({
        let serve = world.serve.clone();
        async move { serve.has_served_own().await }
    });
    let waits = tokio::spawn(world.echo());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!done.is_finished() && !waits.is_finished());
    world.own.0.gate.add_permits(1);
    assert_eq!(held.await.unwrap().unwrap(), "held true");
    done.await.unwrap();
    world.update([own(), member_of(1, &one)]);
    waits.await.unwrap().unwrap();
    assert_eq!((world.own.started(), first.started()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_for_the_network_is_too_long_here() {
    let world = World::new();
    world.update([own()]);
    let long = "x".repeat((16 << 20) + 1);
    let call = world.channel.unary::<String, String>(method("Echo"), long);
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotExecuted));
    assert_eq!(world.own.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_on_a_node_that_shuts_down_may_still_call_the_node_itself() {
    let (world, own_channel) = (World::new(), Arc::new(OnceLock::<Channel>::new()));
    let (test, socket) = (super::Test::new(), world.network.socket(addr(1)).unwrap());
    let inside = Arc::clone(&own_channel);
    // After the handler of Hold, Echo is called as well.
    let layer = layer_fn(move |routes: Routes| {
        let channel = Arc::clone(&inside);
        service_fn(move |request: Request| {
            let (mut routes, channel) = (routes.clone(), Arc::clone(&channel));
            async move {
                let holds = request.method.full_name() == method("Hold").full_name();
                let reply = routes.call(request).await?;
                if holds {
                    let channel = channel.get().unwrap();
                    channel.unary::<String, String>(method("Echo"), String::new()).await?;
                }
                Ok::<_, Status>(reply)
            }
        })
    });
    let node = Node::builder().security(Security::clear()).socket(socket).danger_seed(1);
    let one = node.layer(layer).serve(test.clone()).start().await.unwrap();
    own_channel.set(one.channel()).unwrap();
    world.update([member_of(1, &one)]);
    let held = tokio::spawn(world.hold());
    until(|| test.running() == 1).await;
    let leaving = tokio::spawn(one.shutdown());
    tokio::time::sleep(Duration::from_secs(1)).await;
    test.0.gate.add_permits(1);
    assert_eq!(held.await.unwrap().unwrap(), "held true");
    leaving.await.unwrap().unwrap();
    assert_eq!(test.started(), 2);
}
