//! What goes into a session's next datagram.

use crate::config::BASE_DATAGRAM_BYTES;
use crate::deadline::Time;
use crate::ids::SessionId;
use crate::proto::active::Freshness;
use crate::proto::endpoint::Shared;
use crate::proto::sent::SentFrame;
use crate::proto::session::Session;
use crate::proto::side::{Client, Server, Side};
use crate::wire::{HEADER_BYTES, Header, Init, Kind, TRAILER_BYTES, Writer, micros, schema};

impl Session {
    /// Whether a datagram would go out now.
    pub(crate) fn wants_to_send(&self, now: Time) -> bool {
        self.link.received.must_ack(now)
            || self.link.owes_probe()
            || self.has_frames() && self.may_send(now)
            || self.path_probe_due(now).is_some()
    }

    /// Whether there is anything that wants an acknowledgement.
    fn has_frames(&self) -> bool {
        let calls = match &self.side {
            Side::Client(client) => client.calls.wants_to_send(),
            Side::Server(server) => server.goaway_due || server.calls.wants_to_send(),
        };
        // What this node can do is told along with the first thing that there is to say.
        calls || self.ping_due
    }

    /// When there is something to send that nothing but its pace holds back.
    pub(super) fn paced_until(&self, now: Time) -> Option<Time> {
        self.link.paced_until(now).filter(|_| self.has_frames())
    }

    /// Whether one more datagram that wants an acknowledgement may go out.
    fn may_send(&self, now: Time) -> bool {
        match &self.side {
            // Without a token the answer may well be that all of it has to come again.
            Side::Client(Client { opening: Some(opening), .. }) if opening.token.is_none() => {
                self.link.in_flight() == 0
            }
            _ => self.link.may_send(now),
        }
    }

    /// Writes the next datagram to the end of `buffer`; tells its size, or `None` if there is
    /// nothing to send now.
    pub(crate) fn write(
        &mut self,
        now: Time,
        buffer: &mut Vec<u8>,
        shared: &Shared,
    ) -> Option<usize> {
        if !self.wants_to_send(now) {
            return None;
        }
        let mut bytes_max = self.datagram_bytes_max()?;
        let probe = self.link.owes_probe();
        if probe {
            // It may be for their size that nothing is heard of the others.
            bytes_max = bytes_max.min(BASE_DATAGRAM_BYTES);
        }
        let start = buffer.len();
        let init = self.init(shared);
        let header = Header {
            kind: if init.is_some() { Kind::Init } else { Kind::Data },
            ack_now: probe,
            to: self.peer_id.unwrap_or(SessionId(0)),
            number: self.link.next_number(),
        };
        let mut writer = Writer::begin(buffer, bytes_max, header, init.as_ref());
        let mut acks = false;
        if self.link.received.may_ack() {
            let (ranges, delay) = self.link.received.ack(now);
            acks = writer.ack(ranges, micros(delay), self.link.received.marks());
        }
        let eliciting =
            (probe || self.may_send(now)) && self.write_frames(now, &mut writer, probe, shared);
        if !acks && !eliciting {
            buffer.truncate(start);
            return None;
        }
        if writer.room() <= FULL_ROOM_MAX {
            self.link.path.on_full_datagram();
        }
        match &self.side {
            Side::Client(Client { opening: Some(_), .. }) => {
                writer.finish_padded(BASE_DATAGRAM_BYTES)
            }
            _ => writer.finish(),
        }
        let size = buffer.len() - start;
        self.link.on_sent(now, size, acks, eliciting);
        if let Side::Server(server) = &mut self.side {
            server.bytes_out += size as u64;
        }
        Some(size)
    }

    /// How large the datagram is that is to try whether the path carries its size, if one is to go
    /// out now: both sides must know the session, and trust each other's address.
    fn path_probe_due(&self, now: Time) -> Option<usize> {
        let bytes = self.link.path.probe_due(now)?;
        let open = match &self.side {
            Side::Client(client) => client.opening.is_none(),
            Side::Server(server) => server.answered,
        };
        open.then_some(bytes)
    }

    /// Writes the datagram that tries whether the path carries its size, if one is due. It goes
    /// out when everything else has that may, and holds nothing that could be missed.
    pub(crate) fn write_path_probe(&mut self, now: Time, buffer: &mut Vec<u8>) -> Option<usize> {
        let bytes = self.path_probe_due(now)?;
        let to = self.peer_id?;
        let start = buffer.len();
        let number = self.link.next_number();
        let header = Header { kind: Kind::Data, ack_now: false, to, number };
        let mut writer = Writer::begin(buffer, bytes, header, None);
        writer.ping();
        writer.finish_padded(bytes);
        let size = buffer.len() - start;
        self.link.push(SentFrame::Ping);
        self.link.on_path_probe_sent(now, size);
        Some(size)
    }

