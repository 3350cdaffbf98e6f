//! [`Channel`]: what a client calls through.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, ready, select};
use futures::{FutureExt, Stream};
use prost::Message;
use tower::util::{BoxCloneSyncService, MapErr};
use tower::{Layer, Service, ServiceExt};

use crate::client::call::Encoded;
use crate::client::in_process::InProcess;
use crate::client::remote::{Parts, Remote};
use crate::client::{Call, ChannelBuilder, ConnectError, reply};
use crate::code::Outcome;
use crate::config;
use crate::deadline::{Clock, Deadline};
use crate::exchange::{
    Body, Dispatch, Local, Receiver, Reply, Request, RequestStream, SharedSource,
};
use crate::method::{Method, MethodSpec};
use crate::net::{Handle, TokioClock};
use crate::observe::{Counters, Held, Observe};
use crate::rng::Rng;
use crate::routing::{ByKey, Directory, NodeId, Picker, PowerOfTwoChoices, Selection};
use crate::status::Status;

/// What a client calls through: where calls go and by which rules. Cheap to clone; clones share
/// everything. It lives in the runtime in which it was made; calls can be made on any thread.
///
/// A channel is also a [`tower::Service`] of [`Request`]s, so any [`tower::Layer`] can be put
/// around it with [`layer`](Self::layer); the result is a channel again.
#[derive(Clone)]
pub struct Channel(pub(super) Arc<Inner>);

#[derive(Clone, Debug)]
pub(super) struct Inner {
    transport: Arc<dyn Transport>,
    /// In place of the transport's own.
    pub(super) picker: Option<Arc<dyn Picker>>,
    /// What calls wish of their nodes that do not wish otherwise.
    pub(super) selection: Selection,
    config: config::Client,
    observe: Observe,
    /// What calls are addressed to, for people.
    target: String,
}

/// Where a channel's calls go.
pub(super) trait Transport: fmt::Debug + Send + Sync {
    /// Makes the call.
    fn call(&self, request: Request) -> BoxFuture<'static, Result<Reply, Status>>;

    /// Whether a call through here ends by its deadline without help.
    fn keeps_deadline(&self) -> bool;

    /// The nodes that a service can be called at, of those that are what is wished.
    ///
    /// # Errors
    ///
    /// If there is none, with what is known.
    fn nodes(&self, service: &str, selection: &Selection) -> Result<Vec<NodeId>, Status>;
}

