//! [`Waiters`]: those who wait for a change.

use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use slab::Slab;

/// Tasks that want to be woken. They may come and go at any time, on any thread.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Slab<Option<Waker>>>);

/// The place of one who waits.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<usize>);

impl Waiters {
    /// Has the task woken at the next change. Whoever calls this has to look afterwards whether
    /// the change has come meanwhile.
    pub(crate) fn register(&self, place: &mut Place, waker: &Waker) {
        let mut wakers = self.lock();
        match place.0 {
            Some(key) => wakers[key] = Some(waker.clone()),
            None => place.0 = Some(wakers.insert(Some(waker.clone()))),
        }
    }

    /// Gives up a place.
    pub(crate) fn leave(&self, place: &mut Place) {
        if let Some(key) = place.0.take() {
            self.lock().remove(key);
        }
    }

    /// Wakes all.
    pub(crate) fn wake(&self) {
        // They keep their places, which are theirs to give up. Woken once the lock is free.
        let wakers: Vec<Waker> =
            self.lock().iter_mut().filter_map(|(_, waker)| waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slab<Option<Waker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
