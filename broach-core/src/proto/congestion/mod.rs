//! How much of a session may be in flight, so that the network is neither idle nor flooded.
//!
//! ```text
//!             Window: what all share          one event per round trip, only what fills the
//!                |                            window lets it grow, undone if proved wrong
//!             Cubic: how it grows             after a loss
//!                |
//!             SlowStart                       and before the first one
//! ```

mod cubic;
#[cfg(test)]
mod reno;
mod slow_start;
mod window;

use std::fmt;
use std::time::Duration;

use crate::deadline::Time;

pub(crate) use cubic::Cubic;
pub(crate) use window::{Losses, Window};

/// How a window grows and shrinks.
///
/// When that is to happen is the [`Window`]'s business, which is the same for all of them.
pub(crate) trait Controller: Clone + fmt::Debug {
    /// A window that has seen nothing yet.
    fn new(sizes: Sizes) -> Self;

    /// Bytes that may be in flight.
    fn window(&self) -> u64;

    /// Whether the window is still looking for what the path carries.
    fn is_searching(&self) -> bool;

    /// A datagram goes out under this number.
    fn on_sent(&mut self, number: u64);

    /// Datagrams have arrived.
    fn on_ack(&mut self, ack: &Acked);

    /// The network was asked for more than it carries.
    fn on_congestion(&mut self, now: Time, sign: Sign);

    /// Nothing was in flight for a while: what the path carries now is not known any more.
    fn on_idle(&mut self);

    /// Datagrams are of another size from now on.
    fn set_sizes(&mut self, sizes: Sizes);
}

/// What a window is counted in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sizes {
    /// Bytes of a datagram.
    pub(crate) datagram: u64,
    /// The window at the beginning, and after a pause.
    pub(crate) initial: u64,
    /// It never falls below this.
    pub(crate) min: u64,
}

/// What an acknowledgement says of the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acked {
    pub(crate) now: Time,
    /// Bytes that went out when the window was full, and after the last sign of congestion.
    pub(crate) bytes: u64,
    /// The highest number that has arrived.
    pub(crate) largest: u64,
    /// The round trip of it, without what the other side waited; `None` if it had been acknowledged
    /// before.
    pub(crate) sample: Option<Duration>,
    /// The smoothed round trip.
    pub(crate) rtt: Duration,
}

/// How the network says that it is asked for more than it carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sign {
    /// A datagram was lost.
    Lost,
    /// All was lost for so long that nothing known of the path counts any more (RFC 9002 §7.6).
    LostAll,
    /// A datagram arrived with a mark (RFC 3168).
    Marked,
}
