//! Testing against bad networks: faults from a seed, virtual time, and a judge.
//!
//! [`Storm`] runs the transport of many nodes in one thread, millions of calls a minute, with
//! nothing but its seed deciding what happens. [`Network`] carries the datagrams of whole nodes
//! within the process, so that a program's own services can be tested on a paused tokio clock.
//! [`Way`] does the same for programs that carry datagrams between real processes.
//! [`History`] judges both: what callers saw against what handlers did. [`TraceHash`] tells whether
//! two runs were the same.

mod barriers;
mod faults;
mod history;
mod network;
mod queue;
mod storm;
mod trace_hash;
mod world;

pub use faults::{Faults, Struck, Way};
pub use history::{History, Violation};
pub use network::Network;
pub use storm::{Report, Storm};
pub use trace_hash::TraceHash;
