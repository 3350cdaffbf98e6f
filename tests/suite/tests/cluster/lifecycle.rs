//! Nodes that end in order while they are called, and what is said of members in the log.

use std::time::Duration;

use broach_core::{Code, Node, Outcome};
use broach_tests::requests::{echo, wait};
use broach_tests::{Cluster, Fate, Lines, Load, World, faults, for_seeds, millis, secs};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Serves until the sender is used; tells how long the end took then.
fn run(node: Node) -> (oneshot::Sender<()>, JoinHandle<(bool, Duration)>) {
    let (stop, signal) = oneshot::channel();
    let serve = async move {
        let mut asked = Instant::now();
        let ended = node.run_until(async {
            let _ = signal.await;
            asked = Instant::now();
        });
        (ended.await.is_ok(), asked.elapsed())
    };
    (stop, tokio::spawn(serve))
}

/// All five nodes are shut down one after the other, each after a new one has joined; all the
/// while every node that lives is under load. Returns how long the ends took.
async fn rolling(world: World, loss: f64) -> Vec<Duration> {
    world.network.set_faults(faults(|faults| faults.loss = loss));
    let mut cluster = Cluster::of(world, 5).await;
    // Whoever is shut down makes no more calls: clients are other nodes.
    for number in [8, 9] {
        cluster.start_with(number, cluster.builder(number)).await;
    }
    cluster.full().await;
    let load = Load::new(20, secs(5));
    [8, 9].into_iter().for_each(|number| cluster.load(number, &load, millis(2)));
    tokio::time::sleep(secs(1)).await;
    let mut times = Vec::new();
    for number in [3, 4, 5, 1, 2] {
        let newcomer = number + 10;
        let probe = cluster.probe(newcomer);
        let builder = cluster.world.node(newcomer).observe(cluster.notes.of(newcomer));
        let seeds = cluster.alive().into_iter().map(World::addr);
        let builder = builder.join(seeds).serve(probe.server());
        cluster.start_with(newcomer, builder).await;
        cluster.full().await;
        let (stop, ended) = run(cluster.take(number));
        tokio::time::sleep(millis(500)).await;
        let before = cluster.probe(number).started();
        stop.send(()).unwrap();
        let (drained, took) = ended.await.unwrap();
        assert!(drained && 0 < before, "node {number} was called and has finished everything");
        times.push(took);
        cluster.full().await;
        assert!(0 < cluster.probe(newcomer).started());
    }
    load.stop().await;
    assert_eq!(load.failures().len(), 0, "of {}: {:#?}", load.calls(), load.failures());
    assert_eq!(load.judge(&cluster), []);
    assert_eq!(cluster.false_deaths(), [], "{}", cluster.story());
    println!("{} calls, none failed, the slowest took {:?}", load.calls(), load.slowest());
    cluster.end().await;
    times
}

#[test]
fn a_rolling_restart_fails_no_call() {
    for (loss, most) in [(0.0, millis(500)), (0.1, millis(1_500))] {
        let times = for_seeds(0..5, async |world| rolling(world, loss).await);
        let worst = times.into_iter().flatten().max().unwrap();
        println!("{loss} lost: a node under load ends within {worst:?}");
        assert!(worst <= most, "{worst:?}");
    }
}

