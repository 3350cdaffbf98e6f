//! Calls of a node to its own services.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::code::Outcome;
use crate::config::SizeLimits;
use crate::deadline::{Deadline, Sleep};
use crate::exchange::{
    Body, Entrance, Exit, Local, Outlet, Reply, Request, check_shape, code_of, passage, streams_of,
    unimplemented,
};
use crate::method::Method;
use crate::net::Task;
use crate::observe::{Event, HandlerScope};
use crate::peer::Peer;
use crate::server::Serve;
use crate::server::one_way::OneWay;
use crate::server::serve::{SERVING, Work, check_reply, checked_reply};
use crate::server::streaming::check_one_of_many;
use crate::status::Status;

/// What a node knows of the handlers that no session knows of: those of the calls that it makes to
/// itself, and of one-way calls that are answered already.
#[derive(Debug, Default)]
pub(super) struct Locals {
    /// How many handlers of one-way calls go on by themselves.
    pub(super) one_way: AtomicUsize,
    /// Why no more are taken.
    refusal: OnceLock<Status>,
    running: AtomicUsize,
    /// The last one has ended.
    idle: Notify,
    stopped: AtomicBool,
    /// Those that are under way must not go on.
    stop: Arc<Notify>,
}

impl Serve {
    /// Takes no more calls of the node itself; they are answered with this. Those that come over
    /// the network are refused by the driver.
    pub(crate) fn refuse(&self, refusal: Status) {
        let refusal = refusal.with_outcome(Outcome::NotExecuted);
        // Whoever said it first has said why.
        let _ = self.0.locals.refusal.set(refusal);
    }

    /// Stops the calls of the node to itself that are under way, because it has ended.
    pub(crate) fn stop_own(&self) {
        let locals = &self.0.locals;
        locals.stopped.store(true, Ordering::Release);
        locals.stop.notify_waiters();
    }

    /// Waits until none of the calls of the node to itself is under way.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn has_served_own(&self) {
        let locals = &self.0.locals;
        loop {
            // Before looking, so that no end is missed.
            let idle = locals.idle.notified();
            if locals.running.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }

    fn begin(&self, own: Peer, mut request: Request) -> Result<Serving, Status> {
        let inner = &self.0;
        if let Some(refusal) = inner.locals.refusal.get() {
            return Err(refusal.clone());
        }
        let method = &request.method;
        // Its shape and name are what this node serves, whatever the caller took them for.
        let Some(found) = inner.registry.find(method.id()) else {
            return Err(unimplemented(method));
        };
        check_shape(&found.method, streams_of(method.shape()))?;
        let now = inner.observe.clock().now();
        let Request { deadline, trace, .. } = request;
        request.method = found.method;
        let scope =
            HandlerScope::start(&inner.observe, &request.method, own.addr, now, deadline, trace);
        request.trace = scope.trace();
        let many = streams_of(request.method.shape()).replies;
        let work = Work::new(Arc::clone(inner), scope, request);
        let work = Some((work, Running::begin(self)));
        Ok(Serving { work, own, deadline, many, stop: Stop::default() })
    }
}

impl Local for Serve {
    fn call(&self, own: Peer, request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        let one_way = request.one_way;
        match self.begin(own, request) {
            Ok(serving) if one_way => Box::pin(serving.into_one_way()),
            Ok(serving) => Box::pin(serving),
            Err(status) => {
                let code = status.code();
                self.0.observe.emit(Event::CallRefused { peer: own.addr, code });
                futures::future::err(status).boxed()
            }
        }
    }
}

/// The work on a call of the node to itself, up to its reply.
struct Serving {
    /// Until it is done, or goes on in a task of its own. The handler first, so that whoever waits
    /// for the end finds it gone.
    work: Option<(Work, Running)>,
    own: Peer,
    deadline: Option<Deadline>,
    /// Whether there are many replies.
    many: bool,
    stop: Stop,
}

/// Counts a handler as running that no session knows of.
pub(super) struct Running(Serve);

/// Tells when the node has ended.
#[derive(Default)]
pub(super) struct Stop {
    /// Only for a handler that has to wait: most do not.
    notified: Option<Pin<Box<OwnedNotified>>>,
}

impl Running {
    pub(super) fn begin(serve: &Serve) -> Self {
        serve.0.locals.running.fetch_add(1, Ordering::AcqRel);
        Self(serve.clone())
    }
}

