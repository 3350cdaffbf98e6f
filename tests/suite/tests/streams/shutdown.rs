//! Nodes that end while they stream.

use broach_core::{Code, Outcome, stream};
use broach_tests::{Dialog, World, eventually, millis, secs};

use crate::stage::{Stage, Way, all, echo, item};

#[tokio::test(start_paused = true)]
async fn streams_under_way_may_finish() {
    for way in [Way::Network, Way::OwnNode] {
        let dialog = echo();
        let (client, alive) = way.client(&dialog).await;
        let (world, node) = alive.unwrap();
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let mut replies = client.talk(fed).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(0)));
        let ending = tokio::spawn(node.shutdown());
        for number in 1..50 {
            tokio::time::sleep(millis(10)).await;
            requests.send(item(number)).await.unwrap();
            assert_eq!(replies.message().await.unwrap(), Some(item(number)), "{way:?}");
        }
        assert!(!ending.is_finished());
        drop(requests);
        assert_eq!(replies.message().await.unwrap(), None, "{way:?}");
        drop(replies);
        ending.await.unwrap().unwrap();
        world.end(client).await;
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_do_not_finish_in_time_are_ended_and_counted() {
    for way in [Way::Network, Way::OwnNode] {
        let world = World::new(1);
        let dialog = echo();
        let node = world.node(1).drain_timeout(secs(3)).serve(dialog.server());
        let node = node.start().await.unwrap();
        let channel = if way == Way::Network { world.channel(2, 1).await } else { node.channel() };
        let client = broach_tests::broach::testing::v1::DialogClient::new(channel.clone());
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let mut replies = client.talk(fed).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(0)));
        let unread = client.tell(item(1_000_000)).await.unwrap();
        let begun = world.elapsed();
        let unfinished = node.shutdown().await.unwrap_err();
        assert!(unfinished.to_string().starts_with("2 handlers were"), "{way:?}: {unfinished}");
        let took = world.elapsed() - begun;
        assert!(secs(3) <= took && took <= millis(3_010), "{way:?}: {took:?}");
        let status = replies.message().await.unwrap_err();
        let expected = (Code::Unavailable, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{way:?}: {status}");
        assert_eq!(all(unread).await.last(), Some(&Err(Code::Unavailable)), "{way:?}");
        eventually(|| dialog.stopped() == 2).await;
        drop((replies, requests));
        world.end((client, channel)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_hurry_ends_streams_with_a_definite_status() {
    let stage = Stage::new(echo()).await;
    let (mut requests, fed) = stream::channel(1);
    requests.send(item(0)).await.unwrap();
    let mut replies = stage.client.talk(fed).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(0)));
    let Stage { world, dialog, node, channel, client } = stage;
    let begun = world.elapsed();
    node.shutdown_or_stop(tokio::time::sleep(millis(500))).await.unwrap_err();
    assert!(world.elapsed() - begun <= millis(510));
    let status = replies.message().await.unwrap_err();
    let expected = (Code::Unavailable, Outcome::Unknown);
    assert_eq!((status.code(), status.outcome()), expected, "{status}");
    assert!(world.elapsed() - begun <= millis(520), "it is told at once");
    eventually(|| dialog.stopped() == 1).await;
    drop((replies, requests));
    world.end((channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_node_ends_its_streams_with_it() {
    let world = World::new(1);
    let dialog = echo();
    let server = world.node(1).serve(dialog.server()).start().await.unwrap();
    let caller = world.node(2).start().await.unwrap();
    let channel = caller.connect(World::addr(1)).await.unwrap();
    let client = broach_tests::broach::testing::v1::DialogClient::new(channel.clone());
    let (mut requests, fed) = stream::channel(1);
    requests.send(item(0)).await.unwrap();
    let mut replies = client.talk(fed).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(0)));
    drop(caller);
    let status = replies.message().await.unwrap_err();
    let expected = (Code::Unavailable, Outcome::Unknown);
    assert_eq!((status.code(), status.outcome()), expected, "{status}");
    let status = client.tell(item(1)).await.unwrap_err();
    let expected = (Code::Unavailable, Outcome::NotExecuted);
    assert_eq!((status.code(), status.outcome()), expected, "{status}");
    dialog.until(|dialog| dialog.stopped() == 1).await;
    drop((replies, requests));
    world.end((server, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_node_ends_its_own_streams() {
    let dialog = Dialog::new().tell(|_, _, mut replies| async move {
        replies.send(item(1)).await?;
        std::future::pending().await
    });
    let (client, alive) = Way::OwnNode.client(&dialog).await;
    let (world, node) = alive.unwrap();
    let mut replies = client.tell(item(1)).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(1)));
    drop(node);
    let status = replies.message().await.unwrap_err();
    let expected = (Code::Unavailable, Outcome::Unknown);
    assert_eq!((status.code(), status.outcome()), expected, "{status}");
    dialog.until(|dialog| dialog.stopped() == 1).await;
    drop(replies);
    world.end(client).await;
}
