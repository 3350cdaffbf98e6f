//! [`Context`]: what a handler knows of its call, and how the calls it makes inherit from it.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::deadline::{Clock, Deadline, Stopped};
use crate::exchange::{Origin, Request};
use crate::ids::CallKey;
use crate::metadata::{Metadata, MetadataError, Value};
use crate::method::{Method, MethodSpec};
use crate::observe::TraceContext;
use crate::peer::Peer;
use crate::status::Status;

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

    /// The error that the handler returned, with what it set through this.
    pub(super) fn returned(&self, status: Status) -> Status {
        let status = status.of_handler();
        let mut metadata = self.take_reply_metadata();
        if metadata.is_empty() {
            return status;
        }
        metadata.inherit(status.metadata());
        status.with_metadata(metadata)
    }

    /// Does something as part of this call: calls made meanwhile inherit from it.
    pub(crate) fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        let _inside = Inside::enter(self.clone());
        act()
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

/// Puts back the context that was there before, also after a panic.
struct Inside {
    before: Option<Context>,
}

impl Inside {
    fn enter(context: Context) -> Self {
        Self { before: CURRENT.replace(Some(context)) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_seen_inside_and_gone_outside() {
        assert!(Context::test().enter(|| Context::current().is_some()));
        assert!(Context::current().is_none());
    }

    #[test]
    fn contexts_nest() {
        let outer = Context::test();
        outer.enter(|| {
            assert!(Context::test().enter(|| Context::current().is_some()));
            assert!(Context::current().is_some_and(|now| Arc::ptr_eq(&now.0, &outer.0)));
        });
        assert!(Context::current().is_none());
    }

    #[test]
    fn a_panic_leaves_no_context_behind() {
        let act = || Context::test().enter(|| panic!("on purpose"));
        assert!(std::panic::catch_unwind(act).is_err());
        assert!(Context::current().is_none());
    }
}
