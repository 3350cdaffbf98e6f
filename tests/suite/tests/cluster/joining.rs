//! Nodes find each other from one address.

use broach_core::Node;
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::echo;
use broach_tests::{Probe, World, eventually, secs};

#[tokio::test(start_paused = true)]
async fn five_nodes_find_each_other_from_one_seed() {
    let (world, probe) = (World::new(1), Probe::new());
    let mut nodes: Vec<Node> = Vec::new();
    for number in 1..=5 {
        let builder = world.node(number).join([World::addr(1)]).serve(probe.server());
        nodes.push(builder.start().await.unwrap());
    }
    eventually(|| nodes.iter().all(|node| node.members().len() == 5)).await;
    println!("joined after {:?}", world.elapsed());
    let offers = |node: &Node| {
        node.members().iter().all(|member| member.services().is_some_and(|all| !all.is_empty()))
    };
    eventually(|| nodes.iter().all(offers)).await;
    println!("offers after {:?}", world.elapsed());
    let client = ProbeClient::new(nodes[4].channel());
    let reply = client.echo(echo(7)).response().await.unwrap();
    println!("{reply:?}");
    drop(client);
    tokio::time::sleep(secs(10)).await;
    world.end(nodes).await;
}
