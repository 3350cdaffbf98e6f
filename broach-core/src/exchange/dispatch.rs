//! From an encoded request to a handler and back: what generated servers are made of.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::StreamExt;
use pin_project_lite::pin_project;
use prost::Message;

use crate::code::Outcome;
use crate::exchange::body::decode_request;
use crate::exchange::replies::stream_out;
use crate::exchange::stream::{replies, replies_to};
use crate::exchange::{Body, Context, Receiver, Reply, Request, Sender, SharedGate, SharedSink};
use crate::method::{MethodSpec, ServiceSpec};
use crate::status::Status;

/// A service that can be called: generated servers implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no service that can be served",
    label = "wrap it in the server generated for it, as in `GreeterServer::new(..)`"
)]
pub trait Dispatch: Send + Sync + 'static {
    /// The service's name and methods.
    fn spec(&self) -> &'static ServiceSpec;

    /// The service's version, such as `1.4.0`; empty if it was given none.
    fn version(&self) -> &str {
        ""
    }

    /// The `.proto` files behind the service, as an encoded `google.protobuf.FileDescriptorSet`
    /// with all that they import; empty without the feature `descriptors`.
    fn file_descriptor_set(&self) -> &'static [u8] {
        &[]
    }

    /// Calls the method that `call` names.
    fn dispatch(&self, call: Inbound) -> Handling;
}

/// A handler at work. Dropping it ends the handler.
pub type Handling = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

/// A call that has reached its service.
///
/// Generated code asks for [`method`](Self::method) and hands the call to the handler with the
/// function of the method's shape. Each of them decodes, makes the [`Context`], calls the handler,
/// and encodes what it returns.
#[derive(Debug)]
pub struct Inbound {
    index: usize,
    request: Request,
}

impl Inbound {
    /// The call of the method at `index` in its service's list.
    pub(crate) const fn new(index: usize, request: Request) -> Self {
        Self { index, request }
    }

    /// The method's place in [`ServiceSpec::methods`].
    pub const fn method(&self) -> usize {
        self.index
    }

    /// Hands the call to a handler of one request and one reply.
    pub fn unary<Req, Rep, H, F>(self, handler: H) -> Handling
    where
        Req: Message + Default,
        Rep: Message,
        H: FnOnce(Context, Req) -> F + Send + 'static,
        F: Future<Output = Result<Rep, Status>> + Send + 'static,
    {
        let (cx, body) = Context::of(self.request);
        match one(cx.method(), body) {
            Ok(request) => Box::pin(OneReply { handler: handler(cx.clone(), request), cx }),
            Err(status) => Box::pin(std::future::ready(Err(status))),
        }
    }

    /// Hands the call to a handler of one request and any number of replies.
    pub fn server_streaming<Req, Rep, H, F>(self, handler: H) -> Handling
    where
        Req: Message + Default,
        Rep: Message + 'static,
        H: FnOnce(Context, Req, Sender<Rep>) -> F + Send + 'static,
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let mut request = self.request;
        let way = (request.sink.take(), request.gate.take());
        let (cx, body) = Context::of(request);
        let request = match one(cx.method(), body) {
            Ok(request) => request,
            Err(status) => return Box::pin(std::future::ready(Err(status))),
        };
        reply_stream(way, cx, |cx, sender| handler(cx, request, sender))
    }

    /// Hands the call to a handler of any number of requests and one reply.
    pub fn client_streaming<Req, Rep, H, F>(self, handler: H) -> Handling
    where
        Req: Message + Default + 'static,
        Rep: Message,
        H: FnOnce(Context, Receiver<Req>) -> F + Send + 'static,
        F: Future<Output = Result<Rep, Status>> + Send + 'static,
    {
        let (cx, body) = Context::of(self.request);
        let requests = many(&cx, body);
        Box::pin(OneReply { handler: handler(cx.clone(), requests), cx })
    }

    /// Hands the call to a handler of any number of requests and replies.
    pub fn bidirectional<Req, Rep, H, F>(self, handler: H) -> Handling
    where
        Req: Message + Default + 'static,
        Rep: Message + 'static,
        H: FnOnce(Context, Receiver<Req>, Sender<Rep>) -> F + Send + 'static,
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let mut request = self.request;
        let way = (request.sink.take(), request.gate.take());
        let (cx, body) = Context::of(request);
        let requests = many(&cx, body);
        reply_stream(way, cx, |cx, sender| handler(cx, requests, sender))
    }

    /// Answers that the service has no such method.
    pub fn unimplemented(self) -> Handling {
        Box::pin(std::future::ready(Err(unimplemented(&self.request.method))))
    }
}

