//! A suspicion: who accuses, and how long the suspect has to show that it lives.
//!
//! The time is long at first and becomes shorter with each further accuser (Lifeguard §4): if the
//! suspect is dead, others will notice too, and if it is the accuser that is in trouble, nobody
//! will.

use std::time::Duration;

use crate::config::Gossip;
use crate::deadline::Time;
use crate::ids::Instance;

/// The suspicion of one member.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    since: Time,
    accusers: Vec<Instance>,
    /// How many accusers besides the first bring the time down to its least.
    enough: usize,
    min: Duration,
    max: Duration,
}

impl Suspicion {
    /// A suspicion in a cluster of `members`, this node and the suspect included.
    pub(super) fn new(now: Time, accuser: Instance, members: usize, config: &Gossip) -> Self {
        let digits = (members as f64).log10().max(1.0);
        let min = (config.probe_interval * config.suspicion_min).mul_f64(digits);
        let enough = config.suspicion_confirmations.min(others(members));
        let max = if enough == 0 { min } else { min * config.suspicion_spread };
        Self { since: now, accusers: vec![accuser], enough, min, max }
    }

    /// There are only so many members left: nobody is waited for who is gone. Tells whether that
    /// matters.
    pub(super) fn limit(&mut self, members: usize) -> bool {
        let matters = others(members) < self.enough;
        self.enough = self.enough.min(others(members));
        matters
    }

    /// Another report. Tells whether it is of an accuser who counts and was not known.
    pub(super) fn confirm(&mut self, accuser: Instance) -> bool {
        let counts = self.accusers.len() <= self.enough && !self.accusers.contains(&accuser);
        if counts {
            self.accusers.push(accuser);
        }
        counts
    }

    /// Who accused last.
    pub(super) fn accuser(&self) -> Instance {
        self.accusers[self.accusers.len() - 1]
    }

    /// When the suspect counts as dead.
    pub(super) fn due(&self) -> Time {
        let confirmed = self.accusers.len() - 1;
        if self.enough <= confirmed {
            return self.since + self.min;
        }
        let share = (confirmed as f64 + 1.0).ln() / (self.enough as f64 + 1.0).ln();
        self.since + self.max - (self.max - self.min).mul_f64(share)
    }
}

/// How many accusers there can be beside the first: the suspect will not accuse itself.
const fn others(members: usize) -> usize {
    members.saturating_sub(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn due(members: usize, accusers: u64) -> Duration {
        let mut suspicion = Suspicion::new(Time::ZERO, Instance(1), members, &Gossip::default());
        for accuser in 2..=accusers {
            suspicion.confirm(Instance(accuser));
        }
        suspicion.due().since(Time::ZERO)
    }

    #[test]
    fn each_accuser_makes_the_time_shorter() {
        let times: Vec<Duration> = (1..=5).map(|accusers| due(10, accusers)).collect();
        assert_eq!(times[0], 9_000 * MS);
        assert!(times[1] < times[0] && times[2] < times[1]);
        assert_eq!(times[3..], [1_500 * MS; 2]);
        assert_eq!(due(100, 4), 3_000 * MS);
    }

    #[test]
    fn nobody_waits_for_more_accusers_than_there_are() {
        assert_eq!(due(2, 1), 1_500 * MS);
        assert_eq!(due(3, 2), 1_500 * MS);
        assert_eq!(due(3, 1), 9_000 * MS);
    }

    #[test]
    fn nobody_waits_for_those_who_are_gone() {
        let mut suspicion = Suspicion::new(Time::ZERO, Instance(1), 3, &Gossip::default());
        assert!(!suspicion.limit(3));
        assert!(suspicion.limit(2));
        assert_eq!(suspicion.due().since(Time::ZERO), 1_500 * MS);
    }

    #[test]
    fn nobody_counts_twice() {
        let mut suspicion = Suspicion::new(Time::ZERO, Instance(1), 10, &Gossip::default());
        assert!(!suspicion.confirm(Instance(1)));
        assert!(suspicion.confirm(Instance(2)));
        assert!(!suspicion.confirm(Instance(2)));
        assert_eq!(suspicion.accuser(), Instance(2));
    }
}
