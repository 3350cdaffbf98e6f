//! What this node knows of the nodes that it calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::ids::Instance;
use crate::wire::Token;

/// What outlives a session to a node and makes the next one begin well.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The node's present life.
    pub(crate) instance: Option<Instance>,
    /// Proves to that life that a request is fresh.
    pub(crate) token: Option<Token>,
    /// The round-trip time when last measured.
    pub(crate) rtt: Option<Duration>,
    /// The session that is open, by its index.
    pub(crate) session: Option<usize>,
}

/// The nodes that this one calls or has called, by address.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    known: BTreeMap<SocketAddr, Known>,
}

impl Peers {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, addr: SocketAddr) -> Known {
        self.known.get(&addr).copied().unwrap_or_default()
    }

    /// What is known of a node, to be changed.
    pub(crate) fn entry(&mut self, addr: SocketAddr) -> &mut Known {
        if PEERS_MAX <= self.known.len() && !self.known.contains_key(&addr) {
            self.forget_one();
        }
        self.known.entry(addr).or_default()
    }

    /// Forgets what belongs to a life of a node that has ended, or may have.
    pub(crate) fn forget_life(&mut self, addr: SocketAddr) {
        if let Some(known) = self.known.get_mut(&addr) {
            (known.instance, known.token) = (None, None);
        }
    }

    /// Forgets a node to which no session is open: the next call to it costs a round trip more.
    fn forget_one(&mut self) {
        let idle = self.known.iter().find(|(_, known)| known.session.is_none());
        if let Some(addr) = idle.map(|(&addr, _)| addr) {
            self.known.remove(&addr);
        }
    }
}

/// So many nodes are remembered after their sessions have ended.
const PEERS_MAX: usize = 65_536;
