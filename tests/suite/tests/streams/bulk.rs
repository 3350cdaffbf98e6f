//! Many items, large ones, and many streams at once.

use broach_tests::broach::testing::v1::Item;
use broach_tests::{World, faults, for_seeds, millis, secs};
use futures::{StreamExt, TryStreamExt};

use crate::stage::{Stage, Way, all, echo, item, large};

#[test]
fn ten_thousand_items_go_each_way_over_a_lossy_path() {
    for_seeds(1..4, async |world: World| {
        world.network.set_faults(faults(|faults| {
            (faults.delay, faults.loss) = (millis(1) / 2, 0.05);
        }));
        let stage = Stage::within(world, echo()).await;
        let replies =
            stage.client.talk(futures::stream::iter((0..10_000).map(item))).await.unwrap();
        let expected: Vec<_> = (0..10_000).map(Ok).collect();
        assert_eq!(all(replies).await, expected);
        assert!(stage.world.elapsed() < secs(10), "{:?}", stage.world.elapsed());
        stage.world.network.set_faults(faults(|_| {}));
        stage.end().await;
    });
}

#[tokio::test(start_paused = true)]
async fn items_of_a_mebibyte_go_each_way() {
    for way in Way::ALL {
        let dialog = echo();
        let (client, alive) = way.client(&dialog).await;
        let items = || (0..20).map(|number| large(number, 1 << 20));
        let replies = client.talk(futures::stream::iter(items())).await.unwrap();
        let got: Vec<Item> = replies.try_collect().await.unwrap();
        assert!(got == items().collect::<Vec<_>>(), "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn large_and_small_items_keep_their_order() {
    let stage = Stage::new(echo()).await;
    let size =
        |number: i64| [0, 1, 1_100, 1_200, 16_383, 65_535, 65_537, 300_000][number as usize % 8];
    let items = move || (0..200).map(move |number| large(number, size(number)));
    let replies = stage.client.talk(futures::stream::iter(items())).await.unwrap();
    let got: Vec<Item> = replies.try_collect().await.unwrap();
    assert!(got == items().collect::<Vec<_>>());
    stage.end().await;
}

#[test]
fn many_streams_at_once_are_all_complete() {
    for_seeds(1..3, async |world: World| {
        world.network.set_faults(faults(|faults| {
            (faults.delay, faults.loss) = (millis(1), 0.02);
        }));
        let stage = Stage::within(world, echo()).await;
        let one = |number: i64| {
            let client = stage.client.clone();
            async move {
                let count = 50 + number;
                let items = futures::stream::iter((0..count).map(item));
                let replies = all(client.talk(items).await.unwrap()).await;
                assert_eq!(replies, (0..count).map(Ok).collect::<Vec<_>>());
            }
        };
        futures::stream::iter(0..200).map(one).buffer_unordered(100).collect::<Vec<_>>().await;
        stage.world.network.set_faults(faults(|_| {}));
        stage.end().await;
    });
}
