//! [`Window`]: what holds for every way to control congestion (RFC 9002 §7).

use std::ops::Range;
use std::time::Duration;

use crate::deadline::Time;
use crate::proto::congestion::{Acked, Controller, Sign, Sizes};

/// How much may be in flight.
///
/// * There is one event of congestion per round trip: whatever else is lost of what was sent before
///   it belongs to it.
/// * The window grows with what went out when it was full. A session that has little to say proves
///   nothing about the path.
/// * If everything that was given up in an event arrives after all, the event is undone.
#[derive(Debug)]
pub(crate) struct Window<C> {
    controller: C,
    /// What has a lower number was sent before the last event.
    settled: u64,
    /// What has a lower number was sent before the window was last full.
    filled: u64,
    /// Of the last event, as long as it may turn out to be none.
    undo: Option<Undo<C>>,
}

/// What is needed to undo an event.
#[derive(Debug)]
struct Undo<C> {
    before: C,
    began: Time,
    /// Datagrams that were lost since and have not arrived.
    lost: usize,
}

/// What was lost, as far as it says anything of the path.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Losses {
    pub(crate) count: usize,
    /// The highest number.
    pub(crate) largest: u64,
    /// For how long nothing that was sent arrived.
    pub(crate) lasted: Duration,
    /// The highest number of one that is larger than every path carries.
    pub(crate) large: Option<u64>,
    /// The one that was to try its size was lost, which is not counted.
    pub(crate) path_probe: bool,
}

impl<C: Controller> Window<C> {
    pub(crate) fn new(sizes: Sizes) -> Self {
        Self { controller: C::new(sizes), settled: 0, filled: 0, undo: None }
    }

    /// Bytes that may be in flight.
    pub(crate) fn bytes(&self) -> u64 {
        self.controller.window()
    }

    /// Whether it is still looking for what the path carries.
    pub(crate) fn is_searching(&self) -> bool {
        self.controller.is_searching()
    }

    /// The datagrams whose arrival lets the window grow.
    pub(crate) const fn growing(&self) -> Range<u64> {
        self.settled..self.filled
    }

    /// A datagram goes out; `in_flight` bytes are on their way then, and others would be of
    /// `datagram` bytes.
    pub(crate) fn on_sent(&mut self, number: u64, in_flight: u64, datagram: u64) {
        self.controller.on_sent(number);
        if self.bytes() < in_flight + FULL_DATAGRAMS * datagram {
            self.filled = number + 1;
        }
    }

    /// Datagrams have arrived. `ack.bytes` counts only those that are [`growing`](Self::growing).
    pub(crate) fn on_ack(&mut self, ack: &Acked) {
        self.controller.on_ack(ack);
    }

    /// Datagrams were lost. The next one has the number `next`; `outage` is how long nothing need
    /// arrive until nothing known of the path counts any more. Tells whether this is an event.
    pub(crate) fn on_lost(
        &mut self,
        now: Time,
        losses: &Losses,
        next: u64,
        outage: Duration,
    ) -> bool {
        let lasting = outage < losses.lasted;
        let event = self.settled <= losses.largest || lasting;
        if event {
            let before = self.controller.clone();
            self.undo = Some(Undo { before, began: now, lost: 0 });
            self.settled = next;
            let sign = if lasting { Sign::LostAll } else { Sign::Lost };
            self.controller.on_congestion(now, sign);
        }
        if let Some(undo) = &mut self.undo {
            undo.lost += losses.count;
        }
        event
    }

    /// A datagram that was given up at `lost_at` has arrived.
    pub(crate) fn on_late(&mut self, lost_at: Time) {
        let Some(undo) = self.undo.as_mut().filter(|undo| undo.began <= lost_at) else { return };
        undo.lost = undo.lost.saturating_sub(1);
        if undo.lost == 0
            && let Some(undo) = self.undo.take()
            && self.bytes() < undo.before.window()
        {
            self.controller = undo.before;
        }
    }

    /// A datagram with this number has arrived with a mark. Tells whether this is an event.
    pub(crate) fn on_marked(&mut self, now: Time, number: u64, next: u64) -> bool {
        // A mark is a sign that nothing disproves.
        self.undo = None;
        let event = self.settled <= number;
        if event {
            self.settled = next;
            self.controller.on_congestion(now, Sign::Marked);
        }
        event
    }

    /// Nothing was in flight for longer than a probe would have waited.
    pub(crate) fn on_idle(&mut self) {
        self.undo = None;
        self.controller.on_idle();
    }

    /// Datagrams are of another size from now on.
    pub(crate) fn set_sizes(&mut self, sizes: Sizes) {
        self.controller.set_sizes(sizes);
        if let Some(undo) = &mut self.undo {
            undo.before.set_sizes(sizes);
        }
    }
}

