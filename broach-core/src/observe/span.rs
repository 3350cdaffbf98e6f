//! The spans of calls, under the names of OpenTelemetry's RPC conventions.
//!
//! A client span covers a call over all its attempts, with a child span for each attempt; a server
//! span covers a handler. A span is made only if a subscriber wants it; this library installs none.

use std::net::SocketAddr;

use tracing::Span;
use tracing::field::{Empty, display};

use crate::code::Code;
use crate::observe::{Observe, TraceContext, unharmed};

/// The span of a call, from its beginning to its end.
pub(super) fn call(method: &str, target: &str) -> Span {
    tracing::info_span!(
        target: "broach",
        "call",
        otel.name = method,
        otel.kind = "client",
        rpc.system.name = SYSTEM,
        rpc.method = method,
        rpc.status_code = Empty,
        otel.status_code = Empty,
        "error.type" = Empty,
        server.address = target,
        network.peer.address = Empty,
        network.peer.port = Empty,
        trace_id = Empty,
        span_id = Empty,
    )
}

/// The span of one attempt, under the call's.
pub(super) fn attempt(call: &Span, method: &str, number: usize, peer: Option<SocketAddr>) -> Span {
    let span = tracing::info_span!(
        target: "broach",
        parent: call,
        "attempt",
        otel.name = method,
        otel.kind = "client",
        rpc.system.name = SYSTEM,
        rpc.method = method,
        rpc.status_code = Empty,
        otel.status_code = Empty,
        "error.type" = Empty,
        network.peer.address = Empty,
        network.peer.port = Empty,
        attempt = number,
        trace_id = Empty,
        span_id = Empty,
    );
    record_peer(&span, peer);
    span
}

/// The span of a handler.
pub(super) fn handler(method: &str, peer: SocketAddr) -> Span {
    let span = tracing::info_span!(
        target: "broach",
        parent: None,
        "handle",
        otel.name = method,
        otel.kind = "server",
        rpc.system.name = SYSTEM,
        rpc.method = method,
        rpc.status_code = Empty,
        otel.status_code = Empty,
        "error.type" = Empty,
        network.peer.address = Empty,
        network.peer.port = Empty,
        trace_id = Empty,
        span_id = Empty,
        parent_span_id = Empty,
    );
    record_peer(&span, Some(peer));
    span
}

/// Gives a span its place in the trace below `parent`, and tells what a call made under it has to
/// hand on.
///
/// Without a subscriber the parent is handed on as it is, so that a node that records nothing does
/// not cut a trace in two.
pub(super) fn place(
    span: &Span,
    parent: Option<TraceContext>,
    observe: &Observe,
) -> Option<TraceContext> {
    if span.is_disabled() {
        return parent;
    }
    let place = match observe.propagator() {
        Some(propagator) => unharmed(|| propagator.inject(span)).flatten()?,
        None => observe.draw(|rng| TraceContext::new(parent, rng)),
    };
    span.record("trace_id", display(format_args!("{:032x}", place.trace_id)));
    span.record("span_id", display(format_args!("{:016x}", place.span_id)));
    Some(place)
}

/// Makes a span of another node the parent of a handler's span.
pub(super) fn adopt(span: &Span, parent: Option<TraceContext>, observe: &Observe) {
    let (Some(parent), false) = (parent, span.is_disabled()) else {
        return;
    };
    span.record("parent_span_id", display(format_args!("{:016x}", parent.span_id)));
    if let Some(propagator) = observe.propagator() {
        unharmed(|| propagator.extract(span, parent));
    }
}

/// Records how a call or an attempt ended.
pub(super) fn record_end(span: &Span, code: Code) {
    record_code(span, code, code != Code::Ok);
}

/// Records how a handler ended. Only what is amiss here counts as a failure, not what callers did.
pub(super) fn record_handler_end(span: &Span, code: Code) {
    let failed = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    record_code(span, code, failed);
}

fn record_code(span: &Span, code: Code, failed: bool) {
    span.record("rpc.status_code", code.name());
    if code != Code::Ok {
        span.record("error.type", code.name());
    }
    if failed {
        // What bridges to OpenTelemetry make the span's own status of.
        span.record("otel.status_code", "ERROR");
    }
}

/// Records which node was contacted.
pub(super) fn record_peer(span: &Span, peer: Option<SocketAddr>) {
    if let Some(peer) = peer {
        span.record("network.peer.address", display(peer.ip()));
        span.record("network.peer.port", peer.port());
    }
}

/// The value of `rpc.system.name`.
const SYSTEM: &str = "broach";
