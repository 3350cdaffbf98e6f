//! Messages and metadata at the limits of their size and beyond, on either side.

use broach_core::codegen::prost::Message;
use broach_core::config::Transport;
use broach_core::{Channel, Code, Node, Outcome, Status};
use broach_tests::broach::testing::v1::{
    ActReply, ActRequest, EchoRequest, ProbeClient, ScriptClient,
};
use broach_tests::requests::{act, echo, good_call};
use broach_tests::{Probe, Script, World, transport};

const ECHO: &str = "broach.testing.v1.Probe/Echo";
const ACT: &str = "broach.testing.v1.Script/Act";

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_the_server_takes_names_its_limit() {
    let sides = Sides::with(message_max(1_000), Transport::default()).await;
    // At first the caller does not know; the server refuses it.
    let status = sides.echo(1_001).await.unwrap_err();
    assert_refused(&status, "the request has 1001 bytes, and the serving node takes 1000");
    let counters = sides.node.counters();
    assert_eq!(
        (counters.calls_refused[&Code::ResourceExhausted], counters.handlers_started),
        (1, 0)
    );
    // The second time it does, and sends nothing.
    let sent = sides.channel.counters().bytes_sent;
    let status = sides.echo(100_000).await.unwrap_err();
    assert_refused(&status, "the request has 100000 bytes, and 10.0.0.1:7400 takes 1000");
    assert!(sides.channel.counters().bytes_sent - sent < 1_000);
    // What is at the limit passes, there and back.
    assert_eq!(sides.echo(1_000).await.unwrap(), 1_000);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_would_hold_is_refused_before_all_of_it_is_there() {
    let sides = Sides::with(message_max(1_000), Transport::default()).await;
    let status = sides.echo(3_000_000).await.unwrap_err();
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::ResourceExhausted, Outcome::NotExecuted), "{status:#}");
    let text = "the request is larger than the serving node takes (transport.message_bytes_max";
    assert!(status.message().starts_with(text), "{status}");
    let received = sides.node.counters().bytes_received;
    assert!(received < 1_000_000, "{received} bytes came in");
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_the_caller_sends_names_its_own_limit() {
    let sides = Sides::with(Transport::default(), message_max(1_000)).await;
    let status = sides.echo(1_001).await.unwrap_err();
    assert_refused(
        &status,
        &format!("the request of {ECHO} has 1001 bytes, and this node takes 1000"),
    );
    assert_eq!(sides.channel.counters().datagrams_sent, 0);
    assert_eq!(sides.echo(1_000).await.unwrap(), 1_000);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_larger_than_the_caller_takes_names_its_limit() {
    let sides = Sides::with(Transport::default(), message_max(1_000)).await;
    // In the very first call too.
    for bytes in [1_001, 2_000_000] {
        let status = sides.reply_of(bytes).await.unwrap_err();
        let text = format!("the reply of {ACT} has {bytes} bytes, and the caller takes 1000");
        assert_too_large_a_reply(&status, &text);
    }
    assert!(sides.node.counters().bytes_sent < 10_000, "what is not taken is not sent");
    assert_eq!(sides.reply_of(1_000).await.unwrap(), 1_000);
    assert_eq!(sides.node.counters().handlers_started, 3);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_larger_than_the_server_sends_names_its_limit() {
    let sides = Sides::with(message_max(1_000), Transport::default()).await;
    let status = sides.reply_of(1_001).await.unwrap_err();
    let text = format!("the reply of {ACT} has 1001 bytes, and the serving node takes 1000");
    assert_too_large_a_reply(&status, &text);
    assert_eq!(sides.reply_of(1_000).await.unwrap(), 1_000);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_smaller_of_two_limits_is_the_one_that_is_named() {
    for (server, caller) in [(500, 2_000), (2_000, 500)] {
        let sides = Sides::with(message_max(server), message_max(caller)).await;
        assert_eq!(sides.echo(500).await.unwrap(), 500);
        let status = sides.echo(501).await.unwrap_err();
        assert!(status.message().contains(" takes 500 (transport.message_bytes_max)"), "{status}");
        let status = sides.reply_of(501).await.unwrap_err();
        assert!(status.message().contains(" takes 500 (transport.message_bytes_max)"), "{status}");
        sides.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_sixteen_mebibytes_is_the_largest_unless_it_is_set() {
    let sides = Sides::with(Transport::default(), Transport::default()).await;
    let text = |bytes: usize| ActRequest { token: 0, text: "x".repeat(text_bytes(bytes)) };
    let largest = text(16 << 20);
    assert_eq!(largest.encoded_len(), 16 << 20);
    let script = ScriptClient::new(sides.channel.clone());
    assert_eq!(script.act(largest).await.unwrap().text, "");
    let status = script.act(text((16 << 20) + 1)).await.unwrap_err();
    let text = format!("the request of {ACT} has 16777217 bytes, and this node takes 16777216");
    assert_refused(&status, &text);
    drop(script);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn metadata_larger_than_the_server_takes_names_its_limit() {
    let sides = Sides::with(metadata_max(100), Transport::default()).await;
    let status = sides.echo_with(101).await.unwrap_err();
    assert_metadata(&status, "the request", 101, "the serving node");
    let status = sides.echo_with(101).await.unwrap_err();
    assert_metadata(&status, "the request", 101, "10.0.0.1:7400");
    sides.echo_with(100).await.unwrap();
    assert_eq!(sides.probe.started(), 1);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn metadata_larger_than_the_caller_sends_names_its_own_limit() {
    let sides = Sides::with(Transport::default(), metadata_max(100)).await;
    let status = sides.echo_with(101).await.unwrap_err();
    assert_metadata(&status, &format!("the request of {ECHO}"), 101, "this node");
    assert_eq!(sides.channel.counters().datagrams_sent, 0);
    sides.echo_with(100).await.unwrap();
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn metadata_of_a_reply_is_held_against_the_limits_of_both_sides() {
    for (server, caller, whose) in [
        (metadata_max(100), Transport::default(), "the serving node"),
        (Transport::default(), metadata_max(100), "the caller"),
    ] {
        let sides = Sides::with(server, caller).await;
        let script = ScriptClient::new(sides.channel.clone());
        let status = script.act(act("metadata 101")).await.unwrap_err();
        assert_eq!(status.outcome(), Outcome::Executed);
        assert_metadata(&status, &format!("the reply of {ACT}"), 101, whose);
        let response = script.act(act("metadata 100")).response().await.unwrap();
        assert_eq!(response.metadata.bytes(), 100);
        drop(script);
        sides.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_of_eight_kibibytes_is_the_most_unless_it_is_set() {
    let sides = Sides::with(Transport::default(), Transport::default()).await;
    sides.echo_with(8 << 10).await.unwrap();
    let status = sides.echo_with((8 << 10) + 1).await.unwrap_err();
    let text = format!(
        "the request of {ECHO} comes with metadata of 8193 bytes, and this node takes 8192 \
         (transport.metadata_bytes_max)"
    );
    assert_eq!(status.message(), text);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_status_with_a_long_text_arrives_as_it_is() {
    let sides = Sides::with(Transport::default(), Transport::default()).await;
    let script = ScriptClient::new(sides.channel.clone());
    let status = script.act(act("fail 1000000")).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DataLoss, Outcome::Executed));
    assert_eq!(status.message().len(), 1_000_000);
    drop(script);
    sides.end().await;
}

#[tokio::test(start_paused = true)]
async fn there_is_more_room_for_a_status_than_for_a_message() {
    // Since it tells of the error.
    let sides = Sides::with(message_max(1_000), message_max(1_000)).await;
    let script = ScriptClient::new(sides.channel.clone());
    let status = script.act(act("fail 10000")).await.unwrap_err();
    assert_eq!((status.code(), status.message().len()), (Code::DataLoss, 10_000));
    drop(script);
    sides.end().await;
}

/// A node that serves [`Probe`] and [`Script`], and a channel to it, with settings of their own.
struct Sides {
    world: World,
    probe: Probe,
    node: Node,
    channel: Channel,
}

impl Sides {
    async fn with(server: Transport, caller: Transport) -> Self {
        let (world, probe) = (World::new(1), Probe::new());
        let script = Script::new(|cx, request| async move {
            let (what, bytes) = request.text.split_once(' ').unwrap_or_default();
            let bytes: usize = bytes.parse().unwrap_or(0);
            match what {
                "reply" => return Ok("x".repeat(text_bytes(bytes))),
                "metadata" => cx.set_reply_metadata("k", value_bytes(bytes)).unwrap(),
                "fail" => return Err(Status::data_loss("x".repeat(bytes))),
                _ => {}
            }
            Ok(String::new())
        });
        let builder = world.node(1).transport(server).serve(probe.server());
        let node = builder.serve(script.server()).start().await.unwrap();
        let channel = world.caller(2).transport(caller).connect(World::addr(1)).await.unwrap();
        Self { world, probe, node, channel }
    }

    /// Calls with a request of so many bytes, and tells how many its reply had.
    async fn echo(&self, bytes: usize) -> Result<usize, Status> {
        let empty = EchoRequest { token: 1, payload: vec![] }.encoded_len();
        let payload = vec![7; text_bytes(bytes - empty)];
        let request = EchoRequest { token: 1, payload };
        assert_eq!(request.encoded_len(), bytes);
        let reply = ProbeClient::new(self.channel.clone()).echo(request).await?;
        Ok(reply.encoded_len())
    }

    /// Makes a call with so many bytes of metadata.
    async fn echo_with(&self, metadata: usize) -> Result<(), Status> {
        let call = ProbeClient::new(self.channel.clone()).echo(echo(1));
        call.metadata("k", value_bytes(metadata)).await.map(|_| ())
    }

    /// Makes a call whose reply has so many bytes, and tells how many came.
    async fn reply_of(&self, bytes: usize) -> Result<usize, Status> {
        let request = act(&format!("reply {bytes}"));
        let reply: ActReply = ScriptClient::new(self.channel.clone()).act(request).await?;
        Ok(reply.encoded_len())
    }

    async fn end(self) {
        good_call(&self.channel).await;
        self.world.end((self.node, self.channel)).await;
    }
}

/// How long a field is that takes so many bytes with its key and its length.
fn text_bytes(all: usize) -> usize {
    let lengths = (1..=5).map(|length| all - 1 - length);
    let fits = |&text: &usize| 1 + prost_len(text) + text == all;
    lengths.into_iter().find(fits).expect("there are fields of almost any length")
}

fn prost_len(length: usize) -> usize {
    broach_core::codegen::prost::length_delimiter_len(length)
}

/// The value that counts for so many bytes of metadata under a key of one letter.
fn value_bytes(all: usize) -> String {
    "v".repeat(all - "k".len() - 8)
}

fn message_max(bytes: usize) -> Transport {
    transport(|config| config.message_bytes_max = bytes)
}

fn metadata_max(bytes: usize) -> Transport {
    transport(|config| config.metadata_bytes_max = bytes)
}

fn assert_refused(status: &Status, text: &str) {
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::ResourceExhausted, Outcome::NotExecuted), "{status:#}");
    assert_eq!(status.message(), format!("{text} (transport.message_bytes_max)"));
}

fn assert_too_large_a_reply(status: &Status, text: &str) {
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::ResourceExhausted, Outcome::Executed), "{status:#}");
    assert!(status.message().starts_with(text), "{status}");
    assert!(status.message().contains("(transport.message_bytes_max"), "{status}");
    assert_eq!(status.attempts().len(), 1, "{status:#}");
}

fn assert_metadata(status: &Status, what: &str, bytes: usize, whose: &str) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:#}");
    let text = format!(
        "{what} comes with metadata of {bytes} bytes, and {whose} takes 100 \
         (transport.metadata_bytes_max)"
    );
    assert_eq!(status.message(), text);
}
