//! A request and its reply as the layers on both sides see them: encoded bytes and what goes
//! with them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::code::Code;
use crate::deadline::{Clock, Deadline};
use crate::exchange::{Body, SharedGate, SharedSink, SharedSource};
use crate::ids::CallKey;
use crate::metadata::Metadata;
use crate::method::{Idempotency, Method};
use crate::observe::{CallScope, TraceContext};
use crate::peer::Peer;
use crate::routing::{Picker, Selection};
use crate::status::{Attempt, Status};

/// A call on its way from the caller to the handler.
///
/// This is what a [`tower::Service`] in a [`Channel`](crate::Channel) or a
/// [`Node`](crate::Node) takes. A layer may change the metadata, bring the deadline forward, look
/// at the bytes, or answer itself.
pub struct Request {
    /// Which method is called.
    pub method: Method,
    /// What the caller sent along.
    pub metadata: Metadata,
    /// The message or messages.
    pub body: Body,
    /// What the call wishes of the node that it goes to; nothing on the side that serves it. A
    /// layer of a channel may wish more, such as a key that it finds in the metadata.
    pub selection: Selection,
    /// When the call must have ended; a unary call always has a deadline.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) idempotent: bool,
    pub(crate) retried: bool,
    /// The caller waits only until the handler has begun.
    pub(crate) one_way: bool,
    /// It is for one node, and does not wait if that is gone.
    pub(crate) pinned: bool,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) origin: Option<Origin>,
    /// The call as the caller's node watches it; absent on the side that serves.
    pub(crate) scope: Option<Arc<CallScope>>,
    /// A shorter way to the messages of the body, as long as nobody has changed that.
    pub(crate) source: Option<SharedSource>,
    /// Where the replies of the handler go, if nobody is to see them before.
    pub(crate) sink: Option<SharedSink>,
    /// Otherwise: whether any are wanted.
    pub(crate) gate: Option<SharedGate>,
    /// Chooses the node in place of the channel's own picker.
    pub(crate) picker: Option<Arc<dyn Picker>>,
}

/// Who made a call, on the side that serves it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Origin {
    pub(crate) peer: Peer,
    pub(crate) key: CallKey,
}

impl Request {
    /// A request of a call that begins here.
    pub(crate) fn new(method: Method, body: Body, clock: Arc<dyn Clock>) -> Self {
        let idempotent = method.idempotency() != Idempotency::None;
        Self {
            method,
            metadata: Metadata::new(),
            deadline: None,
            body,
            selection: Selection::new(),
            clock,
            idempotent,
            retried: false,
            one_way: false,
            pinned: false,
            trace: None,
            origin: None,
            scope: None,
            source: None,
            sink: None,
            gate: None,
            picker: None,
        }
    }

    /// Whether the call may run more than once: its method says so, or the caller did.
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Whether this is another try of a call that failed before. Such a call is not tried again
    /// further down, so that retries do not multiply.
    pub const fn is_retry(&self) -> bool {
        self.retried
    }

    /// How much time is left; zero once the deadline has passed, `None` if there is none.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.deadline?.remaining(self.clock.now()).unwrap_or_default())
    }

    /// Brings the deadline forward: the call may take no longer than this from now.
    pub fn limit_time(&mut self, timeout: Duration) {
        let limit = Deadline::after(self.clock.now(), timeout);
        self.deadline = Some(self.deadline.map_or(limit, |deadline| deadline.min(limit)));
    }

    /// Who made the call, on the side that serves it; `None` within the process and on the side
    /// that makes it.
    pub fn peer(&self) -> Option<Peer> {
        self.origin.map(|origin| origin.peer)
    }

    /// The trace that the call belongs to.
    pub const fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// Another request for the same call; `None` if its messages come as a stream, which can be
    /// read only once.
    pub fn try_clone(&self) -> Option<Self> {
        let bytes = self.body.as_message()?.clone();
        Some(Self {
            method: self.method.clone(),
            metadata: self.metadata.clone(),
            deadline: self.deadline,
            body: Body::Message(bytes),
            selection: self.selection.clone(),
            clock: Arc::clone(&self.clock),
            idempotent: self.idempotent,
            retried: self.retried,
            one_way: self.one_way,
            pinned: self.pinned,
            trace: self.trace,
            origin: self.origin,
            scope: self.scope.clone(),
            source: None,
            sink: None,
            gate: self.gate.clone(),
            picker: self.picker.clone(),
        })
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("metadata", &self.metadata)
            .field("body", &self.body)
            .field("time_left", &self.time_left())
            .finish_non_exhaustive()
    }
}

/// A successful answer on its way back.
#[derive(Debug)]
pub struct Reply {
    /// What the handler sent along.
    pub metadata: Metadata,
    /// The message or messages.
    pub body: Body,
    pub(crate) peer: Option<Peer>,
    /// The attempts before the one that gave this reply.
    pub(crate) failed: Vec<Attempt>,
    /// How long that one took; `None` if a layer answered and none was made.
    pub(crate) elapsed: Option<Duration>,
}

impl Reply {
    /// A reply without metadata.
    pub fn new(body: Body) -> Self {
        let (metadata, failed) = (Metadata::new(), Vec::new());
        Self { metadata, body, peer: None, failed, elapsed: None }
    }
}

/// How an answer counts: the code that a result stands for.
pub(crate) fn code_of<T>(result: &Result<T, Status>) -> Code {
    result.as_ref().map_or_else(Status::code, |_| Code::Ok)
}
