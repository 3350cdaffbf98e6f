//! [`Picker`]: the rule by which one of several nodes is chosen for a call.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::deadline::Time;
use crate::method::MethodSpec;
use crate::routing::dice::Throw;
use crate::routing::list::List;
use crate::routing::target::Target;
use crate::routing::{Key, Member, Selection};

/// Chooses the node that a call goes to.
///
/// A picker is asked once for each attempt of a call. It is shown the nodes that may be called
/// now, and only those: nodes that are silent, suspected to be dead or about to leave are left out
/// as long as there are others, and so are those that the call has tried already.
///
/// It is asked by many calls at once, on the way of each of them, so it should neither wait nor
/// take long. A picker that panics, or names a candidate that there is not, makes the call fail
/// with `INTERNAL`, as not executed.
///
/// ```
/// use broach_core::picker::{Candidate, Candidates, Picker, Picking, Random};
///
/// /// Calls nodes of its own zone if there are any.
/// #[derive(Debug)]
/// struct Near {
///     zone: String,
/// }
///
/// impl Picker for Near {
///     fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
///         let near = |candidate: Candidate<'_>| candidate.member().zone() == self.zone;
///         candidates
///             .pick_among(near, &Random::new(), picking)
///             .or_else(|| Random::new().pick(candidates, picking))
///     }
/// }
/// ```
pub trait Picker: fmt::Debug + Send + Sync + 'static {
    /// The index of the candidate to call. There is at least one.
    ///
    /// `None` takes none of them: the call then waits until other nodes are known, or its deadline.
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize>;
}

/// The nodes that one attempt of a call may go to.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    /// All nodes that offer what is called.
    all: &'a List,
    eligible: Eligible<'a>,
    now: Time,
}

#[derive(Clone, Copy)]
enum Eligible<'a> {
    /// The first so many of all.
    First(usize),
    /// Those at these places among all, which ascend.
    At(&'a [u32]),
}

/// A node that a call may go to.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    target: &'a Target,
    now: Time,
}

/// The call that a node is chosen for.
#[derive(Debug)]
pub struct Picking<'a> {
    method: &'a MethodSpec,
    attempt: usize,
    throw: Throw,
    selection: &'a Selection,
}

impl<'a> Candidates<'a> {
    /// Those of a list that nothing speaks against.
    pub(crate) const fn prime(all: &'a List, now: Time) -> Self {
        Self { all, eligible: Eligible::First(all.prime), now }
    }

    /// Those at these places, which must ascend.
    pub(crate) const fn at(all: &'a List, places: &'a [u32], now: Time) -> Self {
        Self { all, eligible: Eligible::At(places), now }
    }

    /// How many there are; at least one.
    pub const fn len(&self) -> usize {
        match self.eligible {
            Eligible::First(count) => count,
            Eligible::At(places) => places.len(),
        }
    }

    /// Whether there is none, which is never so when a picker is asked.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The candidate at an index; `None` from [`len`](Self::len) on.
    pub fn get(&self, index: usize) -> Option<Candidate<'a>> {
        Some(Candidate { target: self.target(index)?, now: self.now })
    }

    /// The candidates in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = Candidate<'a>> + use<'a> {
        let this = *self;
        (0..self.len()).filter_map(move |index| this.get(index))
    }

    /// Has another picker choose, among those that this is true of; `None` if there is none. What
    /// it chooses is counted as here.
    pub fn pick_among(
        &self,
        mut fits: impl FnMut(Candidate<'a>) -> bool,
        picker: &(impl Picker + ?Sized),
        picking: &Picking<'_>,
    ) -> Option<usize> {
        let indexes: Vec<u32> =
            (0..).zip(self.iter()).filter(|&(_, one)| fits(one)).map(|(index, _)| index).collect();
        if indexes.len() == self.len() {
            return picker.pick(self, picking);
        }
        let places: Vec<u32> =
            indexes.iter().map(|&index| self.place(index as usize) as u32).collect();
        let some = Candidates { all: self.all, eligible: Eligible::At(&places), now: self.now };
        if some.is_empty() {
            return None;
        }
        let picked = picker.pick(&some, picking)?;
        // What is none there is none here either.
        Some(indexes.get(picked).map_or(usize::MAX, |&index| index as usize))
    }

    /// All nodes that offer what is called, whether or not they may be called now.
    pub(super) fn all(&self) -> &'a [Arc<Target>] {
        &self.all.targets
    }

    /// The index of the candidate whose number is the highest, if one is made of what stands for
    /// its address.
    pub(super) fn highest(&self, number: impl Fn(u64) -> u64) -> Option<usize> {
        let hashes = &self.all.hashes;
        let numbered = |(index, hash): (usize, u64)| (number(hash), index);
        let highest = match self.eligible {
            Eligible::First(count) => {
                hashes[..count].iter().copied().enumerate().map(numbered).max()
            }
            Eligible::At(places) => {
                places.iter().map(|&place| hashes[place as usize]).enumerate().map(numbered).max()
            }
        };
        highest.map(|(_, index)| index)
    }

    /// Whether all have the same weight, as they are.
    pub(super) const fn is_even(&self) -> bool {
        self.all.even
    }

    /// The place of a candidate among all.
    pub(super) const fn place(&self, index: usize) -> usize {
        match self.eligible {
            Eligible::First(_) => index,
            Eligible::At(places) => places[index] as usize,
        }
    }

    /// The target at an index.
    pub(crate) fn target(&self, index: usize) -> Option<&'a Arc<Target>> {
        match self.eligible {
            Eligible::First(count) => self.all.targets[..count].get(index),
            Eligible::At(places) => self.all.targets.get(*places.get(index)? as usize),
        }
    }

    /// How many places there are: of all nodes that offer what is called.
    pub(super) const fn places(&self) -> usize {
        self.all.targets.len()
    }

    /// The index of the candidate at a place among all, or else where it would be.
    pub(super) fn index_of(&self, place: usize) -> Result<usize, usize> {
        match self.eligible {
            Eligible::First(count) if place < count => Ok(place),
            Eligible::First(count) => Err(count),
            Eligible::At(places) => places.binary_search(&(place as u32)),
        }
    }
}

