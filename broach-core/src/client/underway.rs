//! [`Underway`]: an attempt under way, over the network or within the node.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::coop::poll_proceed;

use crate::client::streaming::Streaming;
use crate::code::Outcome;
use crate::config::SizeLimits;
use crate::deadline::{Clock, Deadline, Sleep};
use crate::exchange::{Reply, read_reply};
use crate::net::{Ended, Sent};
use crate::peer::Peer;
use crate::proto::{CallBytes, Condition};
use crate::status::Status;

/// An attempt under way. Dropping it cancels it.
pub(super) enum Underway {
    /// At another node.
    Away { sent: Sent, limits: SizeLimits },
    /// The same for a call that streams.
    Streaming(Box<Streaming>),
    /// At this node itself.
    Here(Here),
}

/// A call of a node to itself, until its deadline.
pub(super) struct Here {
    handling: BoxFuture<'static, Result<Reply, Status>>,
    peer: Peer,
    deadline: Option<Deadline>,
    clock: Arc<dyn Clock>,
    /// Only for a handler that has to wait: most do not.
    sleep: Option<Sleep>,
}

/// How an attempt ended.
pub(super) struct End {
    pub(super) peer: Option<Peer>,
    /// Whether other calls had better go elsewhere.
    pub(super) condition: Condition,
    /// The node has ended it; otherwise its end was made up here.
    pub(super) answered: bool,
    /// How long the network takes to the node and back, if that has been measured.
    pub(super) rtt: Option<Duration>,
    /// The bytes of its request, if they were given away and have come back.
    pub(super) request: Option<CallBytes>,
    pub(super) result: Result<Reply, Status>,
}

impl Here {
    pub(super) fn new(
        handling: BoxFuture<'static, Result<Reply, Status>>,
        peer: Peer,
        deadline: Option<Deadline>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self { handling, peer, deadline, clock: Arc::clone(clock), sleep: None }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let (peer, condition, request, rtt) = (Some(self.peer), Condition::Well, None, None);
        // Otherwise whoever makes one such call after the other would never let others run.
        let turn = futures::ready!(poll_proceed(cx));
        if let Poll::Ready(result) = self.handling.poll_unpin(cx) {
            turn.made_progress();
            return Poll::Ready(End { peer, condition, answered: true, rtt, request, result });
        }
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| self.clock.sleep_until(deadline.time()));
        futures::ready!(sleep.poll_unpin(cx));
        // The handler ends with this attempt.
        let status = Status::deadline_exceeded("no reply by the deadline");
        let result = Err(status.with_outcome(Outcome::Unknown));
        Poll::Ready(End { peer, condition, answered: false, rtt, request, result })
    }
}

impl Future for Underway {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        match &mut *self {
            Self::Here(here) => here.poll_end(cx),
            Self::Streaming(streaming) => streaming.poll_end(cx),
            Self::Away { sent, limits } => {
                let Ended { peer, condition, rtt, request, result } =
                    futures::ready!(sent.poll_unpin(cx));
                let answered = result.is_ok();
                let result = result.and_then(|bytes| read_reply(bytes, *limits));
                Poll::Ready(End { peer, condition, answered, rtt, request, result })
            }
        }
    }
}
