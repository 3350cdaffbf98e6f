//! Streams that are made again: at first, as long as their requests can be sent again.

use broach_core::{Code, Outcome, stream};
use broach_tests::broach::testing::v1::DialogClient;
use broach_tests::{Cluster, Dialog, World, faults, for_seeds, millis, secs};
use futures::StreamExt;

use crate::stage::{all, echo, item, large};

/// Two nodes, the first of which is shutting down and takes nothing more; and a client of both.
async fn draining(
    world: &World,
) -> ([Dialog; 2], tokio::task::JoinHandle<()>, broach_core::Node, DialogClient) {
    let dialogs = [echo(), echo()];
    let first = world.node(1).serve(dialogs[0].server()).drain_timeout(secs(30));
    let first = first.start().await.unwrap();
    let second = world.node(2).serve(dialogs[1].server()).start().await.unwrap();
    let client = DialogClient::new(world.list(3, &[1, 2]).await);
    // One call holds the first up.
    let (mut held, fed) = stream::channel(1);
    held.send(item(0)).await.unwrap();
    let holding = client.talk(fed).await.unwrap();
    let ending = tokio::spawn(async move {
        let ended = first.shutdown();
        tokio::pin!(ended);
        tokio::select! {
            biased;
            _ = &mut ended => panic!("a call holds it up"),
            () = tokio::time::sleep(secs(10)) => {}
        }
        drop((held, holding));
        ended.await.unwrap();
    });
    tokio::time::sleep(millis(10)).await;
    (dialogs, ending, second, client)
}

#[tokio::test(start_paused = true)]
async fn a_stream_refused_by_one_node_is_made_at_another() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(5)));
    let (dialogs, ending, second, client) = draining(&world).await;
    let items = || futures::stream::iter((0..100).map(item));
    for _ in 0..4 {
        let response = client.talk(items()).response().await.unwrap();
        assert_eq!(response.peer.unwrap().addr, World::addr(2));
        assert_eq!(all(response.message).await, (0..100).map(Ok).collect::<Vec<_>>());
        assert_eq!(client.ask(items()).await.unwrap(), item(4_950));
        assert_eq!(all(client.tell(item(2)).await.unwrap()).await, [Ok(0), Ok(1)]);
    }
    let refused = world.watch(3).counters().attempts_ended[&Code::Unavailable];
    assert!(0 < refused, "the first node was asked");
    assert_eq!((dialogs[0].started(), dialogs[1].started()), (1, 12));
    ending.await.unwrap();
    world.end((second, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_sent_too_much_is_not_made_again_and_says_why() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(5)));
    let (dialogs, ending, second, client) = draining(&world).await;
    let mut refused = 0;
    for _ in 0..2 {
        let items = futures::stream::iter((0..100).map(|number| large(number, 1_000)));
        match client.ask(items).await {
            Ok(sum) => assert_eq!(sum, item(4_950)),
            Err(status) => {
                refused += 1;
                let expected = (Code::Unavailable, Outcome::NotExecuted);
                assert_eq!((status.code(), status.outcome()), expected, "{status:#}");
                assert_eq!(
                    status.message(),
                    "the node is shutting down; the call was not tried again because more of its \
                     requests had been sent than are kept for that (32 KiB)"
                );
                assert_eq!(status.attempts().len(), 1);
            }
        }
    }
    assert_eq!(refused, 1, "the other began at the other node");
    assert_eq!(dialogs[0].started(), 1);
    ending.await.unwrap();
    world.end((second, client)).await;
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_stream_goes_elsewhere_when_its_node_falls_silent() {
    let world = World::new(1);
    let dialogs = [Dialog::new(), Dialog::new()].map(|dialog| {
        dialog.talk(|_, mut requests, mut replies| async move {
            tokio::time::sleep(secs(2)).await;
            while let Some(item) = requests.message().await? {
                replies.send(item).await?;
            }
            Ok(())
        })
    });
    let nodes = [
        world.node(1).serve(dialogs[0].server()).start().await.unwrap(),
        world.node(2).serve(dialogs[1].server()).start().await.unwrap(),
    ];
    let client = DialogClient::new(world.list(3, &[1, 2]).await);
    let items = || futures::stream::iter((0..10).map(item)).chain(futures::stream::pending());
    let calls = [client.talk_again(items()), client.talk_again(items())];
    let calls = calls.map(tokio::spawn);
    for dialog in &dialogs {
        dialog.until(|dialog| dialog.started() == 1).await;
    }
    world.network.unplug(World::addr(1));
    for call in calls {
        let mut replies = call.await.unwrap().unwrap();
        for number in 0..10 {
            assert_eq!(replies.message().await.unwrap(), Some(item(number)));
        }
    }
    assert_eq!(dialogs[1].started(), 2, "what was sent to the first was sent again");
    world.network.plug_in(World::addr(1));
    dialogs[0].until(|dialog| dialog.stopped() == 1).await;
    world.end((nodes, client)).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_again_once_the_reply_has_begun() {
    let world = World::new(1);
    let dialogs = [echo(), echo()];
    let nodes = [
        world.node(1).serve(dialogs[0].server()).start().await.unwrap(),
        world.node(2).serve(dialogs[1].server()).start().await.unwrap(),
    ];
    let client = DialogClient::new(world.list(3, &[1, 2]).await);
    let mut streams = Vec::new();
    for _ in 0..2 {
        let items = futures::stream::iter([item(0)]).chain(futures::stream::pending());
        let mut replies = client.talk_again(items).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(0)));
        streams.push(replies);
    }
    world.network.unplug(World::addr(1));
    let status = streams[0].message().await.unwrap_err();
    let expected = (Code::Unavailable, Outcome::Unknown);
    assert_eq!((status.code(), status.outcome()), expected, "{status}");
    assert_eq!(dialogs[0].started() + dialogs[1].started(), 2);
    world.network.plug_in(World::addr(1));
    drop(streams);
    dialogs[0].until(|dialog| dialog.stopped() == 1).await;
    world.end((nodes, client)).await;
}

#[test]
fn no_stream_fails_while_nodes_of_a_cluster_come_and_go() {
    for_seeds(0..3, async |world: World| {
        world.network.set_faults(faults(|faults| faults.delay = millis(1)));
        let mut cluster = Cluster::new(world);
        let dialog = echo();
        for number in 1..=4 {
            let builder = cluster.builder(number).serve(dialog.server());
            cluster.start_with(number, builder).await;
        }
        // Whoever is shut down makes no more calls: the client is another node.
        cluster.start_with(9, cluster.builder(9)).await;
        cluster.full().await;
        let client = DialogClient::new(cluster.channel(9));
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let load = tokio::spawn(async move {
            let mut streams = 0;
            while !*stopped.borrow_and_update() {
                let items = futures::stream::iter((0..50).map(item));
                let replies = client.talk(items).await.expect("somebody takes it");
                assert_eq!(all(replies).await, (0..50).map(Ok).collect::<Vec<_>>());
                streams += 1;
            }
            streams
        });
        for number in [1, 3, 2] {
            tokio::time::sleep(millis(300)).await;
            cluster.take(number).shutdown().await.unwrap();
        }
        tokio::time::sleep(millis(300)).await;
        stop.send(true).unwrap();
        let streams: usize = load.await.unwrap();
        assert!(100 < streams, "{streams}");
        cluster.end().await;
    });
}
