//! Writing a datagram, frame by frame, as far as there is room.
//!
//! What every call needs (acknowledgements, requests, replies, cancellations) is written by hand:
//! its size is known before it is written, and a call's bytes are copied once, straight into the
//! datagram. The rest goes through prost.

use std::ops::Range;

use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};

use crate::ids::{CallId, MethodId};
use crate::wire::datagram::seal;
use crate::wire::{Header, Init, TRAILER_BYTES, schema};

/// A datagram that is being written at the end of a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
    /// Where the frames must end at the latest.
    limit: usize,
}

/// Packet numbers that have arrived, without a gap.
pub(crate) type AckRange = Range<u64>;

/// How many of the datagrams that have arrived in a session the network has written on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks {
    /// Those with the mark of congestion.
    pub(crate) congested: u64,
    /// Those without any sign that their sender understands marks.
    pub(crate) bare: u64,
}

/// What the first piece of a request says of the call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Open {
    pub(crate) method: MethodId,
    /// Microseconds left until the deadline; 0 stands for none.
    pub(crate) timeout_us: u64,
    pub(crate) flags: u32,
}

impl Open {
    /// The call may run more than once.
    pub(crate) const IDEMPOTENT: u32 = 1;
    /// The call is another try of one that failed.
    pub(crate) const RETRY: u32 = 1 << 1;
    /// The requests are a stream.
    pub(crate) const STREAMS_REQUESTS: u32 = 1 << 2;
    /// The replies are a stream.
    pub(crate) const STREAMS_REPLIES: u32 = 1 << 3;
    /// The call is answered as soon as its handler has begun.
    pub(crate) const ONE_WAY: u32 = 1 << 4;
}

/// A piece of one direction of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Piece {
    pub(crate) call: CallId,
    /// Present in requests at offset 0.
    pub(crate) open: Option<Open>,
    pub(crate) offset: u64,
    pub(crate) fin: bool,
    /// All the bytes of this direction, if they are known and more than the piece; 0 otherwise.
    pub(crate) size: u64,
}

impl<'a> Writer<'a> {
    /// Begins a datagram of at most `bytes_max` bytes.
    pub(crate) fn begin(
        buffer: &'a mut Vec<u8>,
        bytes_max: usize,
        header: Header,
        init: Option<&Init>,
    ) -> Self {
        let start = buffer.len();
        header.put(buffer);
        if let Some(init) = init {
            init.put(buffer);
        }
        Self { limit: start + bytes_max - TRAILER_BYTES, buffer, start }
    }

    /// How many bytes of frames still fit.
    pub(crate) const fn room(&self) -> usize {
        self.limit.saturating_sub(self.buffer.len())
    }

    /// Writes an acknowledgement of these ranges, given from the newest down and none of them
    /// empty; as many of them as fit. Tells whether any did.
    pub(crate) fn ack(
        &mut self,
        mut ranges: impl Iterator<Item = AckRange>,
        delay_us: u64,
        marks: Marks,
    ) -> bool {
        let Some(newest) = ranges.next() else {
            return false;
        };
        let largest = newest.end - 1;
        let below = largest - newest.start;
        let numbers = number_len(largest)
            + number_len(delay_us)
            + number_len(below)
            + number_len(marks.congested)
            + number_len(marks.bare);
        // The pairs are few; what they take is counted exactly so that they can be cut off.
        let mut pairs: Vec<u64> = Vec::new();
        let (mut pairs_len, mut previous) = (0, newest.start);
        for range in ranges {
            let (missing, arrived) = (previous - range.end, range.end - range.start);
            let more = pairs_len + encoded_len_varint(missing) + encoded_len_varint(arrived);
            if self.room() < framed_len(numbers + framed_len(more)) {
                break;
            }
            pairs.extend([missing, arrived]);
            (pairs_len, previous) = (more, range.start);
        }
        let pairs_framed = if pairs.is_empty() { 0 } else { framed_len(pairs_len) };
        let len = numbers + pairs_framed;
        if self.room() < framed_len(len) {
            return false;
        }
        self.head(1, len);
        self.number(1, largest);
        self.number(2, delay_us);
        self.number(3, below);
        if !pairs.is_empty() {
            self.head(4, pairs_len);
            for number in pairs {
                encode_varint(number, self.buffer);
            }
        }
        self.number(5, marks.congested);
        self.number(6, marks.bare);
        true
    }

    /// How many bytes of a call fit into a request; `None` if not even the rest of it does.
    pub(crate) fn request_room(&self, piece: &Piece) -> Option<usize> {
        self.data_room(request_len(piece))
    }

