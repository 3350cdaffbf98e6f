//! [`Gate`]: whether messages are wanted of a handler that is polled all the same.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

/// Stands between a [`Pump`](super::Pump) and the handler whose replies it moves, whatever layers
/// are between them.
///
/// While it is shut, the handler goes on with its work but gives no messages, though there may be
/// some. To a layer that is a stream which has to wait, and which it need not poll again before it
/// is woken: so whoever found the gate shut is woken when it opens.
#[derive(Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    found_shut: Mutex<Vec<Waker>>,
}

/// A gate that goes along with a request.
pub(crate) type SharedGate = Arc<Gate>;

impl Gate {
    /// Whether no message is wanted for now; the task is woken when one is.
    pub(super) fn is_shut(&self, cx: &Context<'_>) -> bool {
        if !self.shut.load(Ordering::Relaxed) {
            return false;
        }
        let mut found_shut = self.found_shut.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock it is certain: who is not seen by those that open it sees it open.
        let shut = self.shut.load(Ordering::Relaxed);
        if shut && !found_shut.iter().any(|waker| waker.will_wake(cx.waker())) {
            found_shut.push(cx.waker().clone());
        }
        shut
    }

    pub(super) fn shut(&self) {
        self.shut.store(true, Ordering::Relaxed);
    }

    /// Opens it, and wakes those who found it shut; but for the task that polls now, which is given
    /// if it is about to look.
    pub(super) fn open(&self, now: Option<&Waker>) {
        let found_shut = {
            let mut found_shut = self.found_shut.lock().unwrap_or_else(PoisonError::into_inner);
            self.shut.store(false, Ordering::Relaxed);
            std::mem::take(&mut *found_shut)
        };
        let others = |waker: &Waker| now.is_none_or(|now| !waker.will_wake(now));
        found_shut.into_iter().filter(others).for_each(Waker::wake);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("shut", &self.shut).finish_non_exhaustive()
    }
}
