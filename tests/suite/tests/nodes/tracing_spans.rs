//! The spans of calls: which there are, what is recorded in them, what happens inside them.

use std::collections::BTreeMap;

use broach_core::{Channel, Code, Context, Node, Sender, Status};
use broach_tests::broach::testing::v1::{self, Nothing, Number, ProbeClient, ScriptClient};
use broach_tests::layers::refuse;
use broach_tests::requests::{act, echo, fail, good_call, sleep, wait};
use broach_tests::{Probe, Script, Spans, Traced, World, eventually, millis};
use futures::FutureExt;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

#[tokio::test(start_paused = true)]
async fn spans_are_named_and_filled_as_the_guide_says() {
    let (spans, _probe, world, node, channel) = open().await;
    let _kept = spans.keep();
    ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
    let method = "broach.testing.v1.Probe/Echo";
    let common = BTreeMap::from([
        ("otel.name", method),
        ("rpc.method", method),
        ("rpc.system.name", "broach"),
        ("rpc.status_code", "OK"),
        ("network.peer.port", "7400"),
    ]);
    let with = |more: &[(&'static str, &'static str)]| {
        let mut fields = common.clone();
        fields.extend(more.iter().copied());
        fields
    };
    let (server, client) = ("10.0.0.1", "10.0.0.2");
    let call = [
        ("otel.kind", "client"),
        ("network.peer.address", server),
        ("server.address", "10.0.0.1:7400"),
    ];
    let attempt = [("otel.kind", "client"), ("network.peer.address", server), ("attempt", "1")];
    let handle = [("otel.kind", "server"), ("network.peer.address", client)];
    assert_eq!(fields(&spans.only("call")), with(&call));
    assert_eq!(fields(&spans.only("attempt")), with(&attempt));
    assert_eq!(fields(&spans.only("handle")), with(&handle));
    for span in spans.all() {
        assert_eq!(span.target, "broach");
        assert_eq!(span.field("trace_id").len(), 32, "{span:?}");
        assert_eq!(span.field("span_id").len(), 16, "{span:?}");
        let hexadecimal = |text: &str| u128::from_str_radix(text, 16).is_ok_and(|id| 0 < id);
        assert!(["trace_id", "span_id"].iter().all(|id| hexadecimal(span.field(id))), "{span:?}");
        assert_eq!(span.fields.contains_key("parent_span_id"), span.name == "handle");
        assert!(span.closed, "{span:?}");
    }
    assert_eq!(spans.all().len(), 3);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_covers_its_attempts_and_each_node_belongs_to_one_of_them() {
    let world = World::new(1);
    let probe = Probe::new();
    let first = world.node(1).layer(refuse(Code::Unavailable)).serve(Probe::new().server());
    let nodes =
        [first.start().await.unwrap(), world.node(2).serve(probe.server()).start().await.unwrap()];
    let channel = world.list(3, &[1, 2]).await;
    let spans = Spans::default();
    let _kept = spans.keep();
    let response = ProbeClient::new(channel.clone()).echo(echo(1)).response().await.unwrap();
    assert_eq!(response.attempts.len(), 2, "the first node refused");
    let call = spans.only("call");
    assert_eq!(call.field("server.address"), "10.0.0.1:7400,10.0.0.2:7400");
    assert_eq!(call.field("network.peer.address"), "10.0.0.2", "that of the last attempt");
    assert_eq!((call.field("rpc.status_code"), call.field("error.type")), ("OK", ""));
    let (attempts, handlers) = (spans.named("attempt"), spans.named("handle"));
    let ends = [("1", "10.0.0.1", "UNAVAILABLE", "UNAVAILABLE"), ("2", "10.0.0.2", "OK", "")];
    for (index, (number, peer, code, error)) in ends.into_iter().enumerate() {
        let (attempt, handle) = (&attempts[index], &handlers[index]);
        assert_eq!(attempt.parent, Some(call.index));
        assert_eq!(attempt.field("attempt"), number);
        assert_eq!(attempt.field("network.peer.address"), peer);
        assert_eq!(handle.parent, None);
        assert_eq!(handle.field("parent_span_id"), attempt.field("span_id"));
        for span in [attempt, handle] {
            assert_eq!(span.field("rpc.status_code"), code, "{span:?}");
            assert_eq!(span.field("error.type"), error, "{span:?}");
            let failed = if code == "OK" { "" } else { "ERROR" };
            assert_eq!(span.field("otel.status_code"), failed, "{span:?}");
            assert_eq!(span.field("trace_id"), call.field("trace_id"));
        }
    }
    assert_eq!((attempts.len(), handlers.len()), (2, 2));
    let ids: std::collections::BTreeSet<_> =
        spans.all().iter().map(|span| span.field("span_id").to_owned()).collect();
    assert_eq!(ids.len(), 5, "each span has an id of its own");
    world.end((nodes, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn each_end_is_recorded_on_both_sides() {
    let (spans, probe, world, node, channel) = open().await;
    let client = ProbeClient::new(channel.clone());
    let ended = |spans: &Spans| {
        ["call", "attempt", "handle"].map(|name| {
            let span = spans.only(name);
            assert!(span.closed, "{span:?}");
            assert_eq!(span.field("rpc.status_code"), span.field("error.type"));
            let failed = span.field("otel.status_code") == "ERROR";
            // Of what callers ask and nodes refuse, handlers are not to blame for all.
            let blameless = ["NOT_FOUND", "CANCELLED"].contains(&span.field("error.type"));
            assert_eq!(failed, name != "handle" || !blameless, "{span:?}");
            span.field("error.type").to_owned()
        })
    };
    {
        let _kept = spans.keep();
        client.fail(fail(Code::NotFound, "no such thing")).await.unwrap_err();
    }
    assert_eq!(ended(&spans), ["NOT_FOUND"; 3]);

    let spans = Spans::default();
    {
        let _kept = spans.keep();
        client.panic(Nothing {}).await.unwrap_err();
    }
    assert_eq!(ended(&spans), ["INTERNAL"; 3]);

    let spans = Spans::default();
    {
        let _kept = spans.keep();
        client.sleep(sleep(1, 1_000)).timeout(millis(50)).await.unwrap_err();
        eventually(|| spans.only("handle").closed).await;
    }
    assert_eq!(ended(&spans), ["DEADLINE_EXCEEDED"; 3]);

    let spans = Spans::default();
    {
        let _kept = spans.keep();
        let mut call = client.wait(wait(1));
        assert!((&mut call).now_or_never().is_none());
        probe.until(|probe| probe.running() == 1).await;
        assert!(!spans.only("call").closed && !spans.only("handle").closed);
        drop(call);
        eventually(|| spans.only("handle").closed).await;
    }
    assert_eq!(ended(&spans), ["CANCELLED"; 3]);
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_made_is_a_span_without_attempts() {
    let (spans, _probe, world, node, channel) = open().await;
    let _kept = spans.keep();
    let too_large = vec![0; 17 << 20];
    let status = channel.call("a.B/C", too_large).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(spans.only("call").field("error.type"), "RESOURCE_EXHAUSTED");
    assert_eq!(spans.all().len(), 1);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_in_a_handler_happens_in_its_span() {
    struct Farewell(String);

    impl Drop for Farewell {
        fn drop(&mut self) {
            tracing::info!("{} is gone", self.0);
        }
    }

    let world = World::new(1);
    let script = Script::new(|_, request| async move {
        let _farewell = Farewell(request.text.clone());
        tracing::info!("{} begins", request.text);
        tokio::time::sleep(millis(10)).await;
        tracing::info!("{} goes on", request.text);
        // Also what runs while it unwinds or is thrown away.
        match &*request.text {
            "panic" => panic!("as the test wants it"),
            "stay" => std::future::pending().await,
            _ => Ok(String::new()),
        }
    });
    let node = world.node(1).serve(script.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let spans = Spans::default();
    let _kept = spans.keep();
    let client = ScriptClient::new(channel.clone());
    let texts = ["one", "two", "panic", "stay"];
    let calls = texts.map(|text| client.act(act(text)).timeout(millis(100)));
    futures::future::join_all(calls).await;
    eventually(|| spans.named("handle").iter().all(|span| span.closed)).await;
    let mut handlers: Vec<_> = spans.named("handle").into_iter().map(|span| span.events).collect();
    handlers.sort();
    let mut expected: Vec<_> = texts
        .map(|text| ["begins", "goes on", "is gone"].map(|what| format!("{text} {what}")).to_vec())
        .to_vec();
    expected.sort();
    assert_eq!(handlers, expected);
    let outside = spans.all().into_iter().filter(|span| span.name != "handle");
    assert!(outside.into_iter().all(|span| span.events.is_empty()));
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_is_below_the_span_it_is_made_in() {
    let (spans, probe, world, node, channel) = open().await;
    let _kept = spans.keep();
    let outer = tracing::info_span!("outer");
    let inside = outer.in_scope(|| {
        let mut call = ProbeClient::new(channel.clone()).wait(wait(1));
        assert!((&mut call).now_or_never().is_none());
        call
    });
    probe.release(1);
    inside.await.unwrap();
    assert_eq!(spans.only("call").parent, Some(spans.only("outer").index));
    assert_eq!(spans.only("handle").parent, None);
    drop(outer);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_within_the_process_have_a_call_and_an_attempt() {
    let script = Script::new(|cx, _| async move {
        tracing::info!("handled");
        Ok(cx.trace().map(|trace| trace.to_string()).unwrap_or_default())
    });
    let channel = Channel::in_process(script.server());
    let spans = Spans::default();
    let _kept = spans.keep();
    let reply = ScriptClient::new(channel).act(act("")).await.unwrap();
    let (call, attempt) = (spans.only("call"), spans.only("attempt"));
    assert_eq!(call.field("server.address"), "broach.testing.v1.Script");
    assert_eq!(call.field("network.peer.address"), "");
    assert_eq!(attempt.parent, Some(call.index));
    assert_eq!(attempt.field("trace_id"), call.field("trace_id"));
    let place = format!("00-{}-{}-01", attempt.field("trace_id"), attempt.field("span_id"));
    assert_eq!(reply.text, place);
    let events: Vec<_> = spans.all().into_iter().flat_map(|span| span.events).collect();
    assert_eq!((spans.all().len(), events), (2, vec!["handled".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_stream_lasts_until_it_has_been_read() {
    struct Counts;

    #[broach_core::async_trait]
    impl v1::Numbers for Counts {
        async fn count(
            &self,
            _: Context,
            up_to: Number,
            mut replies: Sender<Number>,
        ) -> Result<(), Status> {
            for value in 1..=up_to.value {
                replies.send(Number { value }).await?;
            }
            tracing::info!("counted");
            Ok(())
        }
    }

    let client = v1::NumbersClient::new(Channel::in_process(v1::NumbersServer::new(Counts)));
    let spans = Spans::default();
    let _kept = spans.keep();
    // More than are on the way at once.
    let mut numbers = client.count(Number { value: 20_000 }).await.unwrap();
    for _ in 0..50 {
        assert!(numbers.message().await.unwrap().is_some());
    }
    assert_eq!(spans.only("call").events, [""; 0], "the handler waits for its reader");
    while numbers.message().await.unwrap().is_some() {}
    let call = spans.only("call");
    assert_eq!(call.events, ["counted"]);
    assert_eq!(call.field("rpc.status_code"), "OK");
    drop(numbers);
    assert!(spans.only("call").closed);
}

#[tokio::test(start_paused = true)]
async fn without_a_subscriber_there_is_no_span_and_none_is_installed() {
    let (_, probe, world, node, channel) = open().await;
    ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
    assert_eq!(probe.last_seen().trace, None);
    assert!(tracing::dispatcher::get_default(Dispatch::is::<NoSubscriber>));
    world.end((node, channel)).await;
}

/// A node and a channel to it, which know each other.
async fn open() -> (Spans, Probe, World, Node, Channel) {
    let (world, probe) = (World::new(1), Probe::new());
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    (Spans::default(), probe, world, node, channel)
}

/// What is recorded, but for the place in the trace.
fn fields(span: &Traced) -> BTreeMap<&'static str, &str> {
    let place = ["trace_id", "span_id", "parent_span_id"];
    let fields = span.fields.iter().filter(|(name, _)| !place.contains(name));
    fields.map(|(&name, value)| (name, value.as_str())).collect()
}
