//! One call under way: what of it has gone out, and what is known of it.

use std::time::Duration;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::{CallId, MethodId};
use crate::proto::Ticket;
use crate::proto::call_bytes::CallBytes;
use crate::proto::incoming::Incoming;
use crate::proto::incoming_stream::IncomingStream;
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::queue::had_better_wait;
use crate::proto::sent::SentFrame;
use crate::proto::share::Purse;
use crate::proto::streams::Streams;
use crate::wire::{Open, Piece, Writer, micros};

/// A call that is to be made, and the bytes of its request; of a stream the first records of it.
#[derive(Debug)]
pub(crate) struct NewCall {
    pub(crate) call: Call,
    pub(crate) bytes: CallBytes,
}

/// A call that is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// What the caller knows the call by.
    pub(crate) ticket: Ticket,
    pub(crate) method: MethodId,
    /// Of [`Open`], without those of streams.
    pub(crate) flags: u32,
    pub(crate) streams: Streams,
    pub(crate) deadline: Option<Time>,
    /// When the call was made, for what is said of it.
    pub(crate) made_at: Time,
    /// The caller has somewhere else to go if the other side falls silent.
    pub(crate) yields: bool,
}

/// A call of which something has gone out, or is about to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) call: Call,
    pub(super) out: Outgoing,
    pub(super) reply: Reply,
    /// When the other side could first have had all it needs to start the handler.
    executable_at: Option<Time>,
    /// It could have been started by whatever life of the node gets it: it went out in an INIT
    /// without a token.
    by_any_life: bool,
    /// Some of the request has arrived.
    pub(super) arrived: bool,
    pub(super) queued: bool,
    /// What the request takes up of what may be sent unasked.
    pub(super) unasked: u64,
}

/// What has come back of a call.
#[derive(Debug)]
pub(super) enum Reply {
    /// Nothing. As a rule it comes in one piece, and nothing need be kept of it.
    Nothing,
    /// Some pieces.
    Pieces(Box<Incoming>),
    /// A stream, or the beginning of one.
    Stream(Box<IncomingStream>),
}

/// In what kind of datagrams requests go out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Freshness {
    /// In such as prove that they are fresh: every call may be started.
    Proven,
    /// In an INIT without a token: only idempotent calls may be started.
    Unproven,
}

impl Active {
    /// A call of which nothing has gone out yet, and which is about to.
    pub(super) const fn new(call: Call, out: Outgoing, reply: Reply, unasked: u64) -> Self {
        Self {
            call,
            out,
            reply,
            executable_at: None,
            by_any_life: false,
            arrived: false,
            queued: true,
            unasked,
        }
    }

    /// Gives back what is set aside for the reply.
    pub(super) fn release_reply(&mut self, purse: &mut Purse<'_>) {
        match &mut self.reply {
            Reply::Nothing => {}
            Reply::Pieces(incoming) => incoming.share.release(purse),
            Reply::Stream(replies) => replies.release(purse),
        }
    }

    /// Up to where the other side may send.
    pub(super) const fn granted(&self) -> u64 {
        match &self.reply {
            Reply::Nothing => 0,
            Reply::Pieces(incoming) => incoming.share.granted(),
            Reply::Stream(replies) => replies.granted(),
        }
    }

    /// Writes pieces of the request while they fit; tells whether all that was to go is written.
    pub(super) fn write(
        &mut self,
        now: Time,
        id: CallId,
        writer: &mut Writer<'_>,
        link: &mut Link,
        freshness: Freshness,
        wrote: &mut bool,
    ) -> bool {
        let idempotent = self.call.flags & Open::IDEMPOTENT != 0;
        let executable = freshness == Freshness::Proven || idempotent;
        while self.out.wants_to_send() {
            let offset = self.out.next_offset();
            let open = (offset == 0).then(|| Open {
                method: self.call.method,
                timeout_us: self.call.deadline.map_or(0, |at| micros(at.since(now)).max(1)),
                flags: self.call.flags | self.call.streams.flags(),
            });
            let mut piece = Piece { call: id, open, offset, fin: true, size: 0 };
            let mut room = writer.request_room(&piece).unwrap_or(0);
            piece.size = self.out.size_to_tell(room);
            if piece.size != 0 {
                room = writer.request_room(&piece).unwrap_or(0);
            }
            if had_better_wait(self.out.left(), room, *wrote) {
                return false;
            }
            self.by_any_life |= executable && freshness == Freshness::Unproven;
            let bytes = self.out.take(room);
            piece.fin = self.out.is_end(bytes.end);
            let len = self.out.piece_len(&bytes);
            writer.request(&piece, len, |buffer| self.out.copy(bytes.clone(), buffer));
            link.push(SentFrame::Piece { call: id, bytes });
            *wrote = true;
            if executable && self.call.streams.requests {
                // Its first record starts the handler.
                self.executable_at.get_or_insert(now);
            }
        }
        // What waits for credit has not gone out.
        if executable && self.out.has_gone_out() {
            self.executable_at.get_or_insert(now);
        }
        true
    }

    /// Whatever has gone out of it was too late to start the handler, says the life of the node
    /// that has the session. The next one does not know that.
    pub(super) const fn on_never_taken(&mut self) {
        if !self.by_any_life {
            self.executable_at = None;
        }
    }

    pub(super) const fn progress(&self) -> Progress {
        if self.arrived {
            Progress::Arrived(self.executable_at)
        } else {
            Progress::Sent(self.executable_at)
        }
    }
}

/// How far a call has come, and since when its handler could have been started.
#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    Waiting,
    Sent(Option<Time>),
    Arrived(Option<Time>),
}

impl Progress {
    /// What is known of a call that ends here.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Waiting | Self::Sent(None) | Self::Arrived(None) => Outcome::NotExecuted,
            Self::Sent(Some(_)) | Self::Arrived(Some(_)) => Outcome::Unknown,
        }
    }

    /// The same if the other side has surely taken nothing for so long.
    pub(super) fn outcome_if_dead_for(self, now: Time, dead_for: Duration) -> Outcome {
        // The two clocks may run at slightly different speeds.
        let surely = dead_for - dead_for / 16;
        match self {
            Self::Sent(Some(at)) if now.since(at) < surely => Outcome::NotExecuted,
            _ => self.outcome(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_time_by_another_clock_is_believed_to_a_sixteenth_less() {
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let sent = Progress::Sent(Some(at(1_000)));
        let outcome = |now| sent.outcome_if_dead_for(at(now), Duration::from_millis(160));
        assert_eq!(outcome(1_149), Outcome::NotExecuted);
        assert_eq!(outcome(1_150), Outcome::Unknown);
    }
}
