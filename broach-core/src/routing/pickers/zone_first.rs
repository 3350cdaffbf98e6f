//! [`ZoneFirst`]: nodes of the same zone, as long as there are enough of them.

use crate::routing::{Candidate, Candidates, Picker, Picking, PowerOfTwoChoices};

/// Calls nodes of one zone first, and those of others as far as that zone has too few that are
/// well.
///
/// All calls stay in the zone as long as at least 5/7 of its nodes, some 71 %, may be called. If it
/// is fewer, 1.4 times that part stays, and the rest goes elsewhere: with half of the nodes 70 % of
/// the calls, with none of them no call. So those that are left have at most 1.4 times as much to
/// do as when all were well. (The rule and the number are those of Envoy's zone aware load
/// balancing with its *overprovisioning factor*.)
///
/// What is missing is what is silent, suspected, or about to leave. A node that has gone for good
/// is not missed once the directory has forgotten it, and nodes that other wishes of the call leave
/// out do not count at all. If no other zone has a node, all calls stay.
///
/// Within the zone, and outside, another picker chooses:
/// [`PowerOfTwoChoices`] unless there is [another](Self::with).
#[derive(Debug)]
pub struct ZoneFirst<P = PowerOfTwoChoices> {
    zone: String,
    picker: P,
}

impl ZoneFirst {
    /// Calls nodes of this zone first: most often that which the calling node is
    /// [in](crate::NodeBuilder::zone).
    pub fn new(zone: impl Into<String>) -> Self {
        Self { zone: zone.into(), picker: PowerOfTwoChoices::new() }
    }
}

impl<P> ZoneFirst<P> {
    /// Chooses with this picker among the nodes that are left.
    pub fn with<Q: Picker>(self, picker: Q) -> ZoneFirst<Q> {
        ZoneFirst { zone: self.zone, picker }
    }
}

impl<P: Picker> Picker for ZoneFirst<P> {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let here = |candidate: Candidate<'_>| candidate.member().zone() == self.zone;
        let well = candidates.iter().filter(|&candidate| here(candidate)).count();
        if well == 0 || well == candidates.len() {
            return self.picker.pick(candidates, picking);
        }
        let missing = candidates.missing(picking).filter(|member| member.zone() == self.zone);
        let stays = SPARE * well as f64 / (well + missing.count()) as f64;
        let local = 1.0 <= stays || picking.random_fraction() < stays;
        candidates.pick_among(|candidate| here(candidate) == local, &self.picker, picking)
    }
}

/// How much more than its share a node can bear.
const SPARE: f64 = 1.4;
