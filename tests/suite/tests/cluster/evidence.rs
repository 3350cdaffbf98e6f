//! What goes between nodes besides the membership tells the membership something.

use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::echo;
use broach_tests::{Probe, Tap, World, millis, secs};

/// How many GOSSIP datagrams have been sent through here.
fn gossip(tap: &Tap) -> usize {
    tap.sent().iter().filter(|bytes| bytes[1] >> 4 == 5).count()
}

#[tokio::test(start_paused = true)]
async fn nodes_that_call_each_other_need_not_be_probed() {
    let (world, probe) = (World::new(1), Probe::new());
    let one = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let two = world.node_on(2, tap.clone()).join([World::addr(1)]).start().await.unwrap();
    two.wait_for_members(2).await;
    let client = ProbeClient::new(two.channel());
    tokio::time::sleep(secs(10)).await;
    let before = gossip(&tap);
    tokio::time::sleep(secs(10)).await;
    let idle = gossip(&tap) - before;
    for token in 0..100 {
        client.echo(echo(token)).await.unwrap();
        tokio::time::sleep(millis(100)).await;
    }
    let busy = gossip(&tap) - before - idle;
    assert!(30 <= idle && busy <= 8, "{idle} in 10 s without calls, {busy} with them");
    drop(client);
    world.end((one, two)).await;
}
