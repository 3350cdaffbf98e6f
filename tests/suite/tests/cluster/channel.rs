//! Calls through the channel of a node: to whoever offers the service.

use broach_core::picker::RoundRobin;
use broach_core::{Code, Outcome};
use broach_tests::broach::testing::v1::{NumbersClient, NumbersServer, ProbeClient};
use broach_tests::requests::{echo, sleep, wait};
use broach_tests::{Cluster, Load, Numbers, Probe, World, client, millis, secs, transport};
use futures::{StreamExt, stream};
use tokio::time::Instant;

/// How many handlers each of the probes has started.
fn started(cluster: &Cluster) -> Vec<usize> {
    cluster.probes().map(Probe::started).collect()
}

/// Nodes that serve probes, and one more, number 9, that serves nothing.
async fn with_caller(world: World, nodes: u8) -> Cluster {
    let mut cluster = Cluster::of(world, nodes).await;
    cluster.start_with(9, cluster.builder(9)).await;
    cluster.full().await;
    cluster
}

#[tokio::test(start_paused = true)]
async fn equal_nodes_get_equal_shares() {
    let cluster = with_caller(World::new(1), 5).await;
    let client = cluster.client(9);
    let calls = stream::iter(0..20_000).map(|token| client.sleep(sleep(token, 1)));
    let mut calls = calls.buffer_unordered(16);
    while let Some(result) = calls.next().await {
        result.unwrap();
    }
    let shares = started(&cluster);
    println!("20000 calls over 5 equal nodes: {shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), 20_000);
    assert!(shares.iter().all(|share| (3_600..=4_400).contains(share)), "{shares:?}");
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn another_picker_chooses_otherwise() {
    let cluster = with_caller(World::new(2), 5).await;
    let channel = cluster.channel(9).picker(RoundRobin::new());
    let client = ProbeClient::new(channel);
    for token in 0..500 {
        client.echo(echo(token)).await.unwrap();
    }
    assert_eq!(started(&cluster), [100; 5]);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_node_offers_itself_is_called_without_the_socket() {
    let cluster = Cluster::of(World::new(3), 1).await;
    let counters = || cluster.node(1).counters();
    let before = counters();
    for token in 0..100 {
        let response = cluster.client(1).echo(echo(token)).response().await.unwrap();
        assert_eq!(response.peer.unwrap().instance, cluster.node(1).instance());
    }
    let after = counters();
    assert_eq!(after.datagrams_sent, before.datagrams_sent);
    assert_eq!(after.datagrams_received, before.datagrams_received);
    assert_eq!(after.sessions_opened, 0);
    assert_eq!(after.handlers_started - before.handlers_started, 100);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn only_those_who_offer_a_service_are_called() {
    let mut cluster = Cluster::of(World::new(4), 3).await;
    for number in [4, 5] {
        let builder = cluster.builder(number).serve(NumbersServer::new(Numbers));
        cluster.start_with(number, builder).await;
    }
    cluster.full().await;
    let client = NumbersClient::new(cluster.channel(1));
    let mut peers = [0; 2];
    for value in 0..200 {
        let request = broach_tests::broach::testing::v1::Number { value };
        let response = client.next(request).response().await.unwrap();
        assert_eq!(response.attempts.len(), 1, "nobody else is even tried");
        let peer = response.peer.unwrap().addr;
        peers[usize::from(peer == World::addr(5))] += 1;
        assert!(peer == World::addr(4) || peer == World::addr(5), "{peer}");
    }
    assert!(peers.iter().all(|&count| 50 < count), "{peers:?}");
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_made_elsewhere() {
    let mut cluster = Cluster::new(World::new(5));
    for number in 1..=3 {
        let probe = cluster.probe(number);
        let builder = cluster.builder(number).serve(probe.server());
        // One call at a time and caller; more are refused.
        let narrow = transport(|config| config.calls_per_session_max = 1);
        let builder = if number == 1 { builder.transport(narrow) } else { builder };
        cluster.start_with(number, builder).await;
    }
    cluster.start_with(9, cluster.builder(9)).await;
    cluster.full().await;
    let client = cluster.client(9);
    let calls = stream::iter(0..600).map(|token| client.sleep(sleep(token, 5)).response());
    let responses: Vec<_> = calls.buffer_unordered(12).collect().await;
    let mut elsewhere = 0;
    for response in responses {
        let response = response.unwrap();
        let failed = response.attempts.iter().filter(|attempt| attempt.code != Code::Ok);
        let failed: Vec<Outcome> = failed.map(|attempt| attempt.outcome).collect();
        assert!(failed.iter().all(|&outcome| outcome == Outcome::NotExecuted), "{failed:?}");
        elsewhere += usize::from(!failed.is_empty());
    }
    assert!(0 < elsewhere);
    println!("{elsewhere} of 600 calls were refused by one node and made at another");
    for token in 0..600 {
        assert_eq!(cluster.started_for(token), 1, "call {token}");
    }
    cluster.end().await;
}

/// A call is under way to a node that dies then; how it ends, and how long after.
async fn killed_in_mid_call(idempotent: bool) {
    let mut cluster = with_caller(World::new(6), 3).await;
    let client = cluster.client(9);
    let call = match idempotent {
        true => client.wait(wait(7)).idempotent(),
        false => client.wait(wait(7)),
    };
    let call = tokio::spawn(call.timeout(secs(20)).response());
    let at = || (1..=3).find(|&node| 0 < probes(&cluster)[usize::from(node) - 1].running());
    cluster.when(|| at().is_some()).await;
    let victim = at().unwrap();
    let died = Instant::now();
    cluster.crash(victim).await;
    if idempotent {
        cluster.when(|| cluster.started_for(7) == 2).await;
        println!("tried elsewhere {:?} after the crash", died.elapsed());
        assert!(died.elapsed() <= millis(1_500), "{:?}", died.elapsed());
        cluster.probes().for_each(|probe| probe.release(1));
        let response = call.await.unwrap().unwrap();
        let outcomes: Vec<Outcome> = response.attempts.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [Outcome::Unknown, Outcome::Executed]);
        assert_ne!(response.peer.unwrap().addr, World::addr(victim));
    } else {
        let status = call.await.unwrap().unwrap_err();
        println!("in doubt {:?} after the crash: {status}", died.elapsed());
        assert_eq!(status.outcome(), Outcome::Unknown, "{status:#}");
        assert_eq!(status.attempts().len(), 1);
        tokio::time::sleep(secs(30)).await;
        assert_eq!(cluster.started_for(7), 1);
    }
    cluster.end().await;
}

fn probes(cluster: &Cluster) -> Vec<&Probe> {
    cluster.probes().collect()
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_survives_the_death_of_its_node() {
    killed_in_mid_call(true).await;
}

#[tokio::test(start_paused = true)]
async fn another_call_is_in_doubt_then_and_never_runs_twice() {
    killed_in_mid_call(false).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_passed_over_before_he_is_dead() {
    let mut cluster = with_caller(World::new(7), 3).await;
    let client = cluster.client(9);
    for token in 0..30 {
        client.echo(echo(token)).await.unwrap();
    }
    let gone = cluster.crash(2).await;
    // Whoever finds out that it is silent goes elsewhere after a moment, long before it is dead.
    for token in 100..110 {
        let begun = Instant::now();
        client.echo_again(echo(token)).await.unwrap();
        assert!(begun.elapsed() <= millis(600), "{:?}", begun.elapsed());
    }
    assert_eq!(cluster.notes.times(gone, broach_tests::Fate::Died), []);
    for token in 200..300 {
        let begun = Instant::now();
        client.echo_again(echo(token)).await.unwrap();
        assert!(begun.elapsed() <= millis(5), "{:?}", begun.elapsed());
    }
    cluster.full().await;
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_has_slept_is_not_waited_for_any_longer_when_he_dies() {
    let mut cluster = with_caller(World::new(14), 3).await;
    let load = Load::new(1, secs(5));
    cluster.load(9, &load, millis(1));
    tokio::time::sleep(secs(1)).await;
    // Whatever it acknowledges first when it goes on has taken seconds.
    cluster.world.network.stop(World::addr(2));
    tokio::time::sleep(secs(2)).await;
    let stopping = tokio::spawn({
        let load = load.clone();
        async move { load.stop().await }
    });
    tokio::time::sleep(millis(1_500)).await;
    cluster.world.network.resume(World::addr(2));
    stopping.await.unwrap();
    cluster.full().await;
    cluster.crash(2).await;
    for token in 1 << 40..(1 << 40) + 20 {
        let begun = Instant::now();
        cluster.client(9).echo_again(echo(token)).await.unwrap();
        assert!(begun.elapsed() <= millis(1_100), "{:?}", begun.elapsed());
    }
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_draining_is_called_only_if_there_is_nobody_better() {
    let mut cluster = with_caller(World::new(8), 2).await;
    let draining = |number| {
        let members = cluster.node(9).members();
        members.get(World::addr(number)).is_some_and(|member| member.is_draining())
    };
    cluster.node(1).set_draining(true);
    cluster.when(|| draining(1)).await;
    for token in 0..50 {
        cluster.client(9).echo(echo(token)).await.unwrap();
    }
    assert_eq!(started(&cluster), [0, 50]);
    cluster.node(2).set_draining(true);
    cluster.when(|| draining(2)).await;
    for token in 50..150 {
        cluster.client(9).echo(echo(token)).await.unwrap();
    }
    assert!(20 < started(&cluster)[0], "{:?}", started(&cluster));
    cluster.node(1).set_draining(false);
    cluster.when(|| !draining(1)).await;
    let before = started(&cluster)[1];
    for token in 150..200 {
        cluster.client(9).echo(echo(token)).await.unwrap();
    }
    assert_eq!(started(&cluster)[1], before);
    cluster.take(2).shutdown().await.unwrap();
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_suspected_is_called_only_if_there_is_nobody_better() {
    let cluster = with_caller(World::new(9), 2).await;
    let suspects = |number| {
        let members = cluster.node(9).members();
        let member = members.get(World::addr(number)).unwrap();
        member.state() == broach_core::MemberState::Suspect
    };
    cluster.world.network.stop(World::addr(1));
    cluster.when(|| suspects(1)).await;
    // No call has found out anything; it is the membership that knows.
    for token in 0..20 {
        let begun = Instant::now();
        cluster.client(9).echo(echo(token)).await.unwrap();
        assert!(begun.elapsed() <= millis(5), "{:?}", begun.elapsed());
    }
    assert!(suspects(1));
    assert_eq!(started(&cluster), [0, 20]);
    cluster.world.network.resume(World::addr(1));
    cluster.when(|| !suspects(1)).await;
    // One that is about to leave is worse.
    cluster.node(2).set_draining(true);
    let drains = || cluster.node(9).members().get(World::addr(2)).unwrap().is_draining();
    cluster.when(drains).await;
    cluster.world.network.stop(World::addr(1));
    cluster.when(|| suspects(1)).await;
    let call = tokio::spawn(cluster.client(9).echo(echo(20)).response());
    tokio::time::sleep(millis(100)).await;
    cluster.world.network.resume(World::addr(1));
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.peer.unwrap().addr, World::addr(1));
    assert_eq!(response.attempts.len(), 1);
    cluster.node(2).set_draining(false);
    cluster.when(|| !suspects(1) && !drains()).await;
    // It has been slow once, which is not forgotten at once.
    let (begun, mut token) = (Instant::now(), 50);
    while started(&cluster)[0] < 20 {
        cluster.client(9).echo(echo(token)).await.unwrap();
        tokio::time::sleep(millis(100)).await;
        token += 1;
    }
    println!("called as before {:?} after it was slow once", begun.elapsed());
    assert!(begun.elapsed() <= secs(120), "{:?}", begun.elapsed());
    assert_eq!(cluster.false_deaths(), []);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_somebody_who_offers_the_service() {
    let mut cluster = Cluster::new(World::new(10));
    for number in 1..=2 {
        cluster.start_with(number, cluster.builder(number)).await;
    }
    cluster.full().await;
    let calls: Vec<_> = (0..10)
        .map(|token| tokio::spawn(cluster.client(1).echo(echo(token)).timeout(secs(60))))
        .collect();
    tokio::time::sleep(secs(20)).await;
    assert!(calls.iter().all(|call| !call.is_finished()));
    let joined = Instant::now();
    cluster.start(3).await;
    for call in calls {
        call.await.unwrap().unwrap();
    }
    println!("calls that waited have ended {:?} after the start", joined.elapsed());
    assert!(joined.elapsed() <= millis(200), "{:?}", joined.elapsed());
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_nobody_says_what_is_known() {
    let mut cluster = Cluster::new(World::new(11));
    cluster.start_with(1, cluster.builder(1)).await;
    let call = |cluster: &Cluster| cluster.client(1).echo(echo(1)).timeout(secs(3));
    let status = call(&cluster).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(
        status.message(),
        "no node offers broach.testing.v1.Probe: 1 member known, this node itself, which does not \
         serve it, so perhaps no seed has answered yet"
    );
    for number in 2..=3 {
        cluster.start_with(number, cluster.builder(number)).await;
    }
    cluster.full().await;
    let begun = Instant::now();
    let status = call(&cluster).await.unwrap_err();
    assert_eq!(
        status.message(),
        "no node offers broach.testing.v1.Probe: 3 members known, none advertises it"
    );
    assert!((secs(3)..=millis(3_002)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn only_so_many_calls_wait_for_a_node() {
    let mut cluster = Cluster::new(World::new(12));
    let builder = cluster.builder(1).client(client(|config| config.calls_waiting_max = 3));
    cluster.start_with(1, builder).await;
    let waiting: Vec<_> = (0..3)
        .map(|token| tokio::spawn(cluster.client(1).echo(echo(token)).timeout(secs(5))))
        .collect();
    tokio::time::sleep(secs(1)).await;
    let status = cluster.client(1).echo(echo(9)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotExecuted));
    assert!(status.message().contains("client.calls_waiting_max"), "{status}");
    cluster.start(2).await;
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_channel_serves_many_tasks_at_once() {
    let mut cluster = Cluster::of(World::new(13), 5).await;
    let load = Load::new(2, secs(5));
    for number in 1..=5 {
        (0..4).for_each(|_| cluster.load(number, &load, millis(3)));
    }
    tokio::time::sleep(secs(3)).await;
    load.stop().await;
    assert_eq!(load.failures().len(), 0, "{:?}", load.failures());
    assert_eq!(load.judge(&cluster), []);
    println!("{} calls, the slowest took {:?}", load.calls(), load.slowest());
    assert!(load.slowest() <= millis(20), "{:?}", load.slowest());
    cluster.end().await;
}