    /// The datagram that tells the other side of the end; `None` if it does not know the session,
    /// or would have to prove its address first.
    pub(crate) fn write_close(
        &self,
        code: schema::CloseCode,
        reason: &str,
        shared: &Shared,
    ) -> Option<Vec<u8>> {
        let to = self.peer_id?;
        let bytes_max = self.datagram_bytes_max()?.min(BASE_DATAGRAM_BYTES);
        // A caller that has not heard anything yet hears both at once, of the session and its end.
        let init = self.init(shared);
        let kind = if init.is_some() { Kind::Init } else { Kind::Data };
        let header = Header { kind, ack_now: false, to, number: self.link.next_number() };
        let mut buffer = Vec::new();
        let mut writer = Writer::begin(&mut buffer, bytes_max, header, init.as_ref());
        let calls_below = match &self.side {
            Side::Client(_) => 0,
            Side::Server(server) => server.calls.seen_below().0,
        };
        let close = schema::Close { code: code.into(), reason: reason.to_owned(), calls_below };
        if !writer.close(&close) {
            return None;
        }
        writer.finish();
        Some(buffer)
    }

    /// Writes what wants an acknowledgement; tells whether there was anything.
    fn write_frames(
        &mut self,
        now: Time,
        writer: &mut Writer<'_>,
        probe: bool,
        shared: &Shared,
    ) -> bool {
        let mut wrote = false;
        if self.hello_due && writer.hello(&self.hello(now, shared)) {
            self.link.push(SentFrame::Hello);
            self.hello_due = false;
            self.told = Some(self.side.to_tell(shared));
            wrote = true;
        }
        if let Side::Server(server) = &mut self.side
            && server.goaway_due
            && writer.goaway()
        {
            self.link.push(SentFrame::Goaway);
            server.goaway_due = false;
            wrote = true;
        }
        let calls = match &mut self.side {
            Side::Client(client) => {
                let proven = client.opening.as_ref().is_none_or(|opening| opening.token.is_some());
                let freshness = if proven { Freshness::Proven } else { Freshness::Unproven };
                client.calls.write(now, writer, &mut self.link, freshness)
            }
            Side::Server(server) => server.calls.write(writer, &mut self.link),
        };
        if calls {
            self.on_used(now);
            wrote = true;
        }
        if (self.ping_due || probe && !wrote) && writer.ping() {
            self.link.push(SentFrame::Ping);
            self.ping_due = false;
            wrote = true;
        }
        if wrote {
            self.write_allowance(writer, shared);
        }
        wrote
    }

    /// The part of an INIT, as long as the other side may not know this side's id.
    fn init(&self, shared: &Shared) -> Option<Init> {
        let (meant, token) = match &self.side {
            Side::Client(Client { opening: Some(opening), .. }) => (opening.meant, opening.token),
            Side::Server(Server { answered: false, caller, .. }) => (Some(*caller), None),
            _ => return None,
        };
        let (instance, cluster) = (shared.identity.instance, shared.identity.cluster);
        Some(Init { from: self.id, instance, meant, cluster, token })
    }

    /// How large the next datagram may be; `None` if not even a small one may go out, because the
    /// other side has to prove its address first.
    fn datagram_bytes_max(&self) -> Option<usize> {
        let bytes = self.link.path.datagram_bytes();
        let Side::Server(server) = &self.side else {
            return Some(bytes);
        };
        if server.validated {
            return Some(bytes);
        }
        let allowed = (AMPLIFICATION_MAX * server.bytes_in).saturating_sub(server.bytes_out);
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
        (WORTH_SENDING <= allowed).then(|| bytes.min(allowed))
    }
}

/// So many bytes go out for each that came in, to an address that has not proved itself
/// (RFC 9000 §8.1).
pub(super) const AMPLIFICATION_MAX: u64 = 3;

/// A datagram with no more room than this is full: a piece is cut so that its head fits in any
/// case.
const FULL_ROOM_MAX: usize = 8;

/// A datagram that could hold less than this is not begun.
const WORTH_SENDING: usize = HEADER_BYTES + TRAILER_BYTES + 80;
