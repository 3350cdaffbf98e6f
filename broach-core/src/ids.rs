//! The numbers that name things: each kind is a type of its own, so that none is taken for another.
//!
//! Random numbers and hashes print as 16 hex digits, counters as decimal numbers.

use std::fmt;

/// Declares a newtype over `u64`.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(", $format, ")"), self.0)
            }
        }
    };
}

number! {
    /// One life of a node: drawn at random when it starts, so that a restarted node differs from
    /// the one before it. Never 0, which stands for "unknown" on the wire.
    Instance, "{:016x}"
}

number! {
    /// The receiving end of a session: drawn at random by the side that receives under it, so that
    /// knowing it proves that one has heard from there. Its low byte names the receiver's shard.
    /// Never 0, which stands for "not known yet" on the wire.
    SessionId, "{:016x}"
}

number! {
    /// One call of a session. Ids count up from 0 in the order in which calls are first sent, and
    /// none is ever used again.
    CallId, "{}"
}

number! {
    /// The place of a datagram in all that one side of a session sends: counts up from 0 by one
    /// each datagram, retransmissions included, and never repeats.
    PacketNumber, "{}"
}

number! {
    /// A method on the wire: the first 8 bytes (big-endian) of the SHA-256 of
    /// `package.Service/Method`.
    MethodId, "{:016x}"
}

number! {
    /// A cluster on the wire: the first 8 bytes (big-endian) of the SHA-256 of its name.
    ClusterHash, "{:016x}"
}

impl PacketNumber {
    /// The number after this one.
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl CallId {
    /// The id after this one.
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What tells one call from every other that was ever made, in any cluster and at any time.
///
/// The transport makes sure that a call runs at most once as long as both nodes live. A handler
/// whose effect must survive a crash of its own node can store this key with the effect and refuse
/// to apply it twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CallKey {
    /// The life of the node that made the call.
    pub instance: Instance,
    /// The caller's end of the session.
    pub session: SessionId,
    /// The call within the session.
    pub call: CallId,
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.instance, self.session, self.call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_print_as_hex_and_counters_as_decimals() {
        assert_eq!(Instance(0x2a).to_string(), "000000000000002a");
        assert_eq!(format!("{:?}", SessionId(1)), "SessionId(0000000000000001)");
        assert_eq!(CallId(42).to_string(), "42");
        let key = CallKey { instance: Instance(1), session: SessionId(2), call: CallId(3) };
        assert_eq!(key.to_string(), "0000000000000001-0000000000000002-3");
    }
}
