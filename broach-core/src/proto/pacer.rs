//! [`Pacer`]: when the next datagram may go out, so that a full window does not leave as one burst
//! (RFC 9002 §7.7).

use std::time::Duration;

use crate::deadline::Time;

/// A token bucket, kept as the moment from which on it holds something.
///
/// A path whose round trip is shorter than what timers can divide is not paced: acknowledgements
/// come often enough there.
#[derive(Debug)]
pub(crate) struct Pacer {
    free_at: Time,
}

/// How fast a session sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Bytes that may be in flight.
    pub(crate) window: u64,
    /// The round trip in which they leave.
    pub(crate) rtt: Duration,
    /// It is still looking for what the path carries.
    pub(crate) searching: bool,
    /// The size of a datagram.
    pub(crate) datagram: u64,
}

impl Pacer {
    pub(crate) const fn new() -> Self {
        Self { free_at: Time::ZERO }
    }

    /// When the next datagram may go out.
    pub(crate) const fn free_at(&self) -> Time {
        self.free_at
    }

    /// So many bytes go out.
    pub(crate) fn on_sent(&mut self, now: Time, bytes: u64, rate: Rate) {
        let burst = (rate.window / BURST_PART).min(BURST_DATAGRAMS * rate.datagram);
        let burst = rate.takes(burst).max(BURST_TIME);
        // The datagram that empties the bucket still goes.
        let full = now - burst;
        self.free_at = self.free_at.max(full) + rate.takes(bytes);
    }
}

impl Rate {
    /// How long so many bytes take. A little less than the window would need for a round trip, so
    /// that it is used up all the same; half of that while it is to double.
    fn takes(self, bytes: u64) -> Duration {
        let rtt = u64::try_from(self.rtt.as_nanos()).unwrap_or(u64::MAX);
        let (part, of) = if self.searching { SEARCHING } else { STEADY };
        let nanos = u128::from(rtt) * u128::from(bytes) * u128::from(part)
            / u128::from(of * self.window.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// A path with a shorter round trip is not paced: timers go off once in a millisecond.
pub(crate) const PACED_RTT_MIN: Duration = Duration::from_millis(4);

/// What may leave at once: as much as the operating system takes in one piece.
const BURST_DATAGRAMS: u64 = 16;

/// And no more than this part of the window, so that a short queue holds it.
const BURST_PART: u64 = 8;

/// Or what the rate gives in so long, if that is more: timers are late by a millisecond.
const BURST_TIME: Duration = Duration::from_millis(2);

/// The part of a round trip in which a window leaves.
const SEARCHING: (u64, u64) = (1, 2);
const STEADY: (u64, u64) = (4, 5);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    /// How many datagrams of 1000 bytes may go out now.
    fn burst(pacer: &mut Pacer, now: Time, rate: Rate) -> usize {
        let mut count = 0;
        while pacer.free_at() <= now {
            pacer.on_sent(now, 1_000, rate);
            count += 1;
        }
        count
    }

    #[test]
    fn a_burst_is_what_goes_out_in_one_piece_and_the_rest_follows_in_time() {
        let rate = Rate { window: 200_000, rtt: 80 * MS, searching: false, datagram: 1_000 };
        let mut pacer = Pacer::new();
        assert_eq!(burst(&mut pacer, at(1_000), rate), 17);
        // 200 datagrams in 64 ms.
        let after: usize = (1_001..1_065).map(|ms| burst(&mut pacer, at(ms), rate)).sum();
        assert!((199..=201).contains(&after), "{after}");
        assert_eq!(burst(&mut pacer, at(9_000), rate), 17, "nothing is saved up beyond that");
    }

    #[test]
    fn while_the_window_is_to_double_it_leaves_twice_as_fast() {
        let rate = Rate { window: 100_000, rtt: 80 * MS, searching: true, datagram: 1_000 };
        let mut pacer = Pacer::new();
        burst(&mut pacer, at(1_000), rate);
        let after: usize = (1_001..1_041).map(|ms| burst(&mut pacer, at(ms), rate)).sum();
        assert!((99..=101).contains(&after), "{after}");
    }

    #[test]
    fn a_fast_path_gets_what_it_carries_until_the_timer_goes_off() {
        let rate = Rate { window: 10_000_000, rtt: 8 * MS, searching: false, datagram: 1_000 };
        let mut pacer = Pacer::new();
        burst(&mut pacer, at(1_000), rate);
        // Every other time the timer is late by a millisecond.
        let after: usize = (0..32).map(|n| burst(&mut pacer, at(1_002 + 2 * n), rate)).sum();
        assert!((99_000..101_000).contains(&after), "{after}");
    }
}
