//! Peers that vanish in the middle of a stream: both sides learn of it.

use std::time::Duration;

use broach_core::{Code, Outcome, stream};
use broach_tests::broach::testing::v1::DialogClient;
use broach_tests::{Dialog, World, faults, for_seeds, millis, secs};
use futures::FutureExt;

use crate::stage::{Stage, all, echo, item};

/// Echoes.
fn dialog() -> Dialog {
    echo()
}

#[test]
fn both_sides_of_a_partition_end_their_streams() {
    for_seeds(0..4, async |world: World| {
        let stage = Stage::within(world, dialog()).await;
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let mut replies = stage.client.talk(fed).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(0)));
        let idle = stage.client.tell(item(1_000_000)).await.unwrap();
        let groups = [[World::addr(1)], [World::addr(2)]];
        stage.world.network.partition(groups.iter().map(|group| &group[..]));
        let cut = stage.world.elapsed();
        let status = replies.message().await.unwrap_err();
        let expected = (Code::Unavailable, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
        let took = stage.world.elapsed() - cut;
        assert!(took <= secs(12), "{took:?}");
        let told = async { while requests.send(item(1)).await.is_ok() {} };
        told.await;
        // What had arrived before is read before the error.
        let unread = all(idle).await;
        assert!(matches!(unread.last(), Some(Err(Code::Unavailable))), "{:?}", unread.last());
        stage.dialog.until(|dialog| dialog.stopped() == 2).await;
        let took = stage.world.elapsed() - cut;
        assert!(took <= secs(12), "{took:?}");
        stage.world.network.heal();
        assert_eq!(all(stage.client.tell(item(2)).await.unwrap()).await, [Ok(0), Ok(1)]);
        stage.end().await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_short_cut_costs_time_and_nothing_else() {
    let stage = Stage::new(dialog()).await;
    let (mut requests, fed) = stream::channel(1);
    requests.send(item(0)).await.unwrap();
    let mut replies = stage.client.talk(fed).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(0)));
    let groups = [[World::addr(1)], [World::addr(2)]];
    stage.world.network.partition(groups.iter().map(|group| &group[..]));
    requests.send(item(1)).await.unwrap();
    tokio::time::sleep(secs(4)).await;
    assert!(replies.message().now_or_never().is_none());
    stage.world.network.heal();
    assert_eq!(replies.message().await.unwrap(), Some(item(1)));
    drop(requests);
    assert_eq!(replies.message().await.unwrap(), None);
    stage.end().await;
}

#[test]
fn a_server_that_crashes_is_noticed_by_its_streams() {
    for_seeds(0..4, async |world: World| {
        let stage = Stage::within(world, dialog()).await;
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let mut replies = stage.client.talk(fed).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(0)));
        let Stage { world, dialog, node, channel, client } = stage;
        world.network.unplug(World::addr(1));
        drop(node);
        tokio::time::sleep(millis(1)).await;
        world.network.plug_in(World::addr(1));
        // It comes back as another life, and knows of nothing.
        let node = world.node(1).serve(dialog.server()).start().await.unwrap();
        let back = world.elapsed();
        let status = replies.message().await.unwrap_err();
        let expected = (Code::Unavailable, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
        let took: Duration = world.elapsed() - back;
        assert!(took <= secs(3), "{took:?}");
        assert_eq!(dialog.started(), 1, "a stream does not begin again by itself");
        assert_eq!(all(client.tell(item(2)).await.unwrap()).await, [Ok(0), Ok(1)]);
        world.end((node, channel, client)).await;
    });
}

#[test]
fn a_caller_that_crashes_is_noticed_by_its_handlers() {
    for_seeds(0..4, async |world: World| {
        let stage = Stage::within(world, dialog()).await;
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let replies = stage.client.talk(fed).await.unwrap();
        let Stage { world, dialog, node, channel, client } = stage;
        world.network.unplug(World::addr(2));
        let gone = world.elapsed();
        drop((replies, requests, channel, client));
        tokio::time::sleep(millis(1)).await;
        world.network.plug_in(World::addr(2));
        let channel = world.channel(2, 1).await;
        let client = DialogClient::new(channel.clone());
        assert_eq!(all(client.tell(item(1)).await.unwrap()).await, [Ok(0)]);
        dialog.until(|dialog| dialog.stopped() == 1).await;
        let took = world.elapsed() - gone;
        assert!(took <= secs(61), "{took:?}");
        world.end((node, channel, client)).await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_program_that_ends_its_channel_is_no_mystery_to_the_handler() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(5)));
    let stage = Stage::within(world, dialog()).await;
    let (mut requests, fed) = stream::channel(1);
    requests.send(item(0)).await.unwrap();
    let mut replies = stage.client.talk(fed).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(0)));
    let Stage { world, dialog, node, channel, client } = stage;
    drop((channel, client));
    // The call holds what it needs.
    requests.send(item(1)).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(1)));
    let ended = world.elapsed();
    drop(replies);
    dialog.until(|dialog| dialog.stopped() == 1).await;
    assert!(world.elapsed() - ended <= millis(50));
    world.end(node).await;
}
