//! Streams as the user of an endpoint sees them: bytes to send, and room for more.

use bytes::Bytes;

use crate::deadline::Time;
use crate::ids::SessionId;
use crate::proto::endpoint::{Endpoint, Shared};
use crate::proto::side::Side;
use crate::proto::{Event, Serving, Ticket};
use crate::wire::{Open, RecordHead, RecordKind};

/// Which directions of a call are streams.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Streams {
    pub(crate) requests: bool,
    pub(crate) replies: bool,
}

/// This node's end of a call that streams.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum StreamKey {
    Made { session: SessionId, ticket: Ticket },
    Served(Serving),
}

/// What one side may send in a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    /// Bytes of a message that the other side takes.
    pub(crate) message_max: usize,
    /// Bytes that are held until they have arrived, before the user had better wait.
    pub(crate) bytes_max: usize,
}

impl Streams {
    pub(crate) const fn any(self) -> bool {
        self.requests || self.replies
    }

    /// As [`Open`] says it.
    pub(super) const fn flags(self) -> u32 {
        let requests = if self.requests { Open::STREAMS_REQUESTS } else { 0 };
        let replies = if self.replies { Open::STREAMS_REPLIES } else { 0 };
        requests | replies
    }

    /// As [`Open`] says it.
    pub(super) const fn of_flags(flags: u32) -> Self {
        let requests = flags & Open::STREAMS_REQUESTS != 0;
        let replies = flags & Open::STREAMS_REPLIES != 0;
        Self { requests, replies }
    }
}

impl Sending {
    /// Why these records are more than the other side takes, if they are. They may be in two parts,
    /// with all heads in one piece.
    pub(super) fn exceeded(self, parts: [&[u8]; 2], what: &str) -> Option<String> {
        let [first, second] = parts;
        // None of them is larger than all.
        if first.len() + second.len() <= self.message_max {
            return None;
        }
        let mut at = 0;
        loop {
            let rest = match at < first.len() {
                true => &first[at..],
                false => second.get(at - first.len()..)?,
            };
            let head = RecordHead::read(rest).ok()??;
            if head.kind == RecordKind::Message && (self.message_max as u64) < head.len {
                let (bytes, max) = (head.len, self.message_max);
                return Some(format!(
                    "a message of {what} has {bytes} bytes, and the other side takes {max} \
                     (transport.message_bytes_max)"
                ));
            }
            at = at.saturating_add(usize::try_from(head.wire_len()).unwrap_or(usize::MAX));
        }
    }
}

impl Endpoint {
    /// Adds whole records to what this end of a stream sends; `last` ends the direction: the
    /// requests of a caller, or the whole call of a server. Ignored if the call has ended. Takes
    /// any number of bytes; whoever sends looks at [`room`](Self::room) first.
    pub(crate) fn send(&mut self, stream: StreamKey, records: Bytes, last: bool) {
        let Some(&index) = self.by_id.get(&stream.session()) else { return };
        let session = &mut self.sessions[index];
        let sending = Sending {
            message_max: session.peer_limits.sizes.message,
            bytes_max: self.shared.config.stream_send_bytes,
        };
        let Shared { budget, events, .. } = &mut self.shared;
        match (&mut session.side, stream) {
            (Side::Client(client), StreamKey::Made { ticket, .. }) => {
                let ended = client.calls.send(ticket, records, last, sending, budget);
                if let Some(ended) = ended {
                    session.report(vec![ended], &mut self.shared);
                }
            }
            (Side::Server(server), StreamKey::Served(serving)) => {
                let stop = server.calls.send(serving.call, records, last, sending, budget);
                events.extend(stop.map(|_| Event::Stop(serving)));
            }
            _ => return,
        }
        self.touch(index);
    }

    /// How many bytes this end of a stream takes before its user had better wait; 0 also if the
    /// call has ended. Once it has been 0, [`Event::Room`] tells when there is room again.
    pub(crate) fn room(&self, stream: StreamKey) -> usize {
        let Some(&index) = self.by_id.get(&stream.session()) else { return 0 };
        match (&self.sessions[index].side, stream) {
            (Side::Client(client), StreamKey::Made { ticket, .. }) => client.calls.room(ticket),
            (Side::Server(server), StreamKey::Served(serving)) => {
                server.calls.room(serving.call, self.shared.config.stream_send_bytes)
            }
            _ => 0,
        }
    }

