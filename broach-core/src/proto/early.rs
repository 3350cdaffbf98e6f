//! [`Early`]: pieces of a call's bytes that have come before those in front of them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

/// Pieces that wait until the hole before them is filled, by where they begin; none overlap.
#[derive(Debug, Default)]
pub(crate) struct Early {
    pieces: BTreeMap<u64, BytesMut>,
    bytes: usize,
}

impl Early {
    /// Whether there are so many holes that a piece that makes one more must not be kept: to keep
    /// track of them would take more memory than the bytes.
    pub(crate) fn is_scattered(&self, offset: u64) -> bool {
        let before = self.pieces.range(..=offset).next_back();
        let joins = before.is_some_and(|(start, piece)| offset <= start + piece.len() as u64);
        !joins && PIECES_MIN + self.bytes / PIECE_BYTES <= self.pieces.len()
    }

    /// Keeps those parts of a piece that no other piece covers. They are copied: held as it is the
    /// piece would hold its whole datagram, and those that came with it.
    pub(crate) fn insert(&mut self, mut offset: u64, mut piece: &[u8]) {
        let before = self.pieces.range(..=offset).next_back();
        if let Some((start, earlier)) = before {
            let covered = (start + earlier.len() as u64).saturating_sub(offset);
            let covered = covered.min(piece.len() as u64);
            piece = &piece[covered as usize..];
            offset += covered;
        }
        while !piece.is_empty() {
            let after = self.pieces.range(offset..).next();
            let (next, covered) = match after {
                Some((&start, later)) => (start, later.len() as u64),
                None => (u64::MAX, 0),
            };
            let free = (next - offset).min(piece.len() as u64) as usize;
            self.add(offset, &piece[..free]);
            let skipped = covered.min((piece.len() - free) as u64);
            offset = next.saturating_add(skipped);
            piece = &piece[free + skipped as usize..];
        }
    }

    /// Adds bytes none of which are here.
    fn add(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        match self.pieces.range_mut(..offset).next_back() {
            Some((start, earlier)) if start + earlier.len() as u64 == offset => {
                earlier.extend_from_slice(bytes);
            }
            _ => {
                self.pieces.insert(offset, bytes.into());
            }
        }
    }

    /// Takes the first piece out if there is no hole between `front` and it.
    pub(crate) fn pop(&mut self, front: u64) -> Option<(u64, Bytes)> {
        let first = self.pieces.first_entry().filter(|first| *first.key() <= front)?;
        let (start, piece) = first.remove_entry();
        self.bytes -= piece.len();
        Some((start, piece.freeze()))
    }

    /// Where the last piece ends; 0 if there is none.
    pub(crate) fn end(&self) -> u64 {
        let last = self.pieces.last_key_value();
        last.map_or(0, |(start, piece)| start + piece.len() as u64)
    }

    /// How many bytes there are.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// So many pieces are kept however small they are.
const PIECES_MIN: usize = 16;

/// More pieces are kept if they have so many bytes each, on average.
const PIECE_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn pieces_come_out_in_order_and_each_byte_once() {
        for seed in 0..200 {
            let mut rng = Rng::from_seed(seed);
            let bytes = Bytes::from((0..=255).cycle().take(1_000).collect::<Vec<u8>>());
            let (mut early, mut held) = (Early::default(), vec![false; bytes.len()]);
            for _ in 0..30 {
                let start = rng.below(1_000);
                let end = (start + 1 + rng.below(100)).min(1_000);
                early.insert(start, &bytes[start as usize..end as usize]);
                held[start as usize..end as usize].fill(true);
                let count = held.iter().filter(|held| **held).count();
                assert_eq!(early.bytes, count, "seed {seed}");
            }
            let mut got = vec![false; bytes.len()];
            while let Some((start, piece)) = early.pop(1_000) {
                let range = start as usize..start as usize + piece.len();
                assert_eq!(piece, bytes[range.clone()], "seed {seed}");
                assert!(got[range.clone()].iter().all(|got| !got), "seed {seed}");
                got[range].fill(true);
            }
            assert_eq!(got, held, "seed {seed}");
            assert_eq!((early.bytes(), early.end()), (0, 0));
        }
    }

    #[test]
    fn a_piece_behind_a_hole_stays() {
        let mut early = Early::default();
        early.insert(10, b"abc");
        early.insert(13, b"de");
        assert_eq!(early.pieces.len(), 1, "one piece");
        assert_eq!((early.pop(9), early.end()), (None, 15));
        assert_eq!(early.pop(10), Some((10, Bytes::from_static(b"abcde"))));
    }

    #[test]
    fn holes_are_bounded_and_those_that_are_filled_make_room() {
        let mut early = Early::default();
        let kept = (1..1_000).take_while(|n| {
            let scattered = early.is_scattered(2 * n);
            early.insert(2 * n, b"x");
            !scattered
        });
        assert_eq!(kept.count(), PIECES_MIN);
        assert!(!early.is_scattered(5), "right behind another");
        early.insert(5_000, &[0; 1_200]);
        assert!(!early.is_scattered(10_000), "there are enough bytes now");
    }
}
