//! Clocks that are a little wrong.

use std::time::Duration;

use crate::deadline::Time;

/// A node's own idea of time: it begins somewhere and runs a little too fast or too slow.
#[derive(Clone, Copy)]
pub(super) struct LocalClock {
    pub(super) born: Time,
    pub(super) offset: u64,
    pub(super) ppm: i64,
}

impl LocalClock {
    /// What it shows at a time.
    pub(super) fn local(self, global: Time) -> Time {
        let passed = i128::from(global.since(self.born).as_nanos() as u64);
        let passed = passed * i128::from(1_000_000 + self.ppm) / 1_000_000;
        Time::from_nanos(self.offset + passed as u64)
    }

    /// The first moment at which the local clock shows `local` or more.
    pub(super) fn global(self, local: Time) -> Time {
        let passed = i128::from(local.as_nanos().saturating_sub(self.offset));
        let rate = i128::from(1_000_000 + self.ppm);
        let passed = (passed * 1_000_000 + rate - 1) / rate;
        self.born + Duration::from_nanos(passed as u64)
    }
}
