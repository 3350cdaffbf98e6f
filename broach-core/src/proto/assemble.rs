//! What goes into a session's next datagram.

use std::net::SocketAddr;

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
            || self.has_frames() && self.may_have_in_flight()
    }

    /// Whether there is anything that wants an acknowledgement.
    fn has_frames(&self) -> bool {
        let calls = match &self.side {
            Side::Client(client) => client.calls.wants_to_send(),
            Side::Server(server) => server.calls.wants_to_send(),
        };
        // What this node can do is told along with the first thing that there is to say.
        calls || self.ping_due
    }

    /// Whether one more datagram that wants an acknowledgement may go out.
    fn may_have_in_flight(&self) -> bool {
        match &self.side {
            // Without a token the answer may well be that all of it has to come again.
            Side::Client(Client { opening: Some(opening), .. }) if opening.token.is_none() => {
                self.link.in_flight() == 0
            }
            _ => self.link.has_window(),
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
        let bytes_max = self.datagram_bytes_max(shared)?;
        let probe = self.link.owes_probe();
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
            acks = writer.ack(ranges, micros(delay));
        }
        let eliciting = (probe || self.may_have_in_flight())
            && self.write_frames(now, &mut writer, probe, shared);
        if !acks && !eliciting {
            buffer.truncate(start);
            return None;
        }
        match &self.side {
            Side::Client(Client { opening: Some(_), .. }) => writer.finish_padded(),
            _ => writer.finish(),
        }
        self.link.on_sent(now, acks, eliciting);
        let size = buffer.len() - start;
        if let Side::Server(server) = &mut self.side {
            server.bytes_out += size as u64;
        }
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
        let bytes_max = self.datagram_bytes_max(shared)?.min(BASE_DATAGRAM_BYTES);
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
    fn datagram_bytes_max(&self, shared: &Shared) -> Option<usize> {
        let wanted = shared.config.datagram_bytes.unwrap_or_else(|| usual_bytes(self.peer));
        let bytes = wanted.min(self.peer_limits.datagram_bytes);
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

/// How large datagrams are unless it is set: the loopback interface carries large ones, and any
/// other path may not.
fn usual_bytes(peer: SocketAddr) -> usize {
    if peer.ip().is_loopback() { LOOPBACK_BYTES } else { BASE_DATAGRAM_BYTES }
}

/// Measured: larger datagrams gain little more, and fill a receive buffer of the usual size in a
/// few.
const LOOPBACK_BYTES: usize = 16_384;

/// So many bytes go out for each that came in, to an address that has not proved itself
/// (RFC 9000 §8.1).
pub(super) const AMPLIFICATION_MAX: u64 = 3;

/// A datagram that could hold less than this is not begun.
const WORTH_SENDING: usize = HEADER_BYTES + TRAILER_BYTES + 80;
