//! What a bad network does to datagrams, drawn from a seed.

use std::time::Duration;

use crate::deadline::Time;
use crate::net::memory::Carried;
use crate::rng::Rng;

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
    /// Larger datagrams do not get through, in bytes.
    pub mtu: usize,
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
        }
    }
}

impl Faults {
    /// The ways to lose, repeat, reorder and damage datagrams all at once, at rates that the
    /// seed draws; each of them is left out in half of the seeds.
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
        faults
    }
}

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
    /// Datagrams that a partition, a cut or a pulled plug kept from getting through.
    pub severed: u64,
}

/// One way through the network: draws what happens to each datagram.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    rng: Rng,
    /// Whether a run of losses is going on.
    losing: bool,
}

impl Way {
    pub(crate) const fn new(rng: Rng) -> Self {
        Self { rng, losing: false }
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
        let Carried { ecn, bytes } = datagram.clone();
        if faults.mtu < bytes.len() {
            struck.oversized += 1;
            return Vec::new();
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
        let mut bytes = bytes;
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
            arrivals.push((now + Duration::from_nanos(rng.below(by)), datagram.clone()));
        }
        arrivals
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ecn::Ecn;

    fn carry(faults: &Faults, count: usize) -> (Struck, Vec<Vec<(Time, Carried)>>) {
        let mut way = Way::new(Rng::from_seed(9));
        let mut struck = Struck::default();
        let bytes = Bytes::from(vec![7; 100]);
        let datagram = Carried { ecn: Ecn::Ect0, bytes };
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
}
