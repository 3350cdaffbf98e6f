//! The bytes that one side sends in a call: which have not gone out yet, which must go again, and
//! which have arrived.

use std::fmt::Display;
use std::ops::Range;

use bytes::Bytes;

use crate::config::SizeLimits;
use crate::proto::ranges::Ranges;
use crate::status::Status;
use crate::wire::{RECORD_HEAD_MAX, RecordKind, put_record, record_head, status_to_wire};

/// All the bytes of one direction of a call: what stands before the message, and the message.
///
/// Two parts, so that a message need not be copied to get its record's head.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct CallBytes {
    head: Head,
    body: Bytes,
}

/// The beginning of a call's bytes: most often no more than the head of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Head {
    Short { bytes: [u8; RECORD_HEAD_MAX], len: u8 },
    Long { bytes: Bytes, metadata: usize },
}

impl CallBytes {
    /// One message and nothing else.
    pub(crate) fn message(message: Bytes) -> Self {
        let (bytes, len) = record_head(RecordKind::Message, message.len());
        Self { head: Head::Short { bytes, len }, body: message }
    }

    /// One message and what comes before it: whole records and the message's head.
    ///
    /// `metadata` is how many bytes of metadata there are among it.
    pub(crate) fn with_metadata(metadata: usize, head: Vec<u8>, message: Bytes) -> Self {
        Self { head: Head::Long { bytes: head.into(), metadata }, body: message }
    }

    /// The bytes of a reply that is a status.
    pub(crate) fn status(status: &Status) -> Self {
        let mut head = Vec::new();
        put_record(&mut head, RecordKind::Status, &status_to_wire(status));
        Self::with_metadata(0, head, Bytes::new())
    }

    pub(crate) const fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Why these bytes are more than `whose` limits allow, if they are.
    pub(crate) fn exceed(&self, limits: SizeLimits, whose: impl Display) -> Option<String> {
        let metadata = match self.head {
            Head::Short { .. } => 0,
            Head::Long { metadata, .. } => metadata,
        };
        limits.exceeded(self.body.len(), metadata, "the request", whose)
    }

    /// The message, which other bytes of the same call can be made of.
    pub(crate) fn into_message(self) -> Bytes {
        self.body
    }

    /// Appends some of the bytes to a buffer.
    fn copy(&self, range: Range<u64>, buffer: &mut Vec<u8>) {
        let (start, end) = (range.start as usize, range.end as usize);
        let head = self.head.as_slice();
        let split = head.len();
        if start < split {
            buffer.extend_from_slice(&head[start..end.min(split)]);
        }
        if split < end {
            buffer.extend_from_slice(&self.body[start.max(split) - split..end - split]);
        }
    }

    /// All of the bytes in one piece.
    #[cfg(test)]
    pub(crate) fn joined(&self) -> Bytes {
        [self.head.as_slice(), &self.body].concat().into()
    }
}

impl Head {
    const fn len(&self) -> usize {
        match self {
            Self::Short { len, .. } => *len as usize,
            Self::Long { bytes, .. } => bytes.len(),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { bytes, len } => &bytes[..usize::from(*len)],
            Self::Long { bytes, .. } => bytes,
        }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::Short { bytes: [0; RECORD_HEAD_MAX], len: 0 }
    }
}

/// The bytes on their way out. There is always at least one.
#[derive(Debug)]
pub(crate) struct Outgoing {
    bytes: CallBytes,
    /// What lies above has never gone out.
    sent: u64,
    /// What must go out again.
    lost: Ranges,
    /// What has arrived.
    arrived: Ranges,
}

