//! [`SlowStart`]: how a window doubles, and when it stops before the network has to drop anything
//! (HyStart++, RFC 9406).

use std::time::Duration;

use crate::proto::congestion::Acked;

/// The search for what a path carries: the window doubles in each round trip, until round trips
/// become longer because a queue builds up.
///
/// Then it grows more slowly for a few rounds. If they become short again it was noise, and the
/// search goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlowStart {
    /// The number after the last that was sent.
    next: u64,
    /// The round ends when this number has arrived.
    round_end: Option<u64>,
    /// The shortest round trip of the round before.
    last: Option<Duration>,
    /// The shortest of this one, and how many were measured.
    current: Option<Duration>,
    samples: u32,
    doubt: Option<Doubt>,
}

/// Round trips have become longer.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// What they were then.
    baseline: Duration,
    /// Rounds since.
    rounds: u32,
}

/// What an acknowledgement does to the window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Growth {
    pub(super) bytes: u64,
    /// The path carries no more than this.
    pub(super) found: bool,
}

impl SlowStart {
    pub(super) fn on_sent(&mut self, number: u64) {
        self.next = number + 1;
        self.round_end.get_or_insert(number);
    }

    pub(super) fn on_ack(&mut self, ack: &Acked) -> Growth {
        if let Some(sample) = ack.sample {
            self.current = Some(self.current.map_or(sample, |current| current.min(sample)));
            self.samples += 1;
            self.compare();
        }
        let bytes = if self.doubt.is_some() { ack.bytes / SLOWER } else { ack.bytes };
        if self.round_end.is_none_or(|end| ack.largest < end) {
            return Growth { bytes, found: false };
        }
        // What is sent from now on makes up the next round.
        self.round_end = None;
        (self.last, self.current, self.samples) = (self.current, None, 0);
        let rounds = self.doubt.as_mut().map_or(0, |doubt| {
            doubt.rounds += 1;
            doubt.rounds
        });
        Growth { bytes, found: ROUNDS_MAX <= rounds }
    }

    fn compare(&mut self) {
        let (Some(last), Some(current)) = (self.last, self.current) else { return };
        if self.samples < SAMPLES_MIN {
            return;
        }
        match self.doubt {
            None if last + (last / 8).clamp(LONGER_MIN, LONGER_MAX) <= current => {
                self.doubt = Some(Doubt { baseline: current, rounds: 0 });
            }
            Some(doubt) if current < doubt.baseline => self.doubt = None,
            _ => {}
        }
    }
}

/// Before so many round trips have been measured in a round, the shortest of them says little. The
/// RFC has 8, for an acknowledgement of every other datagram; here it is every tenth, and the first
/// rounds have no more than this.
const SAMPLES_MIN: u32 = 3;

/// So much longer than in the round before is no noise, RFC 9406 `MIN_RTT_THRESH` and
/// `MAX_RTT_THRESH`.
const LONGER_MIN: Duration = Duration::from_millis(4);
const LONGER_MAX: Duration = Duration::from_millis(16);

/// How much slower the window grows in doubt, RFC 9406 `CSS_GROWTH_DIVISOR`.
const SLOWER: u64 = 4;

/// And for how many rounds, RFC 9406 `CSS_ROUNDS`.
const ROUNDS_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Time;

    const MS: Duration = Duration::from_millis(1);

    /// A round of ten datagrams whose round trips take `rtt`; what becomes of it.
    fn round(slow_start: &mut SlowStart, number: &mut u64, rtt: Duration) -> Growth {
        let mut growth = Growth { bytes: 0, found: false };
        (*number..*number + 10).for_each(|number| slow_start.on_sent(number));
        for largest in *number..*number + 10 {
            let sample = Some(rtt);
            let ack = Acked { now: Time::ZERO, bytes: 1_000, largest, sample, rtt };
            let step = slow_start.on_ack(&ack);
            growth.bytes += step.bytes;
            growth.found |= step.found;
        }
        *number += 10;
        growth
    }

    #[test]
    fn the_window_doubles_while_round_trips_stay_as_they_are() {
        let (mut slow_start, mut number) = (SlowStart::default(), 0);
        for _ in 0..20 {
            let growth = round(&mut slow_start, &mut number, 20 * MS);
            assert_eq!(growth, Growth { bytes: 10_000, found: false });
        }
    }

    #[test]
    fn round_trips_that_become_longer_and_stay_so_end_the_search() {
        let (mut slow_start, mut number) = (SlowStart::default(), 0);
        round(&mut slow_start, &mut number, 20 * MS);
        let mut rounds = 0;
        while !round(&mut slow_start, &mut number, 25 * MS).found {
            rounds += 1;
        }
        assert_eq!(rounds, ROUNDS_MAX);
    }

    #[test]
    fn a_round_that_was_slow_by_chance_is_forgiven() {
        let (mut slow_start, mut number) = (SlowStart::default(), 0);
        round(&mut slow_start, &mut number, 20 * MS);
        let growth = round(&mut slow_start, &mut number, 30 * MS);
        assert!(growth.bytes < 5_000, "{growth:?}");
        round(&mut slow_start, &mut number, 20 * MS);
        for _ in 0..20 {
            let growth = round(&mut slow_start, &mut number, 20 * MS);
            assert_eq!(growth, Growth { bytes: 10_000, found: false });
        }
    }

    #[test]
    fn a_little_longer_is_noise() {
        let (mut slow_start, mut number) = (SlowStart::default(), 0);
        round(&mut slow_start, &mut number, MS);
        assert_eq!(round(&mut slow_start, &mut number, 4 * MS).bytes, 10_000);
    }
}
