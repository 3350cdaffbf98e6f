//! Events and counters: that they are complete, add up, come in order, and tell one story.

use std::sync::{Arc, Mutex};

use broach_core::observe::{DropReason, Event, Observer};
use broach_core::{Channel, Code, Node, Outcome};
use broach_tests::broach::testing::v1::{Nothing, NumbersClient, ProbeClient};
use broach_tests::layers::refuse;
use broach_tests::requests::{echo, echo_bytes, fail, good_call, sleep, wait};
use broach_tests::{Numbers, Probe, Recorder, Watch, World, faults, for_seeds, millis, secs};
use futures::FutureExt;
use futures::future::join_all;

#[tokio::test(start_paused = true)]
async fn a_call_is_told_from_its_beginning_to_its_end() {
    let (world, probe) = (World::new(1), Probe::new());
    let (called, calling) = (Recorder::default(), Recorder::default());
    let node = world.node(1).observe(called.clone()).serve(probe.server()).start().await.unwrap();
    let channel = world.caller(2).observe(calling.clone()).connect(World::addr(1)).await.unwrap();
    ProbeClient::new(channel.clone()).echo_again(echo(1)).await.unwrap();
    assert_eq!(
        calling.names(CALLS),
        ["CallStarted", "AttemptStarted", "AttemptEnded", "CallEnded"]
    );
    assert_eq!(called.names(CALLS), ["HandlerStarted", "HandlerEnded"]);
    // A session begins with the first datagram on each side, and a datagram is decided upon before
    // anything comes of it.
    let datagrams = ["DatagramSent", "DatagramReceived", "DatagramAccepted", "SessionOpened"];
    assert_eq!(
        calling.names(&datagrams)[..4],
        ["SessionOpened", "DatagramSent", "DatagramReceived", "DatagramAccepted"]
    );
    let both = [&datagrams[..], CALLS].concat();
    assert_eq!(
        called.names(&both)[..6],
        [
            "DatagramReceived",
            "SessionOpened",
            "DatagramAccepted",
            // The token, before the handler's task has its turn.
            "DatagramSent",
            "HandlerStarted",
            "HandlerEnded",
        ]
    );
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_call_say_what_it_was() {
    let (world, probe, node, channel) = open().await;
    let seen = Facts::default();
    let other = world.caller(3).observe(seen.clone()).connect(World::addr(1)).await.unwrap();
    let client = ProbeClient::new(other.clone());
    client.sleep(sleep(1, 40)).await.unwrap();
    let call = "broach.testing.v1.Probe/Sleep";
    let facts = seen.take();
    assert_eq!(facts[0], format!("{call} begins"));
    assert_eq!(facts[1], format!("{call} at 10.0.0.1:7400 begins"));
    let elapsed = |fact: &str| fact.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    let [.., attempt, whole] = &facts[..] else { panic!("{facts:?}") };
    assert!(attempt.starts_with(&format!("{call} at 10.0.0.1:7400: OK Executed ")), "{attempt}");
    assert!(whole.starts_with(&format!("{call} in 1: OK Executed ")), "{whole}");
    assert!((40..60).contains(&elapsed(attempt)), "{attempt}");
    assert!(elapsed(attempt) <= elapsed(whole), "{attempt}, {whole}");

    client.fail(fail(Code::NotFound, "")).await.unwrap_err();
    let facts = seen.take();
    assert!(facts[3].contains("Probe/Fail in 1: NOT_FOUND Executed "), "{facts:?}");

    let mut dropped = client.wait(wait(2));
    assert!((&mut dropped).now_or_never().is_none());
    probe.until(|probe| probe.running() == 1).await;
    drop(dropped);
    let facts = seen.take();
    assert!(facts[2].contains("10.0.0.1:7400: CANCELLED Unknown "), "{facts:?}");
    assert!(facts[3].contains("Probe/Wait in 1: CANCELLED Unknown "), "{facts:?}");
    world.end((node, channel, client, other)).await;
}

#[tokio::test(start_paused = true)]
async fn handlers_say_how_they_ended() {
    let (world, probe, node, channel) = open().await;
    let client = ProbeClient::new(channel.clone());
    client.fail(fail(Code::Aborted, "")).await.unwrap_err();
    client.panic(Nothing {}).await.unwrap_err();
    client.sleep(sleep(1, 1_000)).timeout(millis(30)).await.unwrap_err();
    let mut dropped = client.wait(wait(2));
    assert!((&mut dropped).now_or_never().is_none());
    probe.until(|probe| probe.started_for(2) == 1 && probe.running() == 1).await;
    assert_eq!(node.counters().handlers_running(), 1);
    assert_eq!(channel.counters().calls_in_flight(), 1);
    drop(dropped);
    probe.until(|probe| probe.running() == 0).await;
    let status = channel.call("no.such.Service/Method", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let counters = node.counters();
    let ended = &counters.handlers_ended;
    for code in [Code::Ok, Code::Aborted, Code::Internal, Code::DeadlineExceeded, Code::Cancelled] {
        assert_eq!(ended.get(&code), Some(&1), "{code}: {counters:#?}");
    }
    assert_eq!(counters.handlers_started, 5);
    assert_eq!(counters.calls_refused, [(Code::Unimplemented, 1)].into());
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn counters_are_the_events_counted_in_a_quiet_world() {
    let (world, _probe, node, channel) = open().await;
    let client = ProbeClient::new(channel.clone());
    join_all((0..200).map(|token| client.echo(echo_bytes(token, 3_000)))).await;
    client.fail(fail(Code::NotFound, "")).await.unwrap_err();
    tokio::time::sleep(secs(1)).await;
    for (counters, watch) in
        [(node.counters(), world.watch(1)), (channel.counters(), world.watch(2))]
    {
        assert_eq!(counters, watch.counters());
        assert_eq!(watch.tally().problems(), Vec::<String>::new());
        assert_eq!((counters.datagrams_lost, counters.probes_sent), (0, 0));
    }
    let (served, made) = (node.counters(), channel.counters());
    assert_eq!((made.calls_started, made.attempts_started), (202, 202));
    assert_eq!(made.calls_ended, [(Code::Ok, 201), (Code::NotFound, 1)].into());
    assert_eq!(made.attempts_ended, made.calls_ended);
    assert_eq!((served.handlers_started, &served.handlers_ended), (202, &made.calls_ended));
    // The first call had to show a token, and no other datagram was dropped.
    assert_eq!(served.datagrams_dropped, [(DropReason::Token, 1)].into());
    assert_eq!(made.datagrams_dropped, [].into());
    // Nothing is lost, so what one sent the other received.
    assert_eq!(served.datagrams_received, made.datagrams_sent);
    assert_eq!(made.datagrams_received, served.datagrams_sent);
    assert_eq!(served.bytes_received, made.bytes_sent);
    assert_eq!(made.bytes_received, served.bytes_sent);
    assert_eq!((served.sessions_open(), made.sessions_open()), (1, 1));
    world.end((node, channel, client)).await;
}

#[test]
fn counters_are_the_events_counted_in_a_bad_world() {
    let dropped = for_seeds(0..8, |world| async move {
        let probe = Probe::new();
        let node = world.node(1).serve(probe.server()).start().await.unwrap();
        let channel = world.channel(2, 1).await;
        world.network.set_faults(faults(|faults| {
            (faults.loss, faults.duplicate, faults.corrupt) = (0.2, 0.2, 0.05);
        }));
        let client = ProbeClient::new(channel.clone());
        for round in 0..10_u64 {
            let call =
                |call: u64| client.echo_again(echo_bytes(round * 10 + call, 500)).timeout(secs(5));
            join_all((0..10).map(call)).await;
        }
        world.network.set_faults(faults(|_| {}));
        good_call(&channel).await;
        tokio::time::sleep(secs(2)).await;
        let mut dropped = Vec::new();
        for (counters, watch) in
            [(node.counters(), world.watch(1)), (channel.counters(), world.watch(2))]
        {
            assert_eq!(counters, watch.counters());
            assert!(counters.datagrams_add_up(), "{counters:#?}");
            dropped.extend(counters.datagrams_dropped);
        }
        let made = channel.counters();
        assert_eq!((made.calls_in_flight(), made.attempts_in_flight()), (0, 0));
        assert_eq!(node.counters().handlers_running(), 0);
        assert!(0 < made.datagrams_lost && 0 < made.probes_sent, "{made:#?}");
        world.end((node, channel, client)).await;
        dropped
    });
    let dropped = dropped.concat();
    for reason in [DropReason::Duplicate, DropReason::Checksum] {
        assert!(dropped.iter().any(|&(other, _)| other == reason), "{reason}: {dropped:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_counted_once_when_calls_are_retried() {
    let world = World::new(1);
    let probe = Probe::new();
    let refusing = world.node(1).layer(refuse(Code::Unavailable)).serve(Probe::new().server());
    let nodes = [
        refusing.start().await.unwrap(),
        world.node(2).serve(probe.server()).start().await.unwrap(),
    ];
    let channel = world.list(3, &[1, 2]).await;
    let client = ProbeClient::new(channel.clone());
    let (mut tried, calls) = (0, 20);
    for token in 0..calls {
        tried += client.echo(echo(token)).response().await.unwrap().attempts.len() as u64;
    }
    let counters = channel.counters();
    assert_eq!((counters.calls_started, counters.attempts_started), (calls, tried));
    assert_eq!(counters.calls_ended, [(Code::Ok, calls)].into());
    let ended = [(Code::Ok, calls), (Code::Unavailable, tried - calls)];
    assert_eq!(counters.attempts_ended, ended.into());
    assert!(calls < tried, "the turn of the refusing node never came");
    assert_eq!(nodes[0].counters().handlers_ended, [(Code::Unavailable, tried - calls)].into());
    assert_eq!(nodes[1].counters().handlers_ended, [(Code::Ok, calls)].into());
    assert_eq!(counters, world.watch(3).counters());
    world.end((nodes, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_sent_is_counted_as_a_call_without_attempts() {
    let (world, _probe, node, channel) = open().await;
    let before = channel.counters();
    let much = "x".repeat(10_000);
    let call = NumbersClient::new(channel.clone()).next(one()).metadata("much", much);
    let status = call.await.unwrap_err();
    assert_eq!(status.outcome(), Outcome::NotExecuted);
    let after = channel.counters();
    assert_eq!(after.calls_started, before.calls_started + 1);
    assert_eq!(after.calls_ended[&Code::ResourceExhausted], 1);
    assert_eq!(after.attempts_started, before.attempts_started);
    assert_eq!(after.calls_in_flight(), 0);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_within_the_process_is_a_call_until_it_has_been_read() {
    let channel = Channel::in_process(Numbers.server());
    let mut numbers = NumbersClient::new(channel.clone()).count(one()).await.unwrap();
    assert_eq!(channel.counters().calls_in_flight(), 1);
    assert_eq!(numbers.message().await.unwrap(), Some(one()));
    assert_eq!(numbers.message().await.unwrap(), None);
    assert_eq!(channel.counters().calls_ended, [(Code::Ok, 1)].into());
    let half_read = NumbersClient::new(channel.clone()).count(one()).await.unwrap();
    drop(half_read);
    assert_eq!(channel.counters().calls_ended[&Code::Cancelled], 1);
}

#[tokio::test(start_paused = true)]
async fn a_channel_of_a_node_shares_its_counters() {
    let (world, _probe, node, channel) = open().await;
    let other = world.node(3).serve(Numbers.server()).start().await.unwrap();
    let of_node = other.connect(World::addr(1)).await.unwrap();
    good_call(&of_node).await;
    let calls = NumbersClient::new(channel.clone());
    assert_eq!(calls.next(one()).await.unwrap_err().code(), Code::Unimplemented);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(of_node.counters(), other.counters());
    assert_eq!(other.counters().calls_ended, [(Code::Ok, 1)].into());
    assert_eq!(other.counters(), world.watch(3).counters());
    world.end((node, other, channel, of_node, calls)).await;
}

#[tokio::test(start_paused = true)]
async fn all_observers_see_the_same() {
    let world = World::new(1);
    let recorders = [Recorder::default(), Recorder::default()];
    let watch = Watch::default();
    let builder = world.node(1).observe(recorders[0].clone()).observe(watch.clone());
    let node = builder.observe(recorders[1].clone()).serve(Probe::new().server());
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    assert!(!recorders[0].events().is_empty());
    assert_eq!(recorders[0].events(), recorders[1].events());
    assert_eq!(watch.counters(), world.watch(1).counters());
    assert_eq!(watch.counters(), node.counters());
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_harms_nobody() {
    struct Panics;

    impl Observer for Panics {
        fn event(&self, event: &Event<'_>) {
            panic!("as the test wants it, at {event:?}");
        }
    }

    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).observe(Panics).observe(Recorder::default()).serve(probe.server());
    let node = node.start().await.unwrap();
    let last = Watch::default();
    let builder = world.caller(2).observe(Panics).observe(last.clone());
    let channel = builder.connect(World::addr(1)).await.unwrap();
    good_call(&channel).await;
    // Also where an event is told while something is dropped, or while a panic unwinds.
    let client = ProbeClient::new(channel.clone());
    client.panic(Nothing {}).await.unwrap_err();
    let mut dropped = client.wait(wait(1));
    assert!((&mut dropped).now_or_never().is_none());
    probe.until(|probe| probe.running() == 1).await;
    drop(dropped);
    probe.until(|probe| probe.running() == 0).await;
    good_call(&channel).await;
    assert_eq!(channel.counters(), last.counters());
    assert_eq!(node.counters(), world.watch(1).counters());
    world.end((node, channel, client)).await;
}

/// A node and a channel to it, which know each other.
async fn open() -> (World, Probe, Node, Channel) {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    (world, probe, node, channel)
}

fn one() -> broach_tests::broach::testing::v1::Number {
    broach_tests::broach::testing::v1::Number { value: 1 }
}

/// Writes down the facts of calls and attempts, with times in milliseconds. Clones write to one
/// list.
#[derive(Clone, Default)]
struct Facts(Arc<Mutex<Vec<String>>>);

impl Facts {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Facts {
    fn event(&self, event: &Event<'_>) {
        let fact = match *event {
            Event::CallStarted { method } => format!("{method} begins"),
            Event::AttemptStarted { method, peer } => {
                format!("{method} at {} begins", peer.unwrap())
            }
            Event::AttemptEnded { method, peer, code, outcome, elapsed } => {
                let (peer, elapsed) = (peer.unwrap(), elapsed.as_millis());
                format!("{method} at {peer}: {code} {outcome} {elapsed}")
            }
            Event::CallEnded { method, code, outcome, elapsed, attempts } => {
                format!("{method} in {attempts}: {code} {outcome} {}", elapsed.as_millis())
            }
            _ => return,
        };
        self.0.lock().unwrap().push(fact);
    }
}

/// The names of the events of calls.
const CALLS: &[&str] = &[
    "CallStarted",
    "AttemptStarted",
    "AttemptEnded",
    "CallEnded",
    "HandlerStarted",
    "HandlerEnded",
    "CallRefused",
];
