//! [`Caller`]: the node that makes the calls, in the process that everything is started from.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broach_core::observe::{Event, Observer};
use broach_core::{Node, NodeBuilder};
use tokio::time::timeout;

use crate::Error;
use crate::node::callable;
use crate::wordcount::v1::WordCountClient;

/// A node that calls the others, whom it finds by itself.
#[derive(Debug)]
pub(crate) struct Caller {
    node: Node,
    attempts: Attempts,
}

/// When calls were handed to which node last.
#[derive(Clone, Debug, Default)]
struct Attempts(Arc<Mutex<HashMap<SocketAddr, Instant>>>);

impl Caller {
    /// Joins through a seed, and waits until it sees so many nodes.
    ///
    /// It serves nothing, so the others need not know of it: it is no member itself.
    ///
    /// # Errors
    ///
    /// If that does not happen.
    pub(crate) async fn join(seed: SocketAddr, nodes: usize) -> Result<Self, Error> {
        Self::start(Node::builder().client_only().join([seed]), nodes).await
    }

    /// The same as a member, which hears at once of what becomes of others.
    ///
    /// # Errors
    ///
    /// Like [`join`](Self::join).
    pub(crate) async fn join_as_member(seed: SocketAddr, nodes: usize) -> Result<Self, Error> {
        Self::start(Node::builder().join([seed]), nodes).await
    }

    async fn start(builder: NodeBuilder, nodes: usize) -> Result<Self, Error> {
        let attempts = Attempts::default();
        let node = builder.observe(attempts.clone()).start().await?;
        let caller = Self { node, attempts };
        caller.sees(nodes).await?;
        Ok(caller)
    }

    /// A client whose calls go to whoever is there at the time.
    pub(crate) fn client(&self) -> WordCountClient {
        WordCountClient::new(self.node.channel())
    }

    /// Waits until so many nodes are known.
    ///
    /// # Errors
    ///
    /// If that does not happen.
    pub(crate) async fn sees(&self, nodes: usize) -> Result<(), Error> {
        let mut events = self.node.events();
        let seen = async {
            while callable(&self.node.members()) != nodes {
                events.next().await;
            }
        };
        let seen = timeout(PATIENCE, seen).await;
        let known = callable(&self.node.members());
        seen.map_err(|_| format!("the caller sees {known} of {nodes} nodes after {PATIENCE:?}"))?;
        Ok(())
    }

    /// When a call was last sent to a node, whether it was answered or not.
    pub(crate) fn last_attempt(&self, addr: SocketAddr) -> Option<Instant> {
        self.attempts.last(addr)
    }
}

impl Attempts {
    fn last(&self, addr: SocketAddr) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&addr).copied()
    }
}

impl Observer for Attempts {
    fn event(&self, event: &Event<'_>) {
        if let Event::AttemptStarted { peer: Some(addr), .. } = *event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(addr, Instant::now());
        }
    }
}

/// How long it may take to find all nodes.
const PATIENCE: Duration = Duration::from_secs(15);
