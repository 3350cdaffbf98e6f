//! [`WallClock`]: times as they stand in files, which never go back.

use std::time::{Duration, Instant, SystemTime};

/// Unix time in microseconds: the system's clock is read once and goes on by the monotonic one, so
/// that setting the clock moves no time within a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    started_us: u64,
    started: Instant,
}

impl WallClock {
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started_us: micros(since), started: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now_us(self) -> u64 {
        self.started_us + micros(self.started.elapsed())
    }
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
