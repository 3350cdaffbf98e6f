//! [`Call`]: a call as a value, which runs when it is awaited.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::client::Channel;
use crate::client::fan_out::NodeCalls;
use crate::client::reply::{Envelope, Open, TimeLimit};
use crate::code::Outcome;
use crate::deadline::Deadline;
use crate::exchange::{Body, Context, Reply, Request, SharedSource};
use crate::metadata::{Metadata, MetadataError, Value};
use crate::method::{Method, Shape};
use crate::observe::CallScope;
use crate::peer::Peer;
use crate::routing::{NodeId, Selection};
use crate::status::{Attempt, Status};

/// A call that has not been made yet: set what it needs, then await it.
///
/// ```no_run
/// # async fn example(channel: broach_core::Channel) -> Result<(), broach_core::Status> {
/// use std::time::Duration;
///
/// let reply = channel
///     .call("greeter.v1.Greeter/SayHello", "\n\x03Ada")
///     .timeout(Duration::from_millis(250))
///     .metadata("tenant", "acme")
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Nothing is sent before the first poll. The call owns all it needs, so it can be spawned, joined,
/// selected and put into collections as it is.
///
/// # Cancel safety
///
/// Dropping a call that runs cancels the work at the other end. Whether its handler ran is not
/// known then.
#[must_use = "a call is not made until it is awaited or spawned"]
pub struct Call<Req, Rep> {
    state: State<Req, Rep>,
}

enum State<Req, Rep> {
    Idle(Idle<Req, Rep>),
    Running(Running<Rep>),
    /// It cannot be made.
    Failed(Status),
    Ended,
}

/// The call under way.
struct Running<Rep> {
    replying: BoxFuture<'static, Result<Reply, Status>>,
    open: Open<Rep>,
    limit: Option<TimeLimit>,
    scope: Arc<CallScope>,
}

/// All that is needed to make the call.
struct Idle<Req, Rep> {
    channel: Channel,
    method: Method,
    message: Req,
    encode: fn(Req) -> Encoded,
    open: Open<Rep>,
    options: Options,
}

/// The body of a request, and a shorter way to its messages if they are a stream.
pub(super) type Encoded = (Body, Option<SharedSource>);

/// What a caller may set.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    timeout: Option<Duration>,
    metadata: Metadata,
    idempotent: bool,
    one_way: bool,
    pub(super) selection: Selection,
    /// It is for one node, and not worth while if that is gone.
    pinned: bool,
    inherit: Inherit,
    /// The first mistake made in setting the others; the call then fails with it.
    mistake: Option<MetadataError>,
}

/// What a call takes over from the call that it is made for.
#[derive(Clone, Debug, Default)]
enum Inherit {
    /// Of the handler that makes the call, if one does.
    #[default]
    Ambient,
    /// Of this one.
    From(Context),
    /// Nothing.
    Nothing,
}

/// A reply with what came along.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response<T> {
    /// The reply's message, or the receiver of its messages.
    pub message: T,
    /// What the handler sent along.
    pub metadata: Metadata,
    /// The node that answered, which may be this one; `None` if the call went to a service
    /// [in the process](Channel::in_process), or a layer of the channel answered.
    pub peer: Option<Peer>,
    /// What was tried, in order; the last one succeeded. Empty if a layer of the channel answered.
    pub attempts: Vec<Attempt>,
}

impl<Req, Rep> Call<Req, Rep> {
    pub(super) fn new(
        channel: Channel,
        method: Method,
        message: Req,
        encode: fn(Req) -> Encoded,
        open: Open<Rep>,
    ) -> Self {
        let options = Options::default();
        Self { state: State::Idle(Idle { channel, method, message, encode, open, options }) }
    }

    /// A call that cannot be made, because of a mistake of the caller.
    pub(super) const fn failed(status: Status) -> Self {
        Self { state: State::Failed(status) }
    }

