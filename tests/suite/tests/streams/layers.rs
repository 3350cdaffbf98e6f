//! Layers around streams: they see them as streams of encoded messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use broach_core::codegen::prost::Message;
use broach_core::{Body, Channel, Code, Outcome, Reply, Request, Routes, Status, stream};
use broach_tests::broach::testing::v1::{DialogClient, Item};
use broach_tests::layers::{LayerLog, around, refuse};
use broach_tests::{Dialog, World, eventually, millis, secs};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::stage::{all, echo, item, large};

/// Adds so much to the number of each message.
fn add(body: Body, sum: i64, seen: &Arc<AtomicUsize>) -> Body {
    let seen = Arc::clone(seen);
    let one = move |bytes: Bytes| {
        seen.fetch_add(1, SeqCst);
        let mut item = Item::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
        item.number += sum;
        Ok(Bytes::from(item.encode_to_vec()))
    };
    match body {
        Body::Message(bytes) => Body::Message(one(bytes).unwrap()),
        Body::Stream(messages) => {
            Body::Stream(Box::pin(messages.map(move |bytes| bytes.and_then(&one))))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn layers_on_both_sides_change_each_message() {
    let seen: [Arc<AtomicUsize>; 2] = Default::default();
    let world = World::new(1);
    let at_node = Arc::clone(&seen[1]);
    let layer = around(move |mut request: Request, inner: Routes| {
        let seen = Arc::clone(&at_node);
        async move {
            request.body = add(request.body, 100, &seen);
            let reply = inner.oneshot(request).await?;
            let metadata = reply.metadata.clone();
            let mut changed = Reply::new(add(reply.body, 1_000, &seen));
            changed.metadata = metadata;
            Ok(changed)
        }
    });
    let node = world.node(1).serve(echo().server()).layer(layer).start().await.unwrap();
    let plain = world.channel(2, 1).await;
    for plain in [plain.clone(), node.channel()] {
        let here = Arc::clone(&seen[0]);
        let channel = plain.layer(around(move |mut request: Request, inner: Channel| {
            let seen = Arc::clone(&here);
            async move {
                request.body = add(request.body, 1, &seen);
                let mut reply = inner.oneshot(request).await?;
                reply.body = add(reply.body, 10, &seen);
                Ok::<_, Status>(reply)
            }
        }));
        let before = seen.each_ref().map(|seen| seen.load(SeqCst));
        let client = DialogClient::new(channel.clone());
        let items = || futures::stream::iter((0..50).map(item));
        let replies = all(client.talk(items()).await.unwrap()).await;
        assert_eq!(replies, (0..50).map(|number| Ok(number + 1_111)).collect::<Vec<_>>());
        let sum = client.ask(items()).await.unwrap().number;
        assert_eq!(sum, (0..50).map(|number| number + 101).sum::<i64>() + 1_010);
        let replies = all(client.tell(item(9)).await.unwrap()).await;
        assert_eq!(replies, (0..110).map(|number| Ok(number + 1_010)).collect::<Vec<_>>());
        let after = seen.each_ref().map(|seen| seen.load(SeqCst));
        assert_eq!([after[0] - before[0], after[1] - before[1]], [262, 262]);
    }
    world.end((node, plain)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_poll_its_parts_by_wakers_of_its_own() {
    let world = World::new(1);
    let dialog = Dialog::new().tell(|_, item, mut replies| async move {
        for number in 0..item.number {
            replies.send(large(number, 500)).await?;
        }
        Ok(())
    });
    let layer = around(async |request: Request, inner: Routes| {
        let mut reply = inner.oneshot(request).await?;
        reply.body = match reply.body {
            Body::Stream(messages) => {
                Body::Stream(Box::pin(futures::stream::select_all([messages])))
            }
            body => body,
        };
        Ok(reply)
    });
    let node = world.node(1).serve(dialog.server()).layer(layer).start().await.unwrap();
    let plain = world.channel(2, 1).await;
    for channel in [plain.clone(), node.channel()] {
        let client = DialogClient::new(channel);
        let mut replies = client.tell(item(3_000)).await.unwrap();
        // Until whoever makes them waits for room.
        tokio::time::sleep(secs(1)).await;
        for number in 0..3_000 {
            let next = timeout(secs(5), replies.message()).await.expect("it comes").unwrap();
            assert_eq!(next, Some(large(number, 500)));
        }
        assert_eq!(replies.message().await.unwrap(), None);
    }
    world.end((node, plain)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_refuses_or_answers_ends_the_call() {
    let world = World::new(1);
    let node = world.node(1).serve(echo().server()).layer(refuse(Code::PermissionDenied));
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = DialogClient::new(channel.clone());
    let (mut requests, fed) = stream::channel(1);
    let status = client.talk(fed).await.unwrap_err();
    let expected = (Code::PermissionDenied, Outcome::NotExecuted);
    assert_eq!((status.code(), status.outcome()), expected);
    let told = async { while requests.send(item(1)).await.is_ok() {} };
    told.await;
    // One that answers itself, with a single message for many or with many.
    let answer = |body: fn() -> Body| {
        channel.layer(around(move |_: Request, _: Channel| {
            std::future::ready(Ok::<_, Status>(Reply::new(body())))
        }))
    };
    let one = || Body::Message(item(7).encode_to_vec().into());
    let many = || {
        let items = [item(1), item(2)].map(|item| Ok(item.encode_to_vec().into()));
        Body::Stream(Box::pin(futures::stream::iter(items)))
    };
    let call = DialogClient::new(answer(one)).tell(item(0));
    assert_eq!(all(call.await.unwrap()).await, [Ok(7)]);
    let call = DialogClient::new(answer(many)).tell(item(0));
    assert_eq!(all(call.await.unwrap()).await, [Ok(1), Ok(2)]);
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_a_layer_fails_cancel_the_call_with_its_status() {
    let world = World::new(1);
    let dialog = echo();
    let node = world.node(1).serve(dialog.server()).start().await.unwrap();
    let plain = world.channel(2, 1).await;
    // If they fail at once nothing of the call goes out.
    for (wait, outcome) in [(0, Outcome::NotExecuted), (100, Outcome::Unknown)] {
        let channel = plain.layer(around(move |mut request: Request, inner: Channel| {
            if let Body::Stream(messages) = request.body {
                let failed = futures::stream::once(async move {
                    if wait != 0 {
                        tokio::time::sleep(millis(wait)).await;
                    }
                    Err(Status::data_loss("it is torn"))
                });
                request.body = Body::Stream(Box::pin(messages.take(3).chain(failed)));
            }
            inner.oneshot(request)
        }));
        let client = DialogClient::new(channel.clone());
        let items = || futures::stream::iter((0..).map(item));
        let status = client.ask(items()).await.unwrap_err();
        let expected = (Code::DataLoss, outcome, "it is torn");
        assert_eq!((status.code(), status.outcome(), status.message()), expected);
        eventually(|| dialog.stopped() == dialog.started()).await;
        assert_eq!(dialog.started(), usize::from(wait != 0));
    }
    world.end((node, plain)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_forwarded_by_a_layer_of_a_node_streams_on() {
    let world = World::new(1);
    let back = world.node(1).serve(echo().server()).start().await.unwrap();
    let to_back = world.channel(3, 1).await;
    let forward = to_back.clone();
    let layer = around(move |request: Request, _: Routes| forward.clone().oneshot(request));
    // It offers the service and leaves the work to others.
    let front = world.node(2).serve(echo().server()).layer(layer).start().await.unwrap();
    let client = DialogClient::new(world.channel(4, 2).await);
    let items = futures::stream::iter((0..200).map(item));
    let replies = all(client.talk(items).await.unwrap()).await;
    assert_eq!(replies, (0..200).map(Ok).collect::<Vec<_>>());
    assert_eq!(back.counters().handlers_started, 1);
    drop(client.tell(item(1_000_000)).await.unwrap());
    eventually(|| back.counters().handlers_running() == 0).await;
    world.end((back, front, to_back, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_sees_one_call_per_stream() {
    let log = LayerLog::default();
    let world = World::new(1);
    let node = world.node(1).serve(echo().server()).layer(log.layer("node"));
    let node = node.start().await.unwrap();
    let client = DialogClient::new(world.channel(2, 1).await);
    assert_eq!(all(client.tell(item(3)).await.unwrap()).await.len(), 3);
    assert_eq!(log.take(), ["node: Tell from 10.0.0.2:7400", "node: OK"]);
    world.end((node, client)).await;
}
