//! What a bad network does to datagrams, drawn from a seed.

use std::time::Duration;

use bytes::Bytes;

use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::net::memory::Carried;
use crate::rng::Rng;
use crate::testing::queue::{Passage, Queue};

/// What happens to the datagrams on a way, and how often.
///
/// The default does nothing but take 100 µs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// The share of datagrams that are lost, from 0.0 to 1.0.
    pub loss: f64,
    /// How many datagrams in a row are lost at a time, on average; 1.0 for each on its own.
    pub burst: f64,
    /// The share that arrive twice.
    pub duplicate: f64,
    /// The share of which another copy arrives much later: evenly spread over [`late_by`].
    ///
    /// [`late_by`]: Self::late_by
    pub late: f64,
    /// Up to how much later such a copy arrives.
    pub late_by: Duration,
    /// How long the way takes at the least.
    pub delay: Duration,
    /// How much longer it may take: evenly spread, each datagram on its own, so that they overtake
    /// each other.
    pub jitter: Duration,
    /// The share of which one bit is flipped.
    pub corrupt: f64,
    /// The share that are cut short.
    pub truncate: f64,
    /// Larger datagrams do not get through: bytes of what UDP carries, so that an Ethernet of 1500
    /// bytes has 1472 over IPv4 and 1452 over IPv6, and the narrowest path of IPv6 has 1232.
    pub mtu: usize,
    /// How many bytes each way carries in a second, without the headers of UDP and IP; `None` if
    /// it carries all there is. Every pair of addresses has its own two ways.
    pub bytes_per_second: Option<u64>,
    /// How long a datagram waits at most for its turn on such a way. One that would have to wait
    /// longer is lost; one that finds nobody waiting is carried, however large. Default: 50 ms.
    pub queue: Duration,
    /// A datagram that waits there for longer than this is marked with congestion experienced
    /// (RFC 3168), if its sender says that it understands the mark; `None` to mark nothing.
    pub mark_above: Option<Duration>,
    /// The share of datagrams from which the network wipes what their senders say about marks, and
    /// the marks, as some paths do.
    pub bleach: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: 1.0,
            duplicate: 0.0,
            late: 0.0,
            late_by: Duration::from_secs(60),
            delay: Duration::from_micros(100),
            jitter: Duration::ZERO,
            corrupt: 0.0,
            truncate: 0.0,
            mtu: usize::MAX,
            bytes_per_second: None,
            queue: Duration::from_millis(50),
            mark_above: None,
            bleach: 0.0,
        }
    }
}

impl Faults {
    /// The ways to lose, repeat, reorder and damage datagrams all at once, at rates that the
    /// seed draws; each of them is left out in half of the seeds. So is the largest datagram that
    /// gets through, which is never below what every path has to carry (1232 bytes); in a quarter
    /// of the seeds ways are narrow, with 1 to 100 Mbit/s, and in an eighth they take up to 750 ms.
    pub fn drawn(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut share = |most: f64| {
            if rng.chance(0.5) { most * rng.fraction() } else { 0.0 }
        };
        let mut faults = Self {
            loss: share(0.3),
            duplicate: share(0.2),
            late: share(0.02),
            corrupt: share(0.05),
            truncate: share(0.02),
            ..Self::default()
        };
        faults.burst = 1.0 + rng.below(4) as f64;
        faults.delay = Duration::from_micros(10 + rng.below(5_000));
        faults.jitter = Duration::from_micros(rng.below(20_000));
        if rng.chance(0.5) {
            faults.mtu = MTUS[rng.below(MTUS.len() as u64) as usize];
        }
        if rng.chance(0.25) {
            let megabits = 100_f64.powf(rng.fraction());
            faults.bytes_per_second = Some((megabits * 125_000.0) as u64);
            faults.queue = Duration::from_millis(10 + rng.below(190));
            faults.mark_above = rng.chance(0.5).then_some(faults.queue / 4);
            faults.bleach = if rng.chance(0.25) { rng.fraction() } else { 0.0 };
        }
        if rng.chance(0.125) {
            faults.delay = Duration::from_millis(rng.below(750));
        }
        faults
    }
}

/// The largest datagrams of common paths: IPv6 at its narrowest, a tunnel, Ethernet with large
/// frames, and all that UDP carries.
const MTUS: [usize; 4] = [1_232, 1_404, 8_952, 65_507];

/// How often each fault has struck: a test that relies on one looks here whether it did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Struck {
    /// Datagrams that set out.
    pub sent: u64,
    /// Datagrams lost at random.
    pub lost: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Copies made that arrive late.
    pub late: u64,
    /// Datagrams with a flipped bit.
    pub corrupted: u64,
    /// Datagrams cut short.
    pub truncated: u64,
    /// Datagrams that were too large.
    pub oversized: u64,
    /// Datagrams that had to wait for their turn on a narrow way.
    pub queued: u64,
    /// Datagrams lost because too many were waiting there.
    pub overflowed: u64,
    /// Datagrams marked because they waited for long.
    pub marked: u64,
    /// Datagrams from which marks were wiped, or the sender's word that it understands them.
    pub bleached: u64,
    /// Datagrams lost at a node whose socket was full of what nobody had read.
    pub unread: u64,
    /// Datagrams that a partition, a cut or a pulled plug kept from getting through.
    pub severed: u64,
}

