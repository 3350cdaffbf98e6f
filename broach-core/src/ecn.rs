//! Explicit congestion notification (RFC 3168): what the network may write on a datagram.

/// The two bits of a datagram's IP header with which a router says that it is congested, instead
/// of losing the datagram.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Ecn {
    /// The sender does not understand marks: a congested router has to drop the datagram.
    #[default]
    NotCapable,
    /// The sender understands marks: ECT(1).
    Ect1,
    /// The sender understands marks: ECT(0). This is what a node sends its calls with.
    Ect0,
    /// Congestion experienced: the mark itself.
    Ce,
}

impl Ecn {
    /// Whether a router may mark the datagram, or has done so.
    pub const fn is_capable(self) -> bool {
        !matches!(self, Self::NotCapable)
    }
}
