//! Seeing what happens: every datagram, session and call is an event, and every event is counted.
//!
//! Whoever does something says so once, in one place; counters, spans and a user's own [`Observer`]
//! all hang on that place, so that they cannot tell different stories. The sums always hold:
//! datagrams received are those accepted and those dropped, calls started are those ended and those
//! under way. [`guide::observing`](crate::guide::observing) shows how to use it.

mod counters;
mod event;
mod held;
mod log;
mod scope;
mod span;
mod trace;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

pub use counters::{Counters, Errnos};
pub use event::{CloseReason, DropReason, Event, Observer, Role};
pub use held::Held;
pub(crate) use scope::{AttemptScope, CallScope, HandlerScope};
pub use trace::{ParseTraceError, Propagator, TraceContext};

use crate::deadline::Clock;
use crate::rng::Rng;
use counters::Live;
use held::LiveHeld;

/// Where the parts of a node report what they do. Clones report to the same place.
#[derive(Clone)]
pub(crate) struct Observe(Arc<Inner>);

struct Inner {
    counters: Live,
    held: LiveHeld,
    observers: Vec<Arc<dyn Observer>>,
    propagator: Option<Arc<dyn Propagator>>,
    clock: Arc<dyn Clock>,
    /// For the ids of traces and spans; drawn from only while someone collects spans.
    rng: Mutex<Rng>,
}

impl Observe {
    /// Counts, and tells these observers.
    pub(crate) fn new(
        observers: Vec<Arc<dyn Observer>>,
        propagator: Option<Arc<dyn Propagator>>,
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Self {
        let (counters, held, rng) = (Live::default(), LiveHeld::default(), Mutex::new(rng));
        Self(Arc::new(Inner { counters, held, observers, propagator, clock, rng }))
    }

    /// What everything is timed by.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Reports that something happened.
    pub(crate) fn emit(&self, event: Event<'_>) {
        self.0.counters.count(&event);
        log::log(&event);
        for observer in &self.0.observers {
            unharmed(|| observer.event(&event));
        }
    }

    /// What has been counted so far.
    pub(crate) fn counters(&self) -> Counters {
        self.0.counters.read()
    }

    /// So much is held from now on.
    pub(crate) fn hold(&self, held: Held) {
        self.0.held.set(held);
    }

    /// What is held now.
    pub(crate) fn held(&self) -> Held {
        self.0.held.read()
    }

    fn propagator(&self) -> Option<&dyn Propagator> {
        self.0.propagator.as_deref()
    }

    /// Draws from the generator for ids.
    fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.0.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets a user's code look at what happens; `None` if it panics.
///
/// It is called from the middle of the driver, which must not end with it, and while scopes are
/// dropped by another panic, which would end the process.
fn unharmed<T>(look: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(look)).ok()
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe")
            .field("counters", &self.counters())
            .field("observers", &self.0.observers.len())
            .finish_non_exhaustive()
    }
}
