//! Choosing the node that a call goes to.

mod fixed;

pub(crate) use fixed::FixedList;
