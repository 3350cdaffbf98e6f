//! All shapes, all ways: what goes in comes out, in order, and the same everywhere.

use broach_core::method::{Idempotency, MethodSpec, Shape};
use broach_core::{Code, MethodId, Outcome, Status, stream};
use broach_tests::broach::testing::v1::Item;
use broach_tests::{Dialog, Probe, World, millis};
use futures::{FutureExt, StreamExt};

use crate::stage::{Stage, Way, all, echo, item};

fn items(numbers: std::ops::Range<i64>) -> impl futures::Stream<Item = Item> + Send + 'static {
    futures::stream::iter(numbers.map(item))
}

#[tokio::test(start_paused = true)]
async fn all_shapes_carry_all_numbers_of_items() {
    for way in Way::ALL {
        let dialog = echo();
        let (client, alive) = way.client(&dialog).await;
        for count in [0, 1, 2, 15, 16, 17, 64, 65, 1_000] {
            let expected: Vec<_> = (0..count).map(Ok).collect();
            assert_eq!(all(client.tell(item(count)).await.unwrap()).await, expected, "{way:?}");
            let sum = client.ask(items(0..count)).await.unwrap();
            assert_eq!(sum.number, (0..count).sum::<i64>(), "{way:?}");
            assert_eq!(all(client.talk(items(0..count)).await.unwrap()).await, expected, "{way:?}");
        }
        assert_eq!((dialog.finished(), dialog.stopped()), (27, 0));
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_goes_back_and_forth() {
    for way in Way::ALL {
        let dialog = echo();
        let (client, alive) = way.client(&dialog).await;
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let mut replies = client.talk(fed).await.unwrap();
        for number in 1..100 {
            assert_eq!(replies.message().await.unwrap(), Some(item(number - 1)), "{way:?}");
            assert!(replies.message().now_or_never().is_none(), "{way:?}");
            requests.send(item(number)).await.unwrap();
        }
        drop(requests);
        assert_eq!(all(replies).await, [Ok(99)], "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_comes_before_the_first_reply_and_with_the_error_after_the_last() {
    let dialog = Dialog::new()
        .tell(|cx, item, mut replies| async move {
            let asked = cx.metadata().get("asked").unwrap_or("nothing").to_owned();
            cx.set_reply_metadata("answered", asked).unwrap();
            for number in 0..item.number {
                replies.send(crate::stage::item(number)).await?;
            }
            let mut trailing = broach_core::Metadata::new();
            trailing.insert("count", item.number.to_string()).unwrap();
            Err(Status::data_loss("no more").with_metadata(trailing))
        })
        .talk(|cx, _, _| async move {
            cx.set_reply_metadata("answered", "nothing more").unwrap();
            Ok(())
        });
    for way in Way::ALL {
        let (client, alive) = way.client(&dialog).await;
        for count in [1, 3] {
            let call = client.tell(item(count)).metadata("asked", "much");
            let response = call.response().await.unwrap();
            assert_eq!(response.metadata.get("answered"), Some("much"), "{way:?}");
            let mut replies = response.message;
            assert_eq!(replies.metadata().get("answered"), Some("much"), "{way:?}");
            for number in 0..count {
                assert_eq!(replies.message().await.unwrap(), Some(item(number)), "{way:?}");
            }
            let status = replies.message().await.unwrap_err();
            let expected = (Code::DataLoss, Outcome::Executed, "no more");
            assert_eq!((status.code(), status.outcome(), status.message()), expected, "{way:?}");
            assert_eq!(status.metadata().get("count"), Some(&*count.to_string()), "{way:?}");
            assert_eq!(status.attempts().len(), 1);
            assert_eq!(replies.message().await.unwrap(), None, "nothing follows an error");
        }
        // Without a single reply, the call itself fails.
        let status = client.tell(item(0)).metadata("asked", "much").await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::DataLoss, "no more"), "{way:?}");
        assert_eq!(status.metadata().get("count"), Some("0"), "{way:?}");
        assert_eq!(status.metadata().get("answered"), Some("much"), "{way:?}");
        // And without a reply nor an error there is the metadata.
        let replies = client.talk(items(0..0)).await.unwrap();
        assert_eq!(replies.metadata().get("answered"), Some("nothing more"), "{way:?}");
        assert_eq!(all(replies).await, [], "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_reply_begins_with_its_first_message_and_not_with_the_last() {
    for way in Way::ALL {
        let dialog = Dialog::new().tell(|_, _, mut replies| async move {
            for number in 0..3 {
                replies.send(item(number)).await?;
                tokio::time::sleep(millis(1_000)).await;
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let begun = tokio::time::Instant::now();
        let mut replies = client.tell(item(0)).await.unwrap();
        for number in 0..3 {
            assert_eq!(replies.message().await.unwrap(), Some(item(number)), "{way:?}");
            let took = begun.elapsed();
            let expected = millis(1_000 * number as u64);
            assert!(expected <= took && took < expected + millis(100), "{way:?}: {took:?}");
        }
        assert_eq!(replies.message().await.unwrap(), None);
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_flow_while_nobody_polls_the_call() {
    let received = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let counted = received.clone();
    let dialog = Dialog::new().ask(move |_, requests| {
        let received = counted.clone();
        async move {
            let count = requests.inspect(|_| received.add_permits(1)).count().await;
            Ok(item(count as i64))
        }
    });
    let stage = Stage::new(dialog).await;
    let (mut requests, fed) = stream::channel(1);
    let mut call = Box::pin(stage.client.ask(fed));
    assert!((&mut call).now_or_never().is_none());
    for number in 0..100 {
        requests.send(item(number)).await.unwrap();
    }
    received.acquire_many(100).await.unwrap().forget();
    drop(requests);
    assert_eq!(call.await.unwrap(), item(100));
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_response_says_who_answered_and_what_was_tried() {
    let stage = Stage::new(echo()).await;
    let response = stage.client.tell(item(2)).response().await.unwrap();
    assert_eq!(response.attempts.len(), 1);
    let peer = response.peer.unwrap();
    assert_eq!((peer.addr, peer.instance), (stage.node.local_addr(), stage.node.instance()));
    assert_eq!(response.attempts[0].peer, Some(peer.addr));
    assert_eq!(all(response.message).await, [Ok(0), Ok(1)]);
    let response = stage.client.ask(items(0..3)).response().await.unwrap();
    assert_eq!((response.attempts.len(), response.peer.unwrap()), (1, peer));
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_method_called_in_another_shape_is_refused_and_told_both() {
    let world = World::new(1);
    let dialog = echo();
    let node = world.node(1).serve(dialog.server()).serve(Probe::new().server());
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let shapes = [
        ("Probe/Echo", Shape::Unary),
        ("Dialog/Tell", Shape::ServerStreaming),
        ("Dialog/Ask", Shape::ClientStreaming),
        ("Dialog/Talk", Shape::Bidirectional),
    ];
    let pairs = shapes.iter().flat_map(|method| shapes.iter().map(move |other| (method, other.1)));
    for ((name, own), called) in pairs.filter(|((_, own), called)| own != called) {
        let name: &'static str = format!("broach.testing.v1.{name}").leak();
        let id = MethodId::of(name).0;
        let method = MethodSpec::new(name, id, called, Idempotency::None);
        let method: &'static MethodSpec = Box::leak(Box::new(method));
        let requests = futures::stream::iter((0..3).map(item));
        let result = match called {
            Shape::Unary => channel.unary::<_, Item>(method, item(1)).await.map(drop),
            Shape::ServerStreaming => {
                channel.server_streaming::<_, Item>(method, item(1)).await.map(drop)
            }
            Shape::ClientStreaming => {
                channel.client_streaming::<_, Item>(method, requests).await.map(drop)
            }
            Shape::Bidirectional => {
                channel.bidirectional::<_, Item>(method, requests).await.map(drop)
            }
        };
        let status = result.unwrap_err();
        let expected = (Code::Unimplemented, Outcome::NotExecuted);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
        let says = format!("{name} is {own}: it was called as if it were {called}; perhaps");
        assert!(status.message().starts_with(&says), "{status}");
    }
    assert_eq!(dialog.started(), 0);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_left_out_is_unimplemented() {
    struct Old;

    impl broach_tests::broach::testing::v1::Dialog for Old {}

    let world = World::new(1);
    let server = broach_tests::broach::testing::v1::DialogServer::new(Old);
    let node = world.node(1).serve(server).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = broach_tests::broach::testing::v1::DialogClient::new(channel.clone());
    for status in [
        client.tell(item(1)).await.unwrap_err(),
        client.ask(items(0..3)).await.unwrap_err(),
        client.talk(items(0..3)).await.unwrap_err(),
    ] {
        let expected = (Code::Unimplemented, Outcome::NotExecuted);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
    }
    world.end((node, channel, client)).await;
}
