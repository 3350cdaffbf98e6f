//! [`Early`]: pieces of a call's bytes that have come before those in front of them.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Pieces that wait until the hole before them is filled, by where they begin; none overlap.
#[derive(Debug, Default)]
pub(crate) struct Early {
    pieces: BTreeMap<u64, Bytes>,
    bytes: usize,
}

impl Early {
    /// Keeps those parts of a piece that no other piece covers.
    pub(crate) fn insert(&mut self, offset: u64, piece: &Bytes) {
        // Held as it is it would hold the whole datagram, and those that came with it.
        let (mut offset, mut piece) = (offset, Bytes::copy_from_slice(piece));
        let before = self.pieces.range(..=offset).next_back();
        if let Some((&start, earlier)) = before {
            let covered = (start + earlier.len() as u64).saturating_sub(offset);
            if piece.len() as u64 <= covered {
                return;
            }
            piece = piece.split_off(covered as usize);
            offset += covered;
        }
        while !piece.is_empty() {
            let after = self.pieces.range(offset..).next();
            let (next, covered) = match after {
                Some((&start, later)) => (start, later.len() as u64),
                None => (u64::MAX, 0),
            };
            let free = (next - offset).min(piece.len() as u64) as usize;
            let rest = piece.split_off(free);
            if !piece.is_empty() {
                self.bytes += piece.len();
                self.pieces.insert(offset, piece);
            }
            let skipped = covered.min(rest.len() as u64);
            offset = next.saturating_add(skipped);
            piece = rest.slice(skipped as usize..);
        }
    }

    /// Takes the first piece out if there is no hole between `front` and it.
    pub(crate) fn pop(&mut self, front: u64) -> Option<(u64, Bytes)> {
        let first = self.pieces.first_entry().filter(|first| *first.key() <= front)?;
        let (start, piece) = first.remove_entry();
        self.bytes -= piece.len();
        Some((start, piece))
    }

    /// Where the last piece ends; 0 if there is none.
    pub(crate) fn end(&self) -> u64 {
        let last = self.pieces.last_key_value();
        last.map_or(0, |(start, piece)| start + piece.len() as u64)
    }

    /// What this holds in memory, about: bytes, and what it costs to keep track of the pieces.
    pub(crate) fn memory(&self) -> usize {
        self.bytes + self.pieces.len() * PIECE_OVERHEAD
    }
}

/// What a piece costs beside its bytes: a place in the tree and its share of a datagram's buffer.
const PIECE_OVERHEAD: usize = 128;

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
                early.insert(start, &bytes.slice(start as usize..end as usize));
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
            assert_eq!((early.memory(), early.end()), (0, 0));
        }
    }

    #[test]
    fn a_piece_behind_a_hole_stays() {
        let mut early = Early::default();
        early.insert(10, &Bytes::from_static(b"abc"));
        assert_eq!((early.pop(9), early.end()), (None, 13));
        assert_eq!(early.pop(10), Some((10, Bytes::from_static(b"abc"))));
    }

    #[test]
    fn many_small_pieces_count_for_more_than_their_bytes() {
        let mut early = Early::default();
        for n in 1..=100 {
            early.insert(2 * n, &Bytes::from_static(b"x"));
        }
        assert!(100 * PIECE_OVERHEAD <= early.memory());
    }
}