    /// Gives the call this long, over all attempts. Within a handler the rest of the handler's own
    /// time is the upper bound.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|options| options.timeout = Some(timeout))
    }

    /// Sends a value along, in place of all that the key had.
    ///
    /// A key that is not allowed (see [`Metadata`]) makes the call fail with `INVALID_ARGUMENT`.
    pub fn metadata(self, key: &str, value: impl Into<Value>) -> Self {
        self.set(|options| {
            let result = options.metadata.insert(key, value);
            options.mistake = options.mistake.take().or_else(|| result.err());
        })
    }

    /// Sends a value along that the calls made by the handler hand on, and those of their handlers.
    ///
    /// A key that is not allowed (see [`Metadata`]) makes the call fail with `INVALID_ARGUMENT`.
    pub fn persistent_metadata(self, key: &str, value: impl Into<Value>) -> Self {
        self.set(|options| {
            let result = options.metadata.insert_persistent(key, value);
            options.mistake = options.mistake.take().or_else(|| result.err());
        })
    }

    /// Marks the call as safe to run more than once, whatever its method says. It may then be tried
    /// again when it is not known whether it ran.
    pub fn idempotent(self) -> Self {
        self.set(|options| options.idempotent = true)
    }

    /// Inherits deadline, trace and persistent metadata from this context: for work that a handler
    /// has handed to another task.
    pub fn inherit(self, cx: &Context) -> Self {
        self.set(|options| options.inherit = Inherit::From(cx.clone()))
    }

    /// Inherits nothing from the handler that makes the call: for work that outlives it.
    pub fn detached(self) -> Self {
        self.set(|options| options.inherit = Inherit::Nothing)
    }

    /// The call with the reply's metadata, the node that answered and the attempts made.
    pub fn response(self) -> ResponseFuture<Req, Rep> {
        ResponseFuture { call: self }
    }

    /// The call as one that ends as soon as its handler has begun.
    pub(super) fn into_one_way(self) -> Self {
        self.set(|options| options.one_way = true)
    }

    /// The same call for each node that may be called, and the one node that each is for.
    ///
    /// # Errors
    ///
    /// If there is no such node, or the call cannot be made more than once.
    pub(super) fn for_each_node(self) -> Result<NodeCalls<Rep>, Status> {
        let idle = match self.state {
            State::Idle(idle) => idle,
            State::Failed(status) => return Err(status),
            State::Running(_) | State::Ended => panic!("a call was made twice"),
        };
        let Idle { channel, method, message, encode, open, options } = idle;
        let (Body::Message(message), Shape::Unary) = (encode(message).0, method.shape()) else {
            let name = method.full_name();
            let text = format!("{name} streams, so it cannot be called at many nodes at once");
            return Err(Status::invalid_argument(text).with_outcome(Outcome::NotExecuted));
        };
        let nodes = channel.nodes(method.service(), &options.selection)?;
        let call = |node: NodeId| {
            let encode: fn(Bytes) -> Encoded = |bytes| (Body::Message(bytes), None);
            let (channel, method, message) = (channel.clone(), method.clone(), message.clone());
            let mut options = options.clone();
            options.selection = options.selection.node(node);
            options.pinned = true;
            let state = State::Idle(Idle { channel, method, message, encode, open, options });
            (node, Call { state })
        };
        Ok(nodes.into_iter().map(call).collect())
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Options)) -> Self {
        if let State::Idle(idle) = &mut self.state {
            change(&mut idle.options);
        }
        self
    }

    fn poll_reply(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Result<(Rep, Envelope), Status>> {
        loop {
            match &mut self.state {
                State::Running(running) => {
                    let result = futures::ready!(running.poll(cx));
                    self.state = State::Ended;
                    return Poll::Ready(result.map_err(Status::of_call));
                }
                State::Idle(_) | State::Failed(_) => {}
                State::Ended => panic!("a call was polled after it had ended"),
            }
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Idle(idle) => match idle.start() {
                    Ok(running) => State::Running(running),
                    Err(status) => State::Failed(status),
                },
                State::Failed(status) => return Poll::Ready(Err(status.of_call())),
                other @ (State::Running(_) | State::Ended) => other,
            };
        }
    }
}

