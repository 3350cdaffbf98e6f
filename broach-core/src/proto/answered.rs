//! What a piece of a reply leads to.

use bytes::Bytes;

use crate::deadline::Time;
use crate::proto::budget::Budget;
use crate::proto::share::Owner;
use crate::proto::{CallBytes, Ticket};
use crate::status::Status;

/// A call that has ended: with the bytes of its reply, or without.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ticket: Ticket,
    /// The bytes of its request, for another try.
    pub(crate) request: CallBytes,
    pub(crate) result: Result<Bytes, Status>,
}

/// What a piece of a reply comes with.
#[derive(Debug)]
pub(crate) struct ReplyIntake<'a> {
    pub(crate) now: Time,
    /// The call that it belongs to.
    pub(crate) owner: Owner,
    pub(crate) budget: &'a mut Budget,
    /// Bytes of a reply that is no stream, with its metadata.
    pub(crate) bytes_max: usize,
    /// Bytes of a stream of replies that may be under way or in memory.
    pub(crate) window_bytes: u64,
    /// Bytes of the datagram that it came in.
    pub(crate) datagram_bytes: usize,
    /// Where the records of streams go, one or several in each element.
    pub(crate) records: &'a mut Vec<Bytes>,
}

/// What a piece of a reply has brought.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// The call whose records came.
    pub(crate) stream: Option<Ticket>,
    pub(crate) ended: Option<Ended>,
    pub(crate) fault: Option<Fault>,
}

/// Why a piece of a reply was not taken in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Nothing is kept of it; the datagram must not be acknowledged.
    NotTaken,
    /// The other side sends more than it may.
    Excess,
}

impl Answered {
    pub(super) const EXCESS: Self = Self::fault(Fault::Excess);
    pub(super) const NOT_TAKEN: Self = Self::fault(Fault::NotTaken);

    const fn fault(fault: Fault) -> Self {
        Self { stream: None, ended: None, fault: Some(fault) }
    }
}

impl From<Option<Ended>> for Answered {
    fn from(ended: Option<Ended>) -> Self {
        Self { stream: None, ended, fault: None }
    }
}
