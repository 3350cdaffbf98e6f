//! [`Queue`]: what is handed from one side to the other in order, and how far one may be ahead.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Items from one sender to one reader, which may be in different tasks or in the same.
///
/// Written for the second case, in which a task sends a few, reads them, and sends more: it wakes
/// nobody who is there already, and an item costs no memory of its own.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    count_max: usize,
    bytes_max: usize,
}

struct State<T> {
    /// With how many bytes each of them counts.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    sender: Option<Waker>,
    reader: Option<Waker>,
    sender_gone: bool,
    reader_gone: bool,
}

/// Nobody reads the queue any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ReaderGone;

impl<T> Queue<T> {
    /// A queue that takes more as long as it holds fewer items than `count_max`, and fewer bytes
    /// than `bytes_max`.
    pub(crate) fn new(count_max: usize, bytes_max: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            bytes: 0,
            sender: None,
            reader: None,
            sender_gone: false,
            reader_gone: false,
        };
        Self { state: Mutex::new(state), count_max, bytes_max }
    }

    /// Waits until it takes one more.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), ReaderGone>> {
        let mut state = self.lock();
        if state.reader_gone {
            return Poll::Ready(Err(ReaderGone));
        }
        if state.items.len() < self.count_max && state.bytes < self.bytes_max {
            return Poll::Ready(Ok(()));
        }
        keep(&mut state.sender, cx);
        Poll::Pending
    }

    /// Adds an item that counts with so many bytes.
    ///
    /// # Errors
    ///
    /// If nobody reads it; it is dropped then.
    pub(crate) fn push(&self, item: T, bytes: usize) -> Result<(), ReaderGone> {
        let mut state = self.lock();
        if state.reader_gone {
            drop(state);
            return Err(ReaderGone);
        }
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        wake_unlocked(state, |state| state.reader.take());
        Ok(())
    }

    /// The next item; `None` once there is no sender any more.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        let Some((item, bytes)) = state.items.pop_front() else {
            if state.sender_gone {
                return Poll::Ready(None);
            }
            keep(&mut state.reader, cx);
            return Poll::Pending;
        };
        state.bytes -= bytes;
        // Woken when half of it is free, so that it can go on for a while.
        if 2 * state.items.len() <= self.count_max && state.bytes <= self.bytes_max / 2 {
            wake_unlocked(state, |state| state.sender.take());
        }
        Poll::Ready(Some(item))
    }

    /// The same for a reader that polls the sender itself before it waits, unless the sender is in
    /// another task: it need not wake itself.
    pub(crate) fn poll_next_of_own(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.lock().sender.take_if(|sender| sender.will_wake(cx.waker()));
        self.poll_next(cx)
    }

    /// Whether no item is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().items.is_empty()
    }

    /// The reader is about to look again, and need not be woken before it waits.
    pub(crate) fn on_reader_awake(&self) {
        self.lock().reader = None;
    }

    pub(crate) fn on_sender_gone(&self) {
        let mut state = self.lock();
        state.sender_gone = true;
        wake_unlocked(state, |state| state.reader.take());
    }

    pub(crate) fn on_reader_gone(&self) {
        let mut state = self.lock();
        state.reader_gone = true;
        // What an item does when it is dropped is its own business, and not under the lock.
        let items = std::mem::take(&mut state.items);
        wake_unlocked(state, |state| state.sender.take());
        drop(items);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

/// Wakes one of the two once the lock is free.
fn wake_unlocked<T>(
    mut state: MutexGuard<'_, State<T>>,
    whom: impl FnOnce(&mut State<T>) -> Option<Waker>,
) {
    let waker = whom(&mut state);
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures::task::{ArcWake, waker};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl ArcWake for Wakes {
        fn wake_by_ref(wakes: &Arc<Self>) {
            wakes.0.fetch_add(1, Relaxed);
        }
    }

    fn task() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (Arc::clone(&wakes), waker(wakes))
    }

    #[test]
    fn a_sender_waits_for_half_of_the_items_and_of_the_bytes() {
        let (wakes, waker) = task();
        let cx = &mut Context::from_waker(&waker);
        let reader = &mut Context::from_waker(Waker::noop());
        for (queue, bytes) in [(Queue::new(4, usize::MAX), 0), (Queue::new(usize::MAX, 40), 10)] {
            let before = wakes.0.load(Relaxed);
            for item in 0..4 {
                assert!(queue.poll_room(cx).is_ready());
                queue.push(item, bytes).unwrap();
            }
            assert!(queue.poll_room(cx).is_pending());
            assert_eq!(queue.poll_next(reader), Poll::Ready(Some(0)));
            assert_eq!(wakes.0.load(Relaxed), before);
            assert_eq!(queue.poll_next(reader), Poll::Ready(Some(1)));
            assert_eq!(wakes.0.load(Relaxed), before + 1);
        }
    }

    #[test]
    fn whoever_sends_and_reads_in_one_task_is_not_woken_for_it() {
        let (wakes, waker) = task();
        let cx = &mut Context::from_waker(&waker);
        let queue = Queue::new(1, usize::MAX);
        assert!(queue.poll_next_of_own(cx).is_pending());
        queue.on_reader_awake();
        queue.push((), 0).unwrap();
        assert!(queue.poll_room(cx).is_pending());
        assert!(queue.poll_next_of_own(cx).is_ready());
        assert_eq!(wakes.0.load(Relaxed), 0);
        // But one in another task is.
        queue.push((), 0).unwrap();
        assert!(queue.poll_room(cx).is_pending());
        assert!(queue.poll_next_of_own(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(wakes.0.load(Relaxed), 1);
    }

    #[test]
    fn the_end_of_either_side_is_told_to_the_other() {
        let (wakes, waker) = task();
        let cx = &mut Context::from_waker(&waker);
        let queue = Queue::new(1, usize::MAX);
        assert!(queue.poll_next(cx).is_pending());
        queue.push(1, 0).unwrap();
        queue.on_sender_gone();
        assert_eq!(queue.poll_next(cx), Poll::Ready(Some(1)), "what was sent before comes before");
        assert_eq!(queue.poll_next(cx), Poll::Ready(None));
        let queue = Queue::new(1, usize::MAX);
        queue.push(1, 0).unwrap();
        assert!(queue.poll_room(cx).is_pending());
        queue.on_reader_gone();
        assert_eq!(queue.poll_room(cx), Poll::Ready(Err(ReaderGone)));
        assert_eq!(wakes.0.load(Relaxed), 2);
    }
}
