//! Channels of nodes that have ended.

use broach_core::{Code, Outcome};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{echo, good_call};
use broach_tests::{Probe, World, millis};

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_somebody_end_with_their_node() {
    let world = World::new(1);
    let node = world.node(1).start().await.unwrap();
    let client = ProbeClient::new(node.channel());
    let waiting = tokio::spawn(client.echo(echo(1)));
    tokio::time::sleep(millis(500)).await;
    assert!(!waiting.is_finished());
    let dropped = world.elapsed();
    drop(node);
    for status in [waiting.await.unwrap().unwrap_err(), client.echo(echo(2)).await.unwrap_err()] {
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
        assert_eq!(status.message(), "this node has stopped");
    }
    assert_eq!(world.elapsed(), dropped);
    world.end(client).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_ended_does_not_call_itself() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = node.channel();
    good_call(&channel).await;
    node.shutdown().await.unwrap();
    let status = ProbeClient::new(channel.clone()).echo(echo(2)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(status.message(), "this node has stopped");
    assert_eq!(probe.started_for(2), 0);
    world.end(channel).await;
}
