//! What a call carries: one encoded message, or a stream of them.

use std::fmt;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use prost::Message;

use crate::code::Outcome;
use crate::method::MethodSpec;
use crate::status::Status;

/// The messages of a request or a reply, encoded.
pub enum Body {
    /// Exactly one message.
    Message(Bytes),
    /// Any number of messages, which come as they are made. An error ends the stream.
    Stream(Messages),
}

/// A stream of encoded messages.
pub type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl Body {
    /// The body that carries this one message.
    pub fn message<M: Message>(message: &M) -> Self {
        Self::Message(encode(message))
    }

    /// The messages, of which there may be one.
    pub(crate) fn into_messages(self) -> Messages {
        match self {
            Self::Message(bytes) => Box::pin(futures::stream::once(std::future::ready(Ok(bytes)))),
            Self::Stream(messages) => messages,
        }
    }

    /// The one message, if it is one.
    pub const fn as_message(&self) -> Option<&Bytes> {
        match self {
            Self::Message(bytes) => Some(bytes),
            Self::Stream(_) => None,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream(..)"),
        }
    }
}

/// Encodes messages one after the other, small ones into memory that they share.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    buffer: BytesMut,
}

impl Encoder {
    pub(crate) fn encode<M: Message>(&mut self, message: &M) -> Bytes {
        let len = message.encoded_len();
        if SHARED_MAX < len {
            return encode(message);
        }
        // Something is in it only if encoding has panicked.
        self.buffer.clear();
        if self.buffer.capacity() < len {
            self.buffer = BytesMut::with_capacity(SHARED_BYTES);
        }
        message
            .encode(&mut self.buffer)
            .expect("a BytesMut grows as needed, so encoding into one cannot fail");
        self.buffer.split().freeze()
    }
}

/// Messages that are larger have memory of their own: whoever keeps one message should not keep
/// much more than that.
const SHARED_MAX: usize = 1 << 10;

/// How much memory small ones share.
const SHARED_BYTES: usize = 4 << 10;

/// Encodes a message into a buffer of exactly its size.
pub(crate) fn encode<M: Message>(message: &M) -> Bytes {
    let mut buffer = BytesMut::with_capacity(message.encoded_len());
    message
        .encode(&mut buffer)
        .expect("a BytesMut grows as needed, so encoding into one cannot fail");
    buffer.freeze()
}

/// Decodes a request's message.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if the bytes are no such message; the handler is not called then.
pub(crate) fn decode_request<M: Message + Default>(
    method: &MethodSpec,
    bytes: Bytes,
) -> Result<M, Status> {
    M::decode(bytes).map_err(|error| {
        Status::invalid_argument(format!(
            "the request of {} does not decode: {error}",
            method.full_name()
        ))
        .with_outcome(Outcome::NotExecuted)
        .with_source(error)
    })
}

/// Decodes a reply's message.
///
/// # Errors
///
/// `INTERNAL` if the bytes are no such message: the two sides do not share one `.proto`.
pub(crate) fn decode_reply<M: Message + Default>(
    method: &MethodSpec,
    bytes: Bytes,
) -> Result<M, Status> {
    M::decode(bytes).map_err(|error| {
        Status::internal(format!("the reply of {} does not decode: {error}", method.full_name()))
            .with_source(error)
    })
}
