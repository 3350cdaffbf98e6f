//! What has arrived in a session: duplicates are told apart here, and acknowledgements come from
//! here (RFC 9000 §13.2).

use std::time::Duration;

use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::ids::PacketNumber;
use crate::proto::ranges::Ranges;
use crate::wire::{AckRange, Marks};

/// The packet numbers that have arrived, and what is owed for them.
#[derive(Debug)]
pub(crate) struct Received {
    numbers: Ranges,
    /// Numbers below this are not told apart any more: they count as duplicates.
    floor: u64,
    /// When the highest number arrived.
    largest_at: Time,
    /// Datagrams that want an acknowledgement and have none yet.
    owed: u32,
    /// When the acknowledgement goes out at the latest.
    due: Option<Time>,
    /// It goes out at the end of this turn.
    now: bool,
    marks: Marks,
}

impl Received {
    pub(crate) const fn new() -> Self {
        let numbers = Ranges::new();
        let marks = Marks { congested: 0, bare: 0 };
        Self { numbers, floor: 0, largest_at: Time::ZERO, owed: 0, due: None, now: false, marks }
    }

    /// Whether the datagram has been here before, or may have been.
    pub(crate) fn is_duplicate(&self, number: PacketNumber) -> bool {
        number.0 < self.floor || self.numbers.contains(number.0)
    }

    /// A datagram has arrived that is no duplicate. `eliciting` tells whether it wants an
    /// acknowledgement at all, `at_once` that it wants it now.
    pub(crate) fn on_datagram(
        &mut self,
        now: Time,
        number: PacketNumber,
        ecn: Ecn,
        eliciting: bool,
        at_once: bool,
        max_ack_delay: Duration,
    ) {
        let largest = self.largest();
        // Something is missing right below it, or it fills a hole: the sender had better know.
        let in_order = largest.map_or(number.0 == 0, |largest| number.0 == largest + 1);
        self.numbers.insert(number.0..number.0 + 1);
        match ecn {
            Ecn::Ce => self.marks.congested += 1,
            Ecn::NotCapable => self.marks.bare += 1,
            Ecn::Ect0 | Ecn::Ect1 => {}
        }
        if largest.is_none_or(|largest| largest < number.0) {
            self.largest_at = now;
        }
        while RANGES_MAX < self.numbers.len() {
            self.floor = self.numbers.first().map_or(self.floor, |range| range.end);
            self.numbers.remove_first();
        }
        if eliciting {
            self.owed += 1;
            self.due = self.due.or(Some(now + max_ack_delay));
            let marked = ecn == Ecn::Ce;
            self.now |= at_once || !in_order || marked || UNACKED_MAX <= self.owed;
        }
    }

    /// The other side has seen an acknowledgement that went up to `largest`: what lies below need
    /// not be told again.
    pub(crate) fn on_ack_seen(&mut self, largest: u64) {
        // The newest number stays, so that there is always something to acknowledge.
        let floor = largest.min(self.largest().unwrap_or(0));
        if self.floor < floor {
            self.floor = floor;
            self.numbers.remove(0..floor);
        }
    }

    /// Whether an acknowledgement must go out even if nothing else does.
    pub(crate) fn must_ack(&self, now: Time) -> bool {
        self.now || self.due.is_some_and(|due| due <= now)
    }

    /// Whether an acknowledgement is worth adding to a datagram that goes out anyway.
    pub(crate) const fn may_ack(&self) -> bool {
        0 < self.owed
    }

    /// When [`must_ack`](Self::must_ack) becomes true by itself.
    pub(crate) const fn due(&self) -> Option<Time> {
        self.due
    }

    /// What an acknowledgement says: the ranges from the newest down, and how long the newest
    /// number has been here.
    pub(crate) fn ack(&self, now: Time) -> (impl Iterator<Item = AckRange>, Duration) {
        (self.numbers.iter().rev(), now.since(self.largest_at))
    }

