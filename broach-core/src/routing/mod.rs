//! Choosing the node that a call goes to.

mod fixed;
mod member;

pub(crate) use fixed::FixedList;
#[expect(unused_imports, reason = "the directory will use it")]
pub(crate) use member::Offers;
pub use member::{Member, MemberState};
