//! [`List`]: the nodes that offer a service, and those of them that are what a call wishes.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::routing::target::Target;
use crate::routing::wishes::Wishes;

/// The nodes that offer a service, or some of them. It never changes.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Those that nothing speaks against come first.
    pub(crate) targets: Vec<Arc<Target>>,
    /// How many these are.
    pub(crate) prime: usize,
    /// Of each what stands for its address, for whoever has to look at all of them quickly.
    pub(crate) hashes: Vec<u64>,
    /// Whether all have the same weight.
    pub(crate) even: bool,
    /// Those that calls have asked for, so that not each call has to look for them.
    narrowed: ArcSwap<Vec<Narrowed>>,
}

/// Some of a list, and what they are.
type Narrowed = (Arc<Wishes>, Arc<List>);

impl List {
    /// A list of these, in their order but for those that something speaks against.
    pub(super) fn new(mut targets: Vec<Arc<Target>>) -> Self {
        targets.sort_by_key(|target| !target.is_prime());
        let prime = targets.partition_point(|target| target.is_prime());
        let hashes = targets.iter().map(|target| target.hash).collect();
        let weights = || targets.iter().map(|target| target.member.weight);
        let even = weights().min() == weights().max();
        Self { targets, prime, hashes, even, narrowed: ArcSwap::default() }
    }

    /// Those that are what is wished of whoever offers this service.
    pub(super) fn narrowed(&self, wishes: &Arc<Wishes>, service: &str) -> Arc<Self> {
        let known = self.narrowed.load();
        let same = |(other, _): &&Narrowed| Arc::ptr_eq(other, wishes) || other == wishes;
        if let Some((_, list)) = known.iter().find(same) {
            return Arc::clone(list);
        }
        let fits = |target: &&Arc<Target>| wishes.admit(&target.member, service);
        let list = Arc::new(Self::new(self.targets.iter().filter(fits).cloned().collect()));
        // One node is soon found, and there may be as many such wishes as there are nodes.
        if !wishes.is_for_one() {
            self.narrowed.rcu(|known| {
                let mut known = if known.len() < KEPT_MAX { (**known).clone() } else { Vec::new() };
                known.push((Arc::clone(wishes), Arc::clone(&list)));
                known
            });
        }
        list
    }
}

/// How many different wishes for a service are kept; with more, all are looked for anew.
const KEPT_MAX: usize = 16;
