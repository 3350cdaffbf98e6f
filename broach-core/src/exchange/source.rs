//! [`Source`]: the messages of a stream on their way to records, many at once.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use prost::Message;

use crate::exchange::body::Encoder;
use crate::exchange::{Body, Messages, failing};
use crate::status::Status;
use crate::wire::{RecordKind, record_head};

/// Where the requests of a call come from.
pub(crate) trait Source: Send {
    /// Appends messages to `records`, as whole records, until that has `bytes` or there are no more
    /// for now. No message may have more than `message_max` bytes.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        records: &mut BytesMut,
        bytes: usize,
        message_max: usize,
    ) -> Filled;

    /// The next message by itself.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>>;
}

/// Why no more messages were appended.
#[derive(Debug)]
pub(crate) enum Filled {
    /// There may be more.
    Full,
    /// There will be, and the task is woken then.
    Waits,
    Ended,
    Failed(Status),
    /// The next message has this many bytes, which is too much.
    TooLarge(usize),
}

/// A source that can be had as it is by whoever gets the request before anybody else: until then it
/// is the body of the request, a stream of encoded messages.
#[derive(Clone)]
pub(crate) struct SharedSource(Arc<Mutex<Option<Box<dyn Source>>>>);

impl SharedSource {
    /// The body of a request whose messages are these, and a shorter way to them.
    pub(crate) fn of<M: Message + 'static>(messages: RequestStream<M>) -> (Body, Self) {
        let source: Box<dyn Source> = Box::new(Typed { messages, encoder: Encoder::default() });
        let shared = Self(Arc::new(Mutex::new(Some(source))));
        (Body::Stream(Box::pin(AsBody(shared.clone()))), shared)
    }

    /// The source itself. The body is empty from then on.
    pub(crate) fn take(&self) -> Option<Box<dyn Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The requests of a call that streams them.
pub type RequestStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// Messages that are encoded as they come.
struct Typed<M> {
    messages: RequestStream<M>,
    encoder: Encoder,
}

impl<M: Message> Source for Typed<M> {
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        records: &mut BytesMut,
        bytes: usize,
        message_max: usize,
    ) -> Filled {
        let fill = || {
            while records.len() < bytes {
                let message = match self.messages.poll_next_unpin(cx) {
                    Poll::Pending => return Filled::Waits,
                    Poll::Ready(None) => return Filled::Ended,
                    Poll::Ready(Some(message)) => message,
                };
                let len = message.encoded_len();
                if message_max < len {
                    return Filled::TooLarge(len);
                }
                put_message_record(records, len, |records| message.encode_raw(records));
            }
            Filled::Full
        };
        match failing::watch(fill) {
            (_, Some(status)) => Filled::Failed(status),
            (filled, None) => filled,
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Self { messages, encoder } = self;
        match failing::watch(|| messages.poll_next_unpin(cx)) {
            (_, Some(status)) => Poll::Ready(Some(Err(status))),
            (next, None) => next.map(|next| next.map(|message| Ok(encoder.encode(&message)))),
        }
    }
}

/// Messages that are encoded already.
impl Source for Messages {
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        records: &mut BytesMut,
        bytes: usize,
        message_max: usize,
    ) -> Filled {
        while records.len() < bytes {
            let message = match self.poll_next_unpin(cx) {
                Poll::Pending => return Filled::Waits,
                Poll::Ready(None) => return Filled::Ended,
                Poll::Ready(Some(Err(status))) => return Filled::Failed(status),
                Poll::Ready(Some(Ok(message))) => message,
            };
            if message_max < message.len() {
                return Filled::TooLarge(message.len());
            }
            put_message_record(records, message.len(), |records| records.put_slice(&message));
        }
        Filled::Full
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        self.poll_next_unpin(cx)
    }
}

/// Appends a record with a message of `len` bytes.
pub(crate) fn put_message_record(
    records: &mut BytesMut,
    len: usize,
    put: impl FnOnce(&mut BytesMut),
) {
    let (head, head_len) = record_head(RecordKind::Message, len);
    records.reserve(usize::from(head_len) + len);
    records.put_slice(&head[..usize::from(head_len)]);
    put(records);
}

/// A source as the body of a request.
struct AsBody(SharedSource);

impl Stream for AsBody {
    type Item = Result<Bytes, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut source = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *source {
            Some(source) => source.poll_message(cx),
            None => Poll::Ready(None),
        }
    }
}
