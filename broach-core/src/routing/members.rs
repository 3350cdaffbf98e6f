//! [`Members`]: all nodes that are known at one moment, and who of them offers what.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rustc_hash::FxHashMap;

use crate::routing::list::List;
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
        let mut services: FxHashMap<&str, Vec<Arc<Target>>> = FxHashMap::default();
        for target in &self.targets {
            if let Offers::Only(advert) = &target.member.offers {
                for service in &advert.services {
                    services.entry(&service.name).or_default();
                }
            }
        }
        let mut everything = Vec::new();
        for target in &self.targets {
            match &target.member.offers {
                Offers::Unknown => {}
                Offers::Everything => {
                    everything.push(Arc::clone(target));
                    services.values_mut().for_each(|list| list.push(Arc::clone(target)));
                }
                Offers::Only(advert) => {
                    for service in &advert.services {
                        if let Some(list) = services.get_mut(service.name.as_str()) {
                            list.push(Arc::clone(target));
                        }
                    }
                }
            }
        }
        self.services =
            services.into_iter().map(|(name, list)| (name.into(), List::new(list))).collect();
        self.everything = List::new(everything);
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
