//! [`Attempted`]: the replies of an attempt that streams them, which is under way as long as they
//! come.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Stream, StreamExt};

use crate::client::remote::Inner;
use crate::client::trial::Trial;
use crate::code::{Code, Outcome};
use crate::deadline::{Clock, Deadline, Time};
use crate::exchange::{Body, Messages, Reply};
use crate::metadata::Metadata;
use crate::observe::{AttemptScope, CallScope};
use crate::peer::Peer;
use crate::routing::InFlight;
use crate::status::{Attempt, Status};

/// The replies of an attempt. The attempt ends with them.
pub(super) struct Attempted {
    pub(super) messages: Messages,
    pub(super) under_way: Option<UnderWay>,
    pub(super) deadline: Option<Deadline>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A reply of many messages that has begun.
pub(super) struct Begun {
    pub(super) messages: Messages,
    pub(super) metadata: Metadata,
    pub(super) peer: Option<Peer>,
    /// When the attempt was.
    pub(super) begun: Time,
}

impl Inner {
    /// Takes in that the reply of an attempt has begun: that is how long its node has taken, and
    /// the call will not be made again.
    pub(super) fn begun(&self, trial: &Trial, begun: Begun, under_way: UnderWay) -> Reply {
        let Begun { messages, metadata, peer, begun } = begun;
        let clock = Arc::clone(&self.handle.shared().clock);
        let now = clock.now();
        let elapsed = now.since(begun);
        if let Some(target) = &under_way.target {
            target.live.standing.on_answer();
            target.on_reply(now, elapsed);
        }
        if let Some(requests) = &trial.requests {
            requests.on_answer();
        }
        let (failed, deadline) = (under_way.failed.clone(), trial.deadline);
        let attempted = Attempted { messages, under_way: Some(under_way), deadline, clock };
        let body = Body::Stream(Box::pin(attempted));
        Reply { metadata, peer, failed, elapsed: Some(elapsed), ..Reply::new(body) }
    }
}

/// What ends with an attempt.
pub(super) struct UnderWay {
    pub(super) scope: AttemptScope,
    /// The attempts before it.
    pub(super) failed: Vec<Attempt>,
    pub(super) peer: Option<SocketAddr>,
    /// Counts it as in flight at its node, if it has one.
    pub(super) target: Option<InFlight>,
    /// The call, if nobody else ends it.
    pub(super) call: Option<Arc<CallScope>>,
}

impl UnderWay {
    /// Of the one attempt that there is within the process.
    pub(super) const fn in_process(scope: AttemptScope) -> Self {
        Self { scope, failed: Vec::new(), peer: None, target: None, call: None }
    }

    fn end(mut self, result: Result<(), Status>) -> Result<(), Status> {
        let (code, outcome) = match &result {
            Ok(()) => (Code::Ok, Outcome::Executed),
            Err(status) => (status.code(), status.outcome()),
        };
        let elapsed = self.scope.end(code, outcome);
        drop(self.target);
        if let Some(call) = self.call {
            call.end(code, outcome);
        }
        result.map_err(|status| {
            let attempt = Attempt::new(self.peer, elapsed, Err(&status));
            self.failed.push(attempt);
            status.with_attempts(self.failed)
        })
    }
}

impl Drop for Attempted {
    /// Whoever reads may have seen that the time is over before this has.
    fn drop(&mut self) {
        let now = self.clock.now();
        let expired = self.deadline.is_some_and(|deadline| deadline.remaining(now).is_none());
        if expired && let Some(under_way) = self.under_way.take() {
            let status = Status::deadline_exceeded("the stream's deadline has passed");
            let _ = under_way.end(Err(status.with_outcome(Outcome::Unknown)));
        }
    }
}

impl Stream for Attempted {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let end = match ready!(self.messages.poll_next_unpin(cx)) {
            Some(Ok(message)) => return Poll::Ready(Some(Ok(message))),
            Some(Err(status)) => Err(status),
            None => Ok(()),
        };
        let end = match self.under_way.take() {
            Some(under_way) => under_way.end(end),
            None => end,
        };
        // Whoever makes them has no more to do.
        self.messages = futures::stream::empty().boxed();
        Poll::Ready(end.err().map(Err))
    }
}