impl<Rep> Running<Rep> {
    fn poll(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(Rep, Envelope), Status>> {
        let span = self.scope.span();
        let _inside = (!span.is_disabled()).then(|| span.enter());
        let result = futures::ready!(self.replying.poll_unpin(cx));
        let result = result.map_err(|status| match self.limit {
            Some(limit) => limit.explain(status),
            None => status,
        });
        Poll::Ready((self.open)(&self.scope, self.limit, result))
    }
}

impl<Req, Rep> Idle<Req, Rep> {
    /// Encodes the request, settles what is inherited, and starts the call.
    fn start(self) -> Result<Running<Rep>, Status> {
        let Self { channel, method, message, encode, open, options } = self;
        if let Some(mistake) = options.mistake {
            let status = Status::invalid_argument(mistake.to_string());
            return Err(status.with_outcome(Outcome::NotExecuted));
        }
        let streams = method.shape() != Shape::Unary;
        if streams && options.one_way {
            let text = format!("{} streams, so it cannot be called one-way", method.full_name());
            return Err(Status::invalid_argument(text).with_outcome(Outcome::NotExecuted));
        }
        let (body, source) = encode(message);
        let mut request = Request::new(method, body, Arc::clone(channel.clock()));
        request.source = source;
        request.metadata = options.metadata;
        request.selection = options.selection;
        request.idempotent |= options.idempotent;
        request.one_way = options.one_way;
        request.pinned = options.pinned;
        let inherited = match options.inherit {
            Inherit::Ambient => Context::current(),
            Inherit::From(cx) => Some(cx),
            Inherit::Nothing => None,
        };
        let mut time = options.timeout.map(|timeout| (timeout, "Call::timeout"));
        if let Some(cx) = inherited {
            request.metadata.inherit(&cx.metadata().persistent());
            request.retried = cx.is_retry();
            request.trace = cx.trace();
            let left = cx.time_left().map(|left| (left, "what is left of that of its handler"));
            time = [time, left].into_iter().flatten().min_by_key(|(time, _)| *time);
        }
        if time.is_none() && !streams {
            time = Some((channel.config().timeout, "client.timeout"));
        }
        let now = channel.clock().now();
        let limit = time.map(|(time, whose)| {
            let deadline = Deadline::after(now, time);
            TimeLimit { deadline, time, whose }
        });
        request.deadline = limit.map(|limit| limit.deadline);
        let (observe, target) = (channel.observe(), channel.target());
        let scope = CallScope::start(observe, &request.method, target, now, request.trace);
        let scope = Arc::new(scope);
        request.scope = Some(Arc::clone(&scope));
        Ok(Running { replying: channel.invoke(request), open, limit, scope })
    }
}

impl<Req, Rep> Unpin for Call<Req, Rep> {}

impl<Req, Rep> Future for Call<Req, Rep> {
    type Output = Result<Rep, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.poll_reply(cx).map_ok(|(message, _)| message)
    }
}

/// A [`Call`] that ends with the whole [`Response`].
#[must_use = "a call is not made until it is awaited or spawned"]
pub struct ResponseFuture<Req, Rep> {
    call: Call<Req, Rep>,
}

impl<Req, Rep> Unpin for ResponseFuture<Req, Rep> {}

impl<Req, Rep> Future for ResponseFuture<Req, Rep> {
    type Output = Result<Response<Rep>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.call.poll_reply(cx).map_ok(|(message, mut envelope)| {
            let attempts = envelope.attempts();
            let Envelope { metadata, peer, .. } = envelope;
            Response { message, metadata, peer, attempts }
        })
    }
}

impl<Req, Rep> fmt::Debug for Call<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Idle(idle) => f
                .debug_struct("Call")
                .field("method", &idle.method.full_name())
                .field("options", &idle.options)
                .finish_non_exhaustive(),
            State::Running(_) => f.write_str("Call(running)"),
            State::Failed(_) | State::Ended => f.write_str("Call(ended)"),
        }
    }
}

impl<Req, Rep> fmt::Debug for ResponseFuture<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}