impl Channel {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        config: config::Client,
        observe: Observe,
        target: String,
    ) -> Self {
        let (picker, selection) = (None, Selection::new());
        Self(Arc::new(Inner { transport, picker, selection, config, observe, target }))
    }

    /// A channel to the nodes of a directory; `target` is what they are called by people.
    pub(super) fn remote(parts: Parts, target: String) -> Self {
        let (config, observe) = (parts.config.clone(), parts.handle.shared().observe.clone());
        Self::new(Arc::new(Remote::new(parts)), config, observe, target)
    }

    /// A channel to one node. The channel has a socket of its own, on a port that is free, which
    /// its clones share. Nothing is sent before the first call.
    ///
    /// `addr` is an address like `10.0.0.7:7400`, or a name with a port, which is looked up now.
    /// With `dns://` before it, as in `dns://greeter:7400`, the name stands for all its addresses,
    /// like a [`list`](Self::list) of them: it is looked up again every 30 s, and every 5 s as long
    /// as it has no address or none of them answers. Such a name need not be known yet: calls wait
    /// for it until their deadline.
    ///
    /// # Errors
    ///
    /// If the address cannot be used, or is not a loopback address: then a
    /// [`builder`](Self::builder) has to say how datagrams are protected. That nobody answers at
    /// the address is no error here: calls tell.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped nothing is left of the channel.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, or it lacks timers or I/O; tokio's `enable_all` gives both.
    pub async fn connect(addr: impl ToString) -> Result<Self, ConnectError> {
        Self::builder().connect(addr).await
    }

    /// A channel to several nodes that serve the same, which are called in turn unless a
    /// [`picker`](ChannelBuilder::picker) says otherwise. Names may be among them, as in
    /// [`connect`](Self::connect).
    ///
    /// A call that a node has surely not executed is made at another one; so is an idempotent call
    /// whose node fails, within its deadline and as far as the retry budget goes. A node that has
    /// fallen silent is passed over. Otherwise like [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// Like [`connect`](Self::connect); also if there is no address.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped nothing is left of the channel.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, or it lacks timers or I/O; tokio's `enable_all` gives both.
    pub async fn list(
        addrs: impl IntoIterator<Item = impl ToString>,
    ) -> Result<Self, ConnectError> {
        Self::builder().list(addrs).await
    }

    /// A channel with settings.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::new()
    }

    /// A channel to a service in this process, without a node and without a socket: for tests.
    ///
    /// All shapes of calls work. Requests and replies are encoded and decoded as on the way to
    /// another node; layers of a node and its limits do not apply. Calls have to be awaited in a
    /// tokio runtime, whose timers keep their deadlines.
    pub fn in_process(service: impl Dispatch) -> Self {
        let target = service.spec().name.to_owned();
        // The ids of spans need not be hard to guess within one process.
        let observe = Observe::new(Vec::new(), None, TokioClock::shared(), Rng::from_seed(0));
        let transport = Arc::new(InProcess::new(Arc::new(service)));
        Self::new(transport, config::Client::default(), observe, target)
    }

    /// Calls a unary method by its name, with an encoded request and an encoded reply: for
    /// programs without generated code. Methods that stream cannot be called so.
    ///
    /// A name that is not of the form `package.Service/Method` makes the call fail with
    /// `INVALID_ARGUMENT`.
    pub fn call(&self, method: &str, request: impl Into<Bytes>) -> Call<Bytes, Bytes> {
        match MethodSpec::named(method.to_owned()) {
            Ok(spec) => {
                let encode = |bytes| (Body::Message(bytes), None);
                Call::new(self.clone(), spec.into(), request.into(), encode, reply::raw)
            }
            Err(error) => {
                let status = Status::invalid_argument(error.to_string());
                Call::failed(status.with_outcome(Outcome::NotExecuted))
            }
        }
    }

    /// Calls a method of one request and one reply.
    pub fn unary<Req, Rep>(&self, method: &'static MethodSpec, request: Req) -> Call<Req, Rep>
    where
        Req: Message,
        Rep: Message + Default,
    {
        let encode = |message: Req| (Body::message(&message), None);
        Call::new(self.clone(), Method::from(method), request, encode, reply::one)
    }

    /// Calls a method of one request and a stream of replies.
    pub fn server_streaming<Req, Rep>(
        &self,
        method: &'static MethodSpec,
        request: Req,
    ) -> Call<Req, Receiver<Rep>>
    where
        Req: Message,
        Rep: Message + Default + 'static,
    {
        let encode = |message: Req| (Body::message(&message), None);
        Call::new(self.clone(), Method::from(method), request, encode, reply::many)
    }

    /// Calls a method of a stream of requests and one reply.
    pub fn client_streaming<Req, Rep>(
        &self,
        method: &'static MethodSpec,
        requests: impl Stream<Item = Req> + Send + 'static,
    ) -> Call<RequestStream<Req>, Rep>
    where
        Req: Message + 'static,
        Rep: Message + Default,
    {
        let requests: RequestStream<Req> = Box::pin(requests);
        Call::new(self.clone(), Method::from(method), requests, encode_stream, reply::one)
    }

    /// Calls a method of a stream of requests and a stream of replies.
    ///
    /// The call is done, and gives the receiver, when the handler begins its reply: with its first
    /// message as a rule. **A caller that sends its first request only after that waits for ever**
    /// if the handler says nothing before it has read something, and no call that streams has a
    /// deadline unless it is given one. So have the requests made elsewhere while the call is
    /// awaited (by another task, by `join!`), or have some in the stream beforehand; or have the
    /// handler call [`Sender::begin`](crate::Sender::begin) first.
    pub fn bidirectional<Req, Rep>(
        &self,
        method: &'static MethodSpec,
        requests: impl Stream<Item = Req> + Send + 'static,
    ) -> Call<RequestStream<Req>, Receiver<Rep>>
    where
        Req: Message + 'static,
        Rep: Message + Default + 'static,
    {
        let requests: RequestStream<Req> = Box::pin(requests);
        Call::new(self.clone(), Method::from(method), requests, encode_stream, reply::many)
    }

    /// Puts a layer around the channel: each call goes through it before it goes where it went.
    ///
    /// The layer sees encoded messages, see [`Request`] and [`Reply`]. An error that is no
    /// [`Status`] becomes one with the code `UNKNOWN`. Calls end at their deadline whatever the
    /// layer does.
    #[must_use = "the channel itself stays as it is"]
    pub fn layer<L>(&self, layer: L) -> Self
    where
        L: Layer<Self>,
        L::Service:
            Service<Request, Response = Reply, Error: Into<Status>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let Inner { config, observe, target, .. } = &*self.0;
        // A picker of this channel is inside: calls come through here again.
        let into_status: fn(<L::Service as Service<Request>>::Error) -> Status = Into::into;
        let service = MapErr::new(layer.layer(self.clone()), into_status);
        let (service, inside) = (BoxCloneSyncService::new(service), self.clone());
        let transport = Arc::new(Layered { service, inside });
        Self::new(transport, config.clone(), observe.clone(), target.clone())
    }

    /// How often everything has happened so far at the socket that the channel uses: its own, or
    /// that of its node.
    pub fn counters(&self) -> Counters {
        self.0.observe.counters()
    }

    /// How many bytes are held now for the calls that are served at the socket that the channel
    /// uses; none if it has a socket of its own.
    pub fn held(&self) -> Held {
        self.0.observe.held()
    }

    /// Sends a request on its way.
    pub(super) fn invoke(&self, mut request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        // Whoever is further out has decided already.
        request.picker = request.picker.take().or_else(|| self.0.picker.clone());
        request.selection = request.selection.or(&self.0.selection);
        if let Some(mistake) = request.selection.mistake() {
            let status = Status::invalid_argument(mistake.to_owned());
            return ready(Err(status.with_outcome(Outcome::NotExecuted))).boxed();
        }
        let (clock, deadline) = (Arc::clone(self.clock()), request.deadline);
        let call = self.0.transport.call(request);
        if self.0.transport.keeps_deadline() {
            return call;
        }
        async move { within_deadline(&*clock, deadline, call).await }.boxed()
    }

    pub(super) fn transport(&self) -> &dyn Transport {
        &*self.0.transport
    }

    pub(super) fn selection(&self) -> &Selection {
        &self.0.selection
    }

    pub(super) fn config(&self) -> &config::Client {
        &self.0.config
    }

    pub(super) fn observe(&self) -> &Observe {
        &self.0.observe
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.0.observe.clock()
    }

    pub(super) fn target(&self) -> &str {
        &self.0.target
    }
}

