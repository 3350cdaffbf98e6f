//! Choosing the node that a call goes to.
//!
//! ```text
//!   gossip, names, a list --> Directory::update
//!                                  |
//!                              Members: a snapshot, with a list of Targets for each service
//!                                  |
//!   a call ------------------> Directory::choose: those that are well, else ...; then the Picker
//!                                  |
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
mod member;
mod members;
mod picker;
mod pickers;
mod standing;
mod target;
#[cfg(test)]
mod tests;
mod waiters;

pub(crate) use choose::{Choice, Chosen};
pub(crate) use dice::Dice;
pub(crate) use directory::{Changed, Directory, Source};
pub(crate) use member::Offers;
pub use member::{Member, MemberState};
pub use members::Members;
pub use picker::{Candidate, Candidates, Picker, Picking};
pub use pickers::{PowerOfTwoChoices, RoundRobin};
pub(crate) use target::{InFlight, Target};
