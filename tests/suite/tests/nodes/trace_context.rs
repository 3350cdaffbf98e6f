//! The trace that a call belongs to: drawn, handed on from node to node, or that of a tracing
//! system.

use std::sync::{Arc, Mutex};

use broach_core::observe::{Propagator, TraceContext};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{act, echo};
use broach_tests::{Probe, Spans, Traced, World};

use crate::metadata::Chain;

#[tokio::test(start_paused = true)]
async fn calls_of_a_handler_carry_its_trace_on() {
    let chain = Chain::new(|next, _| async move { next.echo(echo(1)).await.map(drop) }).await;
    let spans = Spans::default();
    let _kept = spans.keep();
    chain.client().act(act("")).await.unwrap();
    // One below the other, through three nodes.
    let ([front, behind], [first, second]) = (calls(&spans), handlers(&spans));
    assert_eq!(behind.parent, Some(first.index));
    let attempts = spans.named("attempt");
    assert_eq!(first.field("parent_span_id"), attempts[0].field("span_id"));
    assert_eq!(second.field("parent_span_id"), attempts[1].field("span_id"));
    assert_eq!(spans.all().len(), 6);
    let trace_id = front.field("trace_id");
    assert!(spans.all().iter().all(|span| span.field("trace_id") == trace_id));
    assert_eq!(chain.probe.last_seen().trace.unwrap(), place(&second));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_its_own_carries_on_the_trace_that_it_is_told_of() {
    let chain = Chain::new(|next, cx| async move {
        let call = next.echo(echo(1));
        tokio::spawn(async move { call.inherit(&cx).await }).await.unwrap().map(drop)
    });
    let chain = chain.await;
    let spans = Spans::default();
    let _kept = spans.keep();
    chain.client().act(act("")).await.unwrap();
    let [front, behind] = calls(&spans);
    // The task is in no span, and in the trace all the same.
    assert_eq!(behind.parent, None);
    assert_eq!(behind.field("trace_id"), front.field("trace_id"));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_call_begins_a_trace_of_its_own() {
    let chain =
        Chain::new(|next, _| async move { next.echo(echo(1)).detached().await.map(drop) }).await;
    let spans = Spans::default();
    let _kept = spans.keep();
    chain.client().act(act("")).await.unwrap();
    let ([front, behind], [_, second]) = (calls(&spans), handlers(&spans));
    assert_ne!(behind.field("trace_id"), front.field("trace_id"));
    assert_eq!(second.field("trace_id"), behind.field("trace_id"));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_nobody_else_made_are_traces_of_their_own() {
    let chain = Chain::new(|_, _| async { Ok(()) }).await;
    let spans = Spans::default();
    let _kept = spans.keep();
    chain.client().act(act("")).await.unwrap();
    chain.client().act(act("")).await.unwrap();
    let [first, second] = calls(&spans);
    assert_ne!(first.field("trace_id"), second.field("trace_id"));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_keeps_no_spans_hands_the_trace_on_untouched() {
    let chain = Chain::new(|next, _| async move { next.echo(echo(1)).await.map(drop) }).await;
    let spans = Spans::without("handle");
    let _kept = spans.keep();
    chain.client().act(act("")).await.unwrap();
    let [_, behind] = calls(&spans);
    let attempts = spans.named("attempt");
    assert_eq!(behind.field("trace_id"), attempts[0].field("trace_id"));
    assert_eq!(chain.probe.last_seen().trace.unwrap(), place(&attempts[1]));
    assert_eq!(spans.named("handle"), []);
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_ids_of_a_tracing_system_take_the_place_of_drawn_ones() {
    let world = World::new(1);
    let probe = Probe::new();
    let (caller, server) = (Ids::new(OWN), Ids::new(OTHER));
    let node = world.node(1).propagate(server.clone()).serve(probe.server());
    let node = node.start().await.unwrap();
    let channel = world.caller(2).propagate(caller.clone()).connect(World::addr(1)).await.unwrap();
    let spans = Spans::default();
    let _kept = spans.keep();
    ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
    // The caller's system was asked about the call and the attempt, and what it said was sent.
    assert_eq!(caller.injected(), ["call", "attempt"]);
    assert_eq!(place(&spans.only("attempt")), OWN.parse().unwrap());
    let handle = spans.only("handle");
    assert_eq!(server.extracted(), [("handle".to_owned(), OWN.parse().unwrap())]);
    assert_eq!(handle.field("parent_span_id"), &OWN[36..52]);
    // And that of the server says where calls made by the handler stand.
    assert_eq!(server.injected(), ["handle"]);
    assert_eq!(probe.last_seen().trace.unwrap().to_string(), OTHER);
    assert_eq!(caller.extracted(), []);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_trace_goes_on_from_a_tracing_system_to_a_node_that_has_none() {
    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).serve(probe.server()).start().await.unwrap();
    let builder = world.caller(2).propagate(Ids::new(OWN));
    let channel = builder.connect(World::addr(1)).await.unwrap();
    let spans = Spans::default();
    let _kept = spans.keep();
    ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
    let handle = spans.only("handle");
    assert_eq!(handle.field("trace_id"), &OWN[3..35]);
    assert_eq!(handle.field("parent_span_id"), &OWN[36..52]);
    assert_ne!(handle.field("span_id"), &OWN[36..52]);
    assert_eq!(probe.last_seen().trace.unwrap(), place(&handle));
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_tracing_system_that_knows_no_ids_sends_none() {
    let world = World::new(1);
    let probe = Probe::new();
    let (caller, server) = (Ids::default(), Ids::default());
    let node = world.node(1).propagate(server.clone()).serve(probe.server());
    let node = node.start().await.unwrap();
    let channel = world.caller(2).propagate(caller.clone()).connect(World::addr(1)).await.unwrap();
    let spans = Spans::default();
    let _kept = spans.keep();
    ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
    assert_eq!(spans.all().len(), 3);
    assert!(spans.all().iter().all(|span| span.field("trace_id").is_empty()));
    assert_eq!(server.extracted(), []);
    assert_eq!(probe.last_seen().trace, None);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_tracing_system_is_not_asked_where_there_are_no_spans() {
    let world = World::new(1);
    let probe = Probe::new();
    let (caller, server) = (Ids::new(OWN), Ids::new(OTHER));
    let node = world.node(1).propagate(server.clone()).serve(probe.server());
    let node = node.start().await.unwrap();
    let channel = world.caller(2).propagate(caller.clone()).connect(World::addr(1)).await.unwrap();
    ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
    assert!(caller.injected().is_empty() && server.injected().is_empty());
    assert_eq!(probe.last_seen().trace, None);
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_tracing_system_that_panics_harms_no_call() {
    struct Panics;

    impl Propagator for Panics {
        fn inject(&self, _: &tracing::Span) -> Option<TraceContext> {
            panic!("as the test wants it");
        }

        fn extract(&self, _: &tracing::Span, _: TraceContext) {
            panic!("as the test wants it");
        }
    }

    let world = World::new(1);
    let probe = Probe::new();
    let node = world.node(1).propagate(Panics).serve(probe.server()).start().await.unwrap();
    let panicking = world.caller(2).propagate(Panics).connect(World::addr(1)).await.unwrap();
    let good = world.channel(3, 1).await;
    let spans = Spans::default();
    let _kept = spans.keep();
    for channel in [&panicking, &good] {
        ProbeClient::new(channel.clone()).echo(echo(1)).await.unwrap();
        assert_eq!(probe.last_seen().trace, None);
    }
    world.end((node, panicking, good)).await;
}

/// The spans of two calls.
fn calls(spans: &Spans) -> [Traced; 2] {
    spans.named("call").try_into().unwrap()
}

/// The spans of two handlers.
fn handlers(spans: &Spans) -> [Traced; 2] {
    spans.named("handle").try_into().unwrap()
}

/// The ids of a span.
fn place(span: &Traced) -> TraceContext {
    format!("00-{}-{}-01", span.field("trace_id"), span.field("span_id")).parse().unwrap()
}

/// A tracing system that gives every span the same ids, or none. Clones are the same system.
#[derive(Clone, Default)]
struct Ids {
    ids: Option<TraceContext>,
    injected: Arc<Mutex<Vec<String>>>,
    extracted: Arc<Mutex<Vec<(String, TraceContext)>>>,
}

impl Ids {
    fn new(traceparent: &str) -> Self {
        Self { ids: Some(traceparent.parse().unwrap()), ..Self::default() }
    }

    /// The names of the spans whose ids were asked for.
    fn injected(&self) -> Vec<String> {
        self.injected.lock().unwrap().clone()
    }

    /// The names of the spans that were given parents, and these.
    fn extracted(&self) -> Vec<(String, TraceContext)> {
        self.extracted.lock().unwrap().clone()
    }
}

impl Propagator for Ids {
    fn inject(&self, span: &tracing::Span) -> Option<TraceContext> {
        self.injected.lock().unwrap().push(name(span));
        self.ids
    }

    fn extract(&self, span: &tracing::Span, parent: TraceContext) {
        self.extracted.lock().unwrap().push((name(span), parent));
    }
}

fn name(span: &tracing::Span) -> String {
    span.metadata().unwrap().name().to_owned()
}

const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
