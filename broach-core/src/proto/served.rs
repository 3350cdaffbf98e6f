//! One call that is served here: what of it has come, and what of the reply has gone out.

use std::time::Duration;

use bytes::Bytes;

use crate::deadline::Time;
use crate::ids::{CallId, MethodId};
use crate::proto::incoming::Incoming;
use crate::proto::incoming_stream::IncomingStream;
use crate::proto::link::Link;
use crate::proto::outgoing::Outgoing;
use crate::proto::queue::had_better_wait;
use crate::proto::sent::SentFrame;
use crate::proto::share::Purse;
use crate::proto::step::Complete;
use crate::proto::streams::Streams;
use crate::status::Status;
use crate::wire::{Piece, Writer, schema};

/// A call from its first piece to the arrival of the reply.
#[derive(Debug)]
pub(super) struct Served {
    /// What is known once the first piece is here.
    pub(super) open: Option<schema::Open>,
    pub(super) deadline: Option<Time>,
    pub(super) state: State,
    /// It stands among those that have something to send, or wait until they may.
    pub(super) queued: bool,
    /// What its reply takes up of what may be sent unasked.
    pub(super) unasked: u64,
}

#[derive(Debug)]
pub(super) enum State {
    /// Not all of the request is here.
    Receiving(Incoming),
    /// The handler has all of the request and has sent nothing.
    Running,
    /// What goes back has been begun, and nothing more is taken in. If it is a stream that is open
    /// the handler goes on.
    Replying(Outgoing),
    /// The requests are a stream.
    Streaming(Box<Streaming>),
}

/// A call whose requests are a stream and are still taken in.
#[derive(Debug)]
pub(super) struct Streaming {
    pub(super) requests: IncomingStream,
    /// The handler has been started.
    pub(super) started: bool,
    /// The stream of replies, if it has been begun. It is open.
    pub(super) replies: Option<Outgoing>,
}

impl Served {
    pub(super) const fn in_state(state: State) -> Self {
        Self { open: None, deadline: None, state, queued: false, unasked: 0 }
    }

    /// What stands in the first piece is known, which reached this node at `arrived`.
    pub(super) fn set_open(&mut self, open: schema::Open, arrived: Time) {
        let left = (open.timeout_us != 0).then(|| Duration::from_micros(open.timeout_us));
        self.deadline = left.map(|left| arrived + left);
        self.open = Some(open);
    }

    /// What goes back, if it has been begun.
    pub(super) const fn reply(&self) -> Option<&Outgoing> {
        match &self.state {
            State::Replying(out) => Some(out),
            State::Streaming(streaming) => streaming.replies.as_ref(),
            State::Receiving(_) | State::Running => None,
        }
    }

    /// The same, to be changed.
    pub(super) const fn reply_mut(&mut self) -> Option<&mut Outgoing> {
        match &mut self.state {
            State::Replying(out) => Some(out),
            State::Streaming(streaming) => streaming.replies.as_mut(),
            State::Receiving(_) | State::Running => None,
        }
    }

    /// Whether the handler has been started and has not ended.
    pub(super) fn is_at_work(&self) -> bool {
        match &self.state {
            State::Receiving(_) => false,
            State::Running => true,
            State::Replying(out) => out.is_open(),
            State::Streaming(streaming) => streaming.started,
        }
    }

    /// Whether all that goes back is known.
    pub(super) fn is_answered(&self) -> bool {
        matches!(&self.state, State::Replying(out) if !out.is_open())
    }

    /// Gives back what is set aside for the request.
    pub(super) fn release_request(&mut self, purse: &mut Purse<'_>) {
        match &mut self.state {
            State::Receiving(incoming) => incoming.share.release(purse),
            State::Streaming(streaming) => streaming.requests.release(purse),
            State::Running | State::Replying(_) => {}
        }
    }

    /// Up to where the caller may send.
    pub(super) const fn granted(&self) -> Option<u64> {
        match &self.state {
            State::Receiving(incoming) => Some(incoming.share.granted()),
            State::Streaming(streaming) => Some(streaming.requests.granted()),
            State::Running | State::Replying(_) => None,
        }
    }

    pub(super) fn streams(&self) -> Streams {
        Streams::of_flags(self.open.map_or(0, |open| open.flags))
    }

    /// What the handler has to know, with these bytes of the request.
    pub(super) fn complete(&self, call: CallId, bytes: Bytes) -> Complete {
        let open = self.open.unwrap_or_default();
        let (method, flags, deadline) = (MethodId(open.method), open.flags, self.deadline);
        Complete { call, method, flags, deadline, bytes }
    }

    /// Why the handler is not to be started any more, if so.
    pub(super) fn overdue(&self, now: Time) -> Option<Status> {
        self.deadline
            .filter(|&deadline| deadline <= now)
            .map(|_| Status::deadline_exceeded("the deadline had passed when the call was read"))
    }

    /// Writes pieces of the reply while they fit; tells whether all that was to go is written.
    pub(super) fn write(
        &mut self,
        call: CallId,
        writer: &mut Writer<'_>,
        link: &mut Link,
        wrote: &mut bool,
    ) -> bool {
        let Some(out) = self.reply_mut() else { return true };
        while out.wants_to_send() {
            let offset = out.next_offset();
            let mut piece = Piece { call, open: None, offset, fin: true, size: 0 };
            let mut room = writer.reply_room(&piece).unwrap_or(0);
            piece.size = out.size_to_tell(room);
            if piece.size != 0 {
                room = writer.reply_room(&piece).unwrap_or(0);
            }
            if had_better_wait(out.left(), room, *wrote) {
                return false;
            }
            let bytes = out.take(room);
            piece.fin = out.is_end(bytes.end);
            let len = out.piece_len(&bytes);
            writer.reply(&piece, len, |buffer| out.copy(bytes.clone(), buffer));
            link.push(SentFrame::Piece { call, bytes });
            *wrote = true;
        }
        true
    }
}
