//! The transport: calls over datagrams, without a clock, a socket or a task.
//!
//! An [`Endpoint`] is one node's end of all its sessions. Its inputs are
//! [`open`](Endpoint::open), [`cancel`](Endpoint::cancel), [`reply`](Endpoint::reply), and of
//! streams [`send`](Endpoint::send), [`consumed`](Endpoint::consumed) and
//! [`set_awaited`](Endpoint::set_awaited) from above,
//! [`handle_datagram`](Endpoint::handle_datagram) from below, and
//! [`handle_timeout`](Endpoint::handle_timeout) as time passes. After any of them its outputs are
//! to be drained: [`poll_transmit`](Endpoint::poll_transmit) until it has nothing more to send,
//! [`poll_event`](Endpoint::poll_event) until nothing more has happened, and then
//! [`poll_timeout`](Endpoint::poll_timeout), which any input may have changed.
//!
//! ```text
//!                    endpoint: which session is it for, may it open one?
//!                        |
//!                    session: its state, its limits, what goes into a datagram
//!                   /          |           \
//!         caller: calls     link: numbers,   callee: calls
//!         made here         acks, losses     served here
//!                   \                       /
//!              outgoing, incoming: the bytes of a call
//! ```
//!
//! Time, bytes and the generator of random numbers come in as arguments, and nothing is iterated in
//! random order: the same inputs give the same outputs.

mod active;
mod answered;
mod assemble;
mod budget;
mod call_bytes;
mod callee;
mod callee_streams;
mod caller;
mod caller_ends;
mod caller_streams;
mod chunks;
mod closed;
mod congestion;
mod credit;
mod early;
mod ending;
mod endpoint;
mod goaway;
mod grants;
mod hello;
mod inbound;
mod incoming;
mod incoming_stream;
mod lapse;
mod limiter;
mod link;
mod marking;
mod outgoing;
mod pacer;
mod path;
mod path_mtu;
mod peers;
mod pieces;
mod pool;
mod queue;
mod ranges;
mod received;
mod refused;
mod rtt;
mod seen;
mod sent;
mod served;
mod session;
mod share;
mod side;
mod stateless;
mod step;
mod streams;
#[cfg(test)]
mod tests;
mod timers;
mod token;
mod trouble;
mod unasked;
mod waiting;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use crate::config::SizeLimits;
use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::ids::{CallId, CallKey, ClusterHash, Instance, MethodId, SessionId};
use crate::peer::Peer;
use crate::status::Status;

pub(crate) use active::{Call, NewCall};
pub(crate) use call_bytes::CallBytes;
pub(crate) use endpoint::Endpoint;
pub(crate) use goaway::Condition;
pub(crate) use streams::{StreamKey, Streams};
pub(crate) use timers::EARLY_MAX;

/// What a caller knows its call by. Chosen by the user of the endpoint, and never twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Ticket(pub(crate) u64);

/// A call that is served here: this node's end of the session, and the call in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Serving {
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
}

/// Which node this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) instance: Instance,
    pub(crate) cluster: ClusterHash,
}

/// A datagram as the socket gives it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) from: SocketAddr,
    /// The address of this node that it was sent to, if that is known.
    pub(crate) local_ip: Option<IpAddr>,
    /// When it reached this node, which may be before it is handled.
    pub(crate) arrived: Time,
    /// What the network has written on it.
    pub(crate) ecn: Ecn,
    pub(crate) bytes: Bytes,
}

/// Datagrams for one node, one after the other in the buffer that was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Transmit {
    pub(crate) to: SocketAddr,
    /// The address of this node to send from, if it matters.
    pub(crate) local_ip: Option<IpAddr>,
    /// What is written on them for the network.
    pub(crate) ecn: Ecn,
    /// Their sizes.
    pub(crate) sizes: Vec<usize>,
}

/// Something that the user of an endpoint has to act upon.
#[derive(Debug)]
pub(crate) enum Event {
    /// A call made here has ended: with the bytes of its reply, or without. Those of a stream of
    /// replies have come as [`Records`](Self::Records), and are not repeated.
    Ended {
        ticket: Ticket,
        /// The node that it was made to, if it ever said which life it is.
        peer: Option<Peer>,
        /// Whether other calls had better go elsewhere.
        condition: Condition,
        /// How long the network takes to the node and back, smoothed, if it has been measured.
        rtt: Option<Duration>,
        /// The bytes of its request, for another try: also a reply may be a refusal. Empty if the
        /// requests were a stream.
        request: CallBytes,
        result: Result<Bytes, Status>,
    },
    /// A call is to be served; [`Endpoint::reply`] ends it, or [`Endpoint::send`].
    Call(Arrived),
    /// Whole records of a stream have come, one or several: in order, metadata first.
    Records { stream: StreamKey, records: Bytes },
    /// The stream of requests of a call that is served has ended well.
    Fin(Serving),
    /// A record has begun to come in a stream that is larger than what is left of its window. Once
    /// the user waits for it, [`Endpoint::set_awaited`] lets it come in any case.
    Large(StreamKey),
    /// A stream whose [room](Endpoint::room) was 0 takes bytes again.
    Room(StreamKey),
    /// A node has acknowledged what was sent to it: it lives, and it can be heard. Reported a few
    /// times a second at the most.
    Answered(Peer),
    /// A node for whose silence calls have gone elsewhere answers again.
    Heard(Peer),
    /// A call that was to be served has ended without a reply: its handler is to be stopped.
    Stop(Serving),
}

/// A call that could not be begun.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) status: Status,
    /// Whether other calls had better go elsewhere.
    pub(crate) condition: Condition,
    /// The bytes of its request, for another try.
    pub(crate) bytes: CallBytes,
}

/// A call that is to be served.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) serving: Serving,
    pub(crate) peer: Peer,
    pub(crate) key: CallKey,
    pub(crate) method: MethodId,
    /// Of [`Open`](crate::wire::Open).
    pub(crate) flags: u32,
    pub(crate) streams: Streams,
    pub(crate) deadline: Option<Time>,
    /// All of the request; of a stream of requests what its metadata record holds.
    pub(crate) bytes: Bytes,
    /// What the caller takes in reply.
    pub(crate) limits: SizeLimits,
}
