//! Which call ids have been used: what makes a call run at most once.

use std::collections::VecDeque;

use crate::ids::CallId;

/// A set of call ids of which nothing is ever forgotten, in bounded memory.
///
/// Ids come up from 0 without gaps that last, so all below a floor have been seen, and a window of
/// [`WINDOW`] ids above it is kept as bits: 8 KiB at the most, and a few words as a rule. An id
/// beyond the window cannot be told from one to come later and is refused; a caller holds back as
/// long as one of its earlier calls has not arrived.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The lowest id that has not been seen, rounded down to a multiple of 64.
    base: u64,
    words: VecDeque<u64>,
}

/// How far ids may be ahead of the lowest one that has not been seen.
pub(crate) const WINDOW: u64 = 1 << 16;

/// An id lies so far ahead that it cannot be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TooFarAhead;

impl Seen {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an id; tells whether it is new.
    ///
    /// # Errors
    ///
    /// If it lies beyond the window.
    pub(crate) fn insert(&mut self, id: CallId) -> Result<bool, TooFarAhead> {
        let Some(offset) = id.0.checked_sub(self.base) else {
            return Ok(false);
        };
        if WINDOW <= offset {
            return Err(TooFarAhead);
        }
        let (word, bit) = ((offset / 64) as usize, 1_u64 << (offset % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        while self.words.front() == Some(&u64::MAX) {
            self.words.pop_front();
            self.base += 64;
        }
        Ok(new)
    }

    /// Whether an id is in it.
    pub(crate) fn contains(&self, id: CallId) -> bool {
        let Some(offset) = id.0.checked_sub(self.base) else { return true };
        let word = usize::try_from(offset / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & 1 << (offset % 64) != 0)
    }

    /// The lowest id above all that are in it.
    pub(crate) fn end(&self) -> CallId {
        // The last word was added for an id that is in it.
        let unused = self.words.back().map_or(0, |word| word.leading_zeros());
        CallId(self.base + 64 * self.words.len() as u64 - u64::from(unused))
    }

    /// Whether an id could be added now.
    pub(crate) const fn has_room_for(&self, id: CallId) -> bool {
        id.0.saturating_sub(self.base) < WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn an_id_is_new_once() {
        let mut seen = Seen::new();
        for id in 0..1_000 {
            assert_eq!(seen.end(), CallId(id));
            assert_eq!(seen.insert(CallId(id)), Ok(true));
        }
        for id in 0..1_000 {
            assert_eq!(seen.insert(CallId(id)), Ok(false));
        }
        assert!(seen.words.len() <= 1, "ids without gaps take no memory");
    }

    #[test]
    fn it_agrees_with_a_set_in_any_order() {
        let mut rng = Rng::from_seed(21);
        let (mut seen, mut model) = (Seen::new(), BTreeSet::new());
        for _ in 0..200_000 {
            let id = rng.below(100_000);
            match seen.insert(CallId(id)) {
                Ok(new) => {
                    assert_eq!(new, model.insert(id));
                    let other = rng.below(100_000);
                    assert_eq!(seen.contains(CallId(other)), model.contains(&other));
                    assert_eq!(Some(seen.end().0 - 1), model.last().copied());
                }
                Err(TooFarAhead) => {
                    let lowest = (0..).find(|id| !model.contains(id)).unwrap();
                    assert!(lowest + WINDOW - 64 < id, "{id} was refused, {lowest} is missing");
                }
            }
        }
        assert!(seen.words.len() <= WINDOW as usize / 64);
    }

    #[test]
    fn an_id_beyond_the_window_is_refused() {
        let mut seen = Seen::new();
        assert_eq!(seen.insert(CallId(WINDOW)), Err(TooFarAhead));
        assert_eq!(seen.insert(CallId(u64::MAX)), Err(TooFarAhead));
        assert_eq!(seen.insert(CallId(WINDOW - 1)), Ok(true));
        assert!(!seen.has_room_for(CallId(WINDOW)));
    }
}
