//! [`Timer`]: the one timer of a driver.

use std::fmt;
use std::sync::Arc;
use std::task::Context;

use crate::deadline::{Clock, Sleep, Time};
use crate::proto::EARLY_MAX;

/// The driver's one timer. A wait that is a little too short is kept rather than set anew at every
/// turn; see `proto::timers` for why it is not much too short.
pub(super) struct Timer {
    clock: Arc<dyn Clock>,
    /// When the driver has something to do.
    due: Option<Time>,
    sleep: Option<(Time, Sleep)>,
}

impl Timer {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, due: None, sleep: None }
    }

    pub(super) fn set(&mut self, due: Option<Time>) {
        self.due = due;
    }

    /// Makes sure that it is reached by then.
    pub(super) fn set_before(&mut self, due: Time) {
        self.due = Some(self.due.map_or(due, |at| at.min(due)));
    }

    /// Whether it has been reached; if not, the task is woken when it is.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.due else { return false };
        loop {
            let now = self.clock.now();
            if due <= now {
                self.due = None;
                return true;
            }
            let (_, sleep) = match &mut self.sleep {
                Some(sleep) if sleep.0 <= due && due < sleep.0 + EARLY_MAX => sleep,
                _ => self.sleep.insert((due, self.clock.sleep_until(due))),
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.sleep = None;
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("due", &self.due).finish_non_exhaustive()
    }
}
