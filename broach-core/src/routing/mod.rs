//! Choosing the node that a call goes to.
//!
//! ```text
//!   gossip, names, a list --> Directory::update
//!                                  |
//!                              Members: a snapshot, with a list of Targets for each service
//!                                  |
//!   a call and its Selection -> Directory::choose: those that it may go to and that are well,
//!                                  |                else ...; then the Picker
//!                              a Target, counted while the call is under way; its latency and
//!                              whether it answers come back at the end
//! ```
//!
//! What calls show of a node outlives the snapshots, as long as the node's life is the same.

mod choose;
mod dice;
mod directory;
mod explain;
mod latency;
mod list;
mod member;
mod members;
mod picker;
mod pickers;
mod selection;
mod slow_start;
mod standing;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod waiters;
mod wishes;

pub(crate) use choose::{Choice, Chosen};
pub(crate) use dice::Dice;
pub(crate) use directory::{Changed, Directory, Source};
pub(crate) use member::Offers;
pub use member::{Member, MemberState};
pub use members::Members;
pub use picker::{Candidate, Candidates, Picker, Picking};
pub(crate) use pickers::ByKey;
pub use pickers::{
    ConsistentHash, LeastInFlight, Nearest, NetworkQuality, PowerOfTwoChoices, Random, RoundRobin,
    Sticky, WeightedRoundRobin, ZoneFirst,
};
pub use selection::{Key, NodeId, Selection};
pub(crate) use target::{InFlight, Target};
