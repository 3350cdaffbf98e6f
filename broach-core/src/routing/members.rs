//! [`Members`]: all nodes that are known at one moment, and who of them offers what.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rustc_hash::FxHashMap;

use crate::routing::slow_start::SlowStart;
use crate::routing::target::Target;
use crate::routing::{Member, Offers};

/// The nodes that were known at one moment. It never changes; when something does, there is a new
/// one with a higher version.
#[derive(Debug, Default)]
pub struct Members {
    version: u64,
    targets: Vec<Arc<Target>>,
    places: FxHashMap<SocketAddr, usize>,
    /// Who offers a service; those who offer everything are among them.
    services: FxHashMap<Box<str>, List>,
    /// Who offers the services of which nobody says that he offers them.
    everything: List,
}

/// The nodes that offer a service.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Those that nothing speaks against come first.
    pub(crate) targets: Vec<Arc<Target>>,
    /// How many these are.
    pub(crate) prime: usize,
}

impl Members {
    /// These, in the order in which the ones before them were; who is new comes last. `None` if
    /// they are no other than those before. `slow_start` is that of lives that are new.
    pub(super) fn after(
        before: &Self,
        mut members: Vec<Member>,
        ailing: &Arc<AtomicUsize>,
        slow_start: SlowStart,
    ) -> Option<Self> {
        let known = |member: &Member| before.places.get(&member.addr).copied();
        members.sort_by_cached_key(|member| known(member).unwrap_or(usize::MAX));
        let mut after = Self { version: before.version + 1, ..Self::default() };
        for member in members {
            if after.places.contains_key(&member.addr) {
                continue;
            }
            let addr = member.addr;
            let target = match known(&member).map(|place| &before.targets[place]) {
                Some(same) if same.member == member => Arc::clone(same),
                Some(life) if life.member.instance == member.instance => {
                    Arc::new(Target::again(member, Arc::clone(&life.live)))
                }
                _ => Arc::new(Target::new(member, Arc::clone(ailing), slow_start)),
            };
            after.places.insert(addr, after.targets.len());
            after.targets.push(target);
        }
        let same = before.targets.len() == after.targets.len()
            && before
                .targets
                .iter()
                .zip(&after.targets)
                .all(|(one, other)| Arc::ptr_eq(one, other));
        if same {
            return None;
        }
        after.make_lists();
        Some(after)
    }

    fn make_lists(&mut self) {
        let Self { targets, services, everything, .. } = self;
        for target in &*targets {
            if let Offers::Only(advert) = &target.member.offers {
                for service in &advert.services {
                    if !services.contains_key(&*service.name) {
                        services.insert(service.name.as_str().into(), List::default());
                    }
                }
            }
        }
        for target in &*targets {
            match &target.member.offers {
                Offers::Unknown => {}
                Offers::Everything => {
                    everything.targets.push(Arc::clone(target));
                    for list in services.values_mut() {
                        list.targets.push(Arc::clone(target));
                    }
                }
                Offers::Only(advert) => {
                    for service in &advert.services {
                        if let Some(list) = services.get_mut(&*service.name) {
                            list.targets.push(Arc::clone(target));
                        }
                    }
                }
            }
        }
        for list in services.values_mut().chain([everything]) {
            list.targets.sort_by_key(|target| !target.is_prime());
            list.prime = list.targets.partition_point(|target| target.is_prime());
        }
    }

    /// Who offers a service.
    pub(crate) fn candidates(&self, service: &str) -> &List {
        self.services.get(service).unwrap_or(&self.everything)
    }

    pub(crate) fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// Counts up with every change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How many there are, this node included if it is a member.
    pub const fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether none is known.
    pub const fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// All of them. Who has been known for longer comes first.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.targets.iter().map(|target| &target.member)
    }

    /// The member of this address.
    pub fn get(&self, addr: SocketAddr) -> Option<&Member> {
        Some(&self.targets[*self.places.get(&addr)?].member)
    }
}
