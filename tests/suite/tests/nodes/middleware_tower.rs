//! The layers that tower brings along, around channels and nodes.

use std::task::{Context, Poll};

use broach_core::{Code, Outcome, Reply, Request, Status};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{echo, good_call, wait};
use broach_tests::{millis, secs};
use futures::future::{BoxFuture, join_all};
use tower::buffer::BufferLayer;
use tower::layer::layer_fn;
use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::util::{MapRequestLayer, MapResponseLayer};
use tower::{Service, ServiceBuilder};

use crate::middleware::Both;

#[tokio::test(start_paused = true)]
async fn a_limit_around_a_node_lets_so_many_handlers_run() {
    let both = Both::new(true, |node| node.layer(ConcurrencyLimitLayer::new(3))).await;
    let client = ProbeClient::new(both.channel.clone());
    let calls = tokio::spawn(join_all((0..10).map(|token| client.wait(wait(token)))));
    both.probe.until(|probe| probe.running() == 3).await;
    tokio::time::sleep(millis(100)).await;
    assert_eq!(both.probe.started(), 3);
    // One at a time, as the others end.
    for started in 4..=10 {
        both.probe.release(1);
        both.probe.until(|probe| probe.started() == started).await;
        assert_eq!(both.probe.running(), 3);
    }
    both.probe.release(3);
    assert!(calls.await.unwrap().iter().all(Result::is_ok));
    both.end(client).await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_around_a_channel_holds_for_all_its_clones() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let channel = both.channel.layer(ConcurrencyLimitLayer::new(2));
        let clients = [1, 2, 3, 4].map(|_| ProbeClient::new(channel.clone()));
        let call = |client: &ProbeClient| tokio::spawn(client.wait(wait(1)));
        let calls = clients.each_ref().map(call);
        both.probe.until(|probe| probe.running() == 2).await;
        tokio::time::sleep(millis(100)).await;
        assert_eq!(both.probe.started(), 2);
        both.probe.release(4);
        assert!(join_all(calls).await.into_iter().all(|call| call.unwrap().is_ok()));
        both.end((channel, clients)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_in_a_limit_is_given_back_when_a_call_is_dropped() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node.layer(ConcurrencyLimitLayer::new(1))).await;
        let channel = both.channel.layer(ConcurrencyLimitLayer::new(1));
        let client = ProbeClient::new(channel.clone());
        let holds = tokio::spawn(client.wait(wait(1)));
        both.probe.until(|probe| probe.running() == 1).await;
        let waits = tokio::spawn(client.echo(echo(2)));
        tokio::time::sleep(millis(100)).await;
        assert_eq!(both.probe.started(), 1);
        holds.abort();
        waits.await.unwrap().unwrap();
        assert_eq!(both.probe.stopped(), 1);
        both.end((channel, client)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_a_channel_ends_calls_and_their_handlers() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let channel = both.channel.layer(TimeoutLayer::new(millis(40)));
        let begun = both.world.elapsed();
        let status = ProbeClient::new(channel.clone()).wait(wait(1)).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unknown, Outcome::Unknown));
        assert!(status.message().contains("timed out"), "{status}");
        assert!(both.world.elapsed() - begun < millis(50));
        both.probe.until(|probe| probe.running() == 0).await;
        ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
        both.end(channel).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_a_node_ends_handlers_and_tells_the_caller() {
    let both = Both::new(true, |node| node.layer(TimeoutLayer::new(millis(40)))).await;
    let client = ProbeClient::new(both.channel.clone());
    let status = client.wait(wait(1)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unknown, Outcome::Unknown));
    assert!(status.message().contains("timed out"), "{status}");
    assert_eq!((both.probe.running(), both.probe.stopped()), (0, 1));
    good_call(&both.channel).await;
    both.end(client).await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_behind_a_buffer_spreads_calls_over_time() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let layers = ServiceBuilder::new()
            .layer(BufferLayer::new(64))
            .layer(RateLimitLayer::new(5, secs(1)))
            .into_inner();
        let channel = both.channel.layer(layers);
        let begun = both.world.elapsed();
        let client = ProbeClient::new(channel.clone());
        let replies = join_all((0..20).map(|token| client.echo(echo(token)))).await;
        assert!(replies.iter().all(Result::is_ok));
        // Five at once, and five more after each of three seconds.
        let took = both.world.elapsed() - begun;
        assert!((secs(3)..millis(3_200)).contains(&took), "{took:?}");
        both.end((channel, client)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_shed_fails_at_once() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let shed = ServiceBuilder::new()
            .layer(LoadShedLayer::new())
            .layer(ConcurrencyLimitLayer::new(2))
            .into_inner();
        let channel = both.channel.layer(shed);
        let client = ProbeClient::new(channel.clone());
        let held = [1, 2].map(|token| tokio::spawn(client.wait(wait(token))));
        both.probe.until(|probe| probe.running() == 2).await;
        let begun = both.world.elapsed();
        let status = client.echo(echo(3)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unknown);
        assert!(status.message().contains("overloaded"), "{status}");
        assert_eq!((both.world.elapsed(), both.probe.started_for(3)), (begun, 0));
        both.probe.release(2);
        assert!(join_all(held).await.into_iter().all(|call| call.unwrap().is_ok()));
        client.echo(echo(4)).await.unwrap();
        both.end((channel, client)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_no_status_can_be_made_one() {
    // As the documentation of a layer's error asks: whoever knows it says what it means.
    let shed = || {
        ServiceBuilder::new()
            .map_err(|error: tower::BoxError| {
                match error.is::<tower::load_shed::error::Overloaded>() {
                    true => Status::resource_exhausted("no more for now")
                        .with_outcome(Outcome::NotExecuted),
                    false => Status::from(error),
                }
            })
            .layer(LoadShedLayer::new())
            .layer(ConcurrencyLimitLayer::new(1))
            .into_inner()
    };
    let both = Both::new(true, |node| node.layer(shed())).await;
    let client = ProbeClient::new(both.channel.clone());
    let held = tokio::spawn(client.wait(wait(1)));
    both.probe.until(|probe| probe.running() == 1).await;
    let status = client.echo(echo(2)).await.unwrap_err();
    let expected = (Code::ResourceExhausted, Outcome::NotExecuted);
    assert_eq!((status.code(), status.outcome()), expected);
    both.probe.release(1);
    held.await.unwrap().unwrap();
    // A status goes through unchanged.
    let request = broach_tests::requests::fail(Code::NotFound, "gone");
    let status = client.fail(request).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
    both.end(client).await;
}

#[tokio::test(start_paused = true)]
async fn requests_and_replies_can_be_mapped() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let tenant = MapRequestLayer::new(|mut request: Request| {
            request.metadata.insert_persistent("tenant", "acme").unwrap();
            request
        });
        let stamp = MapResponseLayer::new(|mut reply: Reply| {
            reply.metadata.insert("stamp", "seen").unwrap();
            reply
        });
        let channel = both.channel.layer(tenant).layer(stamp);
        let call = ProbeClient::new(channel.clone()).echo(echo(1));
        let response = call.response().await.unwrap();
        assert_eq!(response.metadata.get("stamp"), Some("seen"));
        assert_eq!(both.probe.last_seen().metadata.get("tenant"), Some("acme"));
        both.end(channel).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_never_becomes_ready_ends_calls_at_their_deadline() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let channel = both.channel.layer(layer_fn(|_| NeverReady));
        let begun = both.world.elapsed();
        let call = ProbeClient::new(channel.clone()).echo(echo(1)).timeout(millis(50));
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(both.world.elapsed() - begun < millis(60));
        assert_eq!((both.probe.started(), channel.counters().calls_in_flight()), (0, 0));
        both.end(channel).await;
    }
    let both = Both::new(true, |node| node.layer(layer_fn(|_| NeverReady))).await;
    let client = ProbeClient::new(both.channel.clone());
    let status = client.echo(echo(1)).timeout(millis(50)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    tokio::time::sleep(millis(10)).await;
    let counters = both.node.as_ref().unwrap().counters();
    assert_eq!((counters.handlers_running(), both.probe.started()), (0, 0));
    both.end(client).await;
}

/// A service that takes no call, ever.
#[derive(Clone)]
struct NeverReady;

impl Service<Request> for NeverReady {
    type Response = Reply;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Reply, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request) -> Self::Future {
        unreachable!("it is never ready")
    }
}
