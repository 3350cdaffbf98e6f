//! The records that one direction of a call is made of: a length, a kind, and the bytes.

use bytes::{Buf, Bytes};
use prost::encoding::{decode_varint, encode_varint, encoded_len_varint};

use crate::observe::DropReason;

/// What a record holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordKind {
    /// A message of the method's type.
    Message = 0,
    /// The schema's `Metadata`: before the first message, if at all.
    Metadata = 1,
    /// The schema's `Status`: in replies, at the end; without it the call ended well.
    Status = 2,
}

/// One record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) bytes: Bytes,
}

impl Record {
    /// Takes the first record off the front of bytes that are complete.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if there is no whole record of a known kind.
    pub(crate) fn take(bytes: &mut Bytes) -> Result<Self, DropReason> {
        let head = RecordHead::read(bytes)?.ok_or(DropReason::Malformed)?;
        if (bytes.len() as u64) < head.wire_len() {
            return Err(DropReason::Malformed);
        }
        bytes.advance(head.head);
        // It is no more than there are bytes.
        Ok(Self { kind: head.kind, bytes: bytes.split_to(head.len as usize) })
    }

    /// Takes all records out of bytes that are nothing else.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn take_all(mut bytes: Bytes) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || Self::take(&mut bytes).ok())
    }

    /// How many bytes of the wire it takes, its head included.
    pub(crate) const fn wire_len(&self) -> usize {
        encoded_len_varint((self.bytes.len() as u64) << 2) + self.bytes.len()
    }
}

/// What stands before a record's bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RecordHead {
    pub(crate) kind: RecordKind,
    /// How many bytes follow, as whoever wrote it claims.
    pub(crate) len: u64,
    /// How many bytes the head itself takes.
    pub(crate) head: usize,
}

impl RecordHead {
    /// How many bytes the whole record takes.
    pub(crate) const fn wire_len(&self) -> u64 {
        self.head as u64 + self.len
    }

    /// Reads the head that some bytes begin with; `None` if it goes on behind them.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if no record of a known kind begins so.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, DropReason> {
        // Most records have less than 4 KiB, of which there are most in a second.
        let (value, head) = match *bytes {
            [one, ..] if one < 0x80 => (u64::from(one), 1),
            [one, two, ..] if two < 0x80 => (u64::from(one & 0x7f) | u64::from(two) << 7, 2),
            _ => return Self::read_long(bytes),
        };
        let kind = RecordKind::of(value).ok_or(DropReason::Malformed)?;
        Ok(Some(Self { kind, len: value >> 2, head }))
    }

    fn read_long(bytes: &[u8]) -> Result<Option<Self>, DropReason> {
        let within = &bytes[..bytes.len().min(RECORD_HEAD_MAX)];
        let end = within.iter().position(|byte| byte & 0x80 == 0);
        let Some(end) = end else {
            let goes_on = within.len() < RECORD_HEAD_MAX;
            return if goes_on { Ok(None) } else { Err(DropReason::Malformed) };
        };
        let head = decode_varint(&mut &within[..=end]).map_err(|_| DropReason::Malformed)?;
        let kind = RecordKind::of(head).ok_or(DropReason::Malformed)?;
        Ok(Some(Self { kind, len: head >> 2, head: end + 1 }))
    }
}

impl RecordKind {
    /// The kind in a head.
    const fn of(head: u64) -> Option<Self> {
        match head & 3 {
            0 => Some(Self::Message),
            1 => Some(Self::Metadata),
            2 => Some(Self::Status),
            _ => None,
        }
    }
}

/// What stands before a record's `len` bytes, and how much of it that is.
pub(crate) fn record_head(kind: RecordKind, len: usize) -> ([u8; RECORD_HEAD_MAX], u8) {
    let mut bytes = [0; RECORD_HEAD_MAX];
    let mut rest = &mut bytes[..];
    encode_varint((len as u64) << 2 | kind as u64, &mut rest);
    let left = rest.len();
    (bytes, (RECORD_HEAD_MAX - left) as u8)
}

/// No record's head is longer.
pub(crate) const RECORD_HEAD_MAX: usize = 10;

/// Appends what stands before a record's `len` bytes.
pub(crate) fn put_record_head(buffer: &mut Vec<u8>, kind: RecordKind, len: usize) {
    encode_varint((len as u64) << 2 | kind as u64, buffer);
}

/// Appends a whole record that holds a message of the schema.
pub(crate) fn put_record(buffer: &mut Vec<u8>, kind: RecordKind, message: &impl prost::Message) {
    put_record_head(buffer, kind, message.encoded_len());
    message.encode(buffer).expect("a Vec grows as needed, so encoding into one cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_in_order() {
        let mut buffer = Vec::new();
        put_record_head(&mut buffer, RecordKind::Metadata, 2);
        buffer.extend_from_slice(b"ab");
        put_record_head(&mut buffer, RecordKind::Message, 0);
        let mut bytes = Bytes::from(buffer);
        let first = Record::take(&mut bytes).unwrap();
        assert_eq!((first.kind, &first.bytes[..]), (RecordKind::Metadata, &b"ab"[..]));
        assert_eq!(Record::take(&mut bytes).unwrap().kind, RecordKind::Message);
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_head_is_the_same_in_both_ways_of_writing_it() {
        for len in [0, 1, 31, 32, 4_095, 4_096, 16 << 20, usize::MAX >> 2] {
            let (bytes, count) = record_head(RecordKind::Message, len);
            let mut buffer = Vec::new();
            put_record_head(&mut buffer, RecordKind::Message, len);
            assert_eq!(bytes[..usize::from(count)], buffer);
        }
    }

    #[test]
    fn a_head_is_read_as_soon_as_it_is_whole() {
        for len in [0, 1, 31, 32, 4_095, 4_096, 16 << 20, usize::MAX >> 2] {
            let (bytes, count) = record_head(RecordKind::Status, len);
            let count = usize::from(count);
            for cut in 0..count {
                assert_eq!(RecordHead::read(&bytes[..cut]), Ok(None));
            }
            let head = RecordHead { kind: RecordKind::Status, len: len as u64, head: count };
            assert_eq!(RecordHead::read(&bytes[..count]), Ok(Some(head)));
        }
        assert!(RecordHead::read(&[0xff; 10]).is_err());
        assert!(RecordHead::read(&[0x03]).is_err(), "no such kind");
        let record = Record { kind: RecordKind::Message, bytes: Bytes::from(vec![0; 5_000]) };
        assert_eq!(record.wire_len(), 5_003);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for bytes in [&[][..], &[0x08, 1][..], &[0x03][..], &[0xff; 11][..]] {
            assert!(Record::take(&mut Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }
}
