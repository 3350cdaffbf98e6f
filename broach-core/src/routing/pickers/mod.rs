//! The pickers that there are, each in a file of its own.

mod power_of_two;
mod round_robin;

pub use power_of_two::PowerOfTwoChoices;
pub use round_robin::RoundRobin;
