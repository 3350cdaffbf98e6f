//! Calls that say what they wish of their node, to clusters in which that changes.

use broach_core::picker::Selection;
use broach_core::{Code, Instance, NodeBuilder, Outcome, Peer};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{echo, sleep};
use broach_tests::{Cluster, World, faults, for_seeds, millis, secs};

/// A node that serves a probe of a version.
async fn start(
    cluster: &mut Cluster,
    number: u8,
    version: &str,
    tell: impl Fn(NodeBuilder) -> NodeBuilder,
) {
    let probe = cluster.probe(number);
    let builder = cluster.builder(number).serve(probe.server().version(version));
    cluster.start_with(number, tell(builder)).await;
}

/// A node of each of these versions, numbered from 1, and number 9, which serves nothing.
async fn versions<const N: usize>(world: World, versions: [&str; N]) -> Cluster {
    let mut cluster = Cluster::new(world);
    for (number, version) in (1..).zip(versions) {
        start(&mut cluster, number, version, |builder| builder).await;
    }
    cluster.start_with(9, cluster.builder(9)).await;
    cluster.full().await;
    cluster
}

#[test]
fn while_versions_change_under_load_calls_go_only_to_those_they_ask_for() {
    for_seeds(50..53, async |world| {
        let mut cluster = versions(world, ["1.4.0", "1.4.2", "1.5.0"]).await;
        cluster.world.network.set_faults(faults(|faults| {
            faults.loss = 0.05;
            faults.duplicate = 0.05;
            faults.jitter = millis(1);
        }));
        let old = cluster.channel(9).select(Selection::new().version("^1.4"));
        let old = ProbeClient::new(old);
        let new = cluster.client(9);
        let calls = tokio::spawn({
            let (old, new) = (old.clone(), new.clone());
            async move {
                let mut peers = [Vec::new(), Vec::new()];
                for token in 0..1_500 {
                    let calls = [
                        old.sleep(sleep(token, 1)),
                        new.sleep(sleep(10_000 + token, 1)).version(">=2"),
                    ];
                    let calls = calls.map(|call| call.timeout(secs(60)).idempotent().response());
                    let ends = futures::future::join_all(calls).await;
                    for (peers, end) in peers.iter_mut().zip(ends) {
                        peers.push(end.unwrap().peer.unwrap().addr);
                    }
                }
                peers
            }
        });
        // The first calls for the new version wait for it.
        tokio::time::sleep(millis(500)).await;
        for (number, version) in [(4, "2.0.0"), (5, "2.1.0"), (6, "3.0.0-rc.1")] {
            start(&mut cluster, number, version, |builder| builder).await;
            cluster.full().await;
        }
        for number in [1, 2] {
            cluster.take(number).shutdown().await.unwrap();
        }
        let [old_peers, new_peers] = calls.await.unwrap();
        let among =
            |numbers: &[u8]| numbers.iter().map(|&number| World::addr(number)).collect::<Vec<_>>();
        assert!(old_peers.iter().all(|peer| among(&[1, 2, 3]).contains(peer)));
        assert!(new_peers.iter().all(|peer| among(&[4, 5]).contains(peer)));
        assert_eq!(cluster.probe(6).started(), 0, "a version before a release is not asked for");
        drop((old, new));
        cluster.end().await;
    });
}

