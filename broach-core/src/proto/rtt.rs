//! The round-trip time of a session, and how long to wait before probing (RFC 9002 §5, §6.2).

use std::time::Duration;

/// Smoothed round-trip time and its variation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rtt {
    smoothed: Duration,
    variation: Duration,
    latest: Duration,
    /// The last measurement without what the other side waited.
    adjusted: Duration,
    min: Option<Duration>,
}

impl Rtt {
    /// An estimator that has seen nothing yet and assumes `initial`.
    pub(crate) fn new(initial: Duration) -> Self {
        Self {
            smoothed: initial,
            variation: initial / 2,
            latest: initial,
            adjusted: initial,
            min: None,
        }
    }

    /// Takes in a measurement. `ack_delay` is how long the other side says it kept the
    /// acknowledgement back, already limited to what it may.
    pub(crate) fn update(&mut self, sample: Duration, ack_delay: Duration) {
        if IMPLAUSIBLE < sample {
            return;
        }
        self.latest = sample;
        self.adjusted = sample;
        let Some(min) = self.min else {
            self.min = Some(sample);
            self.smoothed = sample;
            self.variation = sample / 2;
            return;
        };
        let min = min.min(sample);
        self.min = Some(min);
        // The delay is believed only as far as it leaves the smallest round trip ever seen.
        let adjusted = if min + ack_delay <= sample { sample - ack_delay } else { sample };
        self.adjusted = adjusted;
        let difference = self.smoothed.abs_diff(adjusted);
        self.variation = (3 * self.variation + difference) / 4;
        self.smoothed = (7 * self.smoothed + adjusted) / 8;
    }

    /// The smoothed round-trip time; `None` before the first measurement.
    pub(crate) const fn measured(&self) -> Option<Duration> {
        match self.min {
            Some(_) => Some(self.smoothed),
            None => None,
        }
    }

    /// The smoothed round-trip time, or what is assumed of it.
    pub(crate) const fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// The last measurement, without what the other side waited as far as that is believed.
    pub(crate) const fn adjusted(&self) -> Duration {
        self.adjusted
    }

    /// The shortest round trip so far; zero before the first measurement.
    pub(crate) fn shortest(&self) -> Duration {
        self.min.unwrap_or_default()
    }

    /// How long to wait for an acknowledgement before probing, before any back-off.
    pub(crate) fn probe_timeout(&self, max_ack_delay: Duration, floor: Duration) -> Duration {
        let wait = self.smoothed + (4 * self.variation).max(GRANULARITY) + max_ack_delay;
        wait.max(floor)
    }

    /// How long after its sending a datagram counts as lost once a later one has arrived.
    pub(crate) fn loss_delay(&self, floor: Duration) -> Duration {
        (self.smoothed.max(self.latest) * 9 / 8).max(floor)
    }
}

/// A round trip that long means that a process slept, not that the network is slow.
const IMPLAUSIBLE: Duration = Duration::from_secs(5);

/// What timers resolve (RFC 9002, `kGranularity`).
const GRANULARITY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_measurement_replaces_the_assumption() {
        let mut rtt = Rtt::new(20 * MS);
        assert_eq!(rtt.measured(), None);
        assert_eq!(rtt.probe_timeout(5 * MS, 10 * MS), 65 * MS);
        rtt.update(4 * MS, Duration::ZERO);
        assert_eq!(rtt.measured(), Some(4 * MS));
        assert_eq!(rtt.probe_timeout(5 * MS, 10 * MS), 17 * MS);
    }

    #[test]
    fn a_steady_round_trip_brings_the_wait_down_to_its_floor() {
        let mut rtt = Rtt::new(20 * MS);
        for _ in 0..100 {
            rtt.update(MS / 10, Duration::ZERO);
        }
        assert_eq!(rtt.probe_timeout(5 * MS, 10 * MS), 10 * MS);
        assert_eq!(rtt.loss_delay(5 * MS), 5 * MS);
    }

    #[test]
    fn what_the_other_side_waited_is_taken_off() {
        let mut rtt = Rtt::new(20 * MS);
        rtt.update(2 * MS, Duration::ZERO);
        for _ in 0..100 {
            rtt.update(6 * MS, 4 * MS);
        }
        let measured = rtt.measured().unwrap();
        assert!(measured < MS * 21 / 10, "{measured:?}");
    }

    #[test]
    fn a_process_that_slept_does_not_spoil_the_estimate() {
        let mut rtt = Rtt::new(20 * MS);
        rtt.update(MS, Duration::ZERO);
        rtt.update(Duration::from_secs(60), Duration::ZERO);
        assert_eq!(rtt.measured(), Some(MS));
    }
}