    /// Writes a piece of a request; `copy` appends its `len` bytes.
    pub(crate) fn request(&mut self, piece: &Piece, len: usize, copy: impl FnOnce(&mut Vec<u8>)) {
        let data = if len == 0 { 0 } else { framed_len(len) };
        self.head(2, request_len(piece) + data);
        self.number(1, piece.call.0);
        if let Some(open) = &piece.open {
            self.head(2, open_len(open));
            if open.method.0 != 0 {
                self.buffer.push(1 << 3 | 1);
                self.buffer.extend_from_slice(&open.method.0.to_le_bytes());
            }
            self.number(2, open.timeout_us);
            self.number(3, u64::from(open.flags));
        }
        self.number(3, piece.offset);
        self.number(4, u64::from(piece.fin));
        self.data(5, len, copy);
        self.number(6, piece.size);
    }

    /// How many bytes of a call fit into a reply; `None` if not even the rest of it does.
    pub(crate) fn reply_room(&self, piece: &Piece) -> Option<usize> {
        self.data_room(reply_len(piece))
    }

    /// Writes a piece of a reply; `copy` appends its `len` bytes.
    pub(crate) fn reply(&mut self, piece: &Piece, len: usize, copy: impl FnOnce(&mut Vec<u8>)) {
        let data = if len == 0 { 0 } else { framed_len(len) };
        self.head(3, reply_len(piece) + data);
        self.number(1, piece.call.0);
        self.number(2, piece.offset);
        self.number(3, u64::from(piece.fin));
        self.data(4, len, copy);
        self.number(5, piece.size);
    }

    /// Writes a cancellation, if it fits.
    pub(crate) fn cancel(&mut self, call: CallId) -> bool {
        self.message(4, &schema::Cancel { call: call.0 })
    }

    /// Writes what this node can do, if it fits.
    pub(crate) fn hello(&mut self, hello: &schema::Hello) -> bool {
        self.message(5, hello)
    }

    /// Writes the end of the session, if it fits.
    pub(crate) fn close(&mut self, close: &schema::Close) -> bool {
        self.message(6, close)
    }

    /// Writes a wish for an acknowledgement, if it fits.
    pub(crate) fn ping(&mut self) -> bool {
        self.message(7, &schema::Ping {})
    }

    /// Writes up to where a call's bytes are taken, if it fits.
    pub(crate) fn credit(&mut self, call: CallId, limit: u64) -> bool {
        self.message(8, &schema::Credit { call: call.0, limit })
    }

    /// Writes how much is taken unasked of each call, and of all together, if it fits.
    pub(crate) fn allowance(&mut self, bytes: u64, unfinished_bytes: u64) -> bool {
        self.message(9, &schema::Allowance { bytes, unfinished_bytes })
    }

    /// Writes that this side is about to end, if it fits.
    pub(crate) fn goaway(&mut self) -> bool {
        self.message(10, &schema::Goaway {})
    }

    /// Ends the datagram with its checksum.
    pub(crate) fn finish(self) {
        seal(self.buffer, self.start);
    }

    /// Ends the datagram with zeros up to a size of at most 16384 bytes, and its checksum. It may
    /// stay one byte short of it, because a field takes at least two.
    pub(crate) fn finish_padded(self, bytes: usize) {
        debug_assert!(bytes <= PADDED_MAX, "more zeros than two bytes can count");
        let written = self.buffer.len() - self.start + TRAILER_BYTES;
        match bytes.saturating_sub(written) {
            0 | 1 => {}
            2 => self.buffer.extend_from_slice(&[PADDING, 0]),
            missing => {
                // The length always takes two bytes, longer than it need be for small ones, so that
                // every size can be met exactly.
                let zeros = missing - 3;
                self.buffer.extend_from_slice(&[PADDING, 0x80 | zeros as u8, (zeros >> 7) as u8]);
                self.buffer.resize(self.buffer.len() + zeros, 0);
            }
        }
        self.finish();
    }

    /// How many bytes fit into a field of bytes within a frame that has `len` others.
    fn data_room(&self, len: usize) -> Option<usize> {
        let room = self.room();
        // Both lengths are taken as long as the longest that could occur.
        let lengths = 2 * encoded_len_varint(room as u64);
        room.checked_sub(len + 2 + lengths)
    }

    fn message(&mut self, tag: u8, message: &impl Message) -> bool {
        let len = message.encoded_len();
        if self.room() < framed_len(len) {
            return false;
        }
        self.head(tag, len);
        message.encode(self.buffer).expect("a Vec grows as needed, so encoding cannot fail");
        true
    }

