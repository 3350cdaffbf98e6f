//! Calls that stream, between whole nodes: what they carry, how they end, what they cost others.
//!
//! All of it runs on a network within the process and in virtual time, from a seed.

mod bulk;
mod cancellation;
mod deadlines;
mod endings;
mod flow;
mod idle;
mod layers;
mod limits;
mod lossy;
mod lost;
mod model;
mod observing;
mod paths;
mod retries;
mod senders;
mod shapes;
mod shutdown;
mod stage;
mod tangles;
