//! What stands between the nodes of a network: partitions, cuts, pulled plugs.

use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Which datagrams get through at present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Barriers {
    /// Who reaches whom; `None` if there is no partition.
    groups: Option<Vec<BTreeSet<SocketAddr>>>,
    /// Ways that are closed in one direction: from, to.
    cuts: BTreeSet<(SocketAddr, SocketAddr)>,
    unplugged: BTreeSet<SocketAddr>,
}

impl Barriers {
    /// Whether a datagram that is sent now gets through.
    pub(crate) fn pass(&self, from: SocketAddr, to: SocketAddr) -> bool {
        // What a node says to itself never leaves it.
        if from == to {
            return true;
        }
        let together = |group: &BTreeSet<SocketAddr>| group.contains(&from) && group.contains(&to);
        let parted = self.groups.as_ref().is_some_and(|groups| !groups.iter().any(together));
        let unplugged = self.unplugged.contains(&from) || self.unplugged.contains(&to);
        !parted && !unplugged && !self.cuts.contains(&(from, to))
    }

    /// In place of the partition that there was.
    pub(crate) fn partition(&mut self, groups: Vec<BTreeSet<SocketAddr>>) {
        self.groups = Some(groups);
    }

    pub(crate) fn cut(&mut self, from: SocketAddr, to: SocketAddr) {
        self.cuts.insert((from, to));
    }

    /// All ways are open again but those of pulled plugs.
    pub(crate) fn heal(&mut self) {
        self.groups = None;
        self.cuts.clear();
    }

    pub(crate) fn unplug(&mut self, addr: SocketAddr) {
        self.unplugged.insert(addr);
    }

    pub(crate) fn plug_in(&mut self, addr: SocketAddr) {
        self.unplugged.remove(&addr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 7400))
    }

    /// The ways among three nodes and one more that are open.
    fn open(barriers: &Barriers) -> Vec<(u8, u8)> {
        let ways = (1..=4).flat_map(|from| (1..=4).map(move |to| (from, to)));
        let others = ways.filter(|(from, to)| from != to);
        others.filter(|&(from, to)| barriers.pass(addr(from), addr(to))).collect()
    }

    #[test]
    fn in_a_partition_groups_reach_themselves_only() {
        let mut barriers = Barriers::default();
        assert_eq!(open(&barriers).len(), 12);
        let group = |members: &[u8]| members.iter().map(|&number| addr(number)).collect();
        barriers.partition(vec![group(&[1, 2]), group(&[3])]);
        assert_eq!(open(&barriers), [(1, 2), (2, 1)]);
        // One that is in two groups reaches both, as when only some ways have failed.
        barriers.partition(vec![group(&[1, 2]), group(&[2, 3])]);
        assert_eq!(open(&barriers), [(1, 2), (2, 1), (2, 3), (3, 2)]);
        barriers.partition(Vec::new());
        assert_eq!(open(&barriers), []);
        assert!(barriers.pass(addr(1), addr(1)));
        barriers.heal();
        assert_eq!(open(&barriers).len(), 12);
    }

    #[test]
    fn a_cut_is_one_way_and_healed_like_a_partition() {
        let mut barriers = Barriers::default();
        barriers.cut(addr(1), addr(2));
        assert!(!barriers.pass(addr(1), addr(2)) && barriers.pass(addr(2), addr(1)));
        barriers.heal();
        assert_eq!(open(&barriers).len(), 12);
    }

    #[test]
    fn a_pulled_plug_stays_pulled_when_a_partition_heals() {
        let mut barriers = Barriers::default();
        barriers.unplug(addr(4));
        barriers.heal();
        assert_eq!(open(&barriers), [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)]);
        barriers.plug_in(addr(4));
        assert_eq!(open(&barriers).len(), 12);
    }
}
