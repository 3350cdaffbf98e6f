//! The bytes that one side sends in a call: which have not gone out yet, which must go again, and
//! which have arrived.

use std::ops::Range;

use bytes::Bytes;

use crate::proto::call_bytes::CallBytes;
use crate::proto::chunks::Chunks;
use crate::proto::queue::Load;
use crate::proto::ranges::Ranges;

/// The bytes on their way out. There is always at least one: the end of a stream counts as a byte
/// of its own behind the others, so that it is known whether it has arrived.
#[derive(Debug)]
pub(crate) struct Outgoing {
    source: Source,
    /// What lies above has never gone out.
    sent: u64,
    /// What must go out again.
    lost: Ranges,
    /// What has arrived.
    arrived: Ranges,
    /// The other side takes what lies below.
    credit: u64,
}

#[derive(Debug)]
enum Source {
    Whole(CallBytes),
    Stream(Box<Stream>),
}

/// What there is of a stream.
#[derive(Debug)]
struct Stream {
    chunks: Chunks,
    /// Nothing will be added.
    ended: bool,
    /// How many bytes it holds before its user had better wait.
    bytes_max: usize,
    /// Its user waits.
    full: bool,
}

impl Outgoing {
    /// Bytes of which the other side takes `credit`.
    pub(crate) const fn new(bytes: CallBytes, credit: u64) -> Self {
        Self::of(Source::Whole(bytes), credit)
    }

    /// A stream. Its user had better wait while it holds `bytes_max` bytes that have not arrived;
    /// the other side takes `credit` bytes.
    pub(crate) fn stream(bytes_max: usize, credit: u64) -> Self {
        let chunks = Chunks::default();
        let stream = Stream { chunks, ended: false, bytes_max, full: false };
        Self::of(Source::Stream(Box::new(stream)), credit)
    }

    const fn of(source: Source, credit: u64) -> Self {
        Self { source, sent: 0, lost: Ranges::new(), arrived: Ranges::new(), credit }
    }

    /// Adds bytes to a stream that has not ended.
    pub(crate) fn append(&mut self, bytes: Bytes) {
        if let Source::Stream(stream) = &mut self.source
            && !stream.ended
        {
            stream.chunks.push(bytes);
            stream.full |= stream.room() == 0;
        }
    }

    /// Nothing will be added to a stream.
    pub(crate) fn end(&mut self) {
        if let Source::Stream(stream) = &mut self.source {
            stream.ended = true;
        }
    }