    /// The tag and the length of a length-delimited field.
    fn head(&mut self, tag: u8, len: usize) {
        self.buffer.push(tag << 3 | 2);
        encode_varint(len as u64, self.buffer);
    }

    /// A field of a number; nothing for 0, as proto3 has it.
    fn number(&mut self, tag: u8, number: u64) {
        if number != 0 {
            self.buffer.push(tag << 3);
            encode_varint(number, self.buffer);
        }
    }

    fn data(&mut self, tag: u8, len: usize, copy: impl FnOnce(&mut Vec<u8>)) {
        if 0 < len {
            self.head(tag, len);
            let before = self.buffer.len();
            copy(self.buffer);
            debug_assert_eq!(self.buffer.len() - before, len, "what was announced is written");
        }
    }
}

/// The length of the zeros takes two bytes.
const PADDED_MAX: usize = 1 << 14;

/// The tag of the schema's field of zeros.
const PADDING: u8 = 15 << 3 | 2;

/// What a field of a number takes.
const fn number_len(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + encoded_len_varint(number) }
}

/// What a length-delimited field takes, for tags up to 15.
const fn framed_len(len: usize) -> usize {
    1 + encoded_len_varint(len as u64) + len
}

const fn open_len(open: &Open) -> usize {
    let method = if open.method.0 == 0 { 0 } else { 1 + 8 };
    method + number_len(open.timeout_us) + number_len(open.flags as u64)
}

/// What a request takes without its bytes.
const fn request_len(piece: &Piece) -> usize {
    let open = match &piece.open {
        Some(open) => framed_len(open_len(open)),
        None => 0,
    };
    reply_len(piece) + open
}

/// What a reply takes without its bytes.
const fn reply_len(piece: &Piece) -> usize {
    let numbers = number_len(piece.call.0) + number_len(piece.offset) + number_len(piece.size);
    numbers + piece.fin as usize * 2
}

