//! [`Replies`]: what a handler sends, as the stream of messages that layers and callers within the
//! process see.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use bytes::Bytes;
use futures::Stream;

use crate::exchange::queue::Queue;
use crate::exchange::stream::Made;
use crate::exchange::{Body, Context, Reply, SharedGate};
use crate::status::Status;

/// Runs a handler until its first reply, so that its metadata and an early error are known, and
/// then as its replies are read.
pub(super) async fn stream_out<F>(
    cx: Context,
    handler: F,
    queue: Arc<Queue<Made>>,
    gate: Option<SharedGate>,
) -> Result<Reply, Status>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let handler = Some(Box::pin(handler));
    let mut replies = Replies { cx: cx.clone(), handler, queue, gate, first: None, end: None };
    replies.first = match poll_fn(|cx| replies.poll_made(cx)).await {
        Some(Err(status)) => return Err(cx.returned(status)),
        Some(Ok(Made::Begin)) => None,
        first => Some(first),
    };
    let mut reply = Reply::new(Body::Stream(Box::pin(replies)));
    reply.metadata = cx.take_reply_metadata();
    Ok(reply)
}

/// The replies of a handler, which runs only while somebody polls them.
struct Replies<H> {
    cx: Context,
    /// `None` once the handler has returned.
    handler: Option<H>,
    queue: Arc<Queue<Made>>,
    gate: Option<SharedGate>,
    /// What had to be known before there was a reply: its first message, or that it has none.
    first: Option<Option<Result<Made, Status>>>,
    end: Option<End>,
}

/// How a handler ended.
enum End {
    Well,
    Failed(Status),
    Panicked(Box<dyn Any + Send>),
}

impl<H> Replies<H>
where
    H: Future<Output = Result<(), Status>> + Unpin,
{
    /// What the handler makes next.
    fn poll_made(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Made, Status>>> {
        // What is polled may go on with its work, though no message is wanted.
        let shut = self.gate.as_ref().is_some_and(|gate| gate.is_shut(cx));
        if !shut && let Some(first) = self.first.take() {
            return Poll::Ready(first);
        }
        // What is there goes first: the handler is polled once for many messages.
        if !shut
            && !self.queue.is_empty()
            && let Poll::Ready(Some(made)) = self.queue.poll_next_of_own(cx)
        {
            return Poll::Ready(Some(self.take(made)));
        }
        if let Some(handler) = &mut self.handler {
            self.queue.on_reader_awake();
            // Also if it panics, what it has sent before comes before.
            let polled =
                catch_unwind(AssertUnwindSafe(|| self.cx.enter(|| Pin::new(handler).poll(cx))));
            self.end = match polled {
                Ok(Poll::Pending) => None,
                Ok(Poll::Ready(Ok(()))) => Some(End::Well),
                Ok(Poll::Ready(Err(status))) => Some(End::Failed(status.of_handler())),
                Err(panic) => Some(End::Panicked(panic)),
            };
            if self.end.is_some() {
                self.handler = None;
            }
        }
        if shut {
            return Poll::Pending;
        }
        if let Poll::Ready(Some(made)) = self.queue.poll_next_of_own(cx) {
            return Poll::Ready(Some(self.take(made)));
        }
        // It ends with the handler, whoever holds the sender now; but not with the sender, which
        // the handler may drop to go on with other work.
        match self.end.take() {
            None if self.handler.is_some() => Poll::Pending,
            None | Some(End::Well) => Poll::Ready(None),
            Some(End::Failed(status)) => Poll::Ready(Some(Err(status))),
            Some(End::Panicked(panic)) => resume_unwind(panic),
        }
    }

    /// Whoever has the sender may end the call, and with it the handler.
    fn take(&mut self, made: Made) -> Result<Made, Status> {
        match made {
            Made::Failed(status) => {
                (self.handler, self.end) = (None, None);
                Err(status)
            }
            made => Ok(made),
        }
    }
}

impl<H> Stream for Replies<H>
where
    H: Future<Output = Result<(), Status>> + Unpin,
{
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return Poll::Ready(match ready!(self.poll_made(cx)) {
                Some(Ok(Made::Message(bytes))) => Some(Ok(bytes)),
                Some(Ok(Made::Begin)) => continue,
                Some(Ok(Made::Failed(status)) | Err(status)) => Some(Err(status)),
                None => None,
            });
        }
    }
}

impl<H> Drop for Replies<H> {
    fn drop(&mut self) {
        self.queue.on_reader_gone();
    }
}

impl<H> fmt::Debug for Replies<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").finish_non_exhaustive()
    }
}
