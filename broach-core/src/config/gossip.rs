//! Settings of the membership: how nodes watch each other and pass on what they learn.

use std::time::Duration;

use crate::config::{BASE_DATAGRAM_BYTES, ConfigError, check};

/// How a node takes part in the membership of its cluster.
///
/// All nodes of a cluster should have the same settings: one that probes faster than others also
/// calls them dead earlier. [`guide::membership`](crate::guide::membership) says how the times work
/// together and what was measured with the default.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Gossip {
    /// A node probes one other in each such interval. The time until a crash is noticed grows with
    /// it, the traffic shrinks. Default: 500 ms.
    pub probe_interval: Duration,
    /// After how long without an answer others are asked to probe too. Must be above the round-trip
    /// time of the network, and below `probe_interval`. Default: 200 ms.
    pub probe_timeout: Duration,
    /// How many others are asked. 0 for none. Default: 3.
    pub indirect_probes: usize,
    /// How often news are passed on, while there are any. Default: 100 ms.
    pub gossip_interval: Duration,
    /// To how many nodes at a time. Default: 3.
    pub gossip_fanout: usize,
    /// Each node passes on a piece of news this many times for each digit of the number of members,
    /// parts of digits included: 8 times among 9, 12 times among 99. Default: 4.
    pub retransmits_per_digit: u32,
    /// And at least this many times. Below some 8, news get lost in small clusters. Default: 8.
    pub retransmits_min: u32,
    /// A suspect has this many probe intervals, times the logarithm of the number of members, to
    /// show that it lives, if enough others suspect it too. Default: 3.
    pub suspicion_min: u32,
    /// And this many times longer if nobody else does. Default: 6.
    pub suspicion_spread: u32,
    /// How many others are enough. Default: 3.
    pub suspicion_confirmations: usize,
    /// By how much a node that has trouble itself slows down its probes: up to one more than this
    /// times. 0 turns that off. Default: 8.
    pub health_max: u32,
    /// How often a node compares what it knows with one other. Default: 10 s.
    pub sync_interval: Duration,
    /// How often an observer does. Default: 2 s.
    pub observe_interval: Duration,
    /// A lone node tries its seeds again after 0.2 s, and then ever less often until this is
    /// reached. Default: 5 s.
    pub seed_backoff_max: Duration,
    /// How often seeds that are not members are tried again, once a node is not alone or has been
    /// alone for `tombstone_lifetime`; for ever. Default: 30 s.
    pub seed_interval: Duration,
    /// How often one of the dead is asked whether it lives after all. Default: 5 s.
    pub dead_interval: Duration,
    /// How long a dead member is remembered, and asked. Must be above `sync_interval`, or the dead
    /// come back through those who have not heard of it. Default: 10 min.
    pub tombstone_lifetime: Duration,
    /// Members that a node knows at once, dead ones included; further ones are not taken in.
    /// Default: 8192.
    pub members_max: usize,
    /// Bytes per second that a node sends for the membership at the most. A member that sends twice
    /// as much is not listened to. Default: 64000.
    pub bytes_per_second: u32,
}

impl Default for Gossip {
    fn default() -> Self {
        Self {
            probe_interval: Duration::from_millis(500),
            probe_timeout: Duration::from_millis(200),
            indirect_probes: 3,
            gossip_interval: Duration::from_millis(100),
            gossip_fanout: 3,
            retransmits_per_digit: 4,
            retransmits_min: 8,
            suspicion_min: 3,
            suspicion_spread: 6,
            suspicion_confirmations: 3,
            health_max: 8,
            sync_interval: Duration::from_secs(10),
            observe_interval: Duration::from_secs(2),
            seed_backoff_max: Duration::from_secs(5),
            seed_interval: Duration::from_secs(30),
            dead_interval: Duration::from_secs(5),
            tombstone_lifetime: Duration::from_secs(600),
            members_max: 8192,
            bytes_per_second: 64_000,
        }
    }
}

impl Gossip {
    /// For nodes far from each other: probes every 5 s that wait for 3 s, suspicion of twice as
    /// many intervals, news every 500 ms to 4 nodes, comparison every 60 s. A crash is noticed
    /// after half a minute or more.
    pub fn wan() -> Self {
        Self {
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            gossip_interval: Duration::from_millis(500),
            gossip_fanout: 4,
            suspicion_min: 6,
            sync_interval: Duration::from_secs(60),
            observe_interval: Duration::from_secs(10),
            ..Self::default()
        }
    }

    /// Checks the fields, alone and against each other.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let above_zero =
            |field, holds: bool| check(field, holds, || "must be above zero".to_owned());
        above_zero("gossip.probe_timeout", !self.probe_timeout.is_zero())?;
        check("gossip.probe_timeout", self.probe_timeout < self.probe_interval, || {
            "must be below gossip.probe_interval".into()
        })?;
        above_zero("gossip.gossip_interval", !self.gossip_interval.is_zero())?;
        above_zero("gossip.gossip_fanout", 0 < self.gossip_fanout)?;
        above_zero("gossip.retransmits_min", 0 < self.retransmits_min)?;
        above_zero("gossip.suspicion_min", 0 < self.suspicion_min)?;
        above_zero("gossip.suspicion_spread", 0 < self.suspicion_spread)?;
        check("gossip.health_max", self.health_max <= HEALTH_MAX, || {
            format!("must not be above {HEALTH_MAX}")
        })?;
        above_zero("gossip.sync_interval", !self.sync_interval.is_zero())?;
        above_zero("gossip.observe_interval", !self.observe_interval.is_zero())?;
        above_zero("gossip.seed_backoff_max", !self.seed_backoff_max.is_zero())?;
        above_zero("gossip.seed_interval", !self.seed_interval.is_zero())?;
        above_zero("gossip.dead_interval", !self.dead_interval.is_zero())?;
        check("gossip.tombstone_lifetime", self.sync_interval < self.tombstone_lifetime, || {
            "must be above gossip.sync_interval".into()
        })?;
        check("gossip.members_max", 2 <= self.members_max, || "must be at least 2".into())?;
        let bytes_min = 8 * BASE_DATAGRAM_BYTES;
        check("gossip.bytes_per_second", bytes_min <= self.bytes_per_second as usize, || {
            format!("must be at least {bytes_min}, which is 8 datagrams")
        })
    }
}

/// A node that slows down more than that takes part no longer.
const HEALTH_MAX: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_valid() {
        Gossip::default().validate().unwrap();
        Gossip::wan().validate().unwrap();
    }

    #[test]
    fn errors_name_the_field() {
        let wrong = [
            Gossip { probe_timeout: Duration::from_millis(500), ..Gossip::default() },
            Gossip { gossip_fanout: 0, ..Gossip::default() },
            Gossip { health_max: 33, ..Gossip::default() },
            Gossip { tombstone_lifetime: Duration::from_secs(10), ..Gossip::default() },
            Gossip { members_max: 1, ..Gossip::default() },
            Gossip { bytes_per_second: 9_599, ..Gossip::default() },
        ];
        let fields = wrong.map(|config| config.validate().unwrap_err().field());
        assert_eq!(
            fields,
            [
                "gossip.probe_timeout",
                "gossip.gossip_fanout",
                "gossip.health_max",
                "gossip.tombstone_lifetime",
                "gossip.members_max",
                "gossip.bytes_per_second",
            ]
        );
    }
}
