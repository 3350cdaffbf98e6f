//! tokio's time as a [`Clock`].

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::deadline::{Clock, Sleep, Time};

/// The time of tokio's runtime, which a test can pause (`tokio::time::pause`).
///
/// Begins when it is made.
#[derive(Clone, Debug)]
pub(crate) struct TokioClock {
    origin: Instant,
    /// The runtime that it was made in.
    home: Option<Handle>,
}

impl TokioClock {
    /// A clock that shows zero now.
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), home: Handle::try_current().ok() }
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
        // Calls can also be made on threads without a runtime.
        let elsewhere = Handle::try_current().is_err();
        let _inside = self.home.as_ref().filter(|_| elsewhere).map(Handle::enter);
        Box::pin(tokio::time::sleep_until(self.instant(time)))
    }
}
