//! What the tests of whole nodes share: services to call, a network within the process to put nodes
//! on, and eyes to see what they do.
//!
//! [`World`] is where nodes live whose time is virtual and whose network does what a test says, and
//! [`Cluster`] is one with nodes that find each other, under [`Load`] if need be.
//! [`Probe`], [`Script`], [`Numbers`] and [`Dialog`] are the services they serve. [`Watch`] and
//! [`Recorder`]
//! see a node's events, [`Notes`] what becomes of members in its eyes, [`Spans`] its spans,
//! [`Lines`] its log and [`Tap`] its datagrams; [`forge`] writes datagrams that no node would send.

mod cluster;
mod dialog;
mod dice;
pub mod forge;
pub mod layers;
mod lines;
mod load;
mod notes;
mod numbers;
mod probe;
pub mod requests;
mod script;
mod spans;
mod storm;
mod tangle;
mod tap;
mod watch;
mod world;

/// Generated code, which must not give a user a single warning.
#[deny(warnings)]
mod generated {
    broach_core::include_protos!();
}

pub use cluster::Cluster;
pub use dialog::Dialog;
pub use dice::Dice;
pub use generated::*;
pub use lines::Lines;
pub use load::Load;
pub use notes::{Fate, Note, Notes};
pub use numbers::Numbers;
pub use probe::{Probe, Seen};
pub use script::Script;
pub use spans::{Spans, Traced};
pub use storm::{ClusterStorm, StormReport};
pub use tangle::{Tangle, TangleReport};
pub use tap::{Tap, Tapped};
pub use watch::{Recorder, Tally, Watch};
pub use world::{World, client, eventually, faults, for_seeds, millis, secs, transport};