#[tokio::test(start_paused = true)]
async fn if_nobody_is_what_is_wished_the_call_says_who_there_is() {
    let mut cluster = versions(World::new(54), ["1.4.0", "1.4.2", "1.5.0"]).await;
    let client = cluster.client(9);
    let status = client.echo(echo(1)).version(">=2.0").timeout(millis(200)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(
        status.message(),
        "no node that offers broach.testing.v1.Probe is what the call asks for: 3 nodes offer it, \
         none at >=2.0: 1.4.0, 1.4.2, 1.5.0"
    );
    // A call that waits is made once there is somebody.
    let waits = tokio::spawn(client.echo(echo(2)).version(">=2.0").response());
    tokio::time::sleep(secs(1)).await;
    start(&mut cluster, 4, "2.0.0", |builder| builder).await;
    assert_eq!(waits.await.unwrap().unwrap().peer.unwrap().addr, World::addr(4));
    drop(client);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_requirement_is_refused_before_anything_is_sent() {
    let cluster = versions(World::new(55), ["1.4.0"]).await;
    let client = cluster.client(9);
    let refused = |status: broach_core::Status| {
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::InvalidArgument, Outcome::NotExecuted)
        );
        let text = "the version requirement \">=1.0 <2\" does not read like";
        assert!(status.message().starts_with(text), "{status}");
    };
    refused(client.echo(echo(1)).version(">=1.0 <2").await.unwrap_err());
    let channel = cluster.channel(9).select(Selection::new().version(">=1.0 <2"));
    refused(ProbeClient::new(channel).echo(echo(1)).version("1").await.unwrap_err());
    let builder = cluster.world.caller(8).select(Selection::new().version(">=1.0 <2"));
    let error = builder.connect(World::addr(1)).await.unwrap_err();
    assert!(error.to_string().starts_with("setting selection: the version requirement"), "{error}");
    assert_eq!(cluster.started_for(1), 0);
    drop(client);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn groups_tags_and_zones_are_asked_for_and_may_change() {
    let mut cluster = Cluster::new(World::new(56));
    start(&mut cluster, 1, "", |builder| builder.group("blue").tag("gpu", "yes").zone("a")).await;
    start(&mut cluster, 2, "", |builder| builder.group("blue").zone("b")).await;
    start(&mut cluster, 3, "", |builder| builder.group("green").zone("a")).await;
    cluster.start_with(9, cluster.builder(9)).await;
    cluster.full().await;
    let called = async |wished: Selection| {
        let mut numbers = Vec::new();
        for token in 0..40 {
            let call = cluster.client(9).echo(echo(token)).select(wished.clone());
            let peer = call.response().await.unwrap().peer.unwrap().addr;
            numbers.extend((1..=3).find(|&number| World::addr(number) == peer));
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let wish = Selection::new;
    let peer =
        |number| Peer { addr: World::addr(number), instance: cluster.node(number).instance() };
    assert_eq!(called(wish().group("blue")).await, [1, 2]);
    assert_eq!(called(wish().group("blue").zone("a")).await, [1]);
    assert_eq!(called(wish().tag("gpu", "yes")).await, [1]);
    assert_eq!(called(wish().except(World::addr(1)).zone("a")).await, [3]);
    let instance = cluster.node(2).instance();
    assert_eq!(called(wish().node(instance)).await, [2]);
    assert_eq!(called(wish().node(peer(3))).await, [3]);
    cluster.node(3).set_group("blue").unwrap();
    let changed = || {
        let members = cluster.node(9).members();
        members.get(World::addr(3)).is_some_and(|member| member.group() == Some("blue"))
    };
    cluster.when(changed).await;
    assert_eq!(called(wish().group("blue")).await, [1, 2, 3]);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_or_another_by_now_is_not_called() {
    let mut cluster = versions(World::new(57), ["1.0.0", "1.0.0"]).await;
    let (client, gone) = (cluster.client(9), cluster.crash(2).await);
    let status = client.echo(echo(1)).node(World::addr(2)).timeout(secs(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(format!("{status:#}").contains(&World::addr(2).to_string()), "{status:#}");
    cluster.when(|| cluster.node(9).members().get(World::addr(2)).is_none()).await;
    let status = client.echo(echo(2)).node(World::addr(2)).timeout(secs(1)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert!(status.message().contains("1 node offers it, none is 10.0.0.2:7400"), "{status}");
    start(&mut cluster, 2, "1.0.0", |builder| builder).await;
    cluster.full().await;
    client.echo(echo(3)).node(World::addr(2)).await.unwrap();
    let status = client.echo(echo(4)).node(gone).timeout(secs(1)).await.unwrap_err();
    let text = format!("none is instance {gone}");
    assert!(status.message().contains(&text), "{status}");
    assert_ne!(gone, Instance(0));
    drop(client);
    cluster.end().await;
}
