//! Streams over bad networks: whatever is lost, repeated or late, all comes once and in order.

use broach_core::testing::TraceHash;
use broach_core::{Channel, Code, Node, Status, stream};
use broach_tests::broach::testing::v1::DialogClient;
use broach_tests::{Dialog, World, faults, for_seeds, millis};
use tokio::sync::mpsc;

use crate::stage::{all, echo, item, large, refuse};

/// A node and a client of it whose doings are all one number.
async fn open(world: &World, dialog: &Dialog) -> (Node, Channel, DialogClient, TraceHash) {
    let trace = TraceHash::new();
    let node = world.node(1).observe(trace.of("node")).serve(dialog.server());
    let node = node.start().await.unwrap();
    let channel =
        world.caller(2).observe(trace.of("caller")).connect(World::addr(1)).await.unwrap();
    (node, channel.clone(), DialogClient::new(channel), trace)
}

/// All that may happen on a network.
fn strike(world: &World) {
    world.network.set_faults(faults(|faults| {
        (faults.loss, faults.duplicate, faults.late) = (0.1, 0.1, 0.1);
        (faults.late_by, faults.delay, faults.jitter) = (millis(50), millis(2), millis(3));
    }));
}

async fn run(world: World) -> (u64, u64) {
    strike(&world);
    let (node, channel, client, trace) = open(&world, &echo()).await;
    for count in [0, 1, 3, 500] {
        let expected: Vec<_> = (0..count).map(Ok).collect();
        let items = || futures::stream::iter((0..count).map(item));
        assert_eq!(all(client.tell(item(count)).await.unwrap()).await, expected);
        assert_eq!(client.ask(items()).await.unwrap(), item((0..count).sum()));
        assert_eq!(all(client.talk(items()).await.unwrap()).await, expected);
    }
    let (mut requests, fed) = stream::channel(1);
    requests.send(large(0, 50_000)).await.unwrap();
    let mut replies = client.talk(fed).await.unwrap();
    for number in 0..10 {
        let size = 1_000 * (number as usize % 7) + 50_000 * usize::from(number == 0);
        assert_eq!(replies.message().await.unwrap(), Some(large(number, size)));
        requests.send(large(number + 1, 1_000 * ((number as usize + 1) % 7))).await.unwrap();
    }
    drop(requests);
    assert_eq!(all(replies).await, [Ok(10)]);
    let struck = world.network.struck();
    assert!(0 < struck.lost && 0 < struck.duplicated && 0 < struck.late, "{struck:?}");
    world.network.set_faults(faults(|_| {}));
    world.end((node, channel, client)).await;
    (trace.digest(), trace.events())
}

#[test]
fn all_shapes_are_whole_whatever_the_network_does() {
    for_seeds(0..8, run);
}

#[test]
fn a_seed_decides_everything() {
    let [once, again] = [(); 2].map(|()| for_seeds(3..5, run));
    assert_eq!(once, again);
    assert!(once.windows(2).all(|pair| pair[0].0 != pair[1].0), "{once:?}");
}

#[test]
fn errors_and_early_ends_arrive_whatever_the_network_does() {
    for_seeds(0..8, async |world: World| {
        strike(&world);
        let dialog = Dialog::new()
            .tell(|_, item, mut replies| async move {
                for number in 0..item.number {
                    replies.send(crate::stage::item(number)).await?;
                }
                Err(refuse())
            })
            .talk(|_, mut requests, mut replies| async move {
                for _ in 0..5 {
                    replies.send(requests.message().await?.unwrap_or_default()).await?;
                }
                Ok(())
            });
        let (node, channel, client, _) = open(&world, &dialog).await;
        for _ in 0..5 {
            let mut told = all(client.tell(item(20)).await.unwrap()).await;
            assert_eq!(told.pop(), Some(Err(Code::Aborted)));
            assert_eq!(told, (0..20).map(Ok).collect::<Vec<_>>());
            let endless = futures::stream::iter((0..).map(item));
            let replies = client.talk(endless).await.unwrap();
            assert_eq!(all(replies).await, (0..5).map(Ok).collect::<Vec<_>>());
        }
        let started = dialog.started();
        drop(client.tell(item(1_000_000)).await.unwrap());
        dialog.until(|dialog| started < dialog.started() && dialog.stopped() == 1).await;
        world.network.set_faults(faults(|_| {}));
        world.end((node, channel, client)).await;
    });
}

#[test]
fn what_is_begun_and_failed_by_hand_arrives_whatever_the_network_does() {
    for_seeds(0..8, async |world: World| {
        strike(&world);
        let dialog = Dialog::new().talk(|_, mut requests, mut replies| async move {
            replies.begin()?;
            let (forward, mut forwarded) = mpsc::unbounded_channel();
            // Another task has the sender, and ends the call with it.
            tokio::spawn(async move {
                while let Some(item) = forwarded.recv().await {
                    replies.send(item).await?;
                }
                replies.fail(refuse());
                Ok::<_, Status>(())
            });
            while let Some(item) = requests.message().await? {
                forward.send(item).unwrap();
            }
            drop(forward);
            std::future::pending().await
        });
        let (node, channel, client, _) = open(&world, &dialog).await;
        for round in 0..6 {
            let (mut requests, fed) = stream::channel(1);
            let mut replies = client.talk(fed).await.unwrap();
            for number in 0..20 {
                requests.send(item(number)).await.unwrap();
                assert_eq!(replies.message().await.unwrap(), Some(item(number)));
            }
            let expected = if round % 2 == 0 {
                drop(requests);
                Code::Aborted
            } else {
                requests.fail(Status::data_loss("it is torn"));
                Code::DataLoss
            };
            assert_eq!(replies.message().await.unwrap_err().code(), expected);
            dialog.until(|dialog| dialog.stopped() == dialog.started()).await;
        }
        world.network.set_faults(faults(|_| {}));
        world.end((node, channel, client)).await;
    });
}