impl Outgoing {
    pub(crate) const fn new(bytes: CallBytes) -> Self {
        Self { bytes, sent: 0, lost: Ranges::new(), arrived: Ranges::new() }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes, for another try.
    pub(crate) fn into_bytes(self) -> CallBytes {
        self.bytes
    }

    /// Whether something is there to go out.
    pub(crate) const fn wants_to_send(&self) -> bool {
        self.sent < self.len() || !self.lost.is_empty()
    }

    /// How many bytes are there to go out, at most: lost ones are counted as if they were all.
    pub(crate) const fn left(&self) -> u64 {
        if self.lost.is_empty() { self.len() - self.sent } else { self.len() }
    }

    /// Where the next piece begins.
    pub(crate) fn next_offset(&self) -> u64 {
        self.lost.first().map_or(self.sent, |range| range.start)
    }

    /// Takes the next piece, of at most `room` bytes.
    pub(crate) fn take(&mut self, room: usize) -> Range<u64> {
        if let Some(range) = self.lost.take(room as u64) {
            return range;
        }
        let range = self.sent..self.len().min(self.sent + room as u64);
        self.sent = range.end;
        range
    }

    /// Whether a piece up to here is the last one.
    pub(crate) const fn is_end(&self, offset: u64) -> bool {
        offset == self.len()
    }

    /// Appends a piece to a buffer.
    pub(crate) fn copy(&self, range: Range<u64>, buffer: &mut Vec<u8>) {
        self.bytes.copy(range, buffer);
    }

    /// A piece has arrived; tells whether all have.
    pub(crate) fn on_arrived(&mut self, range: Range<u64>) -> bool {
        let all = 0..self.len();
        if range == all {
            return true;
        }
        self.lost.remove(range.clone());
        self.arrived.insert(range);
        self.arrived.first() == Some(all)
    }

    /// A piece was lost, or goes out once more as a probe.
    pub(crate) fn on_lost(&mut self, range: Range<u64>) {
        self.lost.insert(range.clone());
        for arrived in self.arrived.iter() {
            if arrived.start < range.end && range.start < arrived.end {
                self.lost.remove(arrived);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn outgoing(head: &'static [u8], body: &'static [u8]) -> Outgoing {
        Outgoing::new(CallBytes::with_metadata(0, head.to_vec(), Bytes::from_static(body)))
    }

    fn copied(outgoing: &Outgoing, range: Range<u64>) -> Vec<u8> {
        let mut buffer = Vec::new();
        outgoing.copy(range, &mut buffer);
        buffer
    }

    #[test]
    fn pieces_run_over_both_parts() {
        let mut out = outgoing(b"ab", b"cdefg");
        let pieces: Vec<_> = std::iter::from_fn(|| {
            out.wants_to_send().then(|| {
                let range = out.take(3);
                copied(&out, range)
            })
        })
        .collect();
        assert_eq!(pieces, [&b"abc"[..], b"def", b"g"]);
    }

    #[test]
    fn lost_pieces_go_first() {
        let mut out = outgoing(b"", b"0123456789");
        assert_eq!(out.take(4), 0..4);
        assert_eq!(out.take(4), 4..8);
        out.on_lost(0..4);
        assert_eq!(out.next_offset(), 0);
        assert_eq!(out.take(100), 0..4);
        assert_eq!(out.take(100), 8..10);
        assert!(!out.wants_to_send());
    }

    #[test]
    fn what_has_arrived_does_not_go_again() {
        let mut out = outgoing(b"", b"0123456789");
        out.take(10);
        assert!(!out.on_arrived(2..5));
        out.on_lost(0..10);
        assert_eq!([out.take(10), out.take(10)], [0..2, 5..10]);
        assert!(!out.on_arrived(0..2));
        assert!(out.on_arrived(5..10));
    }

    #[test]
    fn every_byte_gets_there_whatever_is_lost() {
        let body: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for seed in 0..50 {
            let mut rng = Rng::from_seed(seed);
            let rest = Bytes::copy_from_slice(&body[7..]);
            let bytes = CallBytes::with_metadata(0, body[..7].to_vec(), rest);
            let mut out = Outgoing::new(bytes);
            let (mut flying, mut got) = (Vec::new(), vec![None; body.len()]);
            let mut done = false;
            while !done {
                if out.wants_to_send() && (flying.is_empty() || rng.chance(0.6)) {
                    flying.push(out.take(1 + rng.below(700) as usize));
                    continue;
                }
                let range = flying.swap_remove(rng.below(flying.len() as u64) as usize);
                if rng.chance(0.3) {
                    out.on_lost(range);
                } else {
                    for (at, byte) in range.clone().zip(copied(&out, range.clone())) {
                        got[at as usize] = Some(byte);
                    }
                    done = out.on_arrived(range);
                }
            }
            assert_eq!(got.into_iter().collect::<Option<Vec<u8>>>().as_ref(), Some(&body));
        }
    }
}
