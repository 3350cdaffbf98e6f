//! The members, in the orders in which they are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use crate::gossip::State;
use crate::gossip::member::Member;
use crate::ids::Instance;
use crate::rng::Rng;

/// Numbers in a summary.
pub(super) const BUCKETS: usize = 64;

/// Everybody this node knows of, itself included if it is a member.
#[derive(Debug)]
pub(super) struct Table {
    own: SocketAddr,
    members: BTreeMap<SocketAddr, Member>,
    positions: BTreeSet<(u64, SocketAddr)>,
    instances: BTreeMap<Instance, SocketAddr>,
    buckets: [u32; BUCKETS],
    /// Live members other than this node, in the order in which they are probed.
    ring: Vec<SocketAddr>,
    /// Which of them is next.
    next: usize,
    /// How many dead ones there are.
    dead: usize,
    version: u64,
}

impl Table {
    pub(super) const fn new(own: SocketAddr) -> Self {
        Self {
            own,
            members: BTreeMap::new(),
            positions: BTreeSet::new(),
            instances: BTreeMap::new(),
            buckets: [0; BUCKETS],
            ring: Vec::new(),
            next: 0,
            dead: 0,
            version: 0,
        }
    }

    pub(super) fn get(&self, addr: SocketAddr) -> Option<&Member> {
        self.members.get(&addr)
    }

    /// For what does not concern others: see [`update`](Self::update) for the rest.
    pub(super) fn get_mut(&mut self, addr: SocketAddr) -> Option<&mut Member> {
        self.members.get_mut(&addr)
    }

    pub(super) fn by_instance(&self, instance: Instance) -> Option<&Member> {
        self.members.get(self.instances.get(&instance)?)
    }

    /// Changes a member, or adds one, and everything that depends on it.
    pub(super) fn update(
        &mut self,
        addr: SocketAddr,
        rng: &mut Rng,
        change: impl FnOnce(Option<Member>) -> Member,
    ) {
        let before = self.take(addr);
        let was_live = before.as_ref().is_some_and(|member| member.state.is_live());
        let member = change(before);
        let is_live = member.state.is_live();
        let bucket = bucket(member.position);
        self.buckets[bucket] = self.buckets[bucket].wrapping_add(member.digest());
        self.positions.insert((member.position, addr));
        self.instances.insert(member.instance(), addr);
        self.dead += usize::from(member.state == State::Dead);
        self.members.insert(addr, member);
        self.version += 1;
        if addr != self.own && was_live != is_live {
            if is_live { self.enter_ring(addr, rng) } else { self.leave_ring(addr) }
        }
    }

    /// Forgets a member that is not live.
    pub(super) fn forget(&mut self, addr: SocketAddr) {
        self.take(addr);
    }

    fn take(&mut self, addr: SocketAddr) -> Option<Member> {
        let member = self.members.remove(&addr)?;
        let bucket = bucket(member.position);
        self.buckets[bucket] = self.buckets[bucket].wrapping_sub(member.digest());
        self.positions.remove(&(member.position, addr));
        if self.instances.get(&member.instance()) == Some(&addr) {
            self.instances.remove(&member.instance());
        }
        self.dead -= usize::from(member.state == State::Dead);
        Some(member)
    }

    /// A new member comes anywhere: if all nodes put it next, all would probe it at once.
    fn enter_ring(&mut self, addr: SocketAddr, rng: &mut Rng) {
        let at = rng.below(self.ring.len() as u64 + 1) as usize;
        self.ring.push(addr);
        let last = self.ring.len() - 1;
        self.ring.swap(at, last);
        // The one that made room has had its turn in this round.
        if at < self.next {
            self.ring.swap(last, self.next);
            self.next += 1;
        }
    }

    fn leave_ring(&mut self, addr: SocketAddr) {
        if let Some(at) = self.ring.iter().position(|&other| other == addr) {
            self.ring.remove(at);
            self.next -= usize::from(at < self.next);
        }
    }

    /// The next member to be probed: each once in a round, and each round in another order.
    pub(super) fn next_in_ring(&mut self, rng: &mut Rng) -> Option<SocketAddr> {
        if self.ring.len() <= self.next {
            self.next = 0;
            for at in (1..self.ring.len()).rev() {
                self.ring.swap(at, rng.below(at as u64 + 1) as usize);
            }
        }
        let addr = *self.ring.get(self.next)?;
        self.next += 1;
        Some(addr)
    }

    /// Up to `count` live members other than this node and `but`, each once.
    pub(super) fn draw(
        &self,
        count: usize,
        but: Option<SocketAddr>,
        rng: &mut Rng,
    ) -> Vec<SocketAddr> {
        let others = self.ring.len() - usize::from(but.is_some_and(|addr| self.is_live(addr)));
        let mut drawn = Vec::with_capacity(count.min(others));
        while drawn.len() < count.min(others) {
            let addr = self.ring[rng.below(self.ring.len() as u64) as usize];
            if Some(addr) != but && !drawn.contains(&addr) {
                drawn.push(addr);
            }
        }
        drawn
    }