    /// Whether it is a stream that has not ended.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(&self.source, Source::Stream(stream) if !stream.ended)
    }

    /// Whether it is a stream.
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(&self.source, Source::Stream(_))
    }

    /// How many bytes a stream takes before its user had better wait.
    pub(crate) fn room(&self) -> usize {
        match &self.source {
            Source::Stream(stream) if !stream.ended => stream.room(),
            _ => 0,
        }
    }

    /// Whether a stream that was full has room again. Once it is said it counts as not full.
    pub(crate) fn has_room_again(&mut self) -> bool {
        let Source::Stream(stream) = &mut self.source else { return false };
        // So that not every acknowledgement wakes somebody for a few bytes.
        let worth_it = (stream.bytes_max / 4).max(1);
        let again = stream.full && !stream.ended && worth_it <= stream.room();
        stream.full &= !again;
        again
    }

    /// How many bytes are held.
    pub(crate) fn held(&self) -> usize {
        match &self.source {
            Source::Whole(bytes) => bytes.len(),
            Source::Stream(stream) => stream.chunks.len(),
        }
    }

    /// Where the bytes end that there are.
    fn bytes_end(&self) -> u64 {
        match &self.source {
            Source::Whole(bytes) => bytes.len() as u64,
            Source::Stream(stream) => stream.chunks.end(),
        }
    }

    /// The same with the end of a stream.
    fn len(&self) -> u64 {
        let ended = matches!(&self.source, Source::Stream(stream) if stream.ended);
        self.bytes_end() + u64::from(ended)
    }

    /// The bytes, for another try. There are none of a stream.
    pub(crate) fn into_bytes(self) -> CallBytes {
        match self.source {
            Source::Whole(bytes) => bytes,
            Source::Stream(_) => CallBytes::default(),
        }
    }

    /// The other side takes what lies below `credit`.
    pub(crate) fn on_credit(&mut self, credit: u64) {
        self.credit = self.credit.max(credit);
    }

    /// Where ends what may go out now.
    fn sendable(&self) -> u64 {
        let bytes = self.bytes_end();
        if bytes <= self.credit { self.len() } else { self.credit }
    }

    /// Whether something is there to go out, and may.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.sent < self.sendable() || !self.lost.is_empty()
    }

    /// Whether all bytes that there are have gone out once.
    pub(crate) fn has_gone_out(&self) -> bool {
        self.sent == self.len()
    }

    /// How many bytes have to go out, sooner or later.
    pub(crate) fn left(&self) -> u64 {
        self.len() - self.sent + self.lost.count()
    }

    /// What there is to send, for the order in which calls do.
    pub(crate) fn load(&self) -> Load {
        Load { left: self.left(), is_stream: self.is_stream() }
    }

    /// What the next piece has to say of how many bytes there are, if it has room for so many: it
    /// says so if it is the first of several.
    pub(crate) fn size_to_tell(&self, room: usize) -> u64 {
        let Source::Whole(bytes) = &self.source else { return 0 };
        let len = bytes.len() as u64;
        if self.sent == 0 && len <= self.credit.min(room as u64) {
            return 0;
        }
        let end = match self.lost.first() {
            Some(range) => range.end,
            None => self.sendable(),
        };
        if self.next_offset() == 0 && end.min(room as u64) < len { len } else { 0 }
    }

    /// Where the next piece begins.
    pub(crate) fn next_offset(&self) -> u64 {
        self.lost.first().map_or(self.sent, |range| range.start)
    }

    /// Takes the next piece, of at most `room` bytes.
    pub(crate) fn take(&mut self, room: usize) -> Range<u64> {
        let (bytes, len) = (self.bytes_end(), self.len());
        if let Some(mut range) = self.lost.take(room as u64) {
            if range.end == bytes && self.lost.contains(bytes) {
                // The end takes no room.
                self.lost.remove(bytes..len);
                range.end = len;
            }
            return range;
        }
        let mut end = self.sendable().min(self.sent + room as u64);
        if end == bytes {
            end = len;
        }
        let range = self.sent..end;
        self.sent = range.end;
        range
    }

    /// How many bytes a piece has.
    pub(crate) fn piece_len(&self, piece: &Range<u64>) -> usize {
        (piece.end.min(self.bytes_end()).saturating_sub(piece.start)) as usize
    }

    /// Whether a piece up to here is the last one.
    pub(crate) fn is_end(&self, offset: u64) -> bool {
        !self.is_open() && offset == self.len()
    }

    /// Appends a piece to a buffer.
    pub(crate) fn copy(&self, range: Range<u64>, buffer: &mut Vec<u8>) {
        match &self.source {
            Source::Whole(bytes) => bytes.copy(range, buffer),
            Source::Stream(stream) => {
                stream.chunks.copy(range.start..range.end.min(stream.chunks.end()), buffer);
            }
        }
    }

    /// A piece has arrived; tells whether all have.
    pub(crate) fn on_arrived(&mut self, range: Range<u64>) -> bool {
        let all = 0..self.len();
        if range == all && !self.is_open() {
            return true;
        }
        self.lost.remove(range.clone());
        self.arrived.insert(range);
        let first = self.arrived.first();
        if let Source::Stream(stream) = &mut self.source
            && let Some(first) = first.clone().filter(|first| first.start == 0)
        {
            stream.chunks.drop_below(first.end);
        }
        first == Some(all) && !self.is_open()
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

impl Stream {
    const fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.chunks.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn outgoing(head: &'static [u8], body: &'static [u8]) -> Outgoing {
        let bytes = CallBytes::with_metadata(0, head.to_vec(), Bytes::from_static(body));
        Outgoing::new(bytes, u64::MAX)
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
    fn there_is_room_again_once_there_is_some_however_little_there_may_be() {
        for bytes_max in 1..6 {
            let mut out = Outgoing::stream(bytes_max, 100);
            out.append(Bytes::from_static(b"0123456789"));
            out.take(10);
            out.on_arrived(0..5);
            assert!(out.room() == 0 && !out.has_room_again(), "{bytes_max}");
            out.on_arrived(5..10);
            assert!(out.room() == bytes_max && out.has_room_again(), "{bytes_max}");
            assert!(!out.has_room_again(), "it is said once");
        }
    }

    #[test]
    fn every_byte_gets_there_whatever_is_lost() {
        let body: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for seed in 0..50 {
            let mut rng = Rng::from_seed(seed);
            let rest = Bytes::copy_from_slice(&body[7..]);
            let bytes = CallBytes::with_metadata(0, body[..7].to_vec(), rest);
            let mut out = Outgoing::new(bytes, u64::MAX);
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
