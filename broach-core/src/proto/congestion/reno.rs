//! [`Reno`]: the simplest window there is (RFC 9002 §7.3), to measure [`Cubic`] against.
//!
//! [`Cubic`]: crate::proto::congestion::Cubic

use crate::deadline::Time;
use crate::proto::congestion::slow_start::SlowStart;
use crate::proto::congestion::{Acked, Controller, Sign, Sizes};

/// NewReno: one datagram more in each round trip, half the window after a loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reno {
    sizes: Sizes,
    window: u64,
    threshold: Option<u64>,
    slow_start: SlowStart,
    /// Bytes that have arrived since the window last grew.
    counted: u64,
}

impl Controller for Reno {
    fn new(sizes: Sizes) -> Self {
        let slow_start = SlowStart::default();
        Self { sizes, window: sizes.initial, threshold: None, slow_start, counted: 0 }
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn is_searching(&self) -> bool {
        self.threshold.is_none_or(|threshold| self.window < threshold)
    }

    fn on_sent(&mut self, number: u64) {
        self.slow_start.on_sent(number);
    }

    fn on_ack(&mut self, ack: &Acked) {
        if self.is_searching() {
            let growth = self.slow_start.on_ack(ack);
            self.window += growth.bytes;
            if growth.found {
                self.threshold = Some(self.window);
            }
            return;
        }
        self.counted += ack.bytes;
        if self.window <= self.counted {
            self.counted -= self.window;
            self.window += self.sizes.datagram;
        }
    }

    fn on_congestion(&mut self, _: Time, sign: Sign) {
        let kept = (self.window / 2).max(self.sizes.min);
        self.threshold = Some(kept);
        self.window = if sign == Sign::LostAll { self.sizes.min } else { kept };
        (self.counted, self.slow_start) = (0, SlowStart::default());
    }

    fn on_idle(&mut self) {
        self.window = self.window.min(self.sizes.initial);
    }

    fn set_sizes(&mut self, sizes: Sizes) {
        self.sizes = sizes;
        self.window = self.window.max(sizes.min);
    }
}