/// A window with room for less than so many datagrams counts as full: acknowledgements and timers
/// make room for a few at a time.
const FULL_DATAGRAMS: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::congestion::Cubic;
    use crate::proto::congestion::reno::Reno;

    const SIZES: Sizes = Sizes { datagram: 1_000, initial: 32_000, min: 2_000 };
    const OUTAGE: Duration = Duration::from_millis(300);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn lose(window: &mut Window<impl Controller>, now: Time, largest: u64, next: u64) {
        let losses = Losses { count: 1, largest, ..Losses::default() };
        window.on_lost(now, &losses, next, OUTAGE);
    }

    fn arrive(window: &mut Window<impl Controller>, bytes: u64) {
        let rtt = Duration::from_millis(10);
        window.on_ack(&Acked { now: at(1), bytes, largest: 0, sample: None, rtt });
    }

    #[test]
    fn all_losses_of_a_round_trip_are_one_event() {
        let mut window = Window::<Reno>::new(SIZES);
        lose(&mut window, at(10), 3, 30);
        assert_eq!(window.bytes(), 16_000);
        lose(&mut window, at(11), 7, 33);
        lose(&mut window, at(12), 29, 40);
        assert_eq!(window.bytes(), 16_000);
        lose(&mut window, at(13), 30, 50);
        assert_eq!(window.bytes(), 8_000);
    }

    #[test]
    fn only_what_filled_the_window_after_the_last_event_lets_it_grow() {
        let mut window = Window::<Reno>::new(SIZES);
        (0..10).for_each(|number| window.on_sent(number, 1_000 * (number + 1), 1_000));
        assert!(window.growing().is_empty());
        (10..30).for_each(|number| window.on_sent(number, 1_000 * (number + 1), 1_000));
        assert_eq!(window.growing(), 0..30);
        window.on_sent(30, 5_000, 1_000);
        assert_eq!(window.growing(), 0..30);
        lose(&mut window, at(1), 20, 31);
        assert!(window.growing().is_empty());
    }

    #[test]
    fn a_loss_that_was_none_is_undone_once_all_of_it_has_arrived() {
        for undone in [false, true] {
            let mut window = Window::<Cubic>::new(SIZES);
            arrive(&mut window, 32_000);
            lose(&mut window, at(10), 3, 30);
            lose(&mut window, at(11), 4, 30);
            window.on_late(at(10));
            assert_eq!(window.bytes(), 44_800);
            if undone {
                window.on_late(at(11));
            }
            assert_eq!(window.bytes(), if undone { 64_000 } else { 44_800 });
            assert_eq!(window.is_searching(), undone);
        }
    }

    #[test]
    fn what_was_lost_before_an_event_does_not_undo_it() {
        let mut window = Window::<Reno>::new(SIZES);
        lose(&mut window, at(10), 3, 30);
        lose(&mut window, at(20), 30, 60);
        window.on_late(at(10));
        assert_eq!(window.bytes(), 8_000);
        window.on_late(at(20));
        assert_eq!(window.bytes(), 16_000);
    }

    #[test]
    fn a_mark_is_an_event_like_a_loss_and_never_undone() {
        let mut window = Window::<Reno>::new(SIZES);
        lose(&mut window, at(10), 3, 30);
        window.on_marked(at(11), 20, 35);
        assert_eq!(window.bytes(), 16_000, "it is of the same round trip");
        window.on_late(at(10));
        assert_eq!(window.bytes(), 16_000);
        window.on_marked(at(12), 35, 50);
        assert_eq!(window.bytes(), 8_000);
    }

    #[test]
    fn when_nothing_arrives_for_long_it_begins_at_the_least() {
        let mut window = Window::<Cubic>::new(SIZES);
        let losses = Losses { count: 5, largest: 9, lasted: OUTAGE, ..Losses::default() };
        window.on_lost(at(500), &losses, 10, OUTAGE);
        assert_eq!(window.bytes(), 22_400, "not longer than that");
        let losses = Losses { lasted: OUTAGE + Duration::from_millis(1), ..losses };
        window.on_lost(at(501), &losses, 20, OUTAGE);
        assert_eq!(window.bytes(), 2_000);
        assert!(window.is_searching());
    }

    #[test]
    fn after_a_pause_it_is_no_larger_than_at_the_beginning() {
        let mut window = Window::<Cubic>::new(SIZES);
        arrive(&mut window, 32_000);
        window.on_idle();
        assert_eq!(window.bytes(), 32_000);
        lose(&mut window, at(1), 0, 10);
        window.on_idle();
        assert_eq!(window.bytes(), 22_400, "nor larger than it was");
    }
}
