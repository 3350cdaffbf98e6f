//! What a piece of a request leads to, and what is taken at most.

use bytes::Bytes;

use crate::deadline::Time;
use crate::ids::{CallId, MethodId};
use crate::proto::budget::Budget;
use crate::status::Status;

/// A call all of whose request is here.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) call: CallId,
    pub(crate) method: MethodId,
    /// Of [`Open`](crate::wire::Open).
    pub(crate) flags: u32,
    pub(crate) deadline: Option<Time>,
    pub(crate) bytes: Bytes,
}

/// What a node takes, for the calls of one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) calls: usize,
    /// Bytes of one request, with its metadata.
    pub(crate) request_bytes: usize,
    /// Bytes of unfinished requests.
    pub(crate) held_bytes: usize,
}

/// What a piece of a request leads to.
#[derive(Debug)]
pub(crate) enum Step {
    /// More has to come, or it was a repetition.
    None,
    /// The handler can be started.
    Complete(Complete),
    /// The call was answered with this instead.
    Refused(Status),
    /// Nothing is kept of it; the datagram must not be acknowledged.
    NotTaken,
}

impl Limits {
    /// Why one more call is too many, if it is.
    pub(super) fn overload(self, running: usize, budget: &Budget) -> Option<Status> {
        let Self { calls, .. } = self;
        if calls <= running {
            return Some(Status::resource_exhausted(format!(
                "the serving node takes {calls} calls of one session at once \
                 (transport.calls_per_session_max)"
            )));
        }
        budget.replies_are_full().then(|| {
            Status::resource_exhausted(
                "too many replies of the serving node have not arrived yet \
                 (transport.reply_bytes_max)",
            )
        })
    }

    /// Whether there are so many calls, with those that were refused and do not know it yet, that
    /// not even a refusal is kept of one more.
    pub(super) const fn ignores_more_than(self, calls: usize) -> bool {
        self.calls.saturating_add(REFUSED_MAX) <= calls
    }

    /// Why a request is not taken.
    pub(super) fn too_large(self) -> Status {
        let limit = self.request_bytes;
        Status::resource_exhausted(format!(
            "the request is larger than the serving node takes \
             (transport.message_bytes_max and metadata_bytes_max, {limit} bytes together)"
        ))
    }
}

/// More than a caller sends before it has been told how many calls it may make.
const REFUSED_MAX: usize = 1024;
