//! The bytes that one side receives in a call: put together in order, whatever order they come in.

use bytes::{Bytes, BytesMut};

use crate::deadline::Time;
use crate::proto::early::Early;
use crate::proto::pool::Full;
use crate::proto::share::{Needed, Owner, Purse, Share};

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
    /// What is set aside for them.
    pub(crate) share: Share,
}

#[derive(Debug, Default)]
enum Front {
    #[default]
    Empty,
    /// The first piece, as it came.
    Piece(Bytes),
    Buffer(BytesMut),
}

/// Why a piece is not taken in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Misfit {
    /// It and others contradict each other about where the bytes end.
    Contradiction,
    /// There are too many holes already; it may fit later.
    Scattered,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes in a piece, which may be said to be the last one, or to be one of so many bytes in
    /// all if `size` is not 0.
    ///
    /// # Errors
    ///
    /// If it lies beyond the end that an earlier piece gave, or gives another end; or if it cannot
    /// be kept now.
    pub(crate) fn insert(
        &mut self,
        offset: u64,
        piece: Bytes,
        fin: bool,
        size: u64,
    ) -> Result<(), Misfit> {
        let piece_end = offset.checked_add(piece.len() as u64).ok_or(Misfit::Contradiction)?;
        for end in [fin.then_some(piece_end), (size != 0).then_some(size)].into_iter().flatten() {
            if self.end.is_some_and(|known| known != end) || end < self.highest() {
                return Err(Misfit::Contradiction);
            }
            self.end = Some(end);
        }
        if self.end.is_some_and(|end| end < piece_end) {
            return Err(Misfit::Contradiction);
        }
        if self.len() < offset {
            if self.early.is_scattered(offset) {
                return Err(Misfit::Scattered);
            }
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

    /// How many bytes there are up to the last one.
    fn highest(&self) -> u64 {
        self.early.end().max(self.len())
    }

    /// Sets memory aside for what may come, and asks for credit for the rest: up to `most` if it is
    /// not known how much it is.
    ///
    /// # Errors
    ///
    /// If there is not enough for what may come unasked.
    pub(crate) fn hold(
        &mut self,
        now: Time,
        owner: Owner,
        most: u64,
        purse: &mut Purse<'_>,
    ) -> Result<(), Full> {
        let end = self.end.unwrap_or(u64::MAX);
        self.share.expect(purse.allowance().min(end).max(self.highest()), purse)?;
        let received = self.len() + self.early.bytes() as u64;
        self.share.on_received(now, received, purse);
        // How much it is stands in the first piece.
        if 0 < self.len() {
            let needed = Needed { received, end: end.min(most), awaited: true };
            self.share.want(now, owner, needed, purse);
        }
        Ok(())
    }

    /// What is set aside, and how much of it is needed.
    #[cfg(test)]
    pub(crate) fn account(&self) -> (usize, u64) {
        (self.share.bytes(), self.share.granted().min(self.end.unwrap_or(u64::MAX)))
    }

    /// The pieces, where the bytes end if that is known, and what is set aside for them.
    pub(crate) fn into_parts(self) -> (Early, Option<u64>, Share) {
        let mut early = self.early;
        match self.front {
            Front::Empty => {}
            Front::Piece(piece) => early.insert(0, &piece),
            Front::Buffer(buffer) => early.insert(0, &buffer.freeze()),
        }
        (early, self.end, self.share)
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
        incoming.insert(0, piece.clone(), true, 0).unwrap();
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
                incoming.insert(start, piece, end == len, 0).unwrap();
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
        incoming.insert(0, piece(10), false, 0).unwrap();
        assert_eq!(incoming.insert(0, piece(5), true, 0), Err(Misfit::Contradiction));
        incoming.insert(10, piece(10), true, 0).unwrap();
        assert_eq!(incoming.insert(20, piece(1), false, 0), Err(Misfit::Contradiction));
        assert_eq!(incoming.insert(10, piece(11), true, 0), Err(Misfit::Contradiction));
        let mut incoming = Incoming::new();
        incoming.insert(30, piece(10), false, 0).unwrap();
        assert_eq!(incoming.insert(0, piece(35), true, 0), Err(Misfit::Contradiction));
        assert_eq!(incoming.insert(u64::MAX, piece(1), false, 0), Err(Misfit::Contradiction));
    }

    #[test]
    fn an_empty_end_is_an_end() {
        let mut incoming = Incoming::new();
        incoming.insert(0, Bytes::from_static(b"ab"), false, 0).unwrap();
        assert_eq!(incoming.take(), None);
        incoming.insert(2, Bytes::new(), true, 0).unwrap();
        assert_eq!(incoming.take().unwrap(), "ab");
    }
}
