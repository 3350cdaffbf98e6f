//! [`Context`]: what a handler knows of its call, and how the calls it makes inherit from it.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use crate::deadline::{Clock, Deadline, Stopped};
use crate::exchange::{Origin, Request};
use crate::ids::CallKey;
use crate::metadata::{Metadata, MetadataError, Value};
use crate::method::{Method, MethodSpec};
use crate::observe::TraceContext;
use crate::peer::Peer;

/// The call that a handler serves: who makes it, how much time is left, what came along.
///
/// Calls made while the handler runs inherit the rest of its deadline, its trace and its
/// persistent metadata by themselves. Work that the handler hands to another task does not;
/// such a task passes a clone of the context to [`Call::inherit`](crate::Call::inherit).
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    method: Method,
    metadata: Metadata,
    deadline: Option<Deadline>,
    clock: Arc<dyn Clock>,
    retried: bool,
    trace: Option<TraceContext>,
    origin: Option<Origin>,
    reply_metadata: Mutex<Metadata>,
}

impl Context {
    /// A context for calling a handler directly in a test: no deadline, no metadata, no peer.
    pub fn test() -> Self {
        let method = MethodSpec::named("test.v1.Test/Test").expect("the name is well formed");
        Self::with_metadata(method.into(), Metadata::new(), Stopped::shared())
    }

    fn with_metadata(method: Method, metadata: Metadata, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            method,
            metadata,
            deadline: None,
            clock,
            retried: false,
            trace: None,
            origin: None,
            reply_metadata: Mutex::default(),
        }))
    }

    /// The context of a request, and the request's body apart.
    pub(crate) fn of(request: Request) -> (Self, crate::exchange::Body) {
        let context = Self(Arc::new(Inner {
            method: request.method,
            metadata: request.metadata,
            deadline: request.deadline,
            clock: request.clock,
            retried: request.retried,
            trace: request.trace,
            origin: request.origin,
            reply_metadata: Mutex::default(),
        }));
        (context, request.body)
    }

    /// The context of the handler that is running; `None` outside of any handler.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// The method that was called.
    pub fn method(&self) -> &MethodSpec {
        &self.0.method
    }

    /// What the caller sent along.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The node that made the call; `None` if it was made within the process.
    pub fn peer(&self) -> Option<Peer> {
        self.0.origin.map(|origin| origin.peer)
    }

    /// What tells this call from every other; `None` if it was made within the process.
    pub fn key(&self) -> Option<CallKey> {
        self.0.origin.map(|origin| origin.key)
    }

    /// How much time the caller still waits: zero once the deadline has passed, `None` if there is
    /// none (a stream may have none).
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.0.deadline?;
        Some(deadline.remaining(self.0.clock.now()).unwrap_or_default())
    }

    /// Whether this is another try of a call that failed before.
    pub fn is_retry(&self) -> bool {
        self.0.retried
    }

    /// The trace that the call belongs to.
    pub fn trace(&self) -> Option<TraceContext> {
        self.0.trace
    }

    /// Sends a value along with the reply, in place of all that the key had. For a stream of
    /// replies it must be set before the first of them is sent.
    ///
    /// # Errors
    ///
    /// If the key is not allowed; see [`Metadata`].
    pub fn set_reply_metadata(
        &self,
        key: &str,
        value: impl Into<Value>,
    ) -> Result<(), MetadataError> {
        let mut metadata = self.0.reply_metadata.lock().unwrap_or_else(PoisonError::into_inner);
        metadata.insert(key, value)
    }

    /// What the handler has set so far, which is taken away.
    pub(crate) fn take_reply_metadata(&self) -> Metadata {
        let mut metadata = self.0.reply_metadata.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut metadata)
    }

    /// Runs a future as part of this call: what it calls inherits from it.
    pub(crate) const fn scope<F>(self, future: F) -> Scope<F> {
        Scope { context: Some(self), future }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &self.0.method)
            .field("peer", &self.peer())
            .field("time_left", &self.time_left())
            .field("metadata", &self.0.metadata)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// The call whose handler this thread is polling.
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// A future during whose polls [`Context::current`] is set.
pub(crate) struct Scope<F> {
    /// Present between polls; during one it is in [`CURRENT`].
    context: Option<Context>,
    future: F,
}

impl<F: Future + Unpin> Future for Scope<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _inside = Inside::enter(&mut this.context);
        Pin::new(&mut this.future).poll(cx)
    }
}

/// Puts a context into [`CURRENT`], and back when dropped: after a panic too.
struct Inside<'a> {
    slot: &'a mut Option<Context>,
}

impl<'a> Inside<'a> {
    fn enter(slot: &'a mut Option<Context>) -> Self {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, slot));
        Self { slot }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, self.slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_scope_is_seen_inside_and_gone_outside() {
        let inside = Context::test().scope(Box::pin(async { Context::current().is_some() }));
        assert!(inside.now_or_never().unwrap());
        assert!(Context::current().is_none());
    }

    #[test]
    fn scopes_nest() {
        let depth = Box::pin(async {
            let inner = Context::test().scope(Box::pin(async { Context::current().is_some() }));
            inner.await && Context::current().is_some()
        });
        assert!(Context::test().scope(depth).now_or_never().unwrap());
        assert!(Context::current().is_none());
    }

    #[test]
    fn a_panic_leaves_no_context_behind() {
        let scope = Context::test().scope(Box::pin(async { panic!("on purpose") }));
        let outcome = std::panic::AssertUnwindSafe(scope).catch_unwind().now_or_never();
        assert!(outcome.unwrap().is_err());
        assert!(Context::current().is_none());
    }
}
