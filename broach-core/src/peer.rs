//! A node at the other end of a call.

use std::fmt;
use std::net::SocketAddr;

use crate::ids::Instance;

/// A node at the other end.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Peer {
    /// The address its datagrams come from.
    pub addr: SocketAddr,
    /// Which of the node's lives it is.
    pub instance: Instance,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}
