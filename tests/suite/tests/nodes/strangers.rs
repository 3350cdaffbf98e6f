//! Peers that do not belong here: of another wire version, of another cluster, or not those that
//! they say they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use broach_core::observe::{CloseReason, DropReason};
use broach_core::{Code, Node, Outcome};
use broach_tests::broach::testing::v1::{ProbeClient, ScriptClient};
use broach_tests::broach::wire::v1 as wire;
use broach_tests::forge::{self, BASE, DATA, Forged, INIT, Init, RESET, RETRY, VERSIONS};
use broach_tests::requests::{act, echo, good_call};
use broach_tests::{Probe, Script, Tap, World, millis, secs};

use crate::live::Live;

#[tokio::test(start_paused = true)]
async fn a_peer_of_another_version_is_told_which_are_spoken_here() {
    let (world, node) = start("default").await;
    let tap = Tap::new(world.socket(66));
    let init = Forged { version: 2, ..Forged::init(0, &wire::Packet::default()) };
    tap.inject(World::addr(1), &init.padded());
    let answers = tap.receive().await;
    let [(_, bytes)] = &answers[..] else { panic!("{answers:?}") };
    let answer = Forged::read(bytes).unwrap();
    assert_eq!(
        (answer.version, answer.kind, answer.to),
        (1, VERSIONS, init.init.clone().unwrap().from)
    );
    assert_eq!(answer.body, [0x0a, 1, 1], "it speaks version 1");
    assert!(bytes.len() < BASE / 10, "much less than what it answers");
    // Anything else of that version is not worth an answer.
    let data = Forged { version: 2, ..Forged::new(DATA, 0x99, 0, &wire::Packet::default()) };
    for bytes in [init.bytes(), data.bytes(), data.padded()] {
        tap.inject(World::addr(1), &bytes);
    }
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.watch(1).dropped(DropReason::Version), 4);
    assert_eq!(node.counters().datagrams_sent, 1);
    lives_on(world, node).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_told_of_a_node_of_another_version() {
    let world = World::new(1);
    let node = world.node(3).serve(Probe::new().server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let list = world.list(4, &[1, 3]).await;
    let old = Tap::new(world.socket(1));
    let answers = {
        let old = old.clone();
        tokio::spawn(async move { answer_versions(&old, &[2, 3]).await })
    };
    let status = ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap_err();
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::FailedPrecondition, Outcome::NotExecuted), "{status:#}");
    let text = "10.0.0.1:7400 speaks wire versions 2, 3, and this node speaks 1";
    assert_eq!((status.message(), status.attempts().len()), (text, 1));
    assert_eq!(world.watch(2).closed(CloseReason::Version), 1);
    // Where there is another node, the call goes there.
    let response = ProbeClient::new(list.clone()).echo(echo(1)).response().await.unwrap();
    assert_eq!(response.peer.unwrap().addr, World::addr(3));
    assert_eq!(response.attempts[0].message, text);
    answers.abort();
    drop(old);
    tokio::time::sleep(millis(1)).await;
    // When it has been brought up to date it is called like any other.
    let new = world.node(1).serve(Probe::new().server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((node, new, channel, list)).await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_spoken_here_is_no_reason_to_end() {
    let world = World::new(1);
    let channel = world.channel(2, 1).await;
    let odd = Tap::new(world.socket(1));
    let answers = tokio::spawn(async move { answer_versions(&odd, &[1, 2]).await });
    let call = ProbeClient::new(channel.clone()).echo(echo(1)).timeout(secs(1));
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::NotExecuted));
    assert!(0 < world.watch(2).dropped(DropReason::Stray));
    answers.abort();
    tokio::time::sleep(millis(1)).await;
    let node = world.node(1).serve(Probe::new().server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_of_another_cluster_names_the_setting() {
    for (theirs, ours) in [("shop", "default"), ("default", "shop"), ("shop", "Shop")] {
        let (world, node) = start(theirs).await;
        let caller = world.caller(2).cluster(ours).connect(World::addr(1)).await.unwrap();
        let other = world.node(3).cluster(ours).serve(Probe::new().server()).start().await.unwrap();
        let from_node = other.connect(World::addr(1)).await.unwrap();
        // It has been there for a while, so no earlier life of it can have run the call.
        tokio::time::sleep(secs(1)).await;
        for channel in [&caller, &from_node] {
            let status = ProbeClient::new(channel.clone()).echo_again(echo(1)).await.unwrap_err();
            let label = (status.code(), status.outcome());
            assert_eq!(label, (Code::FailedPrecondition, Outcome::NotExecuted), "{status:#}");
            let text = "10.0.0.1:7400 belongs to another cluster (setting `cluster`)";
            assert_eq!((status.message(), status.attempts().len()), (text, 1));
        }
        assert_eq!(world.watch(1).dropped(DropReason::Cluster), 2);
        assert_eq!(node.counters().handlers_started, 0);
        // Among themselves they get on.
        for (node, addr, name) in [(4, 1, theirs), (5, 3, ours)] {
            let caller = world.caller(node).cluster(name);
            good_call(&caller.connect(World::addr(addr)).await.unwrap()).await;
        }
        world.end((node, other, caller, from_node)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_another_cluster_or_life_are_dropped_and_counted() {
    let live = Live::new().await;
    let (here, caller) = (live.session_at(2), live.init().instance);
    let of_session = Init { from: live.session_at(1), instance: 7, ..live.init() };
    for (init, reason) in [
        (Init { cluster: forge::hash("other"), ..of_session.clone() }, DropReason::Cluster),
        (Init { meant: caller ^ 1, ..of_session.clone() }, DropReason::Instance),
        (Init { meant: caller, ..of_session.clone() }, DropReason::Stray),
    ] {
        let answer = Forged::new(INIT, here, 77, &wire::Packet::default());
        let answer = Forged { init: Some(init), ..answer };
        live.server.inject(World::addr(2), &answer.bytes());
        tokio::time::sleep(millis(5)).await;
        assert_eq!(live.world.watch(2).dropped(reason), 1, "{reason}");
    }
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_in_anothers_name_does_not_end_a_call() {
    let live = Live::new().await;
    let stranger = Tap::new(live.world.socket(66));
    let numbers = [1, 2].map(|node| live.session_at(node));
    let mut forged = 0;
    for node in [1, 2] {
        let (here, theirs) = (numbers[usize::from(node) - 1], numbers[2 - usize::from(node)]);
        // From the right address, whoever is not on the way does not know the numbers.
        for bytes in goodbyes(&[0, 1, here ^ 0x100, theirs ^ 0x100, u64::MAX], 0) {
            live.inject(node, &bytes);
            forged += 1;
        }
        // Who knows them does not have the address.
        for bytes in goodbyes(&[here, theirs], 0) {
            stranger.inject(World::addr(node), &bytes);
            forged += 1;
        }
        // And what answers something that was never sent was not asked for.
        for bytes in goodbyes(&[here, theirs], 1_000_000) {
            live.inject(node, &bytes);
            forged += 1;
        }
    }
    tokio::time::sleep(millis(5)).await;
    let stray = [1, 2].map(|node| live.world.watch(node).dropped(DropReason::Stray));
    assert_eq!(stray, [forged / 2, forged / 2]);
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_in_anothers_name_does_not_end_a_session_that_opens() {
    let (world, probe) = (World::new(1), Probe::new());
    let (server, client) = (Tap::new(world.socket(1)), Tap::new(world.socket(2)));
    let node = world.node_on(1, server.clone()).serve(probe.server()).start().await.unwrap();
    let channel = world.caller_on(2, client.clone()).connect(World::addr(1)).await.unwrap();
    // The node does not come to answer yet.
    world.network.stop(World::addr(1));
    let call = tokio::spawn(ProbeClient::new(channel.clone()).echo(echo(1)).response());
    tokio::time::sleep(millis(50)).await;
    let session = Forged::read(&client.sent()[0]).unwrap().init.unwrap().from;
    let stranger = Tap::new(world.socket(66));
    let mut forged = 0;
    for bytes in goodbyes(&[session], 0) {
        stranger.inject(World::addr(2), &bytes);
        forged += 1;
    }
    // VERSIONS repeats nothing but the session's number.
    let unasked = goodbyes(&[session], 1_000).into_iter().filter(|bytes| bytes[1] >> 4 != VERSIONS);
    for bytes in goodbyes(&[0, session ^ 0x100], 0).into_iter().chain(unasked) {
        server.inject(World::addr(2), &bytes);
        forged += 1;
    }
    tokio::time::sleep(millis(50)).await;
    assert_eq!(world.watch(2).dropped(DropReason::Stray), forged);
    assert!(!call.is_finished());
    world.network.resume(World::addr(1));
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.attempts.len(), 1, "{:?}", response.attempts);
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_has_proved_nothing_gets_three_bytes_for_each() {
    let world = World::new(1);
    let script = Script::new(|_, _| async { Ok("x".repeat(500_000)) });
    let tap = Tap::new(world.socket(1));
    let builder = world.node_on(1, tap.clone()).serve(script.server());
    let node = builder.serve(Probe::new().server()).start().await.unwrap();
    // Real first datagrams, of calls that may run without a token and of calls that may not.
    let mut inits = Vec::new();
    for caller in 2..10 {
        let mute = Tap::new(world.socket(caller));
        mute.let_pass(|_| false);
        let channel = world.caller_on(caller, mute.clone()).connect(World::addr(1)).await.unwrap();
        let client = ScriptClient::new(channel);
        let call = if caller % 2 == 0 { client.act_again(act("")) } else { client.act(act("")) };
        call.timeout(millis(1)).await.unwrap_err();
        inits.push(mute.sent().remove(0));
    }
    // Victims, in whose names they come again and again, and one in whose name others come that are
    // answered.
    let victims: Vec<_> = (60..70).map(|victim| Tap::new(world.socket(victim))).collect();
    for round in 0..20 {
        for (init, victim) in inits.iter().zip(&victims[1..]) {
            victim.inject(World::addr(1), init);
        }
        let nothing = wire::Packet::default();
        let other_version = Forged { version: 7, ..Forged::init(round, &nothing) };
        let no_session = Forged::new(DATA, 0x9900, round, &nothing);
        victims[0].inject(World::addr(1), &other_version.padded());
        victims[0].inject(World::addr(1), &no_session.bytes());
        tokio::time::sleep(secs(2)).await;
    }
    tokio::time::sleep(secs(120)).await;
    let mut bytes: BTreeMap<SocketAddr, [usize; 2]> = BTreeMap::new();
    let mut nearly = 0;
    for one in tap.log() {
        let [received, sent] = bytes.entry(one.peer).or_default();
        *(if one.sent { &mut *sent } else { &mut *received }) += one.bytes.len();
        assert!(*sent <= 3 * *received, "{sent} bytes for {received} to {}", one.peer);
        nearly += usize::from(3 * *received - *sent < 200);
    }
    // Calls that may run without a token are answered with all that is allowed.
    assert!(4 <= nearly, "the limit was hardly ever reached: {bytes:?}");
    assert!(4 <= node.counters().handlers_started);
    assert_eq!(node.counters().sessions_open(), 0, "and it is over some time");
    lives_on(world, node).await;
}

/// RETRY, RESET and VERSIONS for sessions of these numbers, in answer to the datagram `echo`.
fn goodbyes(sessions: &[u64], echo: u64) -> Vec<Vec<u8>> {
    let retry = wire::Retry { instance: 9, echo, token: vec![1; 24], ..wire::Retry::default() };
    let reason = wire::ResetReason::UnknownSession.into();
    let reset = wire::Reset { instance: 9, echo, dead_for_us: u64::MAX, reason };
    let versions = wire::Versions { versions: vec![7] };
    let of = |&session: &u64| {
        [
            Forged::new(RETRY, session, 0, &retry).bytes(),
            Forged::new(RESET, session, 0, &reset).bytes(),
            Forged::new(VERSIONS, session, 0, &versions).bytes(),
        ]
    };
    sessions.iter().flat_map(of).collect()
}

/// Answers every INIT like a node that speaks only these versions.
async fn answer_versions(socket: &Tap, versions: &[u32]) {
    loop {
        for (from, bytes) in socket.receive().await {
            let init = Forged::read(&bytes).unwrap().init.expect("nothing else comes first");
            let versions = wire::Versions { versions: versions.to_vec() };
            socket.inject(from, &Forged::new(VERSIONS, init.from, 0, &versions).bytes());
        }
    }
}

async fn start(cluster: &str) -> (World, Node) {
    let world = World::new(1);
    let builder = world.node(1).cluster(cluster).serve(Probe::new().server());
    let node = builder.start().await.unwrap();
    (world, node)
}

async fn lives_on(world: World, node: Node) {
    let channel = world.channel(99, 1).await;
    good_call(&channel).await;
    world.end((node, channel)).await;
}
