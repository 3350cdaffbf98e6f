//! [`PathMtu`]: how large the datagrams are that a path carries (RFC 8899).

use std::time::Duration;

use crate::config::BASE_DATAGRAM_BYTES;
use crate::deadline::Time;

/// The size of datagrams, and the search for larger ones.
///
/// ```text
///              a probe has arrived: the next rung
///            +-----------------------------------+
///            v                                   |
///   base -> search: a datagram that holds nothing but zeros goes out, of the size of the next rung
///            ^                                   |
///            |      10 min                       | three of them were lost
///            +------------- settled <------------+
///            |
///            |      60 s    black hole: three times in a row nothing that was larger than the base
///            +------------- arrived, but smaller ones did
/// ```
///
/// Nothing is searched for while no datagram is as large as it may be. On the loopback interface
/// the last rung is the first that is tried: as a rule it is carried, but what looks like the
/// interface may be the near end of something else, a relay or a forwarded port.
#[derive(Debug)]
pub(crate) struct PathMtu {
    /// What the path carries, as far as is known.
    carried: usize,
    /// It is set, and nothing changes it.
    fixed: bool,
    /// The last rung.
    top: usize,
    /// It is tried before all others.
    leaps: bool,
    /// What the other side takes.
    peer_max: usize,
    /// A larger size would have been of use.
    wanted: bool,
    /// The number of the probe that is in flight.
    probe: Option<u64>,
    /// How many probes of the next rung have been lost.
    failed: u32,
    /// Nothing is searched for until then.
    rests_until: Time,
    /// What has a lower number and is larger than the base need not have been lost to its size.
    large_below: u64,
    /// How often all that was larger than the base was lost, without any of it having arrived in
    /// between; and what was sent before the last time.
    holes: u32,
    hole_below: u64,
}

impl PathMtu {
    /// A path of which nothing is known, or a loopback interface.
    pub(crate) const fn new(fixed: Option<usize>, loopback: bool) -> Self {
        let top = if loopback { LOOPBACK_BYTES } else { NETWORK_BYTES_MAX };
        let carried = match fixed {
            Some(bytes) => bytes,
            None => BASE_DATAGRAM_BYTES,
        };
        Self {
            carried,
            fixed: fixed.is_some(),
            top,
            leaps: loopback,
            peer_max: BASE_DATAGRAM_BYTES,
            wanted: false,
            probe: None,
            failed: 0,
            rests_until: Time::ZERO,
            large_below: 0,
            holes: 0,
            hole_below: 0,
        }
    }

    /// How large a datagram may be.
    pub(crate) fn bytes(&self) -> usize {
        self.carried.min(self.peer_max)
    }

    /// How large one will be once the other side has said that it takes as much.
    pub(crate) const fn carried(&self) -> usize {
        self.carried
    }

    /// The other side takes datagrams of so many bytes.
    pub(crate) fn set_peer_max(&mut self, bytes: usize) {
        self.peer_max = bytes.max(BASE_DATAGRAM_BYTES);
    }

    /// Whether it is the loopback interface.
    pub(crate) const fn is_loopback(&self) -> bool {
        self.top == LOOPBACK_BYTES
    }

    /// A datagram goes out that would have been larger if it could.
    pub(crate) const fn on_full(&mut self) {
        self.wanted = true;
    }

    /// How large the probe is that is to go out now, if one is.
    pub(crate) fn probe_due(&self, now: Time) -> Option<usize> {
        if !self.wanted || self.fixed || self.probe.is_some() || now < self.rests_until {
            return None;
        }
        let most = self.top.min(self.peer_max);
        let mut rungs = LADDER.into_iter().filter(|&rung| self.carried < rung && rung <= most);
        if self.leaps { rungs.next_back() } else { rungs.next() }
    }

    /// The number of the probe that is in flight.
    pub(crate) const fn probe(&self) -> Option<u64> {
        self.probe
    }

    /// A probe goes out.
    pub(crate) const fn on_probe_sent(&mut self, number: u64) {
        self.probe = Some(number);
    }

    /// The probe has arrived, of so many bytes.
    pub(crate) fn on_probe_arrived(&mut self, bytes: usize) {
        (self.probe, self.failed) = (None, 0);
        self.carried = self.carried.max(bytes);
    }

    /// The probe was lost.
    pub(crate) fn on_probe_lost(&mut self, now: Time) {
        (self.probe, self.failed) = (None, self.failed + 1);
        if PROBES_MAX <= self.failed {
            self.on_not_carried(now);
        }
    }

