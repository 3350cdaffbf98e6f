//! [`Serve`]: the work on one call that came over the network.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::code::Outcome;
use crate::config::{SizeLimits, Transport};
use crate::deadline::{Deadline, Time};
use crate::exchange::{
    Body, Messages, Origin, Outlet, Pump, Reply, Request, RequestRecords, SharedGate, SharedSink,
    check_shape, code_of, message_bytes, read_request, read_request_metadata, status_bytes,
    streams_of,
};
use crate::ids::MethodId;
use crate::metadata::Metadata;
use crate::net::{self, Begun, Handler, Reader, StreamWork, Writer};
use crate::observe::{Event, HandlerScope, Observe};
use crate::proto::{Arrived, CallBytes};
use crate::server::local::Locals;
use crate::server::one_way::OneWay;
use crate::server::registry::is_reserved;
use crate::server::streaming::{Replies, Requests, Streaming};
use crate::server::{Registry, Routes};
use crate::status::Status;
use crate::wire::Open;

/// Answers the calls that come to a node.
#[derive(Clone, Debug)]
pub(crate) struct Serve(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) registry: Arc<Registry>,
    routes: Routes,
    /// The way to Broach's own services.
    internal: Routes,
    pub(super) config: Arc<Transport>,
    pub(super) observe: Observe,
    pub(super) locals: Locals,
}

impl Serve {
    pub(crate) fn new(
        registry: Arc<Registry>,
        routes: Routes,
        config: Arc<Transport>,
        observe: Observe,
    ) -> Self {
        let internal = Routes::new(Arc::clone(&registry));
        let locals = Locals::default();
        Self(Arc::new(Inner { registry, routes, internal, config, observe, locals }))
    }
}

/// The work on one call, wherever it came from.
pub(super) struct Work {
    pub(super) inner: Arc<Inner>,
    pub(super) scope: HandlerScope,
    /// Between the handler and what moves its replies.
    gate: Option<SharedGate>,
    state: State,
}

/// The work on a call that came over the network.
struct Serving {
    work: Work,
    /// What the caller takes.
    limits: SizeLimits,
}

#[expect(clippy::large_enum_variant, reason = "it is in a box of its own already")]
enum State {
    /// Has not begun.
    Ready(Option<Request>),
    Handling(BoxFuture<'static, Result<Reply, Status>>),
    /// The handler has begun to reply.
    Replying(Messages, Pump),
}

impl Work {
    /// Work that begins when it is first polled.
    pub(super) const fn new(inner: Arc<Inner>, scope: HandlerScope, request: Request) -> Self {
        Self { inner, scope, gate: None, state: State::Ready(Some(request)) }
    }

    /// Goes on with it. The scope is still open when there is a result.
    pub(super) fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, Status>> {
        let Self { inner, scope, gate, state } = self;
        within(scope, || {
            if let State::Ready(request) = state
                && let Some(mut request) = request.take()
            {
                if request.sink.is_none() && streams_of(request.method.shape()).replies {
                    request.gate = Some(Arc::clone(gate.insert(SharedGate::default())));
                }
                *state = State::Handling(inner.dispatch(request));
            }
            match state {
                State::Handling(handling) => handling.as_mut().poll(cx),
                State::Ready(_) | State::Replying(..) => Poll::Pending,
            }
        })
    }

    /// Has the handler send its replies here by itself, unless a layer is to see them.
    fn reply_to(&mut self, sink: SharedSink) {
        if let State::Ready(Some(request)) = &mut self.state {
            let layered = self.inner.routes_of(request).is_layered();
            request.sink = (!layered).then_some(sink);
        }
    }

    /// The handler's reply has begun: these are its messages.
    pub(super) fn go_on_with(&mut self, body: Body) {
        self.state = State::Replying(body.into_messages(), Pump::new(self.gate.take()));
    }

    /// Moves the messages of the reply to where they go, to the last. The scope is still open then.
    pub(super) fn poll_messages(
        &mut self,
        cx: &mut Context<'_>,
        outlet: &mut impl Outlet,
    ) -> Poll<Result<(), Status>> {
        let Self { scope, state, .. } = self;
        let State::Replying(messages, pump) = state else { return Poll::Pending };
        within(scope, || pump.poll(cx, messages, outlet))
    }
}

/// Does what is the user's: handlers, and layers around them.
fn within<T>(
    scope: &HandlerScope,
    poll: impl FnOnce() -> Poll<Result<T, Status>>,
) -> Poll<Result<T, Status>> {
    let span = scope.span().clone();
    let _inside = (!span.is_disabled()).then(|| span.enter());
    catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|panic| {
        let method = scope.method().full_name();
        let text = format!("the handler of {method} panicked: {}", said(&*panic));
        Poll::Ready(Err(Status::internal(text)))
    })
}