/// What a method answers that its service's implementation leaves out.
pub(crate) fn unimplemented(method: &MethodSpec) -> Status {
    Status::unimplemented(format!("{} is not implemented here", method.full_name()))
        .with_outcome(Outcome::NotExecuted)
}

/// The request's one message.
fn one<M: Message + Default>(method: &MethodSpec, body: Body) -> Result<M, Status> {
    match body {
        Body::Message(bytes) => decode_request(method, bytes),
        Body::Stream(_) => Err(Status::internal(format!(
            "{} takes one message, but a stream of them came",
            method.full_name()
        ))
        .with_outcome(Outcome::NotExecuted)),
    }
}

/// The request's messages, decoded as they are read.
fn many<M: Message + Default + 'static>(cx: &Context, body: Body) -> Receiver<M> {
    let messages = match body {
        Body::Message(bytes) => futures::stream::once(async { Ok(bytes) }).boxed(),
        Body::Stream(messages) => messages,
    };
    let (method, metadata) = (cx.clone(), cx.metadata().clone());
    Receiver::new(messages.map(move |bytes| decode_request(method.method(), bytes?)), metadata)
}

pin_project! {
    /// A handler of one reply at work.
    struct OneReply<F> {
        #[pin]
        handler: F,
        cx: Context,
    }
}

impl<M, F> Future for OneReply<F>
where
    M: Message,
    F: Future<Output = Result<M, Status>>,
{
    type Output = Result<Reply, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let reply = futures::ready!(this.cx.enter(|| this.handler.poll(cx)));
        Poll::Ready(finish(this.cx, reply))
    }
}

/// A handler's one reply with the metadata it set, or its error with it.
fn finish<M: Message>(cx: &Context, reply: Result<M, Status>) -> Result<Reply, Status> {
    let reply = reply.map_err(|status| cx.returned(status))?;
    let mut reply = Reply::new(Body::message(&reply));
    reply.metadata = cx.take_reply_metadata();
    Ok(reply)
}

/// Has a handler begin with a sender for its replies: to the network, or to whoever reads them, as
/// long as this gate is open.
fn reply_stream<M, F>(
    (sink, gate): (Option<SharedSink>, Option<SharedGate>),
    cx: Context,
    begin: impl FnOnce(Context, Sender<M>) -> F,
) -> Handling
where
    M: Message,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    match sink {
        Some(sink) => {
            let sender = replies_to(Arc::clone(&sink), cx.clone());
            Box::pin(ManyReplies { handler: begin(cx.clone(), sender), cx, sink })
        }
        None => {
            let (sender, queue) = replies();
            let handler = begin(cx.clone(), sender);
            Box::pin(stream_out(cx, handler, queue, gate))
        }
    }
}

pin_project! {
    /// A handler at work whose replies go straight to the network.
    struct ManyReplies<F> {
        #[pin]
        handler: F,
        cx: Context,
        sink: SharedSink,
    }
}

impl<F> Future for ManyReplies<F>
where
    F: Future<Output = Result<(), Status>>,
{
    type Output = Result<Reply, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.cx.enter(|| this.handler.poll(cx));
        if polled.is_pending() {
            this.sink.flush(cx)?;
        }
        // Not before: from now on whoever fails the call wakes this task.
        if let Some(status) = this.sink.failed() {
            return Poll::Ready(Err(status));
        }
        match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => this.sink.begin(this.cx)?,
            Poll::Ready(Err(status)) if this.sink.close() => {
                return Poll::Ready(Err(status.of_handler()));
            }
            Poll::Ready(Err(status)) => return Poll::Ready(Err(this.cx.returned(status))),
        }
        Poll::Ready(Ok(Reply::new(Body::Stream(Box::pin(futures::stream::empty())))))
    }
}
