//! Seeing what happens: counters, events, spans.
//!
//! Whatever a node does, it says once, in one place; the three views of it below all hang on that
//! place and cannot tell different stories.
//!
//! # Counters
//!
//! [`Node::counters`](crate::Node::counters) and [`Channel::counters`](crate::Channel::counters)
//! give what has been counted since the start. The sums hold at every moment at which nothing is
//! under way: datagrams received are those accepted and those dropped, each drop with its
//! [reason](crate::observe::DropReason); calls started are those ended, by code, and those in
//! flight; the same for attempts, handlers and sessions. What is held in memory at the moment is no
//! sum, and [`Node::held`](crate::Node::held) gives it.
//!
//! # Events
//!
//! An [`Observer`](crate::observe::Observer) gets every [`Event`](crate::observe::Event) as it
//! happens: for a metrics library of one's own, say.
//!
//! # Spans
//!
//! Calls are [`tracing`](https://docs.rs/tracing) spans with the target `broach` and the names of
//! OpenTelemetry's conventions for RPC. Broach installs no subscriber; without one no span is made,
//! and nothing is allocated for it.
//!
//! `tracing_subscriber::fmt` prints events, and spans only as what events are in. Broach makes
//! spans and no events, so nothing is printed unless the ends of spans are asked for:
//!
//! ```ignore
//! tracing_subscriber::fmt().with_span_events(FmtSpan::CLOSE).init();
//! ```
//!
//! (with `use tracing_subscriber::fmt::format::FmtSpan;`). Each span then is a line, with all its
//! fields and with how long it took: the sum of `time.busy` and `time.idle`.
//!
//! | span | covers | parent |
//! |---|---|---|
//! | `call` | a call over all its attempts | the span in which it was made |
//! | `attempt` | one attempt, numbered from 1 in the field `attempt` | its `call` |
//! | `handle` | a handler | none in this process; the attempt in the calling node |
//!
//! A call with a stream of replies lasts until they have been read, or its receiver is dropped, and
//! so does its attempt; the handler lasts until its last reply has been handed on.
//!
//! Within a process ([`Channel::in_process`](crate::Channel::in_process)) there is no `handle`: the
//! attempt covers the handler.
//!
//! | field | content |
//! |---|---|
//! | `otel.name`, `rpc.method` | `package.Service/Method` |
//! | `otel.kind` | `client` or `server` |
//! | `rpc.system.name` | `broach` |
//! | `rpc.status_code` | the code's name, such as `OK` or `NOT_FOUND` |
//! | `error.type` | the same, if it is not `OK` |
//! | `otel.status_code` | `ERROR` if the span counts as failed, which collectors show and search by |
//! | `server.address` | in `call`: what the call is addressed to |
//! | `network.peer.address`, `network.peer.port` | the other node |
//! | `trace_id`, `span_id`, `parent_span_id` | the place in the trace, in the hexadecimal form of W3C Trace Context |
//!
//! Calls and attempts have failed if their code is not `OK`; handlers only with `UNKNOWN`,
//! `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE` and `DATA_LOSS`, because the
//! others say that the caller should have done something else.
//!
//! The place in the trace travels with the call. So a search for one `trace_id` in the logs of all
//! nodes gives everything that came of one call, with no collector at all. A node without a
//! subscriber hands the trace on untouched.
//!
//! To give the ids to a collector instead, implement [`Propagator`](crate::observe::Propagator)
//! with the two functions that the tracing system has for reading a span's context and for setting
//! a span's parent (`tracing-opentelemetry`: `OpenTelemetrySpanExt::context` and `set_parent`), and
//! pass it to [`NodeBuilder::propagate`](crate::NodeBuilder::propagate) and
//! [`ChannelBuilder::propagate`](crate::ChannelBuilder::propagate).
