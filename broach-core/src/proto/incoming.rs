//! The bytes that one side receives in a call: put together in order, whatever order they come in.

use bytes::{Bytes, BytesMut};

use crate::proto::early::Early;

/// The bytes of one direction of a call as they come in.
///
/// A call whose bytes come in one piece costs no copy. Pieces in order are appended to one buffer;
/// a piece that comes early waits until the hole before it is filled. Nothing is allocated because
/// of a length that the other side only claims.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// All bytes up to the first hole.
    front: Front,
    /// Pieces beyond the first hole.
    early: Early,
    /// Where the bytes end, once that is known.
    end: Option<u64>,
}

#[derive(Debug, Default)]
enum Front {
    #[default]
    Empty,
    /// The first piece, as it came.
    Piece(Bytes),
    Buffer(BytesMut),
}

/// The pieces contradict each other about where the bytes end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Contradiction;

impl Incoming {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes in a piece.
    ///
    /// # Errors
    ///
    /// If it lies beyond the end that an earlier piece gave, or gives another end.
    pub(crate) fn insert(
        &mut self,
        offset: u64,
        piece: Bytes,
        fin: bool,
    ) -> Result<(), Contradiction> {
        let piece_end = offset.checked_add(piece.len() as u64).ok_or(Contradiction)?;
        if fin {
            let highest = self.early.end().max(self.len());
            if self.end.is_some_and(|end| end != piece_end) || piece_end < highest {
                return Err(Contradiction);
            }
            self.end = Some(piece_end);
        }
        if self.end.is_some_and(|end| end < piece_end) {
            return Err(Contradiction);
        }
        if self.len() < offset {
            self.early.insert(offset, &piece);
            return Ok(());
        }
        self.append(offset, piece);
        if let Front::Piece(piece) = &mut self.front
            && self.end != Some(piece.len() as u64)
        {
            *piece = Bytes::copy_from_slice(piece);
        }
        while let Some((start, piece)) = self.early.pop(self.len()) {
            self.append(start, piece);
        }
        Ok(())
    }

    /// Appends what is new of a piece that begins within the front or right behind it.
    fn append(&mut self, offset: u64, mut piece: Bytes) {
        let known = self.len() - offset;
        if piece.len() as u64 <= known {
            return;
        }
        let piece = piece.split_off(known as usize);
        self.front = match std::mem::take(&mut self.front) {
            Front::Empty => Front::Piece(piece),
            Front::Piece(first) => {
                let mut buffer = BytesMut::with_capacity(2 * (first.len() + piece.len()));
                buffer.extend_from_slice(&first);
                buffer.extend_from_slice(&piece);
                Front::Buffer(buffer)
            }
            Front::Buffer(mut buffer) => {
                buffer.extend_from_slice(&piece);
                Front::Buffer(buffer)
            }
        };
    }

    /// How many bytes there are before the first hole.
    fn len(&self) -> u64 {
        match &self.front {
            Front::Empty => 0,
            Front::Piece(piece) => piece.len() as u64,
            Front::Buffer(buffer) => buffer.len() as u64,
        }
    }

    /// What this holds in memory, about: bytes, and what it costs to keep track of the pieces.
    pub(crate) fn memory(&self) -> usize {
        self.len() as usize + self.early.memory()
    }

    /// The pieces, and where the bytes end if that is known.
    pub(crate) fn into_early(self) -> (Early, Option<u64>) {
        let mut early = self.early;
        match self.front {
            Front::Empty => {}
            Front::Piece(piece) => early.insert(0, &piece),
            Front::Buffer(buffer) => early.insert(0, &buffer.freeze()),
        }
        (early, self.end)
    }

    /// All bytes, once none is missing.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        if self.end != Some(self.len()) {
            return None;
        }
        Some(match std::mem::take(&mut self.front) {
            Front::Empty => Bytes::new(),
            Front::Piece(piece) => piece,
            Front::Buffer(buffer) => buffer.freeze(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_single_piece_is_passed_on_without_a_copy() {
        let piece = Bytes::from(vec![1, 2, 3]);
        let mut incoming = Incoming::new();
        incoming.insert(0, piece.clone(), true).unwrap();
        let taken = incoming.take().unwrap();
        assert_eq!(taken.as_ptr(), piece.as_ptr());
    }

    #[test]
    fn pieces_in_any_order_with_any_overlap_give_the_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3_000).collect();
        let whole = Bytes::from(bytes);
        for seed in 0..300 {
            let mut rng = Rng::from_seed(seed);
            let mut incoming = Incoming::new();
            let len = whole.len() as u64;
            let mut pieces = 0;
            let taken = loop {
                // The first byte comes as often as a hundred others together.
                let start = rng.below(len + 100).saturating_sub(100);
                let end = (start + 1 + rng.below(400)).min(len);
                let piece = whole.slice(start as usize..end as usize);
                incoming.insert(start, piece, end == len).unwrap();
                pieces += 1;
                if let Some(taken) = incoming.take() {
                    break taken;
                }
                assert!(pieces < 10_000, "seed {seed}");
            };
            assert_eq!(taken, whole, "seed {seed}");
        }
    }

    #[test]
    fn contradictory_ends_are_refused() {
        let piece = |len: usize| Bytes::from(vec![0; len]);
        let mut incoming = Incoming::new();
        incoming.insert(0, piece(10), false).unwrap();
        assert_eq!(incoming.insert(0, piece(5), true), Err(Contradiction));
        incoming.insert(10, piece(10), true).unwrap();
        assert_eq!(incoming.insert(20, piece(1), false), Err(Contradiction));
        assert_eq!(incoming.insert(10, piece(11), true), Err(Contradiction));
        let mut incoming = Incoming::new();
        incoming.insert(30, piece(10), false).unwrap();
        assert_eq!(incoming.insert(0, piece(35), true), Err(Contradiction));
        assert_eq!(incoming.insert(u64::MAX, piece(1), false), Err(Contradiction));
    }

    #[test]
    fn an_empty_end_is_an_end() {
        let mut incoming = Incoming::new();
        incoming.insert(0, Bytes::from_static(b"ab"), false).unwrap();
        assert_eq!(incoming.take(), None);
        incoming.insert(2, Bytes::new(), true).unwrap();
        assert_eq!(incoming.take().unwrap(), "ab");
    }
}
