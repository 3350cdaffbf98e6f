//! [`Queue`]: which chunk of the text is next, over and over again.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Hands out the chunks of a text in order, and again from the first, until it is closed.
#[derive(Debug)]
pub(crate) struct Queue {
    chunks: usize,
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    next: usize,
    /// Passes that were begun.
    passes: u64,
    end: End,
}

/// When to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Open,
    /// After the pass under way, or the first one.
    WithPass,
    Now,
}

impl Queue {
    pub(crate) const fn new(chunks: usize) -> Self {
        Self { chunks, turn: Mutex::new(Turn { next: 0, passes: 0, end: End::Open }) }
    }

    /// The number of the next chunk; `None` once there is no more to do.
    pub(crate) fn next(&self) -> Option<usize> {
        let mut turn = self.turn();
        let between = turn.next == 0;
        let over = match turn.end {
            End::Open => false,
            End::WithPass => between && 0 < turn.passes,
            End::Now => true,
        };
        if over || self.chunks == 0 {
            return None;
        }
        turn.passes += u64::from(between);
        let chunk = turn.next;
        turn.next = (chunk + 1) % self.chunks;
        Some(chunk)
    }

    /// Begins no further pass.
    pub(crate) fn close(&self) {
        let mut turn = self.turn();
        if turn.end == End::Open {
            turn.end = End::WithPass;
        }
    }

    /// Hands out nothing more.
    pub(crate) fn stop(&self) {
        self.turn().end = End::Now;
    }

    /// How many passes were begun.
    pub(crate) fn passes(&self) -> u64 {
        self.turn().passes
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(queue: &Queue) -> Vec<usize> {
        std::iter::from_fn(|| queue.next()).collect()
    }

    #[test]
    fn a_closed_queue_ends_with_the_pass_under_way() {
        let queue = Queue::new(3);
        let first: Vec<_> = (0..4).map_while(|_| queue.next()).collect();
        assert_eq!(first, [0, 1, 2, 0]);
        queue.close();
        assert_eq!(rest(&queue), [1, 2]);
        assert_eq!(queue.passes(), 2);
    }

    #[test]
    fn closed_between_two_passes_it_ends_at_once() {
        let queue = Queue::new(2);
        assert_eq!([queue.next(), queue.next()], [Some(0), Some(1)]);
        queue.close();
        assert_eq!(rest(&queue), []);
        assert_eq!(queue.passes(), 1);
    }

    #[test]
    fn there_is_one_pass_at_least() {
        let queue = Queue::new(2);
        queue.close();
        assert_eq!(rest(&queue), [0, 1]);
    }

    #[test]
    fn a_stopped_queue_ends_within_a_pass() {
        let queue = Queue::new(2);
        assert_eq!(queue.next(), Some(0));
        queue.stop();
        queue.close();
        assert_eq!(rest(&queue), []);
    }

    #[test]
    fn without_chunks_there_is_nothing_to_do() {
        assert_eq!(rest(&Queue::new(0)), []);
    }
}
