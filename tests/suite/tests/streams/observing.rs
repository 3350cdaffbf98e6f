//! What is seen of streams: calls, attempts and handlers that last as long as they do.

use broach_core::{Code, stream};
use broach_tests::{Dialog, millis, secs};

use crate::stage::{Stage, Way, all, echo, item, refuse};

#[tokio::test(start_paused = true)]
async fn a_stream_is_under_way_until_it_has_been_read() {
    for way in [Way::Network, Way::OwnNode] {
        let dialog = echo();
        let (client, alive) = way.client(&dialog).await;
        let (world, node) = alive.unwrap();
        let caller = if way == Way::Network { world.watch(2) } else { world.watch(1) };
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let mut replies = client.talk(fed).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(0)));
        tokio::time::sleep(secs(1)).await;
        let counters = caller.counters();
        let in_flight = (counters.calls_in_flight(), counters.attempts_in_flight());
        assert_eq!((in_flight, node.counters().handlers_running()), ((1, 1), 1), "{way:?}");
        drop(requests);
        assert_eq!(replies.message().await.unwrap(), None);
        tokio::time::sleep(millis(100)).await;
        let counters = caller.counters();
        assert_eq!(counters.calls_ended, [(Code::Ok, 1)].into(), "{way:?}");
        assert_eq!(counters.attempts_ended, [(Code::Ok, 1)].into(), "{way:?}");
        assert_eq!(node.counters().handlers_ended, [(Code::Ok, 1)].into(), "{way:?}");
        drop(replies);
        world.end((node, client)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn however_a_stream_ends_it_is_counted_once_on_both_sides() {
    for way in [Way::Network, Way::OwnNode] {
        let dialog = Dialog::new().tell(|_, item, mut replies| async move {
            replies.send(item.clone()).await?;
            match item.number {
                0 => Ok(()),
                1 => Err(refuse()),
                2 => panic!("as it was asked to"),
                _ => std::future::pending().await,
            }
        });
        let (client, alive) = way.client(&dialog).await;
        let (world, node) = alive.unwrap();
        for number in 0..3 {
            all(client.tell(item(number)).await.unwrap()).await;
        }
        drop(client.tell(item(3)).await.unwrap());
        all(client.tell(item(3)).timeout(millis(100)).await.unwrap()).await;
        tokio::time::sleep(secs(1)).await;
        let caller = if way == Way::Network { world.watch(2) } else { world.watch(1) };
        let expected = [Code::Ok, Code::Aborted, Code::Internal, Code::Cancelled];
        let expected = expected.into_iter().chain([Code::DeadlineExceeded]);
        let expected: std::collections::BTreeMap<_, _> = expected.map(|code| (code, 1)).collect();
        assert_eq!(caller.counters().calls_ended, expected, "{way:?}");
        assert_eq!(caller.counters().attempts_ended, expected, "{way:?}");
        assert_eq!(node.counters().handlers_ended, expected, "{way:?}");
        world.end((node, client)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_counted_and_is_no_handler() {
    let stage = Stage::new(Dialog::new()).await;
    let name = "broach.testing.v1.Dialog/Tell";
    let status = stage.channel.call(name, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let says = format!("{name} is server streaming: it was called as if it were unary");
    assert!(status.message().starts_with(&says), "{status}");
    let counters = stage.node.counters();
    assert_eq!(counters.calls_refused, [(Code::Unimplemented, 1)].into());
    assert_eq!(counters.handlers_started, 0);
    stage.end().await;
}
