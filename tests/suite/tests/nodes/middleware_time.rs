//! Layers that take time, hold calls up, make them again or pass them on.

use broach_core::{Channel, Code, Outcome, Request, Routes, Status};
use broach_tests::broach::testing::v1::{ProbeClient, ScriptClient};
use broach_tests::layers::{LayerLog, around};
use broach_tests::requests::{act, echo, good_call, wait};
use broach_tests::{Probe, Script, World, millis, secs};
use futures::FutureExt;
use tower::ServiceExt;

use crate::middleware::Both;

#[tokio::test(start_paused = true)]
async fn a_layer_that_panics_fails_its_call_alone() {
    let both = Both::new(true, |node| {
        node.layer(around(|request: Request, routes: Routes| async move {
            assert!(!request.method.full_name().ends_with("EchoAgain"), "as the test wants it");
            routes.oneshot(request).await
        }))
    });
    let both = both.await;
    let client = ProbeClient::new(both.channel.clone());
    let status = client.echo_again(echo(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("as the test wants it"), "{status}");
    good_call(&both.channel).await;
    both.end(client).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_bring_the_deadline_forward() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let hurry = around(|mut request: Request, channel: Channel| {
            request.limit_time(millis(30));
            channel.oneshot(request)
        });
        let channel = both.channel.layer(hurry);
        let begun = both.world.elapsed();
        let call = ProbeClient::new(channel.clone()).wait(wait(1)).timeout(secs(5));
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(both.world.elapsed() - begun < millis(40));
        assert!(both.probe.last_seen().time_left.unwrap() <= millis(30));
        both.probe.until(|probe| probe.running() == 0).await;
        both.end(channel).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_takes_too_long_does_not_hold_up_the_deadline() {
    for over_network in [true, false] {
        let both = Both::new(over_network, |node| node).await;
        let slow = around(|request: Request, channel: Channel| async move {
            let reply = channel.oneshot(request).await?;
            tokio::time::sleep(secs(100)).await;
            Ok::<_, Status>(reply)
        });
        let channel = both.channel.layer(slow);
        let begun = both.world.elapsed();
        let call = ProbeClient::new(channel.clone()).echo(echo(1)).timeout(millis(50));
        let status = call.await.unwrap_err();
        let expected = (Code::DeadlineExceeded, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected);
        assert!(both.world.elapsed() - begun < millis(60));
        assert_eq!(both.probe.started(), 1);
        both.end(channel).await;
    }
    let slow = around(|request: Request, routes: Routes| async move {
        let reply = routes.oneshot(request).await?;
        tokio::time::sleep(secs(100)).await;
        Ok::<_, Status>(reply)
    });
    let both = Both::new(true, |node| node.layer(slow)).await;
    let call = ProbeClient::new(both.channel.clone()).echo(echo(1)).timeout(millis(50));
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    tokio::time::sleep(millis(10)).await;
    assert_eq!(both.node.as_ref().unwrap().counters().handlers_running(), 0);
    both.end(()).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_drops_what_is_in_its_layers() {
    for over_network in [true, false] {
        let log = LayerLog::default();
        let both = Both::new(over_network, |node| node.layer(log.layer("server"))).await;
        let channel = both.channel.layer(log.layer("client"));
        let mut call = ProbeClient::new(channel.clone()).wait(wait(1));
        assert!((&mut call).now_or_never().is_none());
        both.probe.until(|probe| probe.running() == 1).await;
        log.take();
        drop(call);
        assert_eq!(log.take(), ["client: dropped"]);
        both.probe.until(|probe| probe.running() == 0).await;
        assert_eq!(log.take(), if over_network { vec!["server: dropped"] } else { vec![] });
        both.end(channel).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_call_once_more() {
    for over_network in [true, false] {
        let script = Script::new(|cx, _| async move {
            let again = cx.metadata().get("again").is_some();
            if again { Ok("at last".to_owned()) } else { Err(Status::aborted("not at once")) }
        });
        let again = around(|request: Request, channel: Channel| async move {
            let mut copy = request.try_clone().unwrap();
            match channel.clone().oneshot(request).await {
                Err(status) if status.code() == Code::Aborted => {
                    copy.metadata.insert("again", "yes").unwrap();
                    channel.oneshot(copy).await
                }
                other => other,
            }
        });
        let world = World::new(1);
        let (node, plain) = match over_network {
            true => {
                let node = world.node(1).serve(script.server()).start().await.unwrap();
                (Some(node), world.channel(2, 1).await)
            }
            false => (None, Channel::in_process(script.server())),
        };
        let channel = plain.layer(again);
        let reply = ScriptClient::new(channel.clone()).act(act("")).await.unwrap();
        assert_eq!(reply.text, "at last");
        let counters = channel.counters();
        assert_eq!((counters.calls_started, counters.attempts_started), (1, 2));
        let ended = [(Code::Ok, 1), (Code::Aborted, 1)];
        assert_eq!(counters.attempts_ended, ended.into());
        world.end((node, plain, channel)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_pass_calls_on_to_another_node() {
    let (world, probe) = (World::new(1), Probe::new());
    let behind = world.node(1).serve(probe.server()).start().await.unwrap();
    let way = world.channel(12, 1).await;
    let pass = around(move |request: Request, _: Routes| way.clone().oneshot(request));
    let front = world.node(2).layer(pass).serve(Probe::new().server()).start().await.unwrap();
    let channel = world.channel(3, 2).await;
    let call = ProbeClient::new(channel.clone()).echo(echo(1)).metadata("k", "v").timeout(secs(2));
    let response = call.response().await.unwrap();
    assert_eq!(response.message.token, 1);
    let seen = probe.last_seen();
    assert_eq!(seen.metadata.get("k"), Some("v"));
    assert_eq!(seen.peer.unwrap().addr, World::addr(12));
    assert!(seen.time_left.unwrap() <= secs(2));
    let counters = world.watch(12).counters();
    assert_eq!((counters.calls_started, counters.calls_in_flight()), (1, 0));
    world.end((behind, front, channel)).await;
}