    /// A datagram that is larger than the base has arrived. None before it was lost to its size.
    pub(crate) fn on_large_arrived(&mut self, number: u64) {
        self.large_below = self.large_below.max(number + 1);
        self.holes = 0;
    }

    /// A datagram that is larger than the base was lost, while a later one arrived. The next one
    /// has the number `next`.
    pub(crate) fn on_large_lost(&mut self, now: Time, number: u64, next: u64) {
        if number < self.large_below.max(self.hole_below) {
            return;
        }
        (self.holes, self.hole_below) = (self.holes + 1, next);
        if HOLES_MAX <= self.holes {
            self.fall_back(now);
        }
    }

    /// The operating system refuses a datagram of so many bytes for its size, which it knows of the
    /// interface, or has heard from the network.
    pub(crate) fn on_refused(&mut self, now: Time, bytes: usize) {
        if self.carried < bytes {
            self.on_not_carried(now);
        } else if BASE_DATAGRAM_BYTES < bytes {
            self.fall_back(now);
        }
    }

    /// The path does not carry what was tried.
    fn on_not_carried(&mut self, now: Time) {
        if self.leaps {
            (self.leaps, self.failed) = (false, 0);
        } else {
            self.rest(now, SETTLED);
        }
    }

    fn fall_back(&mut self, now: Time) {
        if !self.fixed && BASE_DATAGRAM_BYTES < self.carried {
            self.carried = BASE_DATAGRAM_BYTES;
            self.rest(now, BLACK_HOLE);
        }
    }

    /// Looks for nothing larger for a while.
    fn rest(&mut self, now: Time, pause: Duration) {
        (self.failed, self.holes, self.wanted) = (0, 0, false);
        self.rests_until = now + pause;
    }
}

/// The sizes that are tried, one after the other. What networks carry is a handful of sizes: IPv6
/// at its least, what is left in common tunnels, Google's cloud, Ethernet with IPv6, Ethernet,
/// clouds and data centres with jumbo frames, and the loopback interface.
pub(super) const LADDER: [usize; 8] =
    [1_232, 1_400, 1_432, 1_452, 1_472, 8_872, 8_952, LOOPBACK_BYTES];

/// The last rung of a network.
const NETWORK_BYTES_MAX: usize = 8_952;

/// And that of the loopback interface. Measured: larger datagrams
/// gain little more, and fill a receive buffer of the usual size in a few.
const LOOPBACK_BYTES: usize = 16_384;

/// A size of which so many probes were lost is not carried, RFC 8899 `MAX_PROBES`.
pub(super) const PROBES_MAX: u32 = 3;

/// After how long it is tried again, RFC 8899 `PMTU_RAISE_TIMER`.
pub(super) const SETTLED: Duration = Duration::from_secs(600);

/// The same after a size that was carried is not carried any more.
pub(super) const BLACK_HOLE: Duration = Duration::from_secs(60);