impl Service<Request> for Channel {
    type Response = Reply;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Reply, Status>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.invoke(request)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("target", &self.0.target)
            .field("transport", &self.0.transport)
            .finish_non_exhaustive()
    }
}

/// A channel of a node to its cluster: to whoever offers what is called, according to the
/// directory. `local` are the node's own services, and `target` is what the channel is called by
/// people.
pub(crate) fn cluster(
    handle: Handle,
    directory: Arc<Directory>,
    local: Option<Arc<dyn Local>>,
    config: config::Client,
    target: &str,
) -> Channel {
    let picker = Arc::new(ByKey::or(PowerOfTwoChoices::new()));
    let parts = Parts { handle, directory, picker, local, lookups: None, config };
    Channel::remote(parts, target.to_owned())
}

/// A transport that is another one inside a user's layer.
#[derive(Debug)]
struct Layered {
    service: BoxCloneSyncService<Request, Reply, Status>,
    inside: Channel,
}

impl Transport for Layered {
    fn call(&self, mut request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        // A layer may put something else in place of the body.
        request.source = None;
        self.service.clone().oneshot(request).boxed()
    }

    fn keeps_deadline(&self) -> bool {
        false
    }

    fn nodes(&self, service: &str, selection: &Selection) -> Result<Vec<NodeId>, Status> {
        self.inside.nodes(service, selection)
    }
}

/// Encodes requests as they are made.
fn encode_stream<M: Message + 'static>(requests: RequestStream<M>) -> Encoded {
    let (body, source) = SharedSource::of(requests);
    (body, Some(source))
}

/// Runs a call until its deadline at the latest.
pub(super) async fn within_deadline<F>(
    clock: &dyn Clock,
    deadline: Option<Deadline>,
    call: F,
) -> Result<Reply, Status>
where
    F: Future<Output = Result<Reply, Status>>,
{
    let Some(deadline) = deadline else {
        return call.await;
    };
    match select(pin!(call), clock.sleep_until(deadline.time())).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => {
            Err(Status::deadline_exceeded("no reply by the deadline")
                .with_outcome(Outcome::Unknown))
        }
    }
}
