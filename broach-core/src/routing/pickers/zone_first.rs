//! [`ZoneFirst`]: nodes of the same zone, as long as there are enough of them.

use crate::routing::target::hash_of_zone;
use crate::routing::{Candidate, Candidates, Picker, Picking, PowerOfTwoChoices};

/// Calls nodes of one zone first, and those of others as far as that zone has too few that are
/// well.
///
/// All calls stay in the zone as long as its nodes get no more than 1.4 times what a node gets on
/// average, if callers of all zones make as many calls. If its nodes are fewer than that takes, as
/// many calls stay as give them 1.4 times the average, and the rest goes elsewhere. Of two zones
/// with four nodes each, if some of the one are silent or gone:
///
/// | nodes of the zone that are well | 4 | 3 | 2 | 1 | 0 |
/// |---|---|---|---|---|---|
/// | calls that stay in it | 100 % | 100 % | 93 % | 56 % | 0 % |
///
/// Nodes count by their [weights](crate::Member::weight), and less as long as they are
/// [new](crate::config::Client::slow_start). 1.4 is the *overprovisioning factor* of Envoy; unlike
/// there a node need not be remembered after it has gone.
///
/// Within the zone, and outside, another picker chooses:
/// [`PowerOfTwoChoices`] unless there is [another](Self::with).
#[derive(Debug)]
pub struct ZoneFirst<P = PowerOfTwoChoices> {
    zone: String,
    /// Of its name.
    hash: u64,
    picker: P,
}

impl ZoneFirst {
    /// Calls nodes of this zone first: most often that which the calling node is
    /// [in](crate::NodeBuilder::zone).
    pub fn new(zone: impl Into<String>) -> Self {
        let zone = zone.into();
        let hash = hash_of_zone(&zone);
        Self { zone, hash, picker: PowerOfTwoChoices::new() }
    }

    /// The zone.
    pub fn zone(&self) -> &str {
        &self.zone
    }
}

impl<P> ZoneFirst<P> {
    /// Chooses with this picker among the nodes that are left.
    pub fn with<Q: Picker>(self, picker: Q) -> ZoneFirst<Q> {
        ZoneFirst { zone: self.zone, hash: self.hash, picker }
    }
}

impl<P: Picker> Picker for ZoneFirst<P> {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let here = |candidate: Candidate<'_>| candidate.target().zone == self.hash;
        let mut zones = Zones::default();
        let (mut own, mut all) = (0.0, 0.0);
        for candidate in candidates.iter() {
            let weight = candidate.weight();
            all += weight;
            own += if here(candidate) { weight } else { 0.0 };
            zones.note(candidate.target().zone);
        }
        let stays = SPARE * own * zones.count as f64 / all;
        let local = 1.0 <= stays || 0.0 < own && picking.random_fraction() < stays;
        candidates.pick_among(|candidate| here(candidate) == local, &self.picker, picking)
    }
}

/// Counts different zones.
#[derive(Default)]
struct Zones {
    seen: [u64; ZONES_MAX],
    count: usize,
}

impl Zones {
    fn note(&mut self, zone: u64) {
        if self.count < ZONES_MAX && !self.seen[..self.count].contains(&zone) {
            self.seen[self.count] = zone;
            self.count += 1;
        }
    }
}

/// How much more than the average a node can bear.
const SPARE: f64 = 1.4;

/// Zones that are told apart. Where there are more, a zone seems larger than it is.
const ZONES_MAX: usize = 16;
