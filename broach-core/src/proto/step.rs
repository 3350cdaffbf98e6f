//! What a piece of a request leads to, and what is taken at most.

use bytes::Bytes;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::{CallId, MethodId};
use crate::proto::budget::Budget;
use crate::proto::incoming_stream::{Broken, RecordLimits};
use crate::proto::share::Owner;
use crate::proto::streams::Streams;
use crate::status::Status;

/// A call whose handler can be started.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) call: CallId,
    pub(crate) method: MethodId,
    /// Of [`Open`](crate::wire::Open).
    pub(crate) flags: u32,
    pub(crate) deadline: Option<Time>,
    /// All of the request, or the metadata before a stream of them.
    pub(crate) bytes: Bytes,
}

/// What a node takes, for the calls of one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) calls: usize,
    /// Bytes of one request, with its metadata.
    pub(crate) request_bytes: usize,
    /// Bytes of a stream of requests that may be under way or in memory.
    pub(crate) window_bytes: u64,
    /// What a stream of requests is made of.
    pub(crate) records: RecordLimits,
}

/// What a piece of a request comes with.
#[derive(Debug)]
pub(crate) struct Intake<'a> {
    pub(crate) now: Time,
    /// When it reached this node.
    pub(crate) arrived: Time,
    /// Bytes of the datagram that it came in.
    pub(crate) datagram_bytes: usize,
    pub(crate) limits: Limits,
    /// The call that it belongs to.
    pub(crate) owner: Owner,
    pub(crate) budget: &'a mut Budget,
    /// If there is one no new calls are taken.
    pub(crate) refusal: Option<&'a Status>,
    /// Where the records of streams go, one or several in each element.
    pub(crate) records: &'a mut Vec<Bytes>,
}

/// What a piece of a request leads to.
#[derive(Debug)]
pub(crate) enum Step {
    /// More has to come, or it was a repetition.
    None,
    /// The handler can be started.
    Complete(Complete),
    /// A stream goes on.
    Stream(Came),
    /// The call was answered with this instead of running it.
    Refused(Status),
    /// The handler is to be stopped; the call was answered with this.
    Stopped(Status),
    /// Nothing is kept of it; the datagram must not be acknowledged.
    NotTaken,
    /// The other side sends more than it may.
    Excess,
}

/// What has come of a stream of requests, beside records.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// The handler can be started.
    pub(crate) begun: Option<Complete>,
    /// That was all.
    pub(crate) fin: bool,
}

impl Limits {
    /// Why one more call is too many, if it is.
    pub(super) fn overload(
        self,
        running: usize,
        streams: Streams,
        budget: &Budget,
    ) -> Option<Status> {
        let Self { calls, .. } = self;
        if calls <= running {
            return Some(Status::resource_exhausted(format!(
                "the serving node takes {calls} calls of one session at once \
                 (transport.calls_per_session_max)"
            )));
        }
        let what = if streams.replies { "streams of replies" } else { "replies" };
        budget.replies_are_full(streams.replies).then(|| {
            Status::resource_exhausted(format!(
                "too many {what} of the serving node have not arrived yet \
                 (transport.reply_bytes_max)"
            ))
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

    /// Why a stream of requests is not taken any further.
    pub(super) fn broken(self, why: Broken) -> Status {
        match why {
            Broken::Contradiction | Broken::Scattered => {
                Status::invalid_argument("the pieces of the requests contradict each other")
            }
            Broken::Malformed => {
                let text = "the requests are not made of the records that make a stream";
                Status::invalid_argument(text)
            }
            Broken::TooLarge => {
                let RecordLimits { message, metadata, .. } = self.records;
                Status::resource_exhausted(format!(
                    "a message of the requests is larger than the serving node takes \
                     (transport.message_bytes_max, {message} bytes; metadata {metadata})"
                ))
            }
        }
    }
}

/// Why what comes in a call is not kept. As to a reply, nobody knows what it says: it may be that
/// the call was refused.
pub(super) fn no_memory(what: &str) -> Status {
    let text = format!(
        "{what} holds too much that has not come whole or has not been read \
         (transport.reassembly_bytes_per_session_max or reassembly_bytes_max)"
    );
    Status::resource_exhausted(text).with_outcome(Outcome::Unknown)
}

/// More than a caller sends before it has been told how many calls it may make.
const REFUSED_MAX: usize = 1024;
