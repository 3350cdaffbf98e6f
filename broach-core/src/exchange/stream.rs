//! Streams of messages: what a handler reads from and writes to, and what a caller feeds by hand.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use prost::Message;

use crate::code::Outcome;
use crate::exchange::SharedSink;
use crate::exchange::body::Encoder;
use crate::exchange::failing;
use crate::exchange::queue::{Queue, ReaderGone};
use crate::metadata::Metadata;
use crate::status::Status;

/// Where a handler puts its replies, or a caller its requests, one after the other.
///
/// The stream ends when the sender is dropped: for a handler, when it returns.
pub struct Sender<T>(To<T>);

enum To<T> {
    /// A [`Feed`]. What comes after the last message is why there are no more, if they have failed.
    Feed(Arc<Queue<Result<T, Status>>>),
    /// The network.
    Sink {
        sink: SharedSink,
        /// What has the metadata that come before the first message, until then.
        before: Option<crate::exchange::Context>,
        len: fn(&T) -> usize,
        encode: fn(&T, &mut BytesMut),
    },
    /// Whoever sends on the replies of a handler.
    Replies {
        queue: Arc<Queue<Made>>,
        begun: bool,
        encode: fn(&T, &mut Encoder) -> Bytes,
        encoder: Encoder,
    },
}

/// What comes of a handler's sender.
pub(super) enum Made {
    /// The reply begins, whether or not there is a message.
    Begin,
    Message(Bytes),
    /// The call fails.
    Failed(Status),
}

/// The messages that come in: the requests of a handler, or the replies of a call.
///
/// Also a [`Stream`] of `Result<T, Status>`.
pub struct Receiver<T> {
    messages: Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>,
    metadata: Metadata,
    ended: bool,
}

/// The messages put into a [`Sender`] made by [`channel`], in order.
pub struct Feed<T> {
    queue: Arc<Queue<Result<T, Status>>>,
}

/// A sender and the stream that it feeds, which holds up to `capacity` messages (at least 1)
/// before [`Sender::send`] waits.
///
/// For requests that are made bit by bit while a call runs, and for testing handlers that stream
/// their replies.
///
/// When the sender is dropped the requests have ended well, and the service takes them for
/// complete. A producer that cannot go on says so with [`Sender::fail`].
pub fn channel<T>(capacity: usize) -> (Sender<T>, Feed<T>) {
    let queue = Arc::new(Queue::new(capacity.max(1), usize::MAX));
    (Sender(To::Feed(Arc::clone(&queue))), Feed { queue })
}

/// A sender of a handler's replies to the network.
pub(crate) fn replies_to<M: Message>(sink: SharedSink, cx: crate::exchange::Context) -> Sender<M> {
    let encode = |message: &M, out: &mut BytesMut| message.encode_raw(out);
    Sender(To::Sink { sink, before: Some(cx), len: M::encoded_len, encode })
}

/// A sender of a handler's replies and the queue where they come out, encoded.
pub(super) fn replies<M: Message>() -> (Sender<M>, Arc<Queue<Made>>) {
    let queue = Arc::new(Queue::new(REPLIES_AHEAD_MAX, REPLY_BYTES_AHEAD_MAX));
    let encode = |message: &M, encoder: &mut Encoder| encoder.encode(message);
    (
        Sender(To::Replies {
            queue: Arc::clone(&queue),
            begun: false,
            encode,
            encoder: Encoder::default(),
        }),
        queue,
    )
}

impl<T> Sender<T> {
    /// Begins the reply of a handler without a message: the caller's call is done then, and gives
    /// the [`Receiver`]. Of no effect if it has begun, and for requests.
    ///
    /// For handlers that have nothing to say before their caller does: a caller that awaits the
    /// call before it sends the first request would wait for ever.
    ///
    /// # Errors
    ///
    /// `CANCELLED` when the other side has gone; `RESOURCE_EXHAUSTED` if the metadata that the
    /// handler has set is too large, and then the call has failed.
    pub fn begin(&mut self) -> Result<(), Status> {
        match &mut self.0 {
            To::Sink { sink, before, .. } => {
                if let Some(context) = before {
                    sink.begin(context)?;
                    *before = None;
                    sink.tell();
                }
                Ok(())
            }
            To::Feed(_) => Ok(()),
            To::Replies { begun: true, .. } => Ok(()),
            To::Replies { queue, begun, .. } => {
                *begun = true;
                queue.push(Made::Begin, 0).map_err(gone)
            }
        }
    }

    /// Ends the stream with an error. To drop the sender instead is to end it well.
    ///
    /// For requests: the call fails with this status, and the handler is dropped, or finds the
    /// status in its [`Receiver`] if it is in the same node or process. It concerns a call whose
    /// stream of requests is the [`Feed`], or is made of it and polls it in the same task; whoever
    /// else reads a feed finds that it ends. A sender that is dropped by a panic fails by itself.
    ///
    /// For a handler's replies: the call fails with this status, after what was sent before, and
    /// the handler is dropped. (A handler need not; it can return an error.)
    pub fn fail(self, status: Status) {
        let status = status.of_handler();
        // Whoever does not read any more need not know.
        let _ = match &self.0 {
            To::Sink { sink, .. } => {
                sink.fail(status);
                Ok(())
            }
            To::Feed(queue) => queue.push(Err(status), 0),
            To::Replies { queue, .. } => queue.push(Made::Failed(status), 0),
        };
    }

