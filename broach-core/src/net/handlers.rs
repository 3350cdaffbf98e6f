//! Handlers at work: started in the driver's own task if they are quick, in tasks of their own if
//! not.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;

use crate::deadline::{Clock, Time};
use crate::ids::MethodId;
use crate::net::driver::{Handler, Work};
use crate::net::inbox::{Command, Inbox};
use crate::proto::{Arrived, CallBytes, Serving};

/// Starts handlers, and stops those that are not needed any more.
///
/// Most handlers answer without waiting for anything. To give each of them a task would cost more
/// than the handler itself, so a handler is polled once where it is, and gets a task only if it has
/// to wait. A method whose first polls take long would hold up everybody else, so it is measured,
/// and given tasks from the start once it has proved slow.
#[derive(Debug)]
pub(super) struct Handlers {
    handler: Arc<dyn Handler>,
    clock: Arc<dyn Clock>,
    inbox: Arc<Inbox>,
    running: FxHashMap<Serving, AbortHandle>,
    /// How long the first poll of a method's handlers takes, smoothed.
    first_poll: FxHashMap<MethodId, Duration>,
    /// How long handlers may still be polled in place in this turn.
    left: Duration,
    /// When the clock was last looked at in this turn.
    now: Time,
}

impl Handlers {
    pub(super) fn new(handler: Arc<dyn Handler>, clock: Arc<dyn Clock>, inbox: Arc<Inbox>) -> Self {
        let (running, first_poll) = (FxHashMap::default(), FxHashMap::default());
        let now = clock.now();
        Self { handler, clock, inbox, running, first_poll, left: TURN_MAX, now }
    }

    /// A turn of the driver begins.
    pub(super) const fn begin_turn(&mut self, now: Time) {
        (self.left, self.now) = (TURN_MAX, now);
    }

    /// Whether handlers have taken so long in this turn that the network should have its own again
    /// before the next one is started.
    pub(super) const fn had_their_turn(&self) -> bool {
        self.left.is_zero()
    }

    /// Starts the handler of a call; gives the reply if it is there at once.
    pub(super) fn start(&mut self, call: Arrived) -> Option<CallBytes> {
        let (serving, method) = (call.serving, call.method);
        let mut work = self.handler.handle(self.now, call);
        let usual = self.first_poll.get(&method).copied().unwrap_or_default();
        if FIRST_POLL_MAX < usual {
            // It is measured again now and then: what made it slow may be over.
            let decayed = usual - usual / 64;
            self.first_poll.insert(method, decayed);
            self.spawn(serving, work);
            return None;
        }
        // If it has to wait it is polled again by its own task, which then is what it wakes.
        let polled = work.poll_unpin(&mut Context::from_waker(Waker::noop()));
        let before = std::mem::replace(&mut self.now, self.clock.now());
        let took = self.now.since(before);
        self.left = self.left.saturating_sub(took);
        self.remember(method, usual, took);
        match polled {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => {
                self.spawn(serving, work);
                None
            }
        }
    }

    fn remember(&mut self, method: MethodId, usual: Duration, took: Duration) {
        // The operating system may take the processor away in the middle of a poll; once does not
        // make a method slow.
        let smoothed = (7 * usual + took.min(3 * FIRST_POLL_MAX)) / 8;
        // Methods are those that this node serves, and unknown ones, which are many only if someone
        // makes them up.
        if self.first_poll.len() < METHODS_MAX || self.first_poll.contains_key(&method) {
            self.first_poll.insert(method, smoothed);
        }
    }

    fn spawn(&mut self, serving: Serving, work: Work) {
        let inbox = Arc::clone(&self.inbox);
        let task = tokio::spawn(async move {
            // The handler's panics are caught where its name is known; this is about the rest.
            let reply = AssertUnwindSafe(work).catch_unwind().await;
            if let Ok(bytes) = reply {
                inbox.push(Command::Reply { serving, bytes });
            }
        });
        self.running.insert(serving, task.abort_handle());
    }

    /// A handler that had a task has ended.
    pub(super) fn on_reply(&mut self, serving: Serving) {
        self.running.remove(&serving);
    }

    /// Stops the handler of a call that has ended without it.
    pub(super) fn stop(&mut self, serving: Serving) {
        if let Some(task) = self.running.remove(&serving) {
            task.abort();
        }
    }

    /// How many handlers have tasks.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        self.running.values().for_each(AbortHandle::abort);
    }
}

/// A method whose first polls take longer than this gets tasks from the start.
const FIRST_POLL_MAX: Duration = Duration::from_micros(20);

/// So long are handlers polled in place in one turn of the driver; the others wait for the next.
/// (To give them tasks instead would cost more than they do: measured with 512 calls under way,
/// twice the processor time per call.)
const TURN_MAX: Duration = Duration::from_micros(100);

/// More methods than a node ever serves.
const METHODS_MAX: usize = 65_536;
