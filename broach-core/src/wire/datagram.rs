//! A datagram as a whole: what it is, whether it arrived undamaged, and where its frames are.

use bytes::{Buf, Bytes};
use prost::Message;

use crate::ids::{PacketNumber, SessionId};
use crate::observe::DropReason;
use crate::wire::header::NUMBER_MAX;
use crate::wire::{BASE_DATAGRAM_BYTES, HEADER_BYTES, Header, Init, Kind, TRAILER_BYTES};

/// A datagram whose header makes sense and whose checksum is right.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) header: Header,
    /// Present in an INIT and only there.
    pub(crate) init: Option<Init>,
    /// What lies between the header and the trailer.
    pub(crate) body: Bytes,
}

/// A datagram that is thrown away unread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Rejected {
    pub(crate) reason: DropReason,
    /// Where to send the list of versions that this node speaks, if the datagram was of another
    /// version and large enough for an answer.
    pub(crate) versions_to: Option<SessionId>,
}

impl Datagram {
    /// Reads a datagram up to its frames.
    ///
    /// # Errors
    ///
    /// If it is damaged, or none of ours. The checksum is looked at before anything is believed.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, Rejected> {
        let reject = |reason| Rejected { reason, versions_to: None };
        if bytes.len() < HEADER_BYTES + TRAILER_BYTES {
            return Err(reject(DropReason::Truncated));
        }
        let (content, trailer) = bytes.split_at(bytes.len() - TRAILER_BYTES);
        let mut rest = content;
        let header = match Header::take(&mut rest) {
            Ok(header) => header,
            Err(DropReason::Version) => return Err(other_version(&bytes)),
            Err(reason) => return Err(reject(reason)),
        };
        if crc32c::crc32c(content).to_be_bytes() != trailer {
            return Err(reject(DropReason::Checksum));
        }
        if NUMBER_MAX < header.number.0 {
            return Err(reject(DropReason::Malformed));
        }
        let init = match header.kind {
            Kind::Init => Some(Init::take(&mut rest).map_err(reject)?),
            _ => None,
        };
        let body_from = content.len() - rest.remaining();
        Ok(Self { header, init, body: bytes.slice(body_from..content.len()) })
    }
}

/// What becomes of a datagram of another version.
///
/// All versions have this in common: the layout of the header, that the sender's session id follows
/// it in an INIT, and that a GOSSIP has the sender's instance in the header. A caller's first INITs
/// are padded to the base size, and a node's first GOSSIP to a seed is padded too, so a smaller
/// datagram gets no answer, and the answer is always smaller than what it answers.
fn other_version(bytes: &[u8]) -> Rejected {
    let (kind, len) = (bytes[1] >> 4, bytes.len());
    let at = if kind == Kind::Init as u8 && BASE_DATAGRAM_BYTES - 1 <= len {
        Some(HEADER_BYTES)
    } else if kind == Kind::Gossip as u8 && KNOCK_BYTES - 1 <= len {
        Some(4)
    } else {
        None
    };
    let sender = at.and_then(|at| bytes.get(at..at + 8)?.try_into().ok());
    let versions_to = sender.map(u64::from_be_bytes).map(SessionId);
    Rejected { reason: DropReason::Version, versions_to }
}

/// A node's first GOSSIP to a seed has so many bytes, or one less.
pub(crate) const KNOCK_BYTES: usize = 64;

/// A whole datagram that belongs to no session: RETRY, RESET or VERSIONS.
pub(crate) fn stateless(
    kind: Kind,
    to: SessionId,
    number: PacketNumber,
    body: &impl Message,
) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(HEADER_BYTES + body.encoded_len() + TRAILER_BYTES);
    Header { kind, ack_now: false, to, number }.put(&mut buffer);
    body.encode(&mut buffer).expect("a Vec grows as needed, so encoding into one cannot fail");
    seal(&mut buffer, 0);
    buffer
}

/// Ends the datagram that begins at `start` with its checksum.
pub(super) fn seal(buffer: &mut Vec<u8>, start: usize) {
    let checksum = crc32c::crc32c(&buffer[start..]);
    buffer.extend_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ClusterHash, Instance};
    use crate::wire::header::MAGIC;
    use crate::wire::schema;

    fn sample() -> Vec<u8> {
        let body = schema::Reset { instance: 1, echo: 2, dead_for_us: 3, reason: 1 };
        stateless(Kind::Reset, SessionId(5), PacketNumber(6), &body)
    }

    #[test]
    fn a_datagram_goes_there_and_back() {
        let datagram = Datagram::decode(sample().into()).unwrap();
        assert_eq!(datagram.header.to, SessionId(5));
        let body = schema::Reset::decode(datagram.body).unwrap();
        assert_eq!(body.dead_for_us, 3);
    }

    #[test]
    fn numbers_that_nobody_gets_to_are_refused() {
        for (number, refused) in [(NUMBER_MAX, false), (NUMBER_MAX + 1, true), (u64::MAX, true)] {
            let bytes = stateless(Kind::Reset, SessionId(5), PacketNumber(number), &());
            let reason = Datagram::decode(bytes.into()).err().map(|rejected| rejected.reason);
            assert_eq!(reason, refused.then_some(DropReason::Malformed));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Datagram::decode(bytes.into()).is_err(), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(Datagram::decode(good[..len].to_vec().into()).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn only_a_full_init_of_another_version_is_answered() {
        let mut buffer = Vec::new();
        let header =
            Header { kind: Kind::Init, ack_now: false, to: SessionId(0), number: PacketNumber(0) };
        header.put(&mut buffer);
        let init = Init {
            from: SessionId(77),
            instance: Instance(1),
            meant: None,
            cluster: ClusterHash(1),
            token: None,
        };
        init.put(&mut buffer);
        buffer[0] = MAGIC << 4 | 9;
        let short = Datagram::decode(buffer.clone().into()).unwrap_err();
        assert_eq!(short, Rejected { reason: DropReason::Version, versions_to: None });
        buffer.resize(BASE_DATAGRAM_BYTES, 0);
        let full = Datagram::decode(buffer.clone().into()).unwrap_err();
        assert_eq!(full.versions_to, Some(SessionId(77)));
        buffer[1] = 0;
        assert_eq!(Datagram::decode(buffer.into()).unwrap_err().versions_to, None);
    }

    #[test]
    fn a_knock_of_another_version_is_answered_to_its_instance() {
        let knock = schema::Gossip { padding: vec![0; 30].into(), ..schema::Gossip::default() };
        let mut bytes = stateless(Kind::Gossip, SessionId(7), PacketNumber(0), &knock);
        bytes.resize(KNOCK_BYTES - 1, 0);
        bytes[0] = MAGIC << 4 | 2;
        let rejected = Datagram::decode(bytes.clone().into()).unwrap_err();
        assert_eq!(rejected.versions_to, Some(SessionId(7)));
        bytes.pop();
        assert_eq!(Datagram::decode(bytes.into()).unwrap_err().versions_to, None);
    }
}
