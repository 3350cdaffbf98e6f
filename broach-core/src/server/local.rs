//! Calls of a node to its own services.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::code::Outcome;
use crate::exchange::{Body, Local, Reply, Request, code_of, no_streams, unimplemented};
use crate::method::Shape;
use crate::observe::{Event, HandlerScope};
use crate::peer::Peer;
use crate::server::Serve;
use crate::server::serve::{SERVING, Work, checked_reply};
use crate::status::Status;

/// What a node knows of the calls that it makes to itself.
#[derive(Debug, Default)]
pub(super) struct Locals {
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
        if found.method.shape() != Shape::Unary {
            return Err(no_streams(&found.method));
        }
        let now = inner.observe.clock().now();
        let Request { deadline, trace, .. } = request;
        request.method = found.method;
        let scope =
            HandlerScope::start(&inner.observe, &request.method, own.addr, now, deadline, trace);
        request.trace = scope.trace();
        inner.locals.running.fetch_add(1, Ordering::AcqRel);
        let work = Some(Work::new(Arc::clone(inner), scope, request));
        Ok(Serving { serve: self.clone(), work, own, stop: None })
    }
}

impl Local for Serve {
    fn call(&self, own: Peer, request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        match self.begin(own, request) {
            Ok(serving) => Box::pin(serving),
            Err(status) => {
                let code = status.code();
                self.0.observe.emit(Event::CallRefused { peer: own.addr, code });
                futures::future::err(status).boxed()
            }
        }
    }
}

/// The work on a call of the node to itself.
struct Serving {
    serve: Serve,
    /// Until it is done.
    work: Option<Work>,
    own: Peer,
    /// Only for a handler that has to wait: most do not.
    stop: Option<Pin<Box<OwnedNotified>>>,
}

impl Serving {
    /// Waits until the node has ended.
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let locals = &self.serve.0.locals;
        let notified = || Box::pin(Arc::clone(&locals.stop).notified_owned());
        // Before looking, so that the end is not missed.
        let stop = self.stop.get_or_insert_with(notified);
        match locals.stopped.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => stop.as_mut().poll(cx),
        }
    }
}

impl Future for Serving {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { serve, work, own, .. } = &mut *self;
        let Some(working) = work else {
            return Poll::Pending;
        };
        let Poll::Ready(result) = working.poll_result(cx) else {
            futures::ready!(self.poll_stopped(cx));
            self.work = None;
            let status = Status::unavailable("this node has stopped");
            return Poll::Ready(Err(status.with_outcome(Outcome::Unknown)));
        };
        // Whatever goes over the network goes here, and nothing else.
        let limits = [(serve.0.config.size_limits(), SERVING)];
        let method = working.scope.method().full_name();
        let result = result.and_then(|reply| {
            let (metadata, message) = checked_reply(reply, method, &limits)?;
            Ok(Reply { metadata, peer: Some(*own), ..Reply::new(Body::Message(message)) })
        });
        working.scope.end(code_of(&result));
        *work = None;
        Poll::Ready(result)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The handler first, so that whoever waits for the end finds it gone.
        self.work = None;
        let locals = &self.serve.0.locals;
        if locals.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            locals.idle.notify_waiters();
        }
    }
}
