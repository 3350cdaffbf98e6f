//! tokio's time as a [`Clock`].

use std::sync::Arc;

use tokio::time::Instant;

use crate::deadline::{Clock, Sleep, Time};

/// The time of tokio's runtime, which a test can pause (`tokio::time::pause`).
///
/// Begins when it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    /// A clock that shows zero now.
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// The same, to be shared.
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(Self::new())
    }

    /// The moment of tokio's time that this one is.
    pub(super) fn instant(&self, time: Time) -> Instant {
        self.origin + time.since(Time::ZERO)
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    fn sleep_until(&self, time: Time) -> Sleep {
        Box::pin(tokio::time::sleep_until(self.instant(time)))
    }
}
