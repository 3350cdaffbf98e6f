//! Sockets, the driver and its handle: where the protocol meets tokio.
//!
//! ```text
//!   callers, handlers                     one task                         the network
//!   -----------------                     --------                         -----------
//!   Handle::call  ---\
//!   a reply       ----> inbox of commands ----> Driver: Endpoint, timers ----> DatagramSocket
//!   a dropped call --/        <--- replies          ^------------------------------/
//! ```
//!
//! One task owns a socket and all the protocol's state of a node; everything else talks to it
//! through its inbox. `guide::driver` has the figures that decided for this shape.

mod address;
mod advertise;
mod clock;
mod driver;
mod flow;
mod gossiper;
mod handle;
mod handlers;
mod inbox;
mod lookup;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod memory;
mod outbox;
mod pace;
mod reader;
mod readiness;
mod seeds;
mod setup;
mod sightings;
mod socket;
mod starts;
mod streams;
mod task;
#[cfg(test)]
mod tests;
mod timer;
mod udp;
mod waiters;
mod work;
mod writer;

pub use address::AddressError;
pub(crate) use address::{DNS, Target, check_reachable, parse, resolve, resolve_target};
pub use advertise::AdvertiseError;
pub(crate) use advertise::settle;
pub(crate) use clock::TokioClock;
pub(crate) use gossiper::Update;
pub(crate) use handle::{Handle, Outbound, Sent, Stream};
pub(crate) use inbox::Ended;
pub(crate) use lookup::{Lookup, Resolver, look_up};
pub(crate) use reader::Reader;
pub(crate) use seeds::Seeds;
pub use setup::BindError;
pub(crate) use setup::{ClusterPart, Setup};
pub(crate) use sightings::{Sighting, Sightings};
pub use socket::{Datagram, DatagramSocket, Datagrams};
pub(crate) use task::Task;
pub(crate) use work::{Begun, Handler, StreamWork, Work};
pub(crate) use writer::{Closed, Writer};
