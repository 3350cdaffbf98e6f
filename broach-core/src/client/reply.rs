//! From a reply's bytes to what the caller awaits, and the end of the call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};
use prost::Message;

use crate::client::Response;
use crate::code::{Code, Outcome};
use crate::deadline::{Deadline, Sleep};
use crate::exchange::{Body, Messages, Receiver, Reply, decode_reply};
use crate::method::{Method, MethodSpec};
use crate::observe::CallScope;
use crate::status::Status;

/// Makes what the caller awaits out of the reply.
pub(super) type Open<Rep> =
    fn(Method, Option<Deadline>, Arc<CallScope>, Result<Reply, Status>) -> Opened<Rep>;

type Opened<Rep> = Result<Response<Rep>, Status>;

/// One message, decoded. The call ends here.
pub(super) fn one<M: Message + Default>(
    method: Method,
    _: Option<Deadline>,
    scope: Arc<CallScope>,
    result: Result<Reply, Status>,
) -> Opened<M> {
    let result = result.and_then(|reply| {
        let (bytes, response) = message(&method, reply)?;
        Ok(response.with(decode_reply(&method, bytes)?))
    });
    end(&scope, &result);
    result
}

/// One message as it came. The call ends here.
pub(super) fn raw(
    method: Method,
    _: Option<Deadline>,
    scope: Arc<CallScope>,
    result: Result<Reply, Status>,
) -> Opened<Bytes> {
    let result = result.and_then(|reply| {
        let (bytes, response) = message(&method, reply)?;
        Ok(response.with(bytes))
    });
    end(&scope, &result);
    result
}

/// A receiver of messages. The call ends with the stream, or at its deadline.
pub(super) fn many<M: Message + Default + 'static>(
    method: Method,
    deadline: Option<Deadline>,
    scope: Arc<CallScope>,
    result: Result<Reply, Status>,
) -> Opened<Receiver<M>> {
    let mut reply = match result {
        Ok(reply) => reply,
        Err(status) => {
            scope.end(status.code(), status.outcome());
            return Err(status);
        }
    };
    let messages = match reply.body {
        Body::Message(bytes) => futures::stream::once(async { Ok(bytes) }).boxed(),
        Body::Stream(messages) => messages,
    };
    let sleep = deadline.map(|deadline| scope.clock().sleep_until(deadline.time()));
    let watched = Watched { messages, sleep, scope };
    let metadata = std::mem::take(&mut reply.metadata);
    let decoded = watched.map(move |bytes| decode_reply(&method, bytes?));
    let receiver = Receiver::new(decoded, metadata.clone());
    Ok(Response { message: receiver, metadata, peer: reply.peer, attempts: reply.attempts })
}

/// The one message of a reply, and the rest of it.
fn message(method: &MethodSpec, reply: Reply) -> Result<(Bytes, Response<()>), Status> {
    let Body::Message(bytes) = reply.body else {
        return Err(Status::internal(format!(
            "{} has one reply, but a stream of them came",
            method.full_name()
        )));
    };
    let response = Response {
        message: (),
        metadata: reply.metadata,
        peer: reply.peer,
        attempts: reply.attempts,
    };
    Ok((bytes, response))
}

impl Response<()> {
    fn with<T>(self, message: T) -> Response<T> {
        let Self { message: (), metadata, peer, attempts } = self;
        Response { message, metadata, peer, attempts }
    }
}

fn end<T>(scope: &CallScope, result: &Result<T, Status>) {
    match result {
        Ok(_) => scope.end(Code::Ok, Outcome::Executed),
        Err(status) => scope.end(status.code(), status.outcome()),
    }
}

/// The messages of a streaming reply, under the eyes of the call's scope and deadline.
struct Watched {
    messages: Messages,
    sleep: Option<Sleep>,
    scope: Arc<CallScope>,
}

impl Stream for Watched {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = match this.messages.poll_next_unpin(cx) {
            Poll::Pending => {
                let Some(sleep) = &mut this.sleep else {
                    return Poll::Pending;
                };
                futures::ready!(sleep.poll_unpin(cx));
                let status = Status::deadline_exceeded("the stream's deadline has passed");
                Some(Err(status.with_outcome(Outcome::Unknown)))
            }
            Poll::Ready(next) => next,
        };
        match &next {
            None => this.scope.end(Code::Ok, Outcome::Executed),
            Some(Ok(_)) => {}
            Some(Err(status)) => this.scope.end(status.code(), status.outcome()),
        }
        Poll::Ready(next)
    }
}
