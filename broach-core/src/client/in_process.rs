//! Calls that stay in the process: from the caller straight to the handler.

use std::fmt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use futures::{FutureExt, StreamExt};
use tracing::{Instrument, Span};

use crate::client::attempted::{Attempted, UnderWay};
use crate::client::channel::{Transport, within_deadline};
use crate::code::Outcome;
use crate::config;
use crate::deadline::{Clock, Deadline};
use crate::exchange::{
    Body, Dispatch, Inbound, Messages, Pump, Reply, Request, SharedGate, code_of, passage,
    streams_of, unimplemented,
};
use crate::net::Task;
use crate::routing::{NodeId, Selection};
use crate::status::{Attempt, Status};

/// Hands calls to one service of this process. There is nothing to lose on the way, so there is
/// one attempt and no retry.
pub(super) struct InProcess {
    service: Arc<dyn Dispatch>,
}

impl InProcess {
    pub(super) fn new(service: Arc<dyn Dispatch>) -> Self {
        Self { service }
    }
}

impl Transport for InProcess {
    fn call(&self, mut request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        let methods = self.service.spec().methods;
        let index = methods.iter().position(|spec| spec.id() == request.method.id());
        let now = request.clock.now();
        let scope = request.scope.take();
        let span = scope.as_ref().map_or_else(Span::none, |scope| scope.span().clone());
        let attempt = scope.map(|scope| scope.attempt(now, None));
        request.trace = attempt.as_ref().map_or(request.trace, |&(_, trace)| trace);
        let service = Arc::clone(&self.service);
        let (clock, deadline) = (Arc::clone(&request.clock), request.deadline);
        request.gate = streams_of(request.method.shape()).replies.then(SharedGate::default);
        let (one_way, gate) = (request.one_way, request.gate.clone());
        let handling = async move {
            match index {
                Some(index) => service.dispatch(Inbound::new(index, request)).await,
                None => Err(unimplemented(&request.method)),
            }
        };
        let handling = match one_way {
            true => {
                let handling = handling.boxed();
                Either::Left(begin(handling, Arc::clone(&clock), deadline, span.clone()))
            }
            false => Either::Right(handling),
        };
        async move {
            let result = within_deadline(&*clock, deadline, handling).await;
            let attempt = attempt.map(|(attempt, _)| attempt);
            if let Ok(Reply { body: Body::Stream(messages), metadata, .. }) = result {
                let elapsed = clock.now().since(now);
                let messages = go_on(messages, gate, &clock, deadline, span);
                let under_way = attempt.map(UnderWay::in_process);
                let attempted = Attempted { messages, under_way, deadline, clock };
                let body = Body::Stream(Box::pin(attempted));
                return Ok(Reply { elapsed: Some(elapsed), metadata, ..Reply::new(body) });
            }
            let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
            let elapsed = attempt.map(|mut attempt| attempt.end(code_of(&result), outcome));
            let elapsed = elapsed.unwrap_or_default();
            match result {
                Ok(reply) => Ok(Reply { elapsed: Some(elapsed), ..reply }),
                Err(status) => {
                    let attempt = Attempt::new(None, elapsed, Err(&status));
                    Err(status.with_attempts(vec![attempt]))
                }
            }
        }
        .boxed()
    }

    fn keeps_deadline(&self) -> bool {
        true
    }

    fn nodes(&self, _: &str, _: &Selection) -> Result<Vec<NodeId>, Status> {
        Ok(vec![NodeId::ANY])
    }
}

/// Ends as soon as the handler has begun, which then goes on in a task of its own.
async fn begin(
    mut handling: BoxFuture<'static, Result<Reply, Status>>,
    clock: Arc<dyn Clock>,
    deadline: Option<Deadline>,
    span: Span,
) -> Result<Reply, Status> {
    match (&mut handling).now_or_never() {
        Some(result) => drop(result?),
        None => {
            let rest = async move { drop(within_deadline(&*clock, deadline, handling).await) };
            tokio::spawn(rest.instrument(span));
        }
    }
    Ok(Reply::new(Body::Message(Bytes::new())))
}

/// Lets a handler that has begun to reply go on in a task of its own, as it would at another node.
fn go_on(
    mut messages: Messages,
    gate: Option<SharedGate>,
    clock: &Arc<dyn Clock>,
    deadline: Option<Deadline>,
    span: Span,
) -> Messages {
    let (mut entrance, exit) = passage(config::Transport::default().stream_window_bytes);
    let mut sleep = deadline.map(|deadline| clock.sleep_until(deadline.time()));
    let mut pump = Pump::new(gate);
    let work = async move {
        let end = poll_fn(|cx| {
            if let Poll::Ready(result) = pump.poll(cx, &mut messages, &mut entrance) {
                return Poll::Ready(result);
            }
            let Some(sleep) = &mut sleep else { return Poll::Pending };
            futures::ready!(sleep.poll_unpin(cx));
            let status = Status::deadline_exceeded("the stream's deadline has passed");
            Poll::Ready(Err(status.with_outcome(Outcome::Unknown)))
        });
        match AssertUnwindSafe(end).catch_unwind().await {
            Ok(result) => entrance.end(result),
            Err(panic) => entrance.panic(panic),
        }
    };
    let task = Task::spawn(work.instrument(span));
    exit.inspect(move |_| {
        // The handler ends with whoever reads its replies.
        let _ = &task;
    })
    .boxed()
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("service", &self.service.spec().name).finish()
    }
}
