//! Streams on which nothing happens for long: they stay, whatever else ends for want of use.

use broach_core::stream;
use broach_tests::{Dialog, World, faults, for_seeds, millis, secs, transport};

use crate::stage::{Stage, echo, item};

#[test]
fn an_idle_stream_outlives_every_idle_time() {
    for_seeds(1..4, async |world: World| {
        world.network.set_faults(faults(|faults| {
            (faults.delay, faults.loss) = (millis(5), 0.1);
        }));
        // Sessions end after 45 s and 60 s without use.
        let stage = Stage::within(world, echo()).await;
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        let mut replies = stage.client.talk(fed).await.unwrap();
        for (number, wait) in [(1, 60), (2, 200), (3, 1)] {
            assert_eq!(replies.message().await.unwrap(), Some(item(number - 1)));
            tokio::time::sleep(secs(wait)).await;
            requests.send(item(number)).await.unwrap();
        }
        assert_eq!(replies.message().await.unwrap(), Some(item(3)));
        drop(requests);
        assert_eq!(replies.message().await.unwrap(), None);
        assert_eq!((stage.dialog.started(), stage.dialog.stopped()), (1, 0));
        stage.world.network.set_faults(faults(|_| {}));
        stage.end().await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_says_nothing_for_minutes_is_waited_for() {
    let dialog = Dialog::new()
        .tell(|_, _, mut replies| async move {
            tokio::time::sleep(secs(300)).await;
            replies.send(item(1)).await
        })
        .ask(|_, _| async {
            tokio::time::sleep(secs(300)).await;
            Ok(item(2))
        });
    let stage = Stage::new(dialog).await;
    let mut replies = stage.client.tell(item(0)).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(1)));
    let nothing = futures::stream::pending();
    assert_eq!(stage.client.ask(nothing).await.unwrap(), item(2));
    drop(replies);
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_unread_stream_stays_beyond_short_idle_times() {
    let world = World::new(1);
    let config = || {
        transport(|config| {
            (config.idle_client, config.idle_server) = (secs(2), secs(3));
            (config.keep_alive, config.dead_after) = (millis(500), secs(4));
        })
    };
    let dialog = echo();
    let node = world.node(1).transport(config()).serve(dialog.server()).start().await.unwrap();
    let channel = world.caller(2).transport(config()).connect(World::addr(1)).await.unwrap();
    let client = broach_tests::broach::testing::v1::DialogClient::new(channel.clone());
    let mut replies = client.tell(item(200_000)).await.unwrap();
    tokio::time::sleep(secs(60)).await;
    for number in 0..200_000 {
        assert_eq!(replies.message().await.unwrap(), Some(item(number)));
    }
    assert_eq!(replies.message().await.unwrap(), None);
    drop(replies);
    world.end((node, channel, client)).await;
}
