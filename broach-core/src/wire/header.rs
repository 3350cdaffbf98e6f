//! The header of a datagram, and what an INIT adds to it.

use std::fmt;

use bytes::Buf;

use crate::ids::{ClusterHash, Instance, PacketNumber, SessionId};
use crate::observe::DropReason;
use crate::wire::{HEADER_BYTES, VERSION};

/// What a datagram is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Frames of a session that both sides know.
    Data = 0,
    /// Frames of a session that the receiver may not know yet.
    Init = 1,
    /// "Show this token": the answer to an INIT that was not taken.
    Retry = 2,
    /// "I have no such session."
    Reset = 3,
    /// "I speak these versions."
    Versions = 4,
    /// Something for the membership.
    Gossip = 5,
}

/// What every datagram begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// The receiver is asked to acknowledge at once.
    pub(crate) ack_now: bool,
    /// The session, by the number that the receiver gave it; 0 in a caller's first INITs.
    pub(crate) to: SessionId,
    pub(crate) number: PacketNumber,
}

/// What an INIT carries between the header and its frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Init {
    /// The session, by the number that the sender gave it.
    pub(crate) from: SessionId,
    /// The life of the sender.
    pub(crate) instance: Instance,
    /// The life of the receiver that the sender means, if it knows it.
    pub(crate) meant: Option<Instance>,
    pub(crate) cluster: ClusterHash,
    /// What proves that the datagram is fresh.
    pub(crate) token: Option<Token>,
}

/// A proof of freshness. What is in it is known only to the node that made it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Token {
    bytes: [u8; TOKEN_BYTES_MAX],
    len: u8,
}

/// A longer token would not fit beside a request into a small datagram.
pub(crate) const TOKEN_BYTES_MAX: usize = 48;

impl Header {
    /// Appends the header's bytes.
    pub(crate) fn put(self, buffer: &mut Vec<u8>) {
        let flags = u8::from(self.ack_now);
        buffer.extend_from_slice(&[MAGIC << 4 | VERSION, (self.kind as u8) << 4 | flags, 0, 0]);
        buffer.extend_from_slice(&self.to.0.to_be_bytes());
        buffer.extend_from_slice(&self.number.0.to_be_bytes());
    }

    /// Takes the header off the front.
    pub(super) fn take(bytes: &mut impl Buf) -> Result<Self, DropReason> {
        if bytes.remaining() < HEADER_BYTES {
            return Err(DropReason::Truncated);
        }
        let [first, second, key, _reserved] = bytes.get_u32().to_be_bytes();
        if first >> 4 != MAGIC {
            return Err(DropReason::Magic);
        }
        if first & 0xf != VERSION {
            return Err(DropReason::Version);
        }
        if key != 0 {
            return Err(DropReason::Key);
        }
        let kind = match second >> 4 {
            0 => Kind::Data,
            1 => Kind::Init,
            2 => Kind::Retry,
            3 => Kind::Reset,
            4 => Kind::Versions,
            5 => Kind::Gossip,
            _ => return Err(DropReason::Type),
        };
        let (to, number) = (SessionId(bytes.get_u64()), PacketNumber(bytes.get_u64()));
        Ok(Self { kind, ack_now: second & 1 == 1, to, number })
    }
}

impl Init {
    /// Appends its bytes.
    pub(crate) fn put(&self, buffer: &mut Vec<u8>) {
        let meant = self.meant.map_or(0, |instance| instance.0);
        for number in [self.from.0, self.instance.0, meant, self.cluster.0] {
            buffer.extend_from_slice(&number.to_be_bytes());
        }
        let token = self.token.as_ref().map_or(&[][..], Token::as_slice);
        // A token is at most 48 bytes, so its length fits.
        buffer.push(token.len() as u8);
        buffer.extend_from_slice(token);
    }

    /// Takes it off the front.
    pub(super) fn take(bytes: &mut impl Buf) -> Result<Self, DropReason> {
        if bytes.remaining() < 4 * 8 + 1 {
            return Err(DropReason::Truncated);
        }
        let [from, instance, meant, cluster] = std::array::from_fn(|_| bytes.get_u64());
        let len = usize::from(bytes.get_u8());
        if bytes.remaining() < len {
            return Err(DropReason::Truncated);
        }
        if from == 0 || instance == 0 {
            return Err(DropReason::Malformed);
        }
        let token = Token::new(&bytes.copy_to_bytes(len)).ok_or(DropReason::Malformed)?;
        Ok(Self {
            from: SessionId(from),
            instance: Instance(instance),
            meant: (meant != 0).then_some(Instance(meant)),
            cluster: ClusterHash(cluster),
            token: (token.len != 0).then_some(token),
        })
    }
}

impl Token {
    /// A token of these bytes; `None` if there are too many.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let mut token = Self { bytes: [0; TOKEN_BYTES_MAX], len: bytes.len() as u8 };
        token.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(token)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Token {
    /// Leaves out the bytes, which let one open sessions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.len)
    }
}

/// Nobody gets so far by counting (RFC 9000 §12.3 has the same limit).
pub(crate) const NUMBER_MAX: u64 = (1 << 62) - 1;

/// The upper half of the first byte of every datagram.
pub(crate) const MAGIC: u8 = 0xb;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_goes_there_and_back() {
        let header = Header {
            kind: Kind::Gossip,
            ack_now: true,
            to: SessionId(0x0102_0304_0506_0708),
            number: PacketNumber(9),
        };
        let mut buffer = Vec::new();
        header.put(&mut buffer);
        assert_eq!(buffer[..4], [0xb1, 0x51, 0, 0]);
        assert_eq!(buffer.len(), HEADER_BYTES);
        assert_eq!(Header::take(&mut &buffer[..]), Ok(header));
    }

    #[test]
    fn a_header_that_is_none_is_told_apart() {
        let good = [0xb1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        for (at, byte, reason) in [
            (0, 0xa1, DropReason::Magic),
            (0, 0xb2, DropReason::Version),
            (1, 0xf0, DropReason::Type),
            (2, 1, DropReason::Key),
        ] {
            let mut bytes = good;
            bytes[at] = byte;
            assert_eq!(Header::take(&mut &bytes[..]), Err(reason));
        }
        assert_eq!(Header::take(&mut &good[..19]), Err(DropReason::Truncated));
    }

    #[test]
    fn an_init_goes_there_and_back() {
        for token in [None, Token::new(&[7; 24]), Token::new(&[1; TOKEN_BYTES_MAX])] {
            let init = Init {
                from: SessionId(1),
                instance: Instance(2),
                meant: token.map(|_| Instance(3)),
                cluster: ClusterHash(4),
                token,
            };
            let mut buffer = Vec::new();
            init.put(&mut buffer);
            assert_eq!(Init::take(&mut &buffer[..]), Ok(init));
            for len in 0..buffer.len() {
                assert!(Init::take(&mut &buffer[..len]).is_err(), "{len} of {}", buffer.len());
            }
        }
    }

    #[test]
    fn a_token_that_is_too_long_is_none() {
        assert_eq!(Token::new(&[0; TOKEN_BYTES_MAX + 1]), None);
    }
}
