//! What a cluster costs while nothing happens.

use broach_tests::{Cluster, World, secs};

/// Bytes and datagrams that each node sends in a second, on average and at the most, over a minute
/// in which nobody calls anybody.
async fn idle(nodes: u8) -> (f64, f64, f64) {
    let cluster = Cluster::of(World::new(1), nodes).await;
    // What is said at the beginning has been said.
    tokio::time::sleep(secs(60)).await;
    let sent = |number: &u8| {
        let counters = cluster.node(*number).counters();
        (counters.bytes_sent as f64, counters.datagrams_sent as f64)
    };
    let numbers = cluster.alive();
    let before: Vec<_> = numbers.iter().map(sent).collect();
    tokio::time::sleep(secs(60)).await;
    let each: Vec<_> = numbers.iter().map(sent).zip(before).collect();
    let rates = each.iter().map(|(after, before)| (after.0 - before.0) / 60.0);
    let datagrams: f64 = each.iter().map(|(after, before)| (after.1 - before.1) / 60.0).sum();
    let (sum, most) = rates.fold((0.0, 0.0), |(sum, most), rate| (sum + rate, rate.max(most)));
    assert_eq!(cluster.false_deaths(), []);
    cluster.end().await;
    let count = f64::from(nodes);
    (sum / count, most, datagrams / count)
}

#[tokio::test(start_paused = true)]
async fn a_node_sends_little_while_nothing_happens_however_many_there_are() {
    for nodes in [5, 50] {
        let (mean, most, datagrams) = idle(nodes).await;
        println!(
            "{nodes} idle nodes: each sends {mean:.0} bytes/s (at most {most:.0}) in \
             {datagrams:.1} datagrams/s"
        );
        assert!(0.0 < mean && most <= 600.0, "{mean} {most}");
    }
}
