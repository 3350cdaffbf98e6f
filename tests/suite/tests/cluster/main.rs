//! Clusters of whole nodes, which find each other by themselves: membership, what members offer,
//! and calls to whoever offers a service.
//!
//! All run on a network within the process and in virtual time, from a seed.

mod adverts;
mod bad_input;
mod balancing;
mod channel;
mod costs;
mod ended;
mod fan_out;
mod hostile;
mod joining;
mod lifecycle;
mod membership;
mod selecting;
mod storms;
mod wiring;