impl Future for Serving {
    type Output = CallBytes;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallBytes> {
        let Self { work, limits } = &mut *self;
        let result = futures::ready!(work.poll_result(cx));
        let limits = [(work.inner.config.size_limits(), SERVING), (*limits, CALLER)];
        Poll::Ready(reply_bytes(work, result, limits))
    }
}

/// The end of the work on a call of one reply: the bytes of that reply, or of a status.
pub(super) fn reply_bytes(
    work: &mut Work,
    result: Result<Reply, Status>,
    limits: [(SizeLimits, &str); 2],
) -> CallBytes {
    let span = work.scope.span().clone();
    let _inside = (!span.is_disabled()).then(|| span.enter());
    let method = work.scope.method().full_name();
    let result = result.and_then(|reply| {
        let (metadata, message) = checked_reply(reply, method, &limits)?;
        Ok(message_bytes(&metadata, None, message))
    });
    work.scope.end(code_of(&result));
    result.unwrap_or_else(|status| status_bytes(status, limits))
}

impl Drop for Work {
    /// What a handler does when it is stopped is still its own: it happens in its span, and before
    /// its end is told.
    fn drop(&mut self) {
        let span = self.scope.span().clone();
        let _inside = (!span.is_disabled()).then(|| span.enter());
        // It may panic at that, in the middle of whoever lets go of it.
        let _ = catch_unwind(AssertUnwindSafe(|| self.state = State::Ready(None)));
    }
}

impl Inner {
    /// Makes a request out of a call; `requests` are those of a call that streams them.
    fn request(
        &self,
        now: Time,
        call: Arrived,
        requests: Option<Reader>,
    ) -> Result<Request, Status> {
        let Some(found) = self.registry.find(call.method) else {
            // Only the caller knows the method's name; it says the rest.
            return Err(Status::unimplemented("").with_outcome(Outcome::NotExecuted));
        };
        check_shape(&found.method, call.streams)?;
        // It had time when it was complete, but has waited for its handler's turn since.
        if call.deadline.is_some_and(|deadline| deadline <= now) {
            let text = "the deadline had passed before the handler could start";
            return Err(Status::deadline_exceeded(text).with_outcome(Outcome::NotExecuted));
        }
        let limits = self.config.size_limits();
        let (metadata, trace, body) = match requests {
            Some(requests) => {
                let (metadata, trace) = read_request_metadata(call.bytes, limits)?;
                (metadata, trace, Requests::body(requests))
            }
            None => {
                let RequestRecords { metadata, trace, message } = read_request(call.bytes, limits)?;
                (metadata, trace, Body::Message(message))
            }
        };
        let mut request = Request::new(found.method, body, Arc::clone(self.observe.clock()));
        request.metadata = metadata;
        request.deadline = call.deadline.map(Deadline::at);
        request.idempotent = call.flags & Open::IDEMPOTENT != 0;
        request.retried = call.flags & Open::RETRY != 0;
        request.one_way = call.flags & Open::ONE_WAY != 0;
        request.trace = trace;
        request.origin = Some(Origin { peer: call.peer, key: call.key });
        Ok(request)
    }

    /// Hands a request to its handler: through the user's layers, unless it is for a service of
    /// Broach's own. One that lets nobody in without a password would else keep other nodes from
    /// learning what this one offers.
    fn dispatch(&self, request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        self.routes_of(&request).dispatch(request)
    }

    fn routes_of(&self, request: &Request) -> &Routes {
        match is_reserved(request.method.full_name()) {
            true => &self.internal,
            false => &self.routes,
        }
    }
}

impl Handler for Serve {
    fn serves(&self, method: MethodId) -> bool {
        self.0.registry.serves(method)
    }

    fn handle(&self, now: Time, call: Arrived) -> Begun<net::Work> {
        let (limits, deadline) = (call.limits, call.deadline.map(Deadline::at));
        let one_way = call.flags & Open::ONE_WAY != 0;
        match self.work(now, call, None) {
            Ok(work) if one_way => {
                let limits = [(self.0.config.size_limits(), SERVING), (limits, CALLER)];
                Begun::Work(Box::pin(OneWay::new(self, work, deadline).answer(limits)))
            }
            Ok(work) => Begun::Work(Box::pin(Serving { work, limits })),
            Err(reply) => Begun::Refused(reply),
        }
    }

