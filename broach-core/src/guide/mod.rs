//! How Broach works, and why.
//!
//! * [`calls`]: what happens to a call, what a failed one says, and what can be relied upon.
//! * [`cluster`]: how to run a cluster: seeds, addresses, choosing nodes, ending one.
//! * [`balancing`]: which node a call goes to: pickers, keys, wishes for versions, zones, groups.
//! * [`protos`]: from `.proto` files to Rust: what is taken, what comes out, what is refused.
//! * [`layers`]: putting something around all calls, with an example.
//! * [`observing`]: counters, events, spans.
//! * [`testing`]: how to test one's own services, also on a bad network, and how Broach is tested.
//! * [`layout`]: the crates, the modules, and which of them may know of which.
//! * [`congestion`]: how much is sent at once, in which size, and the measurements that decided it.
//! * [`credit`]: who may send how much, and what memory that takes.
//! * [`driver`]: how datagrams and callers meet, and the measurements that decided it.
//! * [`membership`]: how nodes find each other and notice that one is gone.
//! * [`wire`]: the specification of the wire format, of which [`wire_gossip`] is the last part.
//!
//! Every default is in the documentation of its setting: [`config::Transport`] for sizes, limits
//! and times, [`config::Client`] for timeouts and retries, [`config::Gossip`] for the membership.
//!
//! [`config::Transport`]: crate::config::Transport
//! [`config::Client`]: crate::config::Client
//! [`config::Gossip`]: crate::config::Gossip

pub mod balancing;
pub mod calls;
pub mod cluster;
pub mod congestion;
pub mod credit;
pub mod driver;
pub mod layers;
pub mod layout;
pub mod membership;
pub mod observing;
pub mod protos;
pub mod testing;
pub mod wire;
pub mod wire_gossip;