impl Stop {
    /// Waits until the node has ended: what a call that is under way then ends with.
    pub(super) fn poll(&mut self, locals: &Locals, cx: &mut Context<'_>) -> Poll<Status> {
        let notified = || Box::pin(Arc::clone(&locals.stop).notified_owned());
        // Before looking, so that the end is not missed.
        let notified = self.notified.get_or_insert_with(notified);
        if !locals.stopped.load(Ordering::Acquire) {
            ready!(notified.as_mut().poll(cx));
        }
        let status = Status::unavailable("this node has stopped");
        Poll::Ready(status.with_outcome(Outcome::Unknown))
    }
}

impl Future for Serving {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some((work, _)) = &mut this.work else {
            return Poll::Pending;
        };
        let Poll::Ready(result) = work.poll_result(cx) else {
            let status = ready!(this.stop.poll(&work.inner.locals, cx));
            this.work = None;
            return Poll::Ready(Err(status));
        };
        // Whatever goes over the network goes here, and nothing else.
        let limits = [(work.inner.config.size_limits(), SERVING)];
        let method = work.scope.method().full_name();
        let result = result.and_then(|reply| match this.many {
            false => checked_reply(reply, method, &limits)
                .map(|(metadata, message)| (metadata, Body::Message(message))),
            true => {
                check_reply(0, &reply.metadata, method, &limits)?;
                Ok((reply.metadata, reply.body))
            }
        });
        let result = match result {
            Ok((metadata, body)) if this.many => {
                let body = this.go_on(body);
                Ok((metadata, body))
            }
            result => {
                work.scope.end(code_of(&result));
                this.work = None;
                result
            }
        };
        let peer = Some(this.own);
        Poll::Ready(result.map(|(metadata, body)| Reply { metadata, peer, ..Reply::new(body) }))
    }
}

impl Serving {
    /// The call as one that ends as soon as its handler has begun.
    async fn into_one_way(mut self) -> Result<Reply, Status> {
        if let Some((work, running)) = self.work.take() {
            OneWay::counted(work, running, self.deadline).await?;
        }
        Ok(Reply { peer: Some(self.own), ..Reply::new(Body::Message(Bytes::new())) })
    }

    /// Lets the handler go on in a task of its own, while the caller reads its replies.
    fn go_on(&mut self, body: Body) -> Body {
        let Some((mut work, running)) = self.work.take() else {
            return body;
        };
        work.go_on_with(body);
        let config = &work.inner.config;
        let (entrance, exit) = passage(config.stream_window_bytes);
        let replies =
            Replies { method: work.scope.method().clone(), limits: config.size_limits(), entrance };
        let clock = work.inner.observe.clock();
        let sleep = self.deadline.map(|deadline| clock.sleep_until(deadline.time()));
        let stop = std::mem::take(&mut self.stop);
        let replying = Replying { work, _running: running, replies: Some(replies), sleep, stop };
        Body::Stream(Box::pin(Reading { exit, _task: Task::spawn(replying) }))
    }
}

/// The work on a call of the node to itself that has begun to reply.
struct Replying {
    work: Work,
    _running: Running,
    /// Until the end.
    replies: Option<Replies>,
    sleep: Option<Sleep>,
    stop: Stop,
}

/// Where its replies go.
struct Replies {
    method: Method,
    limits: SizeLimits,
    entrance: Entrance,
}

impl Future for Replying {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { work, replies, sleep, stop, .. } = &mut *self;
        let Some(outlet) = replies else { return Poll::Ready(()) };
        let result = match work.poll_messages(cx, outlet) {
            Poll::Ready(result) => {
                work.scope.end(code_of(&result));
                result
            }
            Poll::Pending => match (stop.poll(&work.inner.locals, cx), sleep) {
                (Poll::Ready(status), _) => Err(status),
                (Poll::Pending, Some(sleep)) => {
                    ready!(sleep.poll_unpin(cx));
                    let status = Status::deadline_exceeded("the stream's deadline has passed");
                    Err(status.with_outcome(Outcome::Unknown))
                }
                (Poll::Pending, None) => return Poll::Pending,
            },
        };
        let replies = replies.take().map(|replies| replies.entrance.end(result));
        debug_assert!(replies.is_some(), "there was one a moment ago");
        Poll::Ready(())
    }
}

impl Outlet for Replies {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.entrance.poll_room(cx)
    }

    fn put(&mut self, message: Bytes) -> Result<(), Status> {
        let limits = [(self.limits, SERVING)];
        check_one_of_many(message.len(), self.method.full_name(), &limits)?;
        self.entrance.put(message)
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        self.entrance.flush(cx)
    }
}

/// The replies as the caller reads them, and with whom the handler ends.
struct Reading {
    exit: Exit,
    _task: Task,
}

impl Stream for Reading {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.exit.poll_next_unpin(cx)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let locals = &self.0.0.locals;
        if locals.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            locals.idle.notify_waiters();
        }
    }
}
