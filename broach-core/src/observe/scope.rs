//! Scopes: a call, an attempt or a handler from its beginning to its end, reported and traced in
//! one place.
//!
//! A scope that is dropped without [`end`](CallScope::end) was cancelled, and says so. That keeps
//! the sums right whatever happens to the futures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tracing::Span;

use crate::code::{Code, Outcome};
use crate::deadline::{Clock, Deadline, Time};
use crate::method::Method;
use crate::observe::{Event, Observe, TraceContext, span};

/// A call that was begun in this node.
#[derive(Debug)]
pub(crate) struct CallScope {
    scope: Scope,
    attempts: AtomicUsize,
    /// When the last attempt ended, in nanoseconds of the clock.
    last_end: AtomicU64,
    ended: AtomicBool,
}

/// One attempt of a call.
#[derive(Debug)]
pub(crate) struct AttemptScope {
    call: Arc<CallScope>,
    peer: Option<SocketAddr>,
    started: Time,
    span: Span,
    ended: bool,
}

/// A handler at work in this node.
#[derive(Debug)]
pub(crate) struct HandlerScope {
    scope: Scope,
    peer: SocketAddr,
    deadline: Option<Deadline>,
    ended: bool,
}

/// What a call and a handler have in common.
#[derive(Debug)]
struct Scope {
    observe: Observe,
    method: Method,
    started: Time,
    span: Span,
    trace: Option<TraceContext>,
}

impl CallScope {
    /// A call of `method` begins now; `target` names what it was addressed to, and `parent` is the
    /// trace that it continues.
    pub(crate) fn start(
        observe: &Observe,
        method: &Method,
        target: &str,
        now: Time,
        parent: Option<TraceContext>,
    ) -> Self {
        observe.emit(Event::CallStarted { method: method.full_name() });
        let span = span::call(method.full_name(), target);
        let trace = span::place(&span, parent, observe);
        let (observe, method) = (observe.clone(), method.clone());
        let scope = Scope { observe, method, started: now, span, trace };
        let (attempts, last_end) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { scope, attempts, last_end, ended: AtomicBool::new(false) }
    }

    /// The method that is called.
    pub(crate) const fn method(&self) -> &Method {
        &self.scope.method
    }

    /// When the call began.
    pub(crate) const fn started(&self) -> Time {
        self.scope.started
    }

    /// The span that covers the call.
    pub(crate) const fn span(&self) -> &Span {
        &self.scope.span
    }

    /// The clock that the call is timed by.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.scope.observe.clock()
    }

    /// The next attempt begins now. Also tells what the called node has to know of the trace.
    pub(crate) fn attempt(
        self: &Arc<Self>,
        now: Time,
        peer: Option<SocketAddr>,
    ) -> (AttemptScope, Option<TraceContext>) {
        let Scope { observe, method, span: call, trace: parent, .. } = &self.scope;
        let number = 1 + self.attempts.fetch_add(1, Relaxed);
        observe.emit(Event::AttemptStarted { method: method.full_name(), peer });
        let span = span::attempt(call, method.full_name(), number, peer);
        span::record_peer(call, peer);
        let trace = span::place(&span, *parent, observe);
        let call = Arc::clone(self);
        (AttemptScope { call, peer, started: now, span, ended: false }, trace)
    }

    /// The call has ended. Only the first time counts.
    pub(crate) fn end(&self, code: Code, outcome: Outcome) {
        if self.ended.swap(true, Relaxed) {
            return;
        }
        let scope = &self.scope;
        span::record_end(&scope.span, code);
        // What comes after the last attempt takes no time that counts.
        let ended = match self.last_end.load(Relaxed) {
            0 => self.clock().now(),
            nanos => Time::from_nanos(nanos),
        };
        scope.observe.emit(Event::CallEnded {
            method: scope.method.full_name(),
            code,
            outcome,
            elapsed: ended.since(scope.started),
            attempts: self.attempts.load(Relaxed),
        });
    }
}

impl Drop for CallScope {
    fn drop(&mut self) {
        self.end(Code::Cancelled, Outcome::Unknown);
    }
}

impl AttemptScope {
    /// The attempt has ended; tells how long it took.
    pub(crate) fn end(&mut self, code: Code, outcome: Outcome) -> Duration {
        self.ended = true;
        let scope = &self.call.scope;
        span::record_end(&self.span, code);
        let now = self.call.clock().now();
        self.call.last_end.store(now.as_nanos(), Relaxed);
        let elapsed = now.since(self.started);
        scope.observe.emit(Event::AttemptEnded {
            method: scope.method.full_name(),
            peer: self.peer,
            code,
            outcome,
            elapsed,
        });
        elapsed
    }
}

impl Drop for AttemptScope {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Code::Cancelled, Outcome::Unknown);
        }
    }
}

impl HandlerScope {
    /// A handler for a call of `method` begins now; `parent` is the caller's place in the trace.
    pub(crate) fn start(
        observe: &Observe,
        method: &Method,
        peer: SocketAddr,
        now: Time,
        deadline: Option<Deadline>,
        parent: Option<TraceContext>,
    ) -> Self {
        observe.emit(Event::HandlerStarted { method: method.full_name(), peer });
        let span = span::handler(method.full_name(), peer);
        span::adopt(&span, parent, observe);
        let trace = span::place(&span, parent, observe);
        let (observe, method) = (observe.clone(), method.clone());
        let scope = Scope { observe, method, started: now, span, trace };
        Self { scope, peer, deadline, ended: false }
    }

    /// The method that is served.
    pub(crate) const fn method(&self) -> &Method {
        &self.scope.method
    }

    /// The span that covers the handler.
    pub(crate) const fn span(&self) -> &Span {
        &self.scope.span
    }

    /// Where calls made by the handler stand in the trace.
    pub(crate) const fn trace(&self) -> Option<TraceContext> {
        self.scope.trace
    }

    /// The handler has ended.
    pub(crate) fn end(&mut self, code: Code) {
        self.ended = true;
        let scope = &self.scope;
        span::record_handler_end(&scope.span, code);
        scope.observe.emit(Event::HandlerEnded {
            method: scope.method.full_name(),
            peer: self.peer,
            code,
            elapsed: scope.observe.clock().now().since(scope.started),
        });
    }
}

impl Drop for HandlerScope {
    fn drop(&mut self) {
        if !self.ended {
            // It was stopped: at its deadline, or before because nobody waits for it any more.
            let now = self.scope.observe.clock().now();
            let expired = self.deadline.is_some_and(|deadline| deadline.remaining(now).is_none());
            self.end(if expired { Code::DeadlineExceeded } else { Code::Cancelled });
        }
    }
}