/// The header of the datagram that `number` is for, in tests and for datagrams without a session.
#[cfg(test)]
pub(crate) const fn test_header(number: u64) -> Header {
    Header {
        kind: crate::wire::Kind::Data,
        ack_now: false,
        to: crate::ids::SessionId(1),
        number: crate::ids::PacketNumber(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::wire::BASE_DATAGRAM_BYTES;
    use crate::wire::Datagram;
    use bytes::Bytes;

    /// What the writer makes, between header and trailer.
    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buffer = Vec::new();
        let mut writer = Writer::begin(&mut buffer, 65_000, test_header(0), None);
        write(&mut writer);
        writer.finish();
        Datagram::decode(buffer.into()).unwrap().body.to_vec()
    }

    /// A number of any magnitude, and often 0.
    fn number(rng: &mut Rng) -> u64 {
        let bits = rng.below(65);
        if bits == 0 { 0 } else { rng.next_u64() >> (64 - bits) }
    }

    fn piece(rng: &mut Rng) -> (Piece, Bytes) {
        let piece = Piece {
            call: CallId(number(rng)),
            open: rng.chance(0.5).then(|| Open {
                method: MethodId(number(rng)),
                timeout_us: number(rng),
                flags: number(rng) as u32,
            }),
            offset: number(rng),
            fin: rng.chance(0.5),
            size: number(rng),
        };
        let data: Vec<u8> = (0..rng.below(300)).map(|_| rng.next_u64() as u8).collect();
        (piece, data.into())
    }

    fn schema_request((piece, data): &(Piece, Bytes)) -> schema::Request {
        schema::Request {
            call: piece.call.0,
            open: piece.open.map(|open| schema::Open {
                method: open.method.0,
                timeout_us: open.timeout_us,
                flags: open.flags,
            }),
            offset: piece.offset,
            fin: piece.fin,
            data: data.clone(),
            size: piece.size,
        }
    }

    #[test]
    fn requests_are_written_as_prost_writes_them() {
        let mut rng = Rng::from_seed(1);
        for _ in 0..2_000 {
            let request = piece(&mut rng);
            let bytes = written(|writer| {
                let (piece, data) = &request;
                assert!(data.len() <= writer.request_room(piece).unwrap());
                writer.request(piece, data.len(), |buffer| buffer.extend_from_slice(data));
            });
            let requests = vec![schema_request(&request)];
            let packet = schema::Packet { requests, ..schema::Packet::default() };
            assert_eq!(bytes, packet.encode_to_vec(), "{request:?}");
        }
    }

    #[test]
    fn replies_are_written_as_prost_writes_them() {
        let mut rng = Rng::from_seed(2);
        for _ in 0..2_000 {
            let (piece, data) = piece(&mut rng);
            let bytes = written(|writer| {
                writer.reply(&piece, data.len(), |buffer| buffer.extend_from_slice(&data));
            });
            let (call, offset, fin) = (piece.call.0, piece.offset, piece.fin);
            let replies = vec![schema::Reply { call, offset, fin, data, size: piece.size }];
            let packet = schema::Packet { replies, ..schema::Packet::default() };
            assert_eq!(bytes, packet.encode_to_vec());
        }
    }

    #[test]
    fn acknowledgements_are_written_as_prost_writes_them() {
        let mut rng = Rng::from_seed(3);
        for _ in 0..2_000 {
            let mut top = number(&mut rng) >> 8;
            let mut ranges = Vec::new();
            for _ in 0..=rng.below(5) {
                let end = top + 1;
                let start = end.saturating_sub(1 + rng.below(100));
                ranges.push(start..end);
                let Some(next) = start.checked_sub(2 + rng.below(1000)) else {
                    break;
                };
                top = next;
            }
            let delay_us = number(&mut rng);
            let marks = Marks { congested: number(&mut rng), bare: number(&mut rng) };
            let bytes =
                written(|writer| assert!(writer.ack(ranges.iter().cloned(), delay_us, marks)));
            let mut ack = schema::Ack {
                largest: ranges[0].end - 1,
                delay_us,
                below: ranges[0].end - 1 - ranges[0].start,
                ranges: Vec::new(),
                ce: marks.congested,
                bare: marks.bare,
            };
            for pair in ranges.windows(2) {
                ack.ranges.extend([pair[0].start - pair[1].end, pair[1].end - pair[1].start]);
            }
            let packet = schema::Packet { ack: Some(ack), ..schema::Packet::default() };
            assert_eq!(bytes, packet.encode_to_vec(), "{ranges:?}");
        }
    }

    #[test]
    fn a_full_piece_never_passes_the_limit_and_wastes_at_most_two_bytes() {
        let mut rng = Rng::from_seed(4);
        for _ in 0..2_000 {
            let (piece, _) = piece(&mut rng);
            let limit = 100 + rng.below(20_000) as usize;
            let mut buffer = Vec::new();
            let mut writer = Writer::begin(&mut buffer, limit, test_header(0), None);
            let Some(room) = writer.request_room(&piece) else {
                continue;
            };
            writer.request(&piece, room, |buffer| buffer.resize(buffer.len() + room, 0));
            writer.finish();
            assert!(buffer.len() <= limit, "{} of {limit}", buffer.len());
            assert!(room == 0 || limit <= buffer.len() + 2, "{} of {limit}", buffer.len());
        }
    }

    #[test]
    fn ranges_that_do_not_fit_are_left_out() {
        let mut buffer = Vec::new();
        let mut writer = Writer::begin(&mut buffer, 64, test_header(0), None);
        let ranges = (0..100_u64).rev().map(|n| n * 1000..n * 1000 + 1);
        assert!(writer.ack(ranges, 7, Marks { congested: u64::MAX, bare: u64::MAX }));
        writer.finish();
        assert!(buffer.len() <= 64);
        let body = Datagram::decode(buffer.into()).unwrap().body;
        let ack = schema::Packet::decode(body).unwrap().ack.unwrap();
        assert_eq!(ack.largest, 99_000);
        assert!(2 <= ack.ranges.len() && ack.ranges.len() % 2 == 0);
    }

    #[test]
    fn padding_brings_a_datagram_to_the_base_size() {
        for data in 0..1_300 {
            let mut buffer = Vec::new();
            let mut writer = Writer::begin(&mut buffer, 2_000, test_header(0), None);
            let piece = Piece { call: CallId(1), open: None, offset: 0, fin: true, size: 0 };
            writer.request(&piece, data, |buffer| buffer.resize(buffer.len() + data, 1));
            writer.finish_padded(BASE_DATAGRAM_BYTES);
            assert!(BASE_DATAGRAM_BYTES - 1 <= buffer.len());
            assert!(buffer.len() <= BASE_DATAGRAM_BYTES || 1_150 < data, "{data}");
            let body = Datagram::decode(buffer.into()).unwrap().body;
            assert_eq!(schema::Packet::decode(body).unwrap().requests[0].data.len(), data);
        }
    }
}
