//! Every datagram of a run, sent again: at once, much later, to another life, from elsewhere.

use broach_core::observe::DropReason;
use broach_core::{Channel, DatagramSocket, Datagrams, Ecn, Node};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{call_in_the_end, echo, echo_bytes, good_call, sleep};
use broach_tests::{Probe, Tap, World, millis, secs};

#[tokio::test(start_paused = true)]
async fn what_is_repeated_at_once_starts_no_handler() {
    let run = Run::new().await;
    let before = run.probe.started();
    let duplicates = run.world.watch(1).dropped(DropReason::Duplicate);
    let sent = run.tap.sent();
    for bytes in &sent {
        run.tap.inject(World::addr(1), bytes);
    }
    tokio::time::sleep(secs(1)).await;
    assert_eq!(run.probe.started(), before);
    let duplicates = run.world.watch(1).dropped(DropReason::Duplicate) - duplicates;
    // All but the first one, which showed no token.
    assert_eq!(duplicates as usize, sent.len() - 1, "{:?}", run.server().counters());
    assert_eq!(run.world.watch(1).dropped(DropReason::Token), 2);
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn each_datagram_repeated_as_it_goes_out_starts_no_handler_twice() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
    let echoing = tap.clone();
    tap.let_pass(move |datagram| {
        (0..3).for_each(|_| echoing.inject(datagram.peer, &datagram.bytes));
        true
    });
    calls(&channel).await;
    tap.let_pass(|_| true);
    let seen = probe.seen();
    assert!(seen.iter().all(|seen| probe.started_for(seen.token) == 1), "{seen:#?}");
    assert!(30 < world.watch(1).dropped(DropReason::Duplicate));
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_repeated_from_elsewhere_starts_no_handler() {
    let run = Run::new().await;
    let before = run.probe.started();
    let received = run.world.watch(1).counters().datagrams_received;
    let elsewhere = run.world.socket(66);
    let sent = run.tap.sent();
    for bytes in &sent {
        send(&elsewhere, bytes);
    }
    tokio::time::sleep(secs(1)).await;
    assert_eq!(run.probe.started(), before);
    let watch = run.world.watch(1);
    assert_eq!(watch.counters().datagrams_received - received, sent.len() as u64);
    assert_eq!(watch.dropped(DropReason::Address), sent.len() as u64);
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_repeated_after_the_session_has_ended_starts_no_handler() {
    for wait in [secs(60), secs(300), secs(24 * 3600)] {
        let run = Run::new().await;
        let before = run.probe.started();
        tokio::time::sleep(wait).await;
        assert_eq!(run.server().counters().sessions_open(), 0, "it was not used");
        let elsewhere = run.world.socket(66);
        for bytes in &run.tap.sent() {
            run.tap.inject(World::addr(1), bytes);
            send(&elsewhere, bytes);
        }
        tokio::time::sleep(secs(1)).await;
        assert_eq!(run.probe.started(), before, "{wait:?}");
        drop(elsewhere);
        run.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_repeated_to_the_next_life_starts_no_handler() {
    for wait in [millis(1), secs(10), secs(24 * 3600)] {
        let mut run = Run::new().await;
        let (sent, before) = (run.tap.sent(), run.probe.started());
        run.restart_server().await;
        tokio::time::sleep(wait).await;
        let elsewhere = run.world.socket(66);
        for bytes in &sent {
            run.tap.inject(World::addr(1), bytes);
            send(&elsewhere, bytes);
        }
        tokio::time::sleep(secs(1)).await;
        assert_eq!(run.probe.started(), before, "{wait:?}");
        drop(elsewhere);
        run.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_repeated_when_the_caller_has_gone_starts_no_handler() {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let tap = Tap::new(world.socket(2));
    let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
    calls(&channel).await;
    let (sent, before) = (tap.sent(), probe.started());
    drop((channel, tap));
    tokio::time::sleep(millis(10)).await;
    // From the very address that it had.
    let socket = world.socket(2);
    for wait in [millis(1), secs(60), secs(700), secs(24 * 3600)] {
        tokio::time::sleep(wait).await;
        for bytes in &sent {
            send(&socket, bytes);
        }
        tokio::time::sleep(secs(1)).await;
        assert_eq!(probe.started(), before, "{wait:?}");
    }
    drop(socket);
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_server_said_can_be_repeated_to_its_caller() {
    let run = Run::new().await;
    let (ended, received) = (run.world.watch(2).counters().calls_ended, run.tap.received());
    let server = Tap::new(run.world.socket(67));
    for bytes in &received {
        server.inject(World::addr(2), bytes);
    }
    assert!(!received.is_empty());
    tokio::time::sleep(secs(1)).await;
    assert_eq!(run.world.watch(2).counters().calls_ended, ended);
    drop(server);
    run.end().await;
}

/// A run of calls that must not run twice, all of whose datagrams are known.
struct Run {
    world: World,
    probe: Probe,
    node: Option<Node>,
    channel: Channel,
    tap: Tap,
}

impl Run {
    async fn new() -> Self {
        let (world, probe) = (World::new(1), Probe::new());
        let node = Some(world.node(1).serve(probe.server()).start().await.unwrap());
        let tap = Tap::new(world.socket(2));
        let channel = world.caller_on(2, tap.clone()).connect(World::addr(1)).await.unwrap();
        calls(&channel).await;
        tokio::time::sleep(secs(1)).await;
        assert!(20 <= tap.sent().len(), "{}", tap.sent().len());
        Self { world, probe, node, channel, tap }
    }

    fn server(&self) -> &Node {
        self.node.as_ref().expect("there is one but while it restarts")
    }

    async fn restart_server(&mut self) {
        drop(self.node.take());
        tokio::time::sleep(millis(1)).await;
        let node = self.world.node(1).serve(self.probe.server()).start().await.unwrap();
        self.node = Some(node);
    }

    async fn end(self) {
        call_in_the_end(&self.channel).await;
        self.world.end((self.node, self.channel, self.tap)).await;
    }
}

/// Small calls, large ones, slow ones, and one that is given up.
async fn calls(channel: &Channel) {
    let client = ProbeClient::new(channel.clone());
    for token in 1..10 {
        client.echo(echo(token)).await.unwrap();
    }
    client.echo(echo_bytes(10, 5_000)).await.unwrap();
    client.sleep(sleep(11, 2_500)).await.unwrap();
    client.sleep(sleep(12, 500)).timeout(millis(50)).await.unwrap_err();
    let together = (20..40).map(|token| client.echo(echo_bytes(token, 300)));
    futures::future::try_join_all(together).await.unwrap();
}

fn send(socket: &impl DatagramSocket, bytes: &[u8]) {
    let to = World::addr(1);
    let one =
        Datagrams { to, local_ip: None, ecn: Ecn::NotCapable, contents: bytes, size: bytes.len() };
    socket.try_send(&one).unwrap();
}