    /// What the network has written on the datagrams that have arrived.
    pub(crate) const fn marks(&self) -> Marks {
        self.marks
    }

    /// An acknowledgement has gone out.
    pub(crate) const fn on_ack_sent(&mut self) {
        (self.owed, self.due, self.now) = (0, None, false);
    }

    /// The highest number that has arrived.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.numbers.iter().next_back().map(|range| range.end - 1)
    }
}

/// More ranges would not help the sender; older ones are forgotten.
pub(super) const RANGES_MAX: usize = 32;

/// At least every so many datagrams are acknowledged without waiting.
pub(super) const UNACKED_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(5);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn arrive(received: &mut Received, number: u64) {
        assert!(!received.is_duplicate(PacketNumber(number)));
        received.on_datagram(at(0), PacketNumber(number), Ecn::Ect0, true, false, DELAY);
    }

    fn ranges(received: &Received) -> Vec<AckRange> {
        received.ack(at(0)).0.collect()
    }

    #[test]
    fn datagrams_in_order_may_wait_for_their_acknowledgement() {
        let mut received = Received::new();
        arrive(&mut received, 0);
        arrive(&mut received, 1);
        assert!(!received.must_ack(at(4)));
        assert!(received.may_ack());
        assert!(received.must_ack(at(5)));
        received.on_ack_sent();
        assert!(!received.must_ack(at(100)));
    }

    #[test]
    fn a_gap_and_its_filling_are_acknowledged_at_once() {
        let mut received = Received::new();
        arrive(&mut received, 0);
        arrive(&mut received, 2);
        assert!(received.must_ack(at(0)));
        assert_eq!(ranges(&received), [2..3, 0..1]);
        received.on_ack_sent();
        arrive(&mut received, 1);
        assert!(received.must_ack(at(0)));
        assert_eq!(ranges(&received), std::slice::from_ref(&(0..3)));
    }

    #[test]
    fn every_tenth_datagram_is_acknowledged_at_once() {
        let mut received = Received::new();
        (0..9).for_each(|number| arrive(&mut received, number));
        assert!(!received.must_ack(at(0)));
        arrive(&mut received, 9);
        assert!(received.must_ack(at(0)));
    }

    #[test]
    fn what_is_forgotten_counts_as_a_duplicate() {
        let mut received = Received::new();
        for number in 0..100 {
            arrive(&mut received, 2 * number);
        }
        assert_eq!(ranges(&received).len(), RANGES_MAX);
        assert!(received.is_duplicate(PacketNumber(1)));
        assert!(!received.is_duplicate(PacketNumber(197)));
    }

    #[test]
    fn what_the_other_side_knows_is_not_told_again() {
        let mut received = Received::new();
        [0, 1, 3, 4, 7].into_iter().for_each(|number| arrive(&mut received, number));
        received.on_ack_seen(4);
        assert_eq!(ranges(&received), [7..8, 4..5]);
        assert!(received.is_duplicate(PacketNumber(2)));
        received.on_ack_seen(u64::MAX);
        assert_eq!(ranges(&received), std::slice::from_ref(&(7..8)));
    }

    #[test]
    fn what_wants_no_acknowledgement_gets_none_of_its_own() {
        let mut received = Received::new();
        received.on_datagram(at(0), PacketNumber(0), Ecn::Ect0, false, false, DELAY);
        assert!(!received.may_ack());
        assert_eq!(received.due(), None);
    }

    #[test]
    fn marks_are_counted_and_told_at_once() {
        let mut received = Received::new();
        arrive(&mut received, 0);
        for (number, ecn) in [(1, Ecn::NotCapable), (2, Ecn::Ect1)] {
            received.on_datagram(at(0), PacketNumber(number), ecn, true, false, DELAY);
        }
        assert!(!received.must_ack(at(0)));
        received.on_datagram(at(0), PacketNumber(3), Ecn::Ce, true, false, DELAY);
        assert!(received.must_ack(at(0)));
        assert_eq!(received.marks(), Marks { congested: 1, bare: 1 });
    }
}
