//! Limits of streams: each message, their metadata, their number; and what says so.

use broach_core::{Code, Outcome, Status};
use broach_tests::broach::testing::v1::DialogClient;
use broach_tests::{Dialog, World, client, eventually, millis, transport};
use futures::StreamExt;

use crate::stage::{Way, all, echo, item, large};

/// A node and a caller with limits of their own on messages.
async fn open(
    dialog: &Dialog,
    node: usize,
    caller: usize,
) -> (World, broach_core::Node, DialogClient) {
    let world = World::new(1);
    let limit = |bytes| transport(|config| config.message_bytes_max = bytes);
    let node = world.node(1).transport(limit(node)).serve(dialog.server()).start().await.unwrap();
    let channel = world.caller(2).transport(limit(caller)).connect(World::addr(1)).await.unwrap();
    (world, node, DialogClient::new(channel))
}

fn says(status: &Status, text: &str) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains(text), "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_for_its_sender_ends_the_call() {
    let dialog = Dialog::new()
        .tell(|_, item, mut replies| async move {
            replies.send(large(1, 10)).await?;
            replies.send(large(2, item.number as usize)).await?;
            std::future::pending().await
        })
        .ask(|_, requests| async move { Ok(item(requests.count().await as i64)) });
    let (world, node, client) = open(&dialog, 5_000, 5_000).await;
    let mut replies = client.tell(item(6_000)).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(large(1, 10)));
    let status = replies.message().await.unwrap_err();
    says(
        &status,
        "a reply of broach.testing.v1.Dialog/Tell has 6005 bytes, and the serving node \
                   takes 5000 (transport.message_bytes_max)",
    );
    assert_eq!(status.outcome(), Outcome::Executed);
    dialog.until(|dialog| dialog.stopped() + dialog.finished() == 1).await;
    // If it comes at once nothing of the call goes out.
    for (wait, outcome) in [(0, Outcome::NotExecuted), (100, Outcome::Unknown)] {
        let before = dialog.started();
        let items = futures::stream::iter([large(1, 10), large(2, 6_000)]);
        let items = items.then(move |item| async move {
            if item.number == 2 && wait != 0 {
                tokio::time::sleep(millis(wait)).await;
            }
            item
        });
        let status = client.ask(items.chain(futures::stream::pending())).await.unwrap_err();
        says(
            &status,
            "a request of broach.testing.v1.Dialog/Ask has 6005 bytes, and this node takes \
                       5000 (transport.message_bytes_max)",
        );
        assert_eq!((status.outcome(), status.attempts().len()), (outcome, 1));
        tokio::time::sleep(millis(200)).await;
        assert_eq!(dialog.started() - before, usize::from(outcome == Outcome::Unknown));
    }
    dialog.until(|dialog| dialog.stopped() + dialog.finished() == dialog.started()).await;
    world.end((node, client, replies)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_for_the_other_side_ends_the_call() {
    let dialog = Dialog::new()
        .tell(|_, item, mut replies| async move {
            replies.send(large(1, 10)).await?;
            replies.send(large(2, item.number as usize)).await
        })
        .ask(|_, requests| async move { Ok(item(requests.count().await as i64)) });
    let (world, node, client) = open(&dialog, 50_000, 5_000).await;
    let mut replies = client.tell(item(6_000)).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(large(1, 10)));
    let status = replies.message().await.unwrap_err();
    says(
        &status,
        "a reply of broach.testing.v1.Dialog/Tell has 6005 bytes, and the caller takes \
                   5000",
    );
    world.end((node, client, replies)).await;
    let (world, node, client) = open(&dialog, 5_000, 50_000).await;
    for size in [5_000, 30_000] {
        let items = futures::stream::iter([large(1, 10), large(2, size)]);
        let status = client.ask(items.chain(futures::stream::pending())).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let message = status.message();
        assert!(message.contains("5000") && message.contains("message_bytes_max"), "{status}");
        dialog.until(|dialog| dialog.stopped() + dialog.finished() == dialog.started()).await;
    }
    assert_eq!(client.ask(futures::stream::iter([large(1, 4_000)])).await.unwrap(), item(1));
    world.end((node, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_keeps_to_its_limits_when_it_calls_itself() {
    let dialog = Dialog::new().tell(|_, item, mut replies| async move {
        replies.send(large(1, item.number as usize)).await
    });
    let world = World::new(1);
    let limit = transport(|config| config.message_bytes_max = 5_000);
    let node = world.node(1).transport(limit).serve(dialog.server()).start().await.unwrap();
    let client = DialogClient::new(node.channel());
    let mut replies = client.tell(item(6_000)).await.unwrap();
    says(&replies.message().await.unwrap_err(), "a reply of broach.testing.v1.Dialog/Tell has");
    assert_eq!(all(client.tell(item(4_000)).await.unwrap()).await, [Ok(1)]);
    world.end((node, client, replies)).await;
}

#[tokio::test(start_paused = true)]
async fn metadata_of_streams_has_its_limits() {
    let dialog = Dialog::new().tell(|cx, item, mut replies| async move {
        cx.set_reply_metadata("much", "x".repeat(item.number as usize)).unwrap();
        replies.send(item).await
    });
    for way in [Way::Network, Way::OwnNode] {
        let (client, alive) = way.client(&dialog).await;
        let status = client.tell(item(10_000)).await.unwrap_err();
        says(&status, "the reply of broach.testing.v1.Dialog/Tell comes with metadata of 10012");
        assert_eq!(status.outcome(), Outcome::Executed, "{way:?}");
        let much = "x".repeat(10_000);
        let requests = || futures::stream::iter([item(1)]);
        let status = client.talk(requests()).metadata("much", much).await.unwrap_err();
        says(&status, "the request of broach.testing.v1.Dialog/Talk comes with metadata of 10012");
        assert_eq!(status.outcome(), Outcome::NotExecuted, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn streams_take_places_like_other_calls() {
    let world = World::new(1);
    let dialog = echo();
    let config = transport(|config| config.calls_per_session_max = 2);
    let node = world.node(1).transport(config).serve(dialog.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = DialogClient::new(channel.clone());
    assert_eq!(all(client.tell(item(1)).await.unwrap()).await, [Ok(0)]);
    let (mut held, fed) = broach_core::stream::channel(1);
    held.send(item(0)).await.unwrap();
    let one = client.talk(fed).await.unwrap();
    let two = client.tell(item(1_000_000)).await.unwrap();
    let third = tokio::spawn(client.ask(futures::stream::iter((0..10).map(item))));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(dialog.started(), 3, "there is room for two");
    drop(two);
    assert_eq!(third.await.unwrap().unwrap(), item(45));
    drop((held, one));
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_for_which_there_is_nobody_waits_for_its_place() {
    // As a unary call does; there is no bound by time unless it is set.
    let world = World::new(1);
    let config = client(|config| config.calls_waiting_max = 1);
    let node = world.node(1).client(config).start().await.unwrap();
    let client = DialogClient::new(node.channel());
    let waiting = tokio::spawn(client.tell(item(1)).timeout(std::time::Duration::from_secs(1)));
    tokio::task::yield_now().await;
    let status = client.tell(item(1)).await.unwrap_err();
    says(&status, "calls_waiting_max");
    let status = waiting.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    world.end((node, client)).await;
}

#[tokio::test(start_paused = true)]
async fn replies_that_nobody_reads_keep_new_streams_out_and_no_other_calls() {
    let world = World::new(1);
    let dialog = Dialog::new()
        .tell(|_, item, mut replies| async move {
            loop {
                replies.send(large(item.number, 100_000)).await?;
            }
        })
        .ask(|_, mut requests| async move { Ok(requests.message().await?.unwrap_or_default()) });
    let config = transport(|config| config.reply_bytes_max = 200_000);
    let node = world.node(1).transport(config).serve(dialog.server()).start().await.unwrap();
    let [lazy, other] = [world.channel(2, 1).await, world.channel(3, 1).await];
    let unread = DialogClient::new(lazy.clone()).tell(item(1)).await.unwrap();
    // By then all has gone that may.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(200_000 < node.held().reply_bytes, "{:?}", node.held());
    let client = DialogClient::new(other.clone());
    let asked = client.ask(futures::stream::iter([item(5)])).await.unwrap();
    assert_eq!(asked.number, 5);
    let status = client.tell(item(2)).await.unwrap_err();
    says(&status, "too many streams of replies of the serving node have not arrived yet");
    assert_eq!(status.outcome(), Outcome::NotExecuted);
    drop(unread);
    eventually(|| node.held().reply_bytes == 0).await;
    drop(client.tell(item(3)).await.unwrap());
    world.end((node, lazy, other, client)).await;
}