    /// Sends a message; waits while the other side is behind.
    ///
    /// # Errors
    ///
    /// `CANCELLED` when the other side has gone: nobody will read what is sent. It says nothing of
    /// how the call has ended, so its outcome is `Unknown`. For a handler's reply also
    /// `RESOURCE_EXHAUSTED`, if it is too large; the call has failed then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it ends, the message is not sent.
    pub async fn send(&mut self, message: T) -> Result<(), Status> {
        match &mut self.0 {
            To::Sink { sink, before, len, encode } => {
                if let Some(context) = before {
                    sink.begin(context)?;
                    *before = None;
                }
                let len = len(&message);
                let mut encode = |out: &mut BytesMut| encode(&message, out);
                poll_fn(|cx| sink.poll_put(cx, len, &mut encode)).await
            }
            To::Feed(queue) => {
                poll_fn(|cx| queue.poll_room(cx)).await.map_err(gone)?;
                queue.push(Ok(message), 0).map_err(gone)
            }
            To::Replies { queue, begun, encode, encoder } => {
                poll_fn(|cx| queue.poll_room(cx)).await.map_err(gone)?;
                *begun = true;
                let bytes = encode(&message, encoder);
                let len = bytes.len();
                queue.push(Made::Message(bytes), len).map_err(gone)
            }
        }
    }
}

impl Status {
    /// What whoever still writes to a stream gets when that has ended. It says nothing of what
    /// became of the call.
    pub(crate) fn over(message: impl Into<Cow<'static, str>>) -> Self {
        Self::cancelled(message).with_outcome(Outcome::Unknown).of_call()
    }
}

fn gone(_: ReaderGone) -> Status {
    Status::over("the other side has gone")
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        match &self.0 {
            // It ends with the handler.
            To::Sink { .. } => {}
            To::Feed(queue) => {
                if std::thread::panicking() {
                    let status = Status::internal("whoever made the requests has panicked");
                    let _ = queue.push(Err(status), 0);
                }
                queue.on_sender_gone();
            }
            To::Replies { queue, .. } => queue.on_sender_gone(),
        }
    }
}

impl<T> Receiver<T> {
    pub(crate) fn new(
        messages: impl Stream<Item = Result<T, Status>> + Send + 'static,
        metadata: Metadata,
    ) -> Self {
        Self { messages: Box::pin(messages), metadata, ended: false }
    }

    /// The next message; `None` when the stream has ended well.
    ///
    /// # Errors
    ///
    /// The status with which the other side ended the stream, or that says why it was lost. After
    /// an error there is nothing more to read.
    ///
    /// # Cancel safety
    ///
    /// No message is lost if the future is dropped before it ends.
    pub async fn message(&mut self) -> Result<Option<T>, Status> {
        self.next().await.transpose()
    }

    /// What the other side sent before its first message.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// A receiver of messages that are there already, for tests of handlers.
impl<T: Send + 'static> FromIterator<T> for Receiver<T> {
    fn from_iter<I: IntoIterator<Item = T>>(messages: I) -> Self {
        let messages: Vec<T> = messages.into_iter().collect();
        Self::new(futures::stream::iter(messages.into_iter().map(Ok)), Metadata::new())
    }
}

impl<T> Stream for Receiver<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = futures::ready!(self.messages.poll_next_unpin(cx));
        if matches!(next, None | Some(Err(_))) {
            self.ended = true;
        }
        Poll::Ready(next.map(|message| message.map_err(Status::of_call)))
    }
}

impl<T> Stream for Feed<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(match futures::ready!(self.queue.poll_next(cx)) {
            Some(Ok(message)) => Some(message),
            Some(Err(status)) => {
                failing::fail(status);
                None
            }
            None => None,
        })
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        self.queue.on_reader_gone();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

/// How many replies a handler may be ahead of what is sent on of them.
const REPLIES_AHEAD_MAX: usize = 64;

/// And how many bytes, but for the last one.
const REPLY_BYTES_AHEAD_MAX: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_full_channel_makes_the_sender_wait() {
        let (mut sender, mut feed) = channel(2);
        assert!(sender.send(1).now_or_never().is_some());
        assert!(sender.send(2).now_or_never().is_some());
        assert!(sender.send(3).now_or_never().is_none());
        assert_eq!(feed.next().now_or_never(), Some(Some(1)));
    }

    #[test]
    fn a_sender_without_a_reader_is_told() {
        let (mut sender, feed) = channel(1);
        drop(feed);
        let status = sender.send(1).now_or_never().unwrap().unwrap_err();
        assert_eq!(status.code(), crate::Code::Cancelled);
    }

    #[test]
    fn a_feed_that_fails_ends_for_whoever_reads_it() {
        let (mut sender, mut feed) = channel(1);
        assert!(sender.send(1).now_or_never().is_some());
        sender.fail(Status::aborted("stop"));
        assert_eq!(feed.next().now_or_never(), Some(Some(1)));
        assert_eq!(feed.next().now_or_never(), Some(None));
        assert_eq!(feed.next().now_or_never(), Some(None));
    }

    #[test]
    fn nothing_follows_an_error() {
        let items = [Ok(1), Err(Status::aborted("stop")), Ok(2)];
        let mut receiver = Receiver::new(futures::stream::iter(items), Metadata::new());
        assert_eq!(receiver.message().now_or_never().unwrap().unwrap(), Some(1));
        assert!(receiver.message().now_or_never().unwrap().is_err());
        assert_eq!(receiver.message().now_or_never().unwrap().unwrap(), None);
    }
}
