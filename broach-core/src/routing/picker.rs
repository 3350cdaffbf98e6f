//! [`Picker`]: the rule by which one of several nodes is chosen for a call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::deadline::Time;
use crate::method::MethodSpec;
use crate::routing::Member;
use crate::routing::dice::Throw;
use crate::routing::target::Target;

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
/// use broach_core::picker::{Candidates, Picker, Picking};
///
/// /// Calls nodes of its own zone if there are any.
/// #[derive(Debug)]
/// struct Near {
///     zone: String,
/// }
///
/// impl Picker for Near {
///     fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
///         let near = |index: &usize| candidates.get(*index).is_some_and(|candidate| {
///             candidate.member().zone() == self.zone
///         });
///         let near: Vec<usize> = (0..candidates.len()).filter(near).collect();
///         match near.len() {
///             0 => Some(picking.random_below(candidates.len())),
///             count => Some(near[picking.random_below(count)]),
///         }
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
    all: &'a [Arc<Target>],
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
}

impl<'a> Candidates<'a> {
    /// The first `count` of these.
    pub(crate) const fn first(all: &'a [Arc<Target>], count: usize, now: Time) -> Self {
        Self { all, eligible: Eligible::First(count), now }
    }

    /// Those at these places, which must ascend.
    pub(crate) const fn at(all: &'a [Arc<Target>], places: &'a [u32], now: Time) -> Self {
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

    /// The target at an index.
    pub(crate) fn target(&self, index: usize) -> Option<&'a Arc<Target>> {
        match self.eligible {
            Eligible::First(count) => self.all[..count].get(index),
            Eligible::At(places) => self.all.get(*places.get(index)? as usize),
        }
    }

    /// How many places there are: of all nodes that offer what is called.
    pub(super) const fn places(&self) -> usize {
        self.all.len()
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

    /// How much that latency says of now, from 1 down to 0.
    pub(super) fn trust(&self) -> f64 {
        self.target.live.latency.trust(self.now)
    }
}

impl<'a> Picking<'a> {
    pub(crate) const fn new(method: &'a MethodSpec, attempt: usize, throw: Throw) -> Self {
        Self { method, attempt, throw }
    }

    /// The method that is called.
    pub const fn method(&self) -> &'a MethodSpec {
        self.method
    }

    /// Which attempt of the call this is; the first is 1.
    pub const fn attempt(&self) -> usize {
        self.attempt
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