/// One way through a bad network: draws what happens to each datagram.
///
/// For programs that carry datagrams themselves, such as a relay between real processes;
/// [`Network`](crate::testing::Network) has one for each pair of addresses.
///
/// ```
/// use std::time::Duration;
///
/// use broach_core::testing::{Faults, Struck, Way};
///
/// let (mut way, mut struck) = (Way::from_seed(42), Struck::default());
/// let mut faults = Faults::default();
/// faults.duplicate = 1.0;
/// let now = Duration::from_secs(1);
/// let copies = way.pass(now, b"hello".as_slice().into(), &faults, &mut struck);
/// assert_eq!(copies.len(), 2);
/// assert!(copies.iter().all(|(arrives, _)| now < *arrives));
/// ```
#[derive(Clone, Debug)]
pub struct Way {
    rng: Rng,
    /// Whether a run of losses is going on.
    losing: bool,
    queue: Queue,
}

impl Way {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { rng, losing: false, queue: Queue::default() }
    }

    /// A way on which everything that is drawn comes from the seed.
    pub fn from_seed(seed: u64) -> Self {
        Self::new(Rng::from_seed(seed))
    }

    /// When the copies of a datagram arrive that sets out now, and what of it. Times are counted
    /// from any moment, always the same one, and `now` must not go back.
    pub fn pass(
        &mut self,
        now: Duration,
        datagram: Bytes,
        faults: &Faults,
        struck: &mut Struck,
    ) -> Vec<(Duration, Bytes)> {
        let datagram = Carried { ecn: Ecn::NotCapable, bytes: datagram };
        let arrivals = self.carry(Time::ZERO + now, &datagram, faults, struck).into_iter();
        arrivals.map(|(time, datagram)| (time.since(Time::ZERO), datagram.bytes)).collect()
    }

    /// When the copies of a datagram arrive, and what of it.
    pub(crate) fn carry(
        &mut self,
        now: Time,
        datagram: &Carried,
        faults: &Faults,
        struck: &mut Struck,
    ) -> Vec<(Time, Carried)> {
        let rng = &mut self.rng;
        struck.sent += 1;
        let mut datagram = datagram.clone();
        if faults.mtu < datagram.bytes.len() {
            struck.oversized += 1;
            return Vec::new();
        }
        let Some(Passage { through: now, waited }) =
            self.queue.pass(now, datagram.bytes.len(), faults)
        else {
            struck.overflowed += 1;
            return Vec::new();
        };
        struck.queued += u64::from(!waited.is_zero());
        if datagram.ecn.is_capable() && faults.mark_above.is_some_and(|above| above < waited) {
            struck.marked += 1;
            datagram.ecn = Ecn::Ce;
        }
        if datagram.ecn.is_capable() && 0.0 < faults.bleach && rng.chance(faults.bleach) {
            struck.bleached += 1;
            datagram.ecn = Ecn::NotCapable;
        }
        // A two-state chain (Gilbert): runs of losses of the given mean length, at the given share
        // over all.
        let burst = faults.burst.max(1.0);
        let begins = faults.loss / (burst * (1.0 - faults.loss).max(1e-9));
        self.losing = if self.losing { !rng.chance(1.0 / burst) } else { rng.chance(begins) };
        if self.losing {
            struck.lost += 1;
            return Vec::new();
        }
        let mut arrivals = Vec::with_capacity(1);
        let jitter = |rng: &mut Rng| {
            Duration::from_nanos(
                rng.below(1 + u64::try_from(faults.jitter.as_nanos()).unwrap_or(0)),
            )
        };
        let Carried { ecn, mut bytes } = datagram.clone();
        if rng.chance(faults.corrupt) && !bytes.is_empty() {
            struck.corrupted += 1;
            let mut copy = bytes.to_vec();
            let bit = rng.below(8 * copy.len() as u64);
            copy[(bit / 8) as usize] ^= 1 << (bit % 8);
            bytes = copy.into();
        }
        if rng.chance(faults.truncate) {
            struck.truncated += 1;
            bytes.truncate(rng.below(bytes.len() as u64) as usize);
        }
        arrivals.push((now + faults.delay + jitter(rng), Carried { ecn, bytes }));
        if rng.chance(faults.duplicate) {
            struck.duplicated += 1;
            arrivals.push((now + faults.delay + jitter(rng), datagram.clone()));
        }
        if rng.chance(faults.late) {
            struck.late += 1;
            let by = u64::try_from(faults.late_by.as_nanos()).unwrap_or(u64::MAX);
            let later = faults.delay + Duration::from_nanos(rng.below(by));
            arrivals.push((now + later, datagram));
        }
        arrivals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carry(faults: &Faults, count: usize) -> (Struck, Vec<Vec<(Time, Carried)>>) {
        carry_marked(faults, count, Ecn::Ect0)
    }

    fn carry_marked(
        faults: &Faults,
        count: usize,
        ecn: Ecn,
    ) -> (Struck, Vec<Vec<(Time, Carried)>>) {
        let mut way = Way::new(Rng::from_seed(9));
        let mut struck = Struck::default();
        let bytes = Bytes::from(vec![7; 100]);
        let datagram = Carried { ecn, bytes };
        let arrivals =
            (0..count).map(|_| way.carry(Time::ZERO, &datagram, faults, &mut struck)).collect();
        (struck, arrivals)
    }

    #[test]
    fn losses_come_at_their_rate_and_in_runs() {
        for burst in [1.0, 5.0] {
            let faults = Faults { loss: 0.2, burst, ..Faults::default() };
            let (struck, arrivals) = carry(&faults, 100_000);
            assert!((18_000..22_000).contains(&struck.lost), "{struck:?}");
            let lost: Vec<bool> = arrivals.iter().map(Vec::is_empty).collect();
            let runs = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
            let mean = struck.lost as f64 / runs;
            assert!((mean - burst.max(1.0 / 0.8)).abs() < 0.5, "{mean} instead of {burst}");
        }
    }

    #[test]
    fn copies_and_damage_come_at_their_rates() {
        let faults = Faults { duplicate: 0.1, corrupt: 0.1, truncate: 0.1, ..Faults::default() };
        let (struck, arrivals) = carry(&faults, 10_000);
        for count in [struck.duplicated, struck.corrupted, struck.truncated] {
            assert!((800..1200).contains(&count), "{struck:?}");
        }
        let whole = arrivals
            .iter()
            .flatten()
            .filter(|(_, datagram)| datagram.bytes == vec![7; 100])
            .count();
        assert!((8_900..9_500).contains(&whole), "{whole}");
    }

    #[test]
    fn jitter_lets_datagrams_overtake_each_other() {
        let faults = Faults { jitter: Duration::from_millis(1), ..Faults::default() };
        let (_, arrivals) = carry(&faults, 1_000);
        let times: Vec<Time> = arrivals.into_iter().flatten().map(|(time, _)| time).collect();
        assert!(times.windows(2).any(|pair| pair[1] < pair[0]));
    }

    #[test]
    fn what_is_too_large_does_not_get_through() {
        let (struck, arrivals) = carry(&Faults { mtu: 99, ..Faults::default() }, 10);
        assert_eq!(struck.oversized, 10);
        assert!(arrivals.iter().all(Vec::is_empty));
    }

    #[test]
    fn a_narrow_way_carries_its_rate_and_no_more() {
        let narrow = Faults { bytes_per_second: Some(100_000), ..Faults::default() };
        let (struck, arrivals) = carry(&narrow, 100);
        // One is carried, and in 50 ms there is room for another 50.
        let counts = (struck.sent, struck.queued, struck.overflowed);
        assert_eq!(counts, (100, 50, 49));
        let times: Vec<Time> = arrivals.into_iter().flatten().map(|(time, _)| time).collect();
        let apart = |pair: &[Time]| pair[1].since(pair[0]) == Duration::from_millis(1);
        assert!(times.len() == 51 && times.windows(2).all(apart), "{times:?}");
    }

    #[test]
    fn long_waits_are_marked_unless_the_path_wipes_marks() {
        let marks = |faults: &Faults, ecn| {
            let (_, arrivals) = carry_marked(faults, 40, ecn);
            let marked = |(_, datagram): &&(Time, Carried)| datagram.ecn == Ecn::Ce;
            arrivals.iter().flatten().filter(marked).count()
        };
        let mark_above = Some(Duration::from_millis(20));
        let narrow = Faults { bytes_per_second: Some(100_000), mark_above, ..Faults::default() };
        // They come at once, and each waits a millisecond longer than the one before.
        assert_eq!(marks(&narrow, Ecn::Ect0), 19);
        assert_eq!(marks(&narrow, Ecn::Ect1), 19);
        assert_eq!(marks(&narrow, Ecn::NotCapable), 0);
        assert_eq!(marks(&Faults { bleach: 1.0, ..narrow }, Ecn::Ect0), 0);
        assert_eq!(carry_marked(&narrow, 40, Ecn::Ect0).0.marked, 19);
        let half = Faults { bleach: 0.5, ..narrow };
        assert!((12..28).contains(&carry_marked(&half, 40, Ecn::Ect0).0.bleached));
    }

    #[test]
    fn what_is_drawn_leaves_a_way_for_small_datagrams() {
        let drawn: Vec<Faults> = (0..400).map(Faults::drawn).collect();
        assert!(drawn.iter().all(|faults| 1_232 <= faults.mtu && faults.loss < 0.3));
        let slowest = drawn.iter().filter_map(|faults| faults.bytes_per_second).min();
        assert!(slowest.is_some_and(|rate| 125_000 <= rate), "{slowest:?}");
        let share = |is: fn(&Faults) -> bool| drawn.iter().filter(|faults| is(faults)).count();
        assert!((160..240).contains(&share(|faults| faults.mtu < usize::MAX)));
        assert!((60..140).contains(&share(|faults| faults.bytes_per_second.is_some())));
        assert!((20..80).contains(&share(|faults| Duration::from_millis(6) < faults.delay)));
    }
}
