//! [`CallBytes`]: the bytes of one direction of a call that is no stream.

use std::fmt::Display;
use std::ops::Range;

use bytes::Bytes;

use crate::config::SizeLimits;
use crate::status::Status;
use crate::wire::{RECORD_HEAD_MAX, RecordKind, put_record, record_head, status_to_wire};

/// All the bytes of one direction of a call: what stands before the message, and the message.
///
/// Two parts, so that a message need not be copied to get its record's head.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct CallBytes {
    head: Head,
    body: Bytes,
}

/// The beginning of a call's bytes: most often no more than the head of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Head {
    Short { bytes: [u8; RECORD_HEAD_MAX], len: u8 },
    Long { bytes: Bytes, metadata: usize },
}

impl CallBytes {
    /// One message and nothing else.
    pub(crate) fn message(message: Bytes) -> Self {
        let (bytes, len) = record_head(RecordKind::Message, message.len());
        Self { head: Head::Short { bytes, len }, body: message }
    }

    /// One message and what comes before it: whole records and the message's head.
    ///
    /// `metadata` is how many bytes of metadata there are among it.
    pub(crate) fn with_metadata(metadata: usize, head: Vec<u8>, message: Bytes) -> Self {
        Self { head: Head::Long { bytes: head.into(), metadata }, body: message }
    }

    /// The bytes of a reply that is a status.
    pub(crate) fn status(status: &Status) -> Self {
        let mut head = Vec::new();
        put_record(&mut head, RecordKind::Status, &status_to_wire(status));
        Self::with_metadata(0, head, Bytes::new())
    }

    /// Whole records, of a call that streams its requests.
    pub(crate) const fn records(records: Bytes) -> Self {
        Self { head: Head::Long { bytes: records, metadata: 0 }, body: Bytes::new() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Why these bytes are more than `whose` limits allow, if they are.
    pub(crate) fn exceed(&self, limits: SizeLimits, whose: impl Display) -> Option<String> {
        let metadata = match self.head {
            Head::Short { .. } => 0,
            Head::Long { metadata, .. } => metadata,
        };
        limits.exceeded(self.body.len(), metadata, "the request", whose)
    }

    /// The message, which other bytes of the same call can be made of.
    pub(crate) fn into_message(self) -> Bytes {
        self.body
    }

    /// What stands before the message, and the message.
    pub(super) fn into_parts(self) -> (Bytes, Bytes) {
        let head = match self.head {
            Head::Short { bytes, len } => Bytes::copy_from_slice(&bytes[..usize::from(len)]),
            Head::Long { bytes, .. } => bytes,
        };
        (head, self.body)
    }

    /// The same, without taking them apart.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        [self.head.as_slice(), &self.body]
    }

    /// Appends some of the bytes to a buffer.
    pub(super) fn copy(&self, range: Range<u64>, buffer: &mut Vec<u8>) {
        let (start, end) = (range.start as usize, range.end as usize);
        let head = self.head.as_slice();
        let split = head.len();
        if start < split {
            buffer.extend_from_slice(&head[start..end.min(split)]);
        }
        if split < end {
            buffer.extend_from_slice(&self.body[start.max(split) - split..end - split]);
        }
    }

    /// All of the bytes in one piece.
    #[cfg(test)]
    pub(crate) fn joined(&self) -> Bytes {
        [self.head.as_slice(), &self.body].concat().into()
    }
}

impl Head {
    const fn len(&self) -> usize {
        match self {
            Self::Short { len, .. } => *len as usize,
            Self::Long { bytes, .. } => bytes.len(),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { bytes, len } => &bytes[..usize::from(*len)],
            Self::Long { bytes, .. } => bytes,
        }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::Short { bytes: [0; RECORD_HEAD_MAX], len: 0 }
    }
}