#[test]
fn a_node_that_makes_calls_itself_leaves_without_failing_those_of_others() {
    for_seeds(0..5, async |world| {
        let mut cluster = Cluster::of(world, 5).await;
        let load = Load::new(10, secs(5));
        [1, 2, 3, 4, 5].into_iter().for_each(|number| cluster.load(number, &load, millis(5)));
        let own = Load::new(10, secs(5));
        cluster.start(6).await;
        cluster.full().await;
        cluster.load(6, &own, millis(5));
        tokio::time::sleep(secs(2)).await;
        cluster.take(6).shutdown().await.unwrap();
        cluster.full().await;
        // It has ended, and what it wanted with it: but others could not tell.
        own.stop().await;
        load.stop().await;
        assert_eq!(load.failures().len(), 0, "{:#?}", load.failures());
        cluster.end().await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_is_waited_for_no_longer_than_was_said() {
    let mut cluster = Cluster::of(World::new(1), 3).await;
    let probe = cluster.probe(4);
    let builder = cluster.builder(4).serve(probe.server()).drain_timeout(secs(3));
    cluster.start_with(4, builder).await;
    cluster.full().await;
    let client = cluster.node(1).connect(World::addr(4)).await.unwrap();
    let client = broach_tests::broach::testing::v1::ProbeClient::new(client);
    let call = tokio::spawn(client.wait(wait(1)).timeout(secs(60)));
    probe.until(|probe| probe.running() == 1).await;
    let (begun, node) = (Instant::now(), cluster.take(4));
    let gone = node.instance();
    let unfinished = node.shutdown().await.unwrap_err();
    let took = begun.elapsed();
    println!("{unfinished}, after {took:?}");
    assert!((secs(3)..=millis(4_500)).contains(&took), "{took:?}");
    assert!(unfinished.to_string().starts_with("1 handlers were still running"), "{unfinished}");
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:#}");
    assert_eq!(probe.stopped(), 1);
    cluster.full().await;
    assert_eq!(cluster.notes.times(gone, Fate::Left).len(), 3, "{}", cluster.story());
    cluster.end().await;
}

/// A client that is no member asks for the table every two seconds; a node that drains tells it in
/// their session.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_no_member_hears_within_a_round_trip_that_a_node_drains() {
    let mut cluster = Cluster::of(World::new(7), 3).await;
    let caller = cluster.world.node(9).join([World::addr(1)]).client_only().start().await.unwrap();
    caller.wait_for_members(3).await;
    let client = broach_tests::broach::testing::v1::ProbeClient::new(caller.channel());
    // Keeps node 3 from being done.
    let addr = World::addr(3).to_string();
    let direct = caller.connect(addr).await.unwrap();
    let direct = broach_tests::broach::testing::v1::ProbeClient::new(direct);
    let stays = tokio::spawn(direct.wait(wait(1)).timeout(secs(60)));
    let probe = cluster.probe(3);
    probe.until(|probe| probe.running() == 1).await;
    let (begun, node) = (Instant::now(), cluster.take(3));
    let drains = tokio::spawn(node.shutdown());
    let mut last = begun;
    for token in 10..1_000 {
        let sent = Instant::now();
        let response = client.echo(echo(token)).response().await.unwrap();
        if response.attempts.iter().any(|attempt| attempt.peer == Some(World::addr(3))) {
            last = sent;
        }
        tokio::time::sleep(millis(1)).await;
    }
    let moved = last - begun;
    assert!(moved <= millis(20), "the last call went there after {moved:?}");
    assert!(!drains.is_finished());
    probe.release(1);
    assert!(stays.await.unwrap().is_ok() && drains.await.unwrap().is_ok());
    caller.shutdown().await.unwrap();
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_node_says_goodbye() {
    let mut cluster = Cluster::of(World::new(2), 5).await;
    let node = cluster.take(4);
    let (gone, begun) = (node.instance(), Instant::now());
    drop(node);
    cluster.full().await;
    assert!(begun.elapsed() <= millis(5), "{:?}", begun.elapsed());
    tokio::time::sleep(secs(30)).await;
    assert_eq!(cluster.notes.times(gone, Fate::Left).len(), 4, "{}", cluster.story());
    assert_eq!(cluster.notes.times(gone, Fate::Died), []);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_ends_at_once() {
    let mut cluster = Cluster::of(World::new(3), 1).await;
    cluster.client(1).echo(echo(1)).await.unwrap();
    let begun = Instant::now();
    cluster.take(1).shutdown().await.unwrap();
    assert!(begun.elapsed() <= millis(1), "nobody has to be told: {:?}", begun.elapsed());
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_others_are_all_gone_ends_soon() {
    let mut cluster = Cluster::of(World::new(4), 3).await;
    [2, 3].into_iter().for_each(|number| cluster.world.network.unplug(World::addr(number)));
    let begun = Instant::now();
    cluster.take(1).shutdown().await.unwrap();
    assert!(begun.elapsed() <= millis(1_500), "{:?}", begun.elapsed());
    cluster.take(2);
    cluster.take(3);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_log_has_one_line_for_each_change_of_the_membership() {
    let lines = Lines::default();
    let _kept = lines.keep();
    let mut cluster = Cluster::of(World::new(5), 3).await;
    let member = |text: &str, number: u8| format!("INFO {text} member={}", World::addr(number));
    // Each of the three has met each other.
    let expected = [1, 2, 3].map(|number| (member("member is up", number), 2));
    assert_eq!(lines.counted("INFO"), expected.into());
    lines.clear();
    cluster.crash(3).await;
    cluster.full().await;
    let expected = [(member("member is suspected", 3), 2), (member("member is dead", 3), 2)];
    assert_eq!(lines.counted("INFO"), expected.into());
    lines.clear();
    cluster.start(3).await;
    cluster.full().await;
    let expected =
        [1, 2, 3].map(|number| (member("member is up", number), if number == 3 { 2 } else { 1 }));
    assert_eq!(lines.counted("INFO"), expected.into());
    lines.clear();
    cluster.take(2).shutdown().await.unwrap();
    cluster.full().await;
    assert_eq!(lines.counted("INFO"), [(member("member has left", 2), 2)].into());
    assert_eq!(lines.counted("WARN"), [].into());
    assert_eq!(lines.counted("ERROR"), [].into());
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_node_stops_the_calls_that_it_makes_to_itself() {
    let mut cluster = Cluster::of(World::new(6), 1).await;
    let (probe, client) = (cluster.probe(1), cluster.client(1));
    let call = tokio::spawn(client.wait(wait(1)).timeout(secs(60)));
    probe.until(|probe| probe.running() == 1).await;
    let begun = Instant::now();
    drop(cluster.take(1));
    let status = call.await.unwrap().unwrap_err();
    assert!(begun.elapsed() <= millis(1), "{:?}", begun.elapsed());
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(probe.stopped(), 1);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_in_the_moment_in_which_its_node_is_called_dead() {
    let mut cluster = Cluster::of(World::new(7), 3).await;
    let (probe, client) = (cluster.probe(2), cluster.node(1).connect(World::addr(2)).await);
    let client = broach_tests::broach::testing::v1::ProbeClient::new(client.unwrap());
    let call = tokio::spawn(client.wait(wait(1)).timeout(secs(60)));
    probe.until(|probe| probe.running() == 1).await;
    cluster.crash(2).await;
    call.await.unwrap().unwrap_err();
    let ended = cluster.world.elapsed();
    cluster.full().await;
    let died =
        cluster.notes.all().into_iter().filter(|note| note.by == 1 && note.fate == Fate::Died);
    let died: Vec<Duration> = died.map(|note| note.at).collect();
    assert!(matches!(died[..], [at] if ended - at <= millis(1)), "{ended:?}: {}", cluster.story());
    cluster.end().await;
}
