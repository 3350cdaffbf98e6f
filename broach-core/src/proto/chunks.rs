//! [`Chunks`]: the bytes of a stream that are still needed here.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

/// A row of bytes that grows at its end and is dropped at its beginning.
///
/// Large pieces are kept as they come. Small ones are put together: each of them would cost more
/// than its bytes.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    /// By where they begin, without holes.
    chunks: VecDeque<(u64, Bytes)>,
    /// What lies behind them.
    tail: BytesMut,
    /// What lies below has been dropped.
    start: u64,
    end: u64,
}

impl Chunks {
    /// Where the bytes end.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes are held.
    pub(crate) const fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Adds bytes at the end.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        let small = bytes.len() <= SMALL_BYTES;
        if !small || TAIL_BYTES < self.tail.len() + bytes.len() {
            self.seal_tail();
        }
        let start = self.end;
        self.end += bytes.len() as u64;
        match small {
            true => self.tail.extend_from_slice(&bytes),
            false => self.chunks.push_back((start, bytes)),
        }
    }

    /// What was put together becomes a chunk.
    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail).freeze();
            self.chunks.push_back((self.end - tail.len() as u64, tail));
        }
    }

    /// Drops the bytes below an offset.
    pub(crate) fn drop_below(&mut self, offset: u64) {
        let offset = offset.min(self.end);
        if offset <= self.start {
            return;
        }
        self.start = offset;
        while let Some((start, chunk)) = self.chunks.front()
            && start + chunk.len() as u64 <= offset
        {
            self.chunks.pop_front();
        }
        let tail_start = self.end - self.tail.len() as u64;
        if let Some(dropped) = offset.checked_sub(tail_start) {
            match offset == self.end {
                true => self.tail.clear(),
                false => self.tail.advance(dropped as usize),
            }
        }
    }

    /// Appends some of the bytes, none of which have been dropped, to a buffer.
    pub(crate) fn copy(&self, range: Range<u64>, buffer: &mut Vec<u8>) {
        let mut offset = range.start;
        let first =
            self.chunks.partition_point(|(start, chunk)| start + chunk.len() as u64 <= offset);
        for (start, chunk) in self.chunks.range(first..) {
            if range.end <= offset {
                return;
            }
            let (from, to) = (offset - start, (range.end - start).min(chunk.len() as u64));
            buffer.extend_from_slice(&chunk[from as usize..to as usize]);
            offset = start + to;
        }
        if offset < range.end {
            let tail_start = self.end - self.tail.len() as u64;
            let (from, to) = (offset - tail_start, range.end - tail_start);
            buffer.extend_from_slice(&self.tail[from as usize..to as usize]);
        }
    }
}

/// Pieces up to this size are put together.
const SMALL_BYTES: usize = 512;

/// No more than this is put together.
const TAIL_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        for seed in 0..200 {
            let mut rng = Rng::from_seed(seed);
            let (mut chunks, mut all, mut start) = (Chunks::default(), Vec::new(), 0);
            for _ in 0..100 {
                match rng.below(3) {
                    0 => {
                        let len = if rng.chance(0.5) { rng.below(40) } else { rng.below(2_000) };
                        let bytes: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
                        all.extend_from_slice(&bytes);
                        chunks.push(bytes.into());
                    }
                    1 => {
                        start += rng.below(1 + all.len() as u64 - start) / 2;
                        chunks.drop_below(start);
                    }
                    _ => {
                        let from = start + rng.below(1 + all.len() as u64 - start);
                        let to = from + rng.below(1 + all.len() as u64 - from);
                        let mut copied = Vec::new();
                        chunks.copy(from..to, &mut copied);
                        assert_eq!(copied, all[from as usize..to as usize], "seed {seed}");
                    }
                }
                assert_eq!(chunks.end(), all.len() as u64);
                assert_eq!(chunks.len(), all.len() - start as usize);
                let held: usize = chunks.chunks.iter().map(|(_, chunk)| chunk.len()).sum();
                assert!(held + chunks.tail.len() <= chunks.len() + 4_608, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_large_piece_is_not_copied() {
        let bytes = Bytes::from(vec![1; 10_000]);
        let mut chunks = Chunks::default();
        chunks.push(Bytes::from_static(b"head"));
        chunks.push(bytes.clone());
        assert_eq!(chunks.chunks[1].1.as_ptr(), bytes.as_ptr());
        assert_eq!(chunks.chunks.len(), 2);
    }

    #[test]
    fn small_pieces_share_their_memory() {
        let mut chunks = Chunks::default();
        (0..10_000).for_each(|_| chunks.push(Bytes::from_static(b"0123456789")));
        assert!(chunks.chunks.len() <= 100_000 / TAIL_BYTES + 1);
    }
}
