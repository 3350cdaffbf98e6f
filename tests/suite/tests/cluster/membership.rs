//! Nodes that crash, leave, come back and are cut off, while all call each other on a bad network.

use std::time::Duration;

use broach_core::testing::Violation;
use broach_tests::requests::echo;
use broach_tests::{Cluster, Fate, Load, World, faults, for_seeds, millis, secs};

/// Five nodes on a network that loses a tenth, each of which makes a call every 50 ms.
async fn five_under_load(world: World) -> (Cluster, Load) {
    world.network.set_faults(faults(|faults| {
        faults.loss = 0.1;
        faults.jitter = millis(1);
    }));
    let mut cluster = Cluster::of(world, 5).await;
    let load = Load::new(5, secs(5));
    (1..=5).for_each(|number| cluster.load(number, &load, millis(50)));
    (cluster, load)
}

/// The load ends, and the cluster after it; nothing may be wrong with either.
async fn end(cluster: Cluster, load: Load) -> Vec<Violation> {
    load.stop().await;
    assert!(0 < cluster.world.network.struck().lost);
    let violations = load.judge(&cluster);
    cluster.end().await;
    violations
}

/// The middle one and the largest.
fn middle_and_worst(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() - 1])
}

#[test]
fn a_crash_is_noticed_by_all_and_nobody_else_is_called_dead() {
    let times = for_seeds(0..20, async |world| {
        let (mut cluster, load) = five_under_load(world).await;
        tokio::time::sleep(secs(5)).await;
        let crashed = cluster.world.elapsed();
        let gone = cluster.crash(3).await;
        cluster.full().await;
        let last = *cluster.notes.times(gone, Fate::Died).iter().max().unwrap();
        tokio::time::sleep(secs(10)).await;
        let died = cluster.notes.times(gone, Fate::Died);
        assert_eq!(died.len(), 4, "each sees it once: {}", cluster.story());
        assert_eq!(cluster.false_deaths(), [], "{}", cluster.story());
        assert_eq!(end(cluster, load).await, []);
        last - crashed
    });
    let (middle, worst) = middle_and_worst(times);
    println!("5 nodes, 10 % loss, under load: a crash is known to all after {middle:?}, {worst:?}");
    assert!(worst <= secs(8), "{worst:?}");
}

#[test]
fn who_leaves_has_left_and_did_not_die() {
    let times = for_seeds(0..20, async |world| {
        let (mut cluster, load) = five_under_load(world).await;
        tokio::time::sleep(secs(3)).await;
        let node = cluster.take(3);
        let (gone, begun) = (node.instance(), cluster.world.elapsed());
        node.shutdown().await.unwrap();
        cluster.full().await;
        tokio::time::sleep(secs(10)).await;
        let left = cluster.notes.times(gone, Fate::Left);
        assert_eq!(left.len(), 4, "each sees it once: {}", cluster.story());
        assert_eq!(cluster.notes.times(gone, Fate::Died), [], "{}", cluster.story());
        assert_eq!(cluster.false_deaths(), [], "{}", cluster.story());
        assert_eq!(end(cluster, load).await, []);
        *left.iter().max().unwrap() - begun
    });
    let (middle, worst) = middle_and_worst(times);
    println!(
        "5 nodes, 10 % loss, under load: that one leaves is known after {middle:?}, {worst:?}"
    );
    // It serves on for 0.3 s, and then finishes what it has begun.
    assert!(worst <= millis(1_500), "{worst:?}");
}

#[test]
fn a_restart_is_another_life_and_is_called() {
    let times = for_seeds(0..20, async |world| {
        let (mut cluster, load) = five_under_load(world).await;
        tokio::time::sleep(secs(3)).await;
        let old = cluster.crash(3).await;
        cluster.start(3).await;
        assert_ne!(old, cluster.node(3).instance());
        let took = cluster.full().await;
        let probe = cluster.probe(3);
        let before = probe.started();
        tokio::time::sleep(secs(5)).await;
        // Five times 20 calls a second, evenly shared: 100.
        assert!(40 < probe.started() - before, "{}", probe.started() - before);
        for number in cluster.alive() {
            cluster.client(number).echo(echo(u64::from(number) << 32)).await.unwrap();
        }
        assert_eq!(cluster.false_deaths(), [], "{}", cluster.story());
        assert_eq!(end(cluster, load).await, []);
        took
    });
    let (middle, worst) = middle_and_worst(times);
    println!(
        "5 nodes, 10 % loss, under load: a restart is known to all after {middle:?}, {worst:?}"
    );
    assert!(worst <= secs(5), "{worst:?}");
}

#[test]
fn a_partition_heals_by_itself() {
    let times = for_seeds(0..20, async |world| {
        let (cluster, load) = five_under_load(world).await;
        tokio::time::sleep(secs(3)).await;
        let addrs = [1, 2, 3, 4, 5].map(World::addr);
        let (two, three) = addrs.split_at(2);
        cluster.world.network.partition([two, three]);
        let sizes = || (1..=5).map(|node| cluster.node(node).members().len()).collect::<Vec<_>>();
        cluster.when(|| sizes() == [2, 2, 3, 3, 3]).await;
        tokio::time::sleep(secs(10)).await;
        // Either side goes on.
        for number in 1..=5 {
            cluster.client(number).echo(echo(u64::from(number) << 32)).await.unwrap();
        }
        cluster.world.network.heal();
        let took = cluster.full().await;
        let healed = cluster.world.elapsed();
        tokio::time::sleep(secs(10)).await;
        let wrong = cluster.false_deaths();
        assert!(wrong.iter().all(|note| note.at < healed), "{}", cluster.story());
        assert_eq!(end(cluster, load).await, []);
        took
    });
    let (middle, worst) = middle_and_worst(times);
    println!("5 nodes, 10 % loss, under load: a partition is healed after {middle:?}, {worst:?}");
    assert!(worst <= secs(15), "{worst:?}");
}

#[test]
fn nobody_is_called_dead_for_nothing() {
    let hours = for_seeds(0..20, async |world| {
        let (cluster, load) = five_under_load(world).await;
        tokio::time::sleep(secs(10)).await;
        load.stop().await;
        // Without calls nothing but probes shows who lives.
        tokio::time::sleep(secs(170)).await;
        assert_eq!(cluster.false_deaths(), [], "{}", cluster.story());
        assert!(cluster.is_full(), "{}", cluster.story());
        let node_hours = 5.0 * cluster.world.elapsed().as_secs_f64() / 3_600.0;
        assert_eq!(end(cluster, load).await, []);
        node_hours
    });
    println!("0 false deaths in {:.1} node-hours at 10 % loss", hours.iter().sum::<f64>());
}
