//! Seeds that are of no use, strangers, and addresses that two nodes claim: each is named, and the
//! cluster goes on.

use std::net::SocketAddr;

use broach_core::Security;
use broach_core::observe::DropReason;
use broach_tests::broach::wire::v1 as wire;
use broach_tests::forge::{Forged, GOSSIP, VERSIONS, hash};
use broach_tests::requests::{echo, good_call};
use broach_tests::{Cluster, Lines, Recorder, Tap, World, millis, secs};

/// How often events of this name were recorded.
fn count(recorder: &Recorder, name: &str) -> usize {
    recorder.names(&[name]).len()
}

/// The only event of this name.
fn only(recorder: &Recorder, name: &str) -> String {
    let events = recorder.events().into_iter();
    let mut named: Vec<String> = events.filter(|event| event.starts_with(name)).collect();
    assert_eq!(named.len(), 1, "{named:?}");
    named.remove(0)
}

/// Another node's instance, as the test's own.
const STRANGER: u64 = 0x57;

#[tokio::test(start_paused = true)]
async fn seeds_that_cannot_be_used_are_named_once_a_minute_and_hold_nobody_up() {
    let lines = Lines::default();
    let _kept = lines.keep();
    let mut cluster = Cluster::of(World::new(1), 2).await;
    let unknown = format!("{}.invalid:7400", "x".repeat(64));
    let bad =
        ["nonsense", "10.0.0.9", "10.0.0.9:99999", "0.0.0.0:7400", "224.0.0.1:7400", "", &unknown];
    let recorder = Recorder::default();
    let probe = cluster.probe(3);
    let builder = cluster.world.node(3).join(bad).join([World::addr(2)]).serve(probe.server());
    cluster.start_with(3, builder.observe(recorder.clone())).await;
    let took = cluster.full().await;
    assert!(took <= millis(300), "{took:?}");
    cluster.when(|| count(&recorder, "SeedUnusable") == bad.len()).await;
    tokio::time::sleep(secs(55)).await;
    assert_eq!(count(&recorder, "SeedUnusable"), bad.len(), "not again so soon");
    tokio::time::sleep(secs(125)).await;
    assert_eq!(count(&recorder, "SeedUnusable"), 4 * bad.len(), "in three minutes");
    let warnings = lines.counted("WARN");
    assert_eq!(warnings.len(), bad.len(), "{warnings:#?}");
    for seed in bad {
        let names = |line: &&String| {
            line.contains(&format!("seed={seed:?}")) || { line.ends_with(&format!("seed={seed}")) }
        };
        let line = warnings.keys().find(names);
        assert!(line.is_some_and(|line| line.contains("cannot be used")), "{seed}: {warnings:#?}");
    }
    good_call(&cluster.channel(3)).await;
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_with_bad_seeds_only_lives_and_can_be_joined() {
    let mut cluster = Cluster::new(World::new(2));
    let probe = cluster.probe(1);
    let builder = cluster.world.node(1).join(["nonsense", "[::]:1"]).serve(probe.server());
    cluster.start_with(1, builder).await;
    good_call(&cluster.channel(1)).await;
    cluster.start(2).await;
    cluster.full().await;
    assert_eq!(cluster.node(1).counters().seeds_unusable, 2);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_seed_of_another_cluster_is_named_once_and_left_alone() {
    let mut cluster = Cluster::of(World::new(3), 2).await;
    let [here, there] = [Recorder::default(), Recorder::default()];
    let other = cluster.world.node(7).cluster("other").observe(there.clone());
    let other = other.start().await.unwrap();
    let probe = cluster.probe(3);
    let builder = cluster.builder(3).join([World::addr(7)]).observe(here.clone());
    cluster.start_with(3, builder.serve(probe.server())).await;
    cluster.full().await;
    tokio::time::sleep(secs(120)).await;
    let event = only(&here, "ClusterDiffers");
    assert!(event.contains("from: 10.0.0.7:7400"), "{event}");
    let event = only(&there, "ClusterDiffers");
    assert!(event.contains("from: 10.0.0.3:7400"), "{event}");
    assert!(cluster.is_full() && other.members().len() == 1);
    assert!(0 < cluster.world.watch(3).dropped(DropReason::Cluster));
    good_call(&cluster.channel(3)).await;
    drop(other);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_seed_of_another_wire_version_is_named_once_and_left_alone() {
    let mut cluster = Cluster::of(World::new(4), 2).await;
    let (recorder, old) = (Recorder::default(), Tap::new(cluster.world.socket(7)));
    let answers = tokio::spawn({
        let old = old.clone();
        async move {
            loop {
                for (from, bytes) in old.receive().await {
                    let asked = Forged::read(&bytes).unwrap();
                    assert_eq!(asked.kind, GOSSIP, "nobody calls it");
                    assert!(64 <= bytes.len(), "so long that it may be answered");
                    let versions = wire::Versions { versions: vec![2, 3] };
                    let answer = Forged::new(VERSIONS, asked.to, 0, &versions);
                    old.inject(from, &Forged { version: 1, ..answer }.bytes());
                }
            }
        }
    });
    let probe = cluster.probe(3);
    let builder = cluster.builder(3).join([World::addr(7)]).observe(recorder.clone());
    cluster.start_with(3, builder.serve(probe.server())).await;
    cluster.full().await;
    tokio::time::sleep(secs(120)).await;
    let event = only(&recorder, "VersionDiffers");
    assert!(event.contains("from: 10.0.0.7:7400"), "{event}");
    assert!(2 < old.received().len(), "it is tried for ever all the same");
    good_call(&cluster.channel(3)).await;
    answers.abort();
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_speaks_this_version_too_does_not_count_as_another() {
    let cluster = Cluster::of(World::new(5), 1).await;
    let stranger = Tap::new(cluster.world.socket(7));
    let versions = wire::Versions { versions: vec![1, 2] };
    let said = Forged::new(VERSIONS, cluster.node(1).instance().0, 0, &versions);
    let lines = Lines::default();
    let _kept = lines.keep();
    stranger.inject(World::addr(1), &said.bytes());
    let malformed = Forged { body: vec![0xff], ..said };
    stranger.inject(World::addr(1), &malformed.bytes());
    tokio::time::sleep(secs(1)).await;
    assert_eq!(lines.counted("WARN"), [].into());
    good_call(&cluster.channel(1)).await;
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_of_another_version_that_knocks_is_told_which_are_spoken() {
    let cluster = Cluster::of(World::new(6), 1).await;
    let newer = Tap::new(cluster.world.socket(7));
    let knock = wire::Gossip {
        cluster: hash("default"),
        knock: Some(wire::Knock {}),
        padding: vec![0; 60],
        ..wire::Gossip::default()
    };
    let knock = Forged { version: 2, ..Forged::new(GOSSIP, STRANGER, 0, &knock) };
    newer.inject(World::addr(1), &knock.bytes());
    let answers = newer.receive().await;
    let answer = Forged::read(&answers[0].1).unwrap();
    assert_eq!((answer.kind, answer.to, answer.version), (VERSIONS, STRANGER, 1));
    assert!(answers[0].1.len() < knock.bytes().len());
    assert_eq!(cluster.node(1).members().len(), 1);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_is_said_after_ten_seconds_and_once_a_minute() {
    let lines = Lines::default();
    let _kept = lines.keep();
    let (mut cluster, recorder) = (Cluster::new(World::new(7)), Recorder::default());
    let probe = cluster.probe(5);
    let seeds = [5, 8, 9].map(World::addr);
    let builder = cluster.world.node(5).join(seeds).serve(probe.server());
    cluster.start_with(5, builder.observe(recorder.clone())).await;
    for (wait, said) in [(9, 0), (2, 1), (57, 1), (4, 2), (60, 3)] {
        tokio::time::sleep(secs(wait)).await;
        assert_eq!(count(&recorder, "NobodyAnswers"), said, "{:?}", cluster.world.elapsed());
    }
    let warnings = lines.counted("WARN");
    let line = warnings.keys().next().unwrap();
    assert!(line.contains("[10.0.0.8:7400, 10.0.0.9:7400]"), "without itself: {warnings:?}");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    // Somebody comes, and all is well.
    let builder = cluster.world.node(8).join([World::addr(5)]);
    cluster.start_with(8, builder).await;
    cluster.full().await;
    tokio::time::sleep(secs(120)).await;
    assert_eq!(count(&recorder, "NobodyAnswers"), 3);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_can_call_the_address_of_all_and_so_it_is_not_advertised() {
    let world = World::new(8);
    for (addr, said) in [
        ("0.0.0.0:7400", "can be bound to but not called"),
        ("0.0.0.0", "can be bound to but not called"),
        ("[::]:7400", "can be bound to but not called"),
        ("10.0.0.1:0", "can be bound to but not called"),
        ("224.0.0.1:7400", "can be bound to but not called"),
        ("my host", "is no address"),
    ] {
        let error = world.node(1).advertise(addr).start().await.unwrap_err().to_string();
        assert!(error.contains(&format!("advertise(\"{addr}")) && error.contains(said), "{error}");
        tokio::time::sleep(millis(1)).await;
    }
    // A node that is bound to all addresses advertises none of them, but one of its own.
    let builder = broach_core::Node::builder().security(Security::clear());
    let all: SocketAddr = ([0, 0, 0, 0], 7400).into();
    let socket = world.network.socket(all).unwrap();
    if let Ok(node) = builder.socket(socket).join([World::addr(1)]).start().await {
        assert!(!node.advertised_addr().ip().is_unspecified(), "{}", node.advertised_addr());
    }
    world.end(()).await;
}

#[tokio::test(start_paused = true)]
async fn two_nodes_that_claim_one_address_are_named_and_everybody_lives() {
    let mut cluster = Cluster::of(World::new(9), 4).await;
    let recorders = [(); 2].map(|()| Recorder::default());
    let [first, second] = recorders.clone();
    let probe = cluster.probe(5);
    let builder = cluster.builder(5).serve(probe.server()).observe(first);
    cluster.start_with(5, builder).await;
    cluster.full().await;
    let builder = cluster.world.node(6).join([World::addr(1)]).serve(probe.server());
    let impostor = builder.advertise(World::addr(5)).observe(second).start().await.unwrap();
    cluster.when(|| recorders.iter().all(|one| 0 < count(one, "AddressClaimed"))).await;
    println!("two nodes with one address know it after {:?}", cluster.world.elapsed());
    tokio::time::sleep(secs(60)).await;
    let event = only(&recorders[0], "AddressClaimed");
    let named = |event: &str, own: String, other: String| {
        event.contains(&format!("own: {own}")) && event.contains(&format!("other: {other}"))
    };
    let [honest, other] =
        [cluster.node(5).instance(), impostor.instance()].map(|one| format!("{one:?}"));
    assert!(named(&event, honest.clone(), other.clone()), "{event}");
    let event = only(&recorders[1], "AddressClaimed");
    assert!(named(&event, other, honest), "{event}");
    // The others have one of the two, and all calls end well.
    for number in 1..=4 {
        assert_eq!(cluster.node(number).members().len(), 5, "node {number}");
        for token in 0..50 {
            cluster.client(number).echo_again(echo(token)).await.unwrap();
        }
    }
    // When one of the two has got another address, all is well.
    impostor.shutdown().await.unwrap();
    let took = cluster.full().await;
    println!("and {took:?} after one of them has gone all know the other");
    assert!(took <= secs(15), "{took:?}");
    cluster.end().await;
}
