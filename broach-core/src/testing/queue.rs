//! The queue in front of a way that carries only so much.

use std::time::Duration;

use crate::deadline::Time;
use crate::testing::Faults;

/// Datagrams that wait for their turn on a way, one after the other. What does not fit is dropped
/// at the tail, as by most routers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queue {
    /// When the last of them will be through.
    free: Time,
}

/// How a datagram comes through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Passage {
    /// When the last of its bytes is on the way.
    pub(crate) through: Time,
    /// How long it waited for its turn.
    pub(crate) waited: Duration,
}

impl Queue {
    /// When a datagram of so many bytes is through that comes now; `None` if it would have to wait
    /// for too long.
    pub(crate) fn pass(&mut self, now: Time, bytes: usize, faults: &Faults) -> Option<Passage> {
        let Some(rate) = faults.bytes_per_second else {
            return Some(Passage { through: now, waited: Duration::ZERO });
        };
        let begins = self.free.max(now);
        let waited = begins.since(now);
        if faults.queue < waited {
            return None;
        }
        let takes = bytes as u64 * 1_000_000_000 / rate.max(1);
        self.free = begins + Duration::from_nanos(takes);
        Some(Passage { through: self.free, waited })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A megabyte each second, so that a thousand bytes take a millisecond.
    fn narrow(queue: Duration) -> Faults {
        Faults { bytes_per_second: Some(1_000_000), queue, ..Faults::default() }
    }

    #[test]
    fn datagrams_take_their_turns() {
        let mut queue = Queue::default();
        let faults = narrow(10 * MS);
        let now = Time::ZERO + 5 * MS;
        let through: Vec<_> =
            (0..3).map(|_| queue.pass(now, 1_000, &faults).unwrap().through.since(now)).collect();
        assert_eq!(through, [MS, 2 * MS, 3 * MS]);
        // What was there before does not matter once it is through.
        let later = now + 50 * MS;
        let passage = Passage { through: later + 2 * MS, waited: Duration::ZERO };
        assert_eq!(queue.pass(later, 2_000, &faults), Some(passage));
    }

    #[test]
    fn a_full_queue_takes_nothing_until_there_is_room() {
        let mut queue = Queue::default();
        let faults = narrow(10 * MS);
        let taken = (0..100).filter(|_| queue.pass(Time::ZERO, 1_000, &faults).is_some()).count();
        // The one that is carried, and those that wait up to 10 ms.
        assert_eq!(taken, 11);
        let room = Time::ZERO + MS;
        assert_eq!(queue.pass(room, 1_000, &faults).map(|passage| passage.waited), Some(10 * MS));
        assert_eq!(queue.pass(room, 1_000, &faults), None);
    }

    #[test]
    fn what_finds_the_queue_empty_gets_through_however_large() {
        let mut queue = Queue::default();
        let faults = Faults { bytes_per_second: Some(1), ..narrow(Duration::ZERO) };
        let passage = queue.pass(Time::ZERO, 65_507, &faults).unwrap();
        assert_eq!(passage.through.since(Time::ZERO), Duration::from_secs(65_507));
        assert_eq!(queue.pass(Time::ZERO, 1, &faults), None);
    }

    #[test]
    fn a_way_without_a_rate_has_no_queue() {
        let mut queue = Queue::default();
        for _ in 0..1_000 {
            let passage = queue.pass(Time::ZERO, 65_507, &Faults::default()).unwrap();
            assert_eq!(passage, Passage { through: Time::ZERO, waited: Duration::ZERO });
        }
    }
}
