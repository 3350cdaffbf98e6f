//! From a reply's bytes to what the caller awaits, and the end of the call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};
use prost::Message;

use crate::code::{Code, Outcome};
use crate::deadline::{Deadline, Sleep, Time};
use crate::exchange::{Body, Messages, Receiver, Reply, decode_reply};
use crate::metadata::Metadata;
use crate::method::MethodSpec;
use crate::observe::CallScope;
use crate::peer::Peer;
use crate::status::{Attempt, Status};

/// Makes what the caller awaits out of the reply.
pub(super) type Open<Rep> =
    fn(&Arc<CallScope>, Option<TimeLimit>, Result<Reply, Status>) -> Opened<Rep>;

type Opened<Rep> = Result<(Rep, Envelope), Status>;

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit {
    pub(super) deadline: Deadline,
    pub(super) time: Duration,
    /// Who says so.
    pub(super) whose: &'static str,
}

impl TimeLimit {
    /// A status that says where the deadline came from, if that has passed here.
    pub(super) fn explain(self, status: Status) -> Status {
        if !status.is_own_deadline() {
            return status;
        }
        let Self { time, whose, .. } = self;
        let text = format!("{}; the call had {time:?} ({whose})", status.message());
        status.with_message(text)
    }
}

/// What came with a reply's message.
pub(super) struct Envelope {
    pub(super) metadata: Metadata,
    pub(super) peer: Option<Peer>,
    /// The attempts before the one that succeeded.
    pub(super) failed: Vec<Attempt>,
    /// How long that one took; `None` if a layer answered instead.
    pub(super) elapsed: Option<Duration>,
}

impl Envelope {
    /// All attempts, in order, the one that succeeded among them.
    pub(super) fn attempts(&mut self) -> Vec<Attempt> {
        let mut attempts = std::mem::take(&mut self.failed);
        let peer = self.peer.map(|peer| peer.addr);
        attempts.extend(self.elapsed.map(|elapsed| Attempt::new(peer, elapsed, Ok(()))));
        attempts
    }

    /// What becomes of a call whose reply came but does not decode.
    fn undecoded(mut self, status: Status) -> Status {
        let whose = self.peer.map_or_else(|| "the service".to_owned(), |peer| peer.to_string());
        let text = format!(
            "{}; perhaps this program and {whose} do not share one .proto",
            status.message()
        );
        status.with_message(text).with_attempts(self.attempts())
    }
}

/// One message, decoded. The call ends here.
pub(super) fn one<M: Message + Default>(
    scope: &Arc<CallScope>,
    _: Option<TimeLimit>,
    result: Result<Reply, Status>,
) -> Opened<M> {
    let result = result.and_then(|reply| {
        let (bytes, envelope) = message(scope.method(), reply)?;
        match decode_reply(scope.method(), bytes) {
            Ok(message) => Ok((message, envelope)),
            Err(status) => Err(envelope.undecoded(status)),
        }
    });
    end(scope, &result);
    result
}

/// One message as it came. The call ends here.
pub(super) fn raw(
    scope: &Arc<CallScope>,
    _: Option<TimeLimit>,
    result: Result<Reply, Status>,
) -> Opened<Bytes> {
    let result = result.and_then(|reply| message(scope.method(), reply));
    end(scope, &result);
    result
}

/// A receiver of messages. The call ends with the stream, or at its deadline.
pub(super) fn many<M: Message + Default + 'static>(
    scope: &Arc<CallScope>,
    limit: Option<TimeLimit>,
    result: Result<Reply, Status>,
) -> Opened<Receiver<M>> {
    let reply = result.inspect_err(|status| scope.end(status.code(), status.outcome()))?;
    let (body, envelope) = split(reply);
    let attempts = Attempts::under_way(scope.clock().now(), &envelope);
    let sleep = limit.map(|limit| scope.clock().sleep_until(limit.deadline.time()));
    let scope = Arc::clone(scope);
    let watched = Watched {
        messages: body.into_messages(),
        limit,
        sleep,
        attempts,
        scope: Arc::clone(&scope),
    };
    let method = scope.method().clone();
    let decoded = watched.map(move |bytes| decode_reply(&method, bytes?));
    Ok((Receiver::new(decoded, envelope.metadata.clone()), envelope))
}

/// The one message of a reply, and the rest of it.
fn message(method: &MethodSpec, reply: Reply) -> Result<(Bytes, Envelope), Status> {
    match split(reply) {
        (Body::Message(bytes), envelope) => Ok((bytes, envelope)),
        (Body::Stream(_), _) => Err(Status::internal(format!(
            "{} has one reply, but a stream of them came",
            method.full_name()
        ))),
    }
}

fn split(reply: Reply) -> (Body, Envelope) {
    let Reply { metadata, body, peer, failed, elapsed } = reply;
    (body, Envelope { metadata, peer, failed, elapsed })
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
    limit: Option<TimeLimit>,
    sleep: Option<Sleep>,
    attempts: Attempts,
    scope: Arc<CallScope>,
}

/// What was tried of a call, the last of it still under way.
struct Attempts {
    failed: Vec<Attempt>,
    peer: Option<Peer>,
    /// When the last one began; absent if a layer has answered.
    begun: Option<Time>,
}

impl Attempts {
    fn under_way(now: Time, envelope: &Envelope) -> Self {
        let begun = envelope.elapsed.map(|elapsed| now - elapsed);
        Self { failed: envelope.failed.clone(), peer: envelope.peer, begun }
    }

    /// The call has failed: nobody below says so.
    fn failed(&mut self, now: Time, status: Status) -> Status {
        let mut attempts = std::mem::take(&mut self.failed);
        let peer = self.peer.map(|peer| peer.addr);
        let last = |begun: Time| Attempt::new(peer, now.since(begun), Err(&status));
        attempts.extend(self.begun.map(last));
        status.with_attempts(attempts)
    }
}

impl Stream for Watched {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let span = this.scope.span();
        let _inside = (!span.is_disabled()).then(|| span.enter());
        let next = match this.messages.poll_next_unpin(cx) {
            Poll::Pending => {
                let Some(sleep) = &mut this.sleep else {
                    return Poll::Pending;
                };
                futures::ready!(sleep.poll_unpin(cx));
                let status = Status::deadline_exceeded("the stream's deadline has passed");
                let (now, status) =
                    (this.scope.clock().now(), status.with_outcome(Outcome::Unknown));
                Some(Err(this.attempts.failed(now, status)))
            }
            Poll::Ready(next) => next,
        };
        let end = match next {
            Some(Ok(message)) => return Poll::Ready(Some(Ok(message))),
            Some(Err(status)) => Err(match this.limit {
                Some(limit) => limit.explain(status),
                None => status,
            }),
            None => Ok(()),
        };
        // The call ends now, and not when the receiver is dropped; its attempt before it.
        this.messages = futures::stream::empty().boxed();
        self::end(&this.scope, &end);
        Poll::Ready(end.err().map(Err))
    }
}