    /// Whether this is a live member other than this node.
    pub(super) fn is_live(&self, addr: SocketAddr) -> bool {
        addr != self.own && self.get(addr).is_some_and(|member| member.state.is_live())
    }

    /// Live members other than this node.
    pub(super) fn ring(&self) -> &[SocketAddr] {
        &self.ring
    }

    /// How many live members there are, this node included.
    pub(super) fn live(&self) -> usize {
        self.ring.len() + 1
    }

    /// How many are dead or have left, and are not forgotten.
    pub(super) fn gone(&self) -> usize {
        let own = usize::from(self.members.contains_key(&self.own));
        self.members.len() - self.ring.len() - own
    }

    /// How many of them are dead.
    pub(super) const fn dead(&self) -> usize {
        self.dead
    }

    /// All entries, dead ones too.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The members between two positions, in that order.
    pub(super) fn between(&self, range: RangeInclusive<u64>) -> impl Iterator<Item = &Member> {
        let (first, last) = range.into_inner();
        let from = (first, SocketAddr::from(([0, 0, 0, 0], 0)));
        let found = self.positions.range(from..).take_while(move |&&(at, _)| at <= last);
        found.filter_map(|(_, addr)| self.members.get(addr))
    }

    pub(super) const fn buckets(&self) -> &[u32; BUCKETS] {
        &self.buckets
    }

    /// Counts the changes.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

/// Which number of a summary a position counts for.
const fn bucket(position: u64) -> usize {
    (position >> (64 - BUCKETS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Time;
    use crate::gossip::bucket::Bucket;
    use crate::gossip::record::Record;
    use crate::gossip::{AdvertName, Facts, Me, Role};
    use crate::ids::ClusterHash;

    fn addr(number: u64) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number as u8], 1))
    }

    fn put(table: &mut Table, number: u64, state: State, rng: &mut Rng) {
        let me = Me {
            addr: addr(number),
            instance: Instance(number),
            epoch: 1,
            cluster: ClusterHash(1),
            role: Role::Member,
            facts: Facts::default(),
        };
        let record = Record::own(&me, 0, AdvertName::default());
        table.update(me.addr, rng, |_| {
            Member::new(Time::ZERO, record, state, Bucket::new(Time::ZERO, 1))
        });
    }

    fn filled(count: u64) -> (Table, Rng) {
        let (mut table, mut rng) = (Table::new(addr(1)), Rng::from_seed(1));
        (1..=count).for_each(|number| put(&mut table, number, State::Alive, &mut rng));
        (table, rng)
    }

    #[test]
    fn each_is_probed_once_in_a_round_also_while_others_come_and_go() {
        let (mut table, mut rng) = filled(20);
        for round in 0..50 {
            let mut seen = Vec::new();
            for step in 0..19 {
                if step == 10 {
                    put(&mut table, 100 + round, State::Alive, &mut rng);
                }
                seen.push(table.next_in_ring(&mut rng).unwrap());
            }
            while table.next < table.ring.len() {
                seen.push(table.next_in_ring(&mut rng).unwrap());
            }
            let old = |number| seen.iter().filter(|&&other| other == addr(number)).count();
            assert!((2..=20).all(|number| old(number) == 1), "{seen:?}");
            put(&mut table, 100 + round, State::Dead, &mut rng);
        }
        assert_eq!(table.dead(), 50);
    }

    #[test]
    fn equal_tables_have_equal_summaries_whatever_came_first() {
        let (mut table, mut rng) = filled(50);
        let mut other = Table::new(addr(2));
        (1..=50).rev().for_each(|number| put(&mut other, number, State::Alive, &mut rng));
        assert_eq!(table.buckets(), other.buckets());
        put(&mut table, 7, State::Suspect, &mut rng);
        assert_ne!(table.buckets(), other.buckets());
        put(&mut other, 7, State::Dead, &mut rng);
        assert_ne!(table.buckets(), other.buckets());
        put(&mut table, 7, State::Dead, &mut rng);
        assert_eq!(table.buckets(), other.buckets(), "the dead do not count");
        other.forget(addr(7));
        assert_eq!((table.buckets(), other.len()), (other.buckets(), 49));
    }

    #[test]
    fn positions_cover_everybody_in_order() {
        let (table, _) = filled(50);
        let all: Vec<u64> = table.between(0..=u64::MAX).map(|member| member.position).collect();
        assert_eq!(all.len(), 50);
        assert!(all.is_sorted());
        let some: Vec<u64> = table.between(all[10]..=all[20]).map(|one| one.position).collect();
        assert_eq!(some, all[10..=20]);
    }

    #[test]
    fn a_draw_is_of_others_and_of_each_once() {
        let (table, mut rng) = filled(5);
        for _ in 0..100 {
            let mut drawn = table.draw(9, Some(addr(3)), &mut rng);
            drawn.sort();
            assert_eq!(drawn, [addr(2), addr(4), addr(5)]);
        }
        assert_eq!(table.draw(9, Some(addr(77)), &mut rng).len(), 4);
    }
}