    /// The user has taken records of so many bytes (as [`Record::wire_len`] has it), so that the
    /// other side may send as many more.
    ///
    /// [`Record::wire_len`]: crate::wire::Record::wire_len
    pub(crate) fn consumed(&mut self, now: Time, stream: StreamKey, bytes: usize) {
        let Some(&index) = self.by_id.get(&stream.session()) else { return };
        let window_max = self.shared.config.stream_window_bytes as u64;
        let session = &mut self.sessions[index];
        let call = match (&session.side, stream) {
            (Side::Client(client), StreamKey::Made { ticket, .. }) => client.calls.id_of(ticket),
            (Side::Server(_), StreamKey::Served(serving)) => Some(serving.call),
            _ => None,
        };
        let Some(call) = call else { return };
        let (owner, budget) = (session.owner(call), &mut self.shared.budget);
        match &mut session.side {
            Side::Client(client) => {
                client.calls.on_consumed(now, owner, bytes, window_max, budget);
            }
            Side::Server(server) => {
                server.calls.on_consumed(now, owner, bytes, window_max, budget);
            }
        }
        self.touch(index);
    }

    /// The user has taken all records of a stream that have come, and waits for the next one: see
    /// [`Event::Large`].
    pub(crate) fn set_awaited(&mut self, stream: StreamKey) {
        let Some(&index) = self.by_id.get(&stream.session()) else { return };
        let budget = &mut self.shared.budget;
        match (&self.sessions[index].side, stream) {
            (Side::Client(client), StreamKey::Made { ticket, .. }) => {
                if let Some(call) = client.calls.id_of(ticket) {
                    client.calls.set_awaited(call, budget);
                }
            }
            (Side::Server(server), StreamKey::Served(serving)) => {
                server.calls.set_awaited(serving.call, budget);
            }
            _ => {}
        }
    }

    /// Tells of streams in which a large record comes, behind all records that have come.
    pub(super) fn report_large(&mut self) {
        if !self.shared.events.is_empty() {
            return;
        }
        for (session, call) in self.shared.budget.large.drain(..) {
            let Some(&index) = self.by_id.get(&session) else { continue };
            let stream = match &self.sessions[index].side {
                Side::Client(client) => {
                    let ticket = client.calls.ticket_of(call);
                    ticket.map(|ticket| StreamKey::Made { session, ticket })
                }
                Side::Server(_) => Some(StreamKey::Served(Serving { session, call })),
            };
            self.shared.events.extend(stream.map(Event::Large));
        }
    }
}

impl StreamKey {
    const fn session(self) -> SessionId {
        match self {
            Self::Made { session, .. } | Self::Served(Serving { session, .. }) => session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_record_head;

    #[test]
    fn the_message_that_is_too_large_is_found_behind_others() {
        let mut records = Vec::new();
        for (kind, len) in [
            (RecordKind::Metadata, 500),
            (RecordKind::Message, 100),
            (RecordKind::Message, 0),
            (RecordKind::Message, 101),
        ] {
            put_record_head(&mut records, kind, len);
            records.resize(records.len() + len, 0);
        }
        let sending = |message_max| Sending { message_max, bytes_max: 0 };
        // Wherever they are taken apart between head and message.
        let cut = records.len() - 101;
        for parts in [[&records[..], &[]], [&[], &records[..]], [&records[..cut], &records[cut..]]]
        {
            let text = sending(100).exceeded(parts, "the request").unwrap();
            assert!(text.contains("has 101 bytes") && text.contains("takes 100"), "{text}");
            assert_eq!(sending(101).exceeded(parts, "the request"), None);
        }
    }

    #[test]
    fn streams_are_flags_of_the_open() {
        for (requests, replies) in [(false, false), (false, true), (true, false), (true, true)] {
            let streams = Streams { requests, replies };
            assert_eq!(Streams::of_flags(streams.flags()), streams);
            assert_eq!(streams.any(), streams.flags() != 0);
        }
    }
}