/// How often all large datagrams must be lost for that.
pub(super) const HOLES_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Time {
        Time::ZERO + Duration::from_secs(secs)
    }

    /// A path whose other side takes anything, and on which a datagram was full.
    fn path(loopback: bool) -> PathMtu {
        let mut path = PathMtu::new(None, loopback);
        path.set_peer_max(65_507);
        path.on_full();
        path
    }

    /// Searches on a path that carries `most`; the sizes that were tried.
    fn search(path: &mut PathMtu, now: Time, most: usize) -> Vec<usize> {
        let mut tried = Vec::new();
        while let Some(bytes) = path.probe_due(now) {
            path.on_probe_sent(tried.len() as u64);
            assert_eq!(path.probe_due(now), None, "one at a time");
            tried.push(bytes);
            if bytes <= most {
                path.on_probe_arrived(bytes);
            } else {
                path.on_probe_lost(now);
            }
        }
        tried
    }

    #[test]
    fn it_climbs_until_three_probes_are_lost_and_tries_again_later() {
        let mut path = path(false);
        assert_eq!(search(&mut path, at(1), 1_440), [1_232, 1_400, 1_432, 1_452, 1_452, 1_452]);
        assert_eq!(path.bytes(), 1_432);
        path.on_full();
        assert_eq!(path.probe_due(at(600)), None);
        assert_eq!(search(&mut path, at(601), 9_000), [1_452, 1_472, 8_872, 8_952]);
        assert_eq!(path.bytes(), 8_952);
    }

    #[test]
    fn nothing_is_tried_before_a_datagram_was_full() {
        let mut path = PathMtu::new(None, false);
        path.set_peer_max(65_507);
        assert_eq!(path.probe_due(at(0)), None);
        path.on_full();
        assert_eq!(path.probe_due(at(0)), Some(1_232));
    }

    #[test]
    fn nothing_is_larger_than_the_other_side_takes() {
        let mut path = path(false);
        path.set_peer_max(1_440);
        assert_eq!(search(&mut path, at(0), 9_000), [1_232, 1_400, 1_432]);
    }

    #[test]
    fn loopback_is_tried_at_its_last_rung_first() {
        let [mut whole, mut part] = [(); 2].map(|()| path(true));
        assert_eq!(whole.bytes(), BASE_DATAGRAM_BYTES);
        assert_eq!(search(&mut whole, at(0), 65_507), [16_384]);
        assert_eq!((whole.bytes(), whole.probe_due(at(0))), (16_384, None));
        part.set_peer_max(9_000);
        assert_eq!(search(&mut part, at(0), 65_507), [8_952]);
    }

    #[test]
    fn what_only_looks_like_loopback_is_climbed_like_any_other() {
        let tried = [16_384, 16_384, 16_384, 1_232, 1_400, 1_432, 1_432, 1_432];
        let mut slow = path(true);
        assert_eq!(search(&mut slow, at(0), 1_431), tried);
        assert_eq!(slow.bytes(), 1_400);
        let mut refused = path(true);
        refused.on_refused(at(0), 16_384);
        assert_eq!(search(&mut refused, at(0), 1_431), tried[3..]);
    }

    /// A loopback interface that has carried a probe.
    fn loopback() -> PathMtu {
        let mut path = path(true);
        path.on_probe_sent(0);
        path.on_probe_arrived(LOOPBACK_BYTES);
        path
    }

    #[test]
    fn what_swallows_all_large_datagrams_is_noticed_and_forgiven_after_a_minute() {
        let mut path = loopback();
        for number in [10, 11, 20] {
            path.on_large_lost(at(0), number, number + 5);
        }
        assert_eq!(path.bytes(), 16_384, "10 and 11 are one");
        path.on_large_lost(at(0), 30, 40);
        assert_eq!(path.bytes(), BASE_DATAGRAM_BYTES);
        path.on_full();
        assert_eq!(path.probe_due(at(59)), None);
        search(&mut path, at(60), 16_384);
        assert_eq!(path.bytes(), 16_384);
    }

    #[test]
    fn losses_among_arrivals_are_no_black_hole() {
        let mut path = loopback();
        for round in 0..100 {
            path.on_large_arrived(10 * round);
            path.on_large_lost(at(0), 10 * round + 1, 10 * round + 5);
            path.on_large_lost(at(0), 10 * round + 6, 10 * round + 9);
        }
        assert_eq!(path.bytes(), 16_384);
        path.on_large_arrived(2_000);
        for number in [1_001, 1_100, 1_200, 1_300] {
            path.on_large_lost(at(0), number, number + 1);
        }
        assert_eq!(path.bytes(), 16_384, "a later one has arrived");
    }

    #[test]
    fn what_the_operating_system_refuses_is_not_tried_again_at_once() {
        let mut path = path(false);
        path.on_probe_arrived(1_400);
        path.on_probe_sent(9);
        path.on_refused(at(5), 1_432);
        path.on_probe_lost(at(6));
        path.on_full();
        assert_eq!((path.bytes(), path.probe_due(at(6))), (1_400, None));
        path.on_refused(at(7), 1_200);
        assert_eq!(path.bytes(), 1_400, "nothing smaller could be sent");
        path.on_refused(at(7), 1_400);
        assert_eq!(path.bytes(), BASE_DATAGRAM_BYTES);
    }

    #[test]
    fn a_size_that_is_set_stays() {
        let mut path = PathMtu::new(Some(4_000), false);
        path.set_peer_max(65_507);
        path.on_full();
        assert_eq!((path.bytes(), path.probe_due(at(0))), (4_000, None));
        (0..10).for_each(|n| path.on_large_lost(at(0), 10 * n, 10 * n + 5));
        path.on_refused(at(0), 4_000);
        assert_eq!(path.bytes(), 4_000);
    }
}
