//! [`Limit`]: a layer that refuses calls above a number of handlers.

use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use broach_core::{Body, Outcome, Reply, Request, Routes, Status};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tower::{Layer, Service};

/// Lets so many handlers run at once, and refuses what comes beyond that.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    max: usize,
    places: Arc<Semaphore>,
}

/// The services inside a [`Limit`].
#[derive(Clone, Debug)]
pub(crate) struct Limited {
    limit: Limit,
    routes: Routes,
}

impl Limit {
    pub(crate) fn new(max: usize) -> Self {
        let places = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Self { max, places }
    }
}

impl Layer<Routes> for Limit {
    type Service = Limited;

    fn layer(&self, routes: Routes) -> Limited {
        Limited { limit: self.clone(), routes }
    }
}

impl Service<Request> for Limited {
    type Response = Reply;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Reply, Status>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.routes.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Ok(place) = Arc::clone(&self.limit.places).try_acquire_owned() else {
            let text = format!("{} handlers are running already", self.limit.max);
            let status = Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted);
            return ready(Err(status)).boxed();
        };
        let handling = self.routes.call(request);
        async move {
            let mut reply = handling.await?;
            // The handler of a stream runs until the stream has ended.
            reply.body = match reply.body {
                Body::Message(message) => Body::Message(message),
                Body::Stream(messages) => {
                    let held = messages.map(move |message| {
                        let _ = &place;
                        message
                    });
                    Body::Stream(held.boxed())
                }
            };
            Ok(reply)
        }
        .boxed()
    }
}