impl<'a> Candidate<'a> {
    /// What is known of the node.
    pub const fn member(&self) -> &'a Member {
        &self.target.member
    }

    /// How many calls of this node's channels are under way to it at present.
    pub fn in_flight(&self) -> usize {
        self.target.live.in_flight.load(Relaxed)
    }

    /// How long it takes to answer: an average over its last answers that rises faster than it
    /// falls. `None` if it has not answered yet, or not for half a minute.
    pub fn latency(&self) -> Option<Duration> {
        self.target.live.latency.get(self.now)
    }

    /// How long the network takes to it and back, smoothed, as the transport has measured it when
    /// the last call to it ended. `None` as long as no call has, and for this node itself.
    pub fn rtt(&self) -> Option<Duration> {
        self.target.live.rtt.get()
    }

    /// Its share of the calls beside those of others: 1 for a node of the usual
    /// [weight](Member::weight), and less as long as a node is new
    /// ([`slow_start`](crate::config::Client::slow_start)). Never 0.
    pub fn weight(&self) -> f64 {
        // Candidates of weight 0 are never among others.
        f64::from(self.member().weight().max(1)) / 100.0
            * self.target.live.slow_start.part(self.now)
    }

    /// Whether it is called if it is its turn, whatever its weight: one that is new lets others go
    /// first now and then.
    pub(super) fn takes_turn(&self, picking: &Picking<'_>) -> bool {
        let part = self.target.live.slow_start.part(self.now);
        1.0 <= part || picking.random_fraction() < part
    }

    /// What is known of the node.
    pub(super) const fn target(&self) -> &'a Target {
        self.target
    }

    /// How much that latency says of now, from 1 down to 0.
    pub(super) fn trust(&self) -> f64 {
        self.target.live.latency.trust(self.now)
    }
}

impl<'a> Picking<'a> {
    pub(crate) const fn new(
        method: &'a MethodSpec,
        attempt: usize,
        throw: Throw,
        selection: &'a Selection,
    ) -> Self {
        Self { method, attempt, throw, selection }
    }

    /// The method that is called.
    pub const fn method(&self) -> &'a MethodSpec {
        self.method
    }

    /// Which attempt of the call this is; the first is 1.
    pub const fn attempt(&self) -> usize {
        self.attempt
    }

    /// What stands for the key of the call, if it was [given](crate::Call::key) one.
    pub const fn key(&self) -> Option<Key> {
        self.selection.key_hash()
    }

    /// What the call wishes of its node.
    pub(super) const fn selection(&self) -> &'a Selection {
        self.selection
    }

    /// A number that calls have in common which have the same nodes to choose from: those of the
    /// same service and with the same wishes.
    pub(super) fn kind(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.method.service().as_bytes());
        if let Some(wishes) = self.selection.wishes() {
            wishes.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// A random number from 0 to below 1, as fine as such numbers are.
    pub fn random_fraction(&self) -> f64 {
        self.random_below(1 << 53) as f64 / (1_u64 << 53) as f64
    }

    /// A random number from 0 to below `bound`; 0 if `bound` is 0. It can be asked for any number
    /// of times.
    ///
    /// In a simulation it comes from the seed. It is not fit for secrets.
    pub fn random_below(&self, bound: usize) -> usize {
        self.throw.below(bound)
    }
}

impl fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("addr", &self.member().addr())
            .field("in_flight", &self.in_flight())
            .field("latency", &self.latency())
            .finish_non_exhaustive()
    }
}
