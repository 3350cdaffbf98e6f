//! Whether what nodes say to each other is protected.

use std::net::SocketAddr;

/// How datagrams are protected against those who can read or change them on the way.
///
/// On the loopback interface nothing need be said. Anywhere else it has to be written down that
/// datagrams go in the clear, because nobody should find that out by accident.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Security {
    _clear: (),
}

impl Security {
    /// Datagrams go in the clear, with a checksum against damage. Whoever is on the way can read
    /// and change them; whoever is not on the way cannot get into a session, because its numbers
    /// are random.
    pub const fn clear() -> Self {
        Self { _clear: () }
    }

    /// Whether it has to be said how datagrams to or from this address are protected.
    pub(crate) fn is_missing(security: Option<Self>, addr: SocketAddr) -> bool {
        security.is_none() && !addr.ip().is_loopback()
    }
}
