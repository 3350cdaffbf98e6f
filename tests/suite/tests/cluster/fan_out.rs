//! Calls that are made at all nodes at once.

use broach_core::{Channel, Code, Outcome, Status};
use broach_tests::broach::testing::v1::{DialogClient, Item, NumbersClient, ProbeClient};
use broach_tests::requests::{echo, fail, wait};
use broach_tests::{Cluster, Probe, World, faults, for_seeds, millis, secs};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn each_node_gives_its_own_answer() {
    let cluster = Cluster::of(World::new(1), 5).await;
    let answers = cluster.client(3).echo(echo(7)).fan_out().each().await.unwrap();
    let mut numbers: Vec<_> = answers.iter().map(|answer| answer.addr.unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=5).map(World::addr).collect::<Vec<_>>());
    for answer in &answers {
        assert_eq!(answer.result.as_ref().unwrap().token, 7);
        let number = answer.addr.unwrap().to_string();
        assert!(answer.to_string().starts_with(&number), "{answer}");
    }
    assert!(cluster.probes().all(|probe| probe.started() == 1));
    assert_eq!((answers.len(), answers.into_replies().count()), (5, 5));
    let some = cluster.client(3).echo(echo(8)).except(World::addr(1)).fan_out().all().await;
    assert_eq!(some.unwrap().len(), 4);
    assert_eq!(cluster.started_for(8), 4);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn all_have_to_succeed_and_who_does_not_is_named() {
    let mut cluster = Cluster::of(World::new(2), 3).await;
    let client = cluster.client(1);
    assert_eq!(client.echo(echo(1)).fan_out().all().await.unwrap().succeeded().count(), 3);
    let error = client.fail(fail(Code::NotFound, "no such thing")).fan_out().all().await;
    let error = error.unwrap_err();
    assert_eq!((error.answers.failed().count(), error.answers.len()), (3, 3));
    let text = error.to_string();
    assert!(text.starts_with("NOT_FOUND: 0 of 3 nodes succeeded, and 3 have to; 3 failed: 10."));
    assert!((1..=3).all(|number| text.contains(&World::addr(number).to_string())), "{text}");
    let status = Status::from(error);
    assert_eq!((status.code(), status.outcome()), (Code::NotFound, Outcome::Unknown));
    cluster.crash(2).await;
    let begun = Instant::now();
    let error = client.echo(echo(2)).timeout(secs(2)).fan_out().all().await.unwrap_err();
    assert!(begun.elapsed() <= secs(2) + millis(1), "{:?}", begun.elapsed());
    let failed: Vec<_> = error.answers.failed().map(|answer| answer.addr.unwrap()).collect();
    assert_eq!((failed, error.answers.succeeded().count()), (vec![World::addr(2)], 2));
    drop(client);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_that_succeeds_is_enough_and_the_others_are_cancelled() {
    let mut cluster = Cluster::of(World::new(3), 4).await;
    let client = cluster.client(1);
    let waiting = tokio::spawn(client.wait(wait(1)).fan_out().first());
    let probes: Vec<Probe> = (1..=4).map(|number| cluster.probe(number)).collect();
    for probe in &probes {
        probe.until(|probe| probe.running() == 1).await;
    }
    probes[2].release(1);
    let answers = waiting.await.unwrap().unwrap();
    let first = answers.iter().next().unwrap();
    assert_eq!((first.addr, first.result.is_ok()), (Some(World::addr(3)), true));
    for other in answers.iter().skip(1) {
        assert_eq!(other.result.as_ref().unwrap_err().code(), Code::Cancelled);
    }
    for (number, probe) in probes.iter().enumerate() {
        let stopped = usize::from(number != 2);
        probe.until(|probe| probe.stopped() == stopped).await;
    }
    let error = client.fail(fail(Code::Aborted, "")).fan_out().first().await.unwrap_err();
    assert_eq!(error.answers.failed().count(), 4);
    drop((client, probes));
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_quorum_is_enough_and_hopeless_ones_end_at_once() {
    let mut cluster = Cluster::of(World::new(4), 5).await;
    let client = cluster.client(1);
    let probes: Vec<Probe> = (1..=5).map(|number| cluster.probe(number)).collect();
    let waiting = tokio::spawn(client.wait(wait(1)).timeout(secs(60)).fan_out().quorum(3));
    for probe in &probes {
        probe.until(|probe| probe.running() == 1).await;
    }
    probes[0].release(1);
    probes[3].release(1);
    tokio::time::sleep(secs(1)).await;
    assert!(!waiting.is_finished());
    probes[4].release(1);
    let answers = waiting.await.unwrap().unwrap();
    assert_eq!((answers.succeeded().count(), answers.failed().count()), (3, 2));
    // With two of three gone, two cannot succeed: the third is not waited for.
    cluster.take(5).shutdown().await.unwrap();
    cluster.take(4).shutdown().await.unwrap();
    for gone in [2, 3] {
        cluster.world.network.unplug(World::addr(gone));
    }
    let begun = Instant::now();
    let call = client.wait(wait(2)).timeout(secs(30)).fan_out();
    let error = call.quorum(2).await.unwrap_err();
    assert!(begun.elapsed() < secs(15), "{:?}: {error}", begun.elapsed());
    let error = client.echo(echo(3)).fan_out().quorum(9).await.unwrap_err();
    assert_eq!(error.status.code(), Code::FailedPrecondition);
    assert_eq!((error.status.outcome(), error.answers.len()), (Outcome::NotExecuted, 0));
    assert!(error.to_string().contains("9 nodes have to succeed, and there"), "{error}");
    for gone in [2, 3] {
        cluster.world.network.plug_in(World::addr(gone));
    }
    drop((client, probes));
    cluster.full().await;
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_to_call_is_said_at_once() {
    let cluster = Cluster::of(World::new(5), 2).await;
    let begun = Instant::now();
    let other = NumbersClient::new(cluster.channel(1));
    let error = other.next(Default::default()).fan_out().each().await.unwrap_err();
    assert_eq!((error.status.code(), begun.elapsed()), (Code::Unavailable, millis(0)));
    assert!(error.to_string().contains("none advertises it"), "{error}");
    let strict = cluster.client(1).echo(echo(1)).version(">=2").fan_out().all().await;
    let text = strict.unwrap_err().to_string();
    assert!(text.contains(">=2") && text.contains("2 nodes offer it"), "{text}");
    let wrong = cluster.client(1).echo(echo(1)).version("two").fan_out().all().await;
    assert_eq!(wrong.unwrap_err().status.code(), Code::InvalidArgument);
    let streams = DialogClient::new(cluster.channel(1)).tell(Item::default()).fan_out().all();
    let text = streams.await.unwrap_err().to_string();
    assert!(text.contains("/Tell streams, so it cannot be called at many nodes"), "{text}");
    assert_eq!(cluster.started_for(1), 0);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_and_a_service_in_the_process_can_be_asked_as_well() {
    let (world, probe) = (World::new(6), Probe::new());
    let nodes = [
        world.node(1).serve(probe.server()).start().await.unwrap(),
        world.node(2).serve(probe.server()).start().await.unwrap(),
    ];
    let list = world.list(9, &[1, 2]).await;
    let answers = ProbeClient::new(list.clone()).echo(echo(1)).fan_out().all().await.unwrap();
    assert_eq!((answers.len(), probe.started()), (2, 2));
    assert!(answers.iter().all(|answer| answer.instance.is_none()));
    let own = ProbeClient::new(Channel::in_process(probe.server()));
    let answers = own.echo(echo(2)).fan_out().all().await.unwrap();
    assert_eq!((answers.len(), answers.iter().next().unwrap().addr), (1, None));
    let error = own.fail(fail(Code::Aborted, "")).fan_out().all().await.unwrap_err();
    assert!(error.to_string().contains("the service in the process with ABORTED"), "{error}");
    world.end((nodes, list)).await;
}

/// Of a hundred nodes three die in the moment before the call.
#[test]
fn a_hundred_nodes_answer_but_for_three_that_are_dead() {
    for_seeds(0..1, async |world: World| {
        world.network.set_faults(faults(|faults| (faults.loss, faults.delay) = (0.02, millis(1))));
        let mut cluster = Cluster::of(world, 100).await;
        for victim in [20, 40, 60] {
            cluster.crash(victim).await;
        }
        let (client, begun) = (cluster.client(1), Instant::now());
        let answers = client.echo(echo(1)).timeout(secs(2)).fan_out().each().await.unwrap();
        assert!(begun.elapsed() <= secs(2) + millis(1), "{:?}", begun.elapsed());
        let mut failed: Vec<_> = answers.failed().map(|answer| answer.addr.unwrap()).collect();
        failed.sort_unstable();
        assert_eq!(failed, [20, 40, 60].map(World::addr));
        assert_eq!(answers.succeeded().count(), 97);
        println!("97 answers and 3 errors after {:?}", begun.elapsed());
        drop(client);
        cluster.world.network.set_faults(faults(|_| {}));
        cluster.full().await;
        cluster.end().await;
    });
}
