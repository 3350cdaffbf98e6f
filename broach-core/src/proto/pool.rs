//! [`Pool`]: memory for what comes in, with a limit, and what of it has been set aside.

/// Bytes that a node, or one session of it, keeps for calls of which not everything has come, or
/// has been taken.
///
/// What is set aside for a call covers all that its sender may send, so that it can be kept when it
/// comes. A part as large as the largest message is left to messages that are waited for by plan:
/// so the oldest of them finds room as soon as those before it have come.
#[derive(Debug)]
pub(crate) struct Pool {
    bytes_max: usize,
    /// Bytes of the largest message, with what comes with it.
    message_max: usize,
    /// What others may be told that they may send unasked.
    for_unasked: usize,
    /// Set aside for what may come unasked.
    unasked: usize,
    /// For the windows of streams.
    streams: usize,
    /// For messages that have been given credit to their end.
    granted: usize,
    /// Who waits until there is enough.
    first: Option<First>,
}

/// A message for which there is not enough.
#[derive(Clone, Copy, Debug)]
struct First {
    age: u64,
    /// How many younger ones have been served since.
    passed: u32,
}

/// What memory is set aside for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// What may come of a message unasked.
    Unasked,
    /// The window of a stream, or a record beyond it for which nobody waits yet.
    Stream,
    /// A message to its end, which is so old: a smaller number is older.
    Message { age: u64 },
}

/// There is not enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Full;

impl Pool {
    /// Of `bytes_max` bytes, beside the largest message, half may come unasked; of them
    /// `unasked_max` at the most.
    pub(crate) fn new(bytes_max: usize, message_max: usize, unasked_max: usize) -> Self {
        let for_unasked = (bytes_max.saturating_sub(message_max) / 2).min(unasked_max);
        Self {
            bytes_max,
            message_max,
            for_unasked,
            unasked: 0,
            streams: 0,
            granted: 0,
            first: None,
        }
    }

    /// Bytes that are set aside.
    pub(crate) const fn used(&self) -> usize {
        self.unasked + self.streams + self.granted
    }

    /// How much may be told to others as what they may send unasked.
    pub(crate) const fn for_unasked(&self) -> usize {
        self.for_unasked
    }

    /// Whether so many bytes can be set aside.
    pub(crate) fn has(&self, purpose: Purpose, bytes: usize) -> bool {
        let beside = self.bytes_max.saturating_sub(self.message_max);
        let fits = match purpose {
            Purpose::Unasked => self.unasked + self.streams + bytes <= beside,
            // The rest is for what comes unasked: streams that stay open do not keep it out.
            Purpose::Stream => self.streams + bytes <= beside - self.for_unasked,
            // What others have been told that they may send unasked is kept for them.
            Purpose::Message { age } => {
                let unasked = self.unasked.max(self.for_unasked);
                self.granted + self.streams + unasked + bytes <= self.bytes_max
                    && self.first.is_none_or(|first| age <= first.age || first.passed < PASSED_MAX)
            }
        };
        fits && self.used() + bytes <= self.bytes_max
    }

    /// Sets bytes aside that are [there](Self::has).
    pub(crate) fn take(&mut self, purpose: Purpose, bytes: usize) {
        if let (Purpose::Message { age }, Some(first)) = (purpose, &mut self.first) {
            first.passed += u32::from(first.age < age);
        }
        *self.part(purpose) += bytes;
    }

    /// Bytes that were set aside are free again.
    pub(crate) const fn give_back(&mut self, purpose: Purpose, bytes: usize) {
        *self.part(purpose) -= bytes;
    }

    /// How old the message is that waits until there is enough.
    pub(crate) fn waits(&self) -> Option<u64> {
        self.first.map(|first| first.age)
    }

    /// A message did not find enough. Others do not pass it for ever.
    pub(crate) fn wait(&mut self, age: u64) {
        if self.first.is_none_or(|first| age < first.age) {
            self.first = Some(First { age, passed: 0 });
        }
    }

    /// A message does not wait any more.
    pub(crate) fn stop_waiting(&mut self, age: u64) {
        if self.first.is_some_and(|first| first.age == age) {
            self.first = None;
        }
    }

    const fn part(&mut self, purpose: Purpose) -> &mut usize {
        match purpose {
            Purpose::Unasked => &mut self.unasked,
            Purpose::Stream => &mut self.streams,
            Purpose::Message { .. } => &mut self.granted,
        }
    }
}

/// So many messages that are younger are served before one that needs more memory than there is;
/// then it is waited until there is enough.
pub(super) const PASSED_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Purpose = Purpose::Message { age: 0 };
    const YOUNG: Purpose = Purpose::Message { age: 1 };

    #[test]
    fn the_largest_message_finds_room_beside_all_that_comes_unasked() {
        let mut pool = Pool::new(1_000, 600, 1_000);
        assert!(pool.has(Purpose::Unasked, 400) && !pool.has(Purpose::Unasked, 401));
        assert!(pool.has(Purpose::Stream, 200) && !pool.has(Purpose::Stream, 201));
        assert!(Pool::new(1_000, 600, 50).has(Purpose::Stream, 350));
        pool.take(Purpose::Stream, 200);
        pool.take(Purpose::Unasked, 200);
        assert!(pool.has(OLD, 600) && !pool.has(OLD, 601));
        pool.take(OLD, 600);
        assert_eq!(pool.used(), 1_000);
        assert!(!pool.has(Purpose::Unasked, 1) && !pool.has(Purpose::Stream, 1));
        // What may come unasked is not given to others while it does not come.
        pool.give_back(Purpose::Unasked, 200);
        assert!(!pool.has(YOUNG, 1) && pool.has(Purpose::Unasked, 200));
    }

    #[test]
    fn a_large_message_is_passed_by_a_few_and_then_waited_for() {
        let mut pool = Pool::new(1_000, 600, 1_000);
        pool.take(YOUNG, 500);
        assert!(!pool.has(OLD, 600));
        pool.wait(0);
        for _ in 0..PASSED_MAX {
            assert!(pool.has(YOUNG, 10));
            pool.take(YOUNG, 10);
        }
        assert!(!pool.has(YOUNG, 10), "there is room, but not for this one");
        assert!(pool.has(OLD, 10));
        pool.stop_waiting(1);
        assert!(!pool.has(YOUNG, 10));
        pool.stop_waiting(0);
        assert!(pool.has(YOUNG, 10));
    }
}