    fn handle_stream(
        &self,
        now: Time,
        call: Arrived,
        requests: Reader,
        replies: Writer,
    ) -> Begun<StreamWork> {
        let (streams, limits) = (call.streams, call.limits);
        let requests = streams.requests.then_some(requests);
        match self.work(now, call, requests) {
            Ok(mut work) => {
                let method = work.scope.method().clone();
                let own = self.0.config.size_limits();
                let replies = Arc::new(Replies::new(replies, method, own, limits));
                let many = streams.replies;
                if many {
                    work.reply_to(Arc::clone(&replies) as SharedSink);
                }
                Begun::Work(Box::pin(Streaming { work, replies, many, layered: false }))
            }
            Err(reply) => Begun::Refused(reply),
        }
    }
}

impl Serve {
    /// The work on a call; or what it is answered with, without any.
    fn work(&self, now: Time, call: Arrived, requests: Option<Reader>) -> Result<Work, CallBytes> {
        let (inner, peer) = (Arc::clone(&self.0), call.peer.addr);
        let mut request = inner.request(now, call, requests).map_err(|status| {
            inner.observe.emit(Event::CallRefused { peer, code: status.code() });
            CallBytes::status(&status)
        })?;
        let Request { method, deadline, trace, .. } = &request;
        let scope = HandlerScope::start(&inner.observe, method, peer, now, *deadline, *trace);
        request.trace = scope.trace();
        Ok(Work::new(inner, scope, request))
    }
}

/// What a handler's reply is made of, if it is within these limits.
pub(super) fn checked_reply(
    reply: Reply,
    method: &str,
    limits: &[(SizeLimits, &str)],
) -> Result<(Metadata, Bytes), Status> {
    let Body::Message(message) = reply.body else {
        return Err(Status::internal(format!("{method} has one reply, but a stream came of it")));
    };
    check_reply(message.len(), &reply.metadata, method, limits)?;
    Ok((reply.metadata, message))
}

/// Checks a reply, or what comes before the first of many, against limits.
pub(super) fn check_reply(
    message: usize,
    metadata: &Metadata,
    method: &str,
    limits: &[(SizeLimits, &str)],
) -> Result<(), Status> {
    let metadata = metadata.bytes();
    for &(limits, whose) in limits {
        let what = format_args!("the reply of {method}");
        if let Some(text) = limits.exceeded(message, metadata, what, whose) {
            return Err(Status::resource_exhausted(text));
        }
    }
    Ok(())
}

/// Whose limits there are.
pub(super) const SERVING: &str = "the serving node";
pub(super) const CALLER: &str = "the caller";

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::FutureExt;
    use tower::layer::layer_fn;
    use tower::service_fn;

    use super::*;
    use crate::advert::{AdvertStore, DIRECTORY, GET_ADVERT};
    use crate::code::Code;
    use crate::deadline::Stopped;
    use crate::method::MethodSpec;
    use crate::rng::Rng;
    use crate::server::DirectoryService;

    #[test]
    fn layers_are_around_the_services_of_the_user_only() {
        let mut registry = Registry::default();
        registry
            .add_internal(Arc::new(DirectoryService::new(Arc::new(AdvertStore::default()))))
            .unwrap();
        let registry = Arc::new(registry);
        let shut =
            |_| service_fn(async |_: Request| Err::<Reply, _>(Status::permission_denied("")));
        let routes = Routes::new(Arc::clone(&registry)).layer(layer_fn(shut));
        let config = Arc::new(Transport::default());
        let observe = Observe::new(Vec::new(), None, Stopped::shared(), Rng::from_seed(1));
        let serve = Serve::new(registry, routes, config, observe);
        let code = |method: MethodSpec| {
            let request =
                Request::new(method.into(), Body::Message(Bytes::new()), Stopped::shared());
            serve.0.dispatch(request).now_or_never().unwrap().unwrap_err().code()
        };
        assert_eq!(code(MethodSpec::named("a.One/X").unwrap()), Code::PermissionDenied);
        assert_eq!(code(DIRECTORY.methods[GET_ADVERT].clone()), Code::NotFound);
    }
}
