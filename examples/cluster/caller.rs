//! [`Caller`]: the node that makes the calls, in the process that everything is started from.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broach_core::observe::{Event, Observer};
use broach_core::{Node, NodeBuilder};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Error;
use crate::node::watch;
use crate::processes::{Killed, Noticed};
use crate::view::View;
use crate::wordcount::v1::WordCountClient;

/// A node that calls the others, whom it finds by itself.
#[derive(Debug)]
pub(crate) struct Caller {
    node: Arc<Node>,
    attempts: Attempts,
    view: View,
    /// Ends with the caller.
    _watching: JoinSet<()>,
}

/// When calls were handed to which node last.
#[derive(Clone, Debug, Default)]
struct Attempts(Arc<Mutex<HashMap<SocketAddr, Instant>>>);

impl Caller {
    /// Joins through a seed, and waits until it sees so many nodes.
    ///
    /// It serves nothing, but is a member like the others, and so hears at once who comes and who
    /// goes. Programs that make a call or two do better without: see
    /// [`join_as_client`](Self::join_as_client).
    ///
    /// # Errors
    ///
    /// If that does not happen.
    pub(crate) async fn join(seed: SocketAddr, nodes: usize) -> Result<Self, Error> {
        Self::start(Node::builder().join([seed]), nodes).await
    }

    /// The same without becoming a member: it asks the others now and then what is new.
    ///
    /// # Errors
    ///
    /// Like [`join`](Self::join).
    pub(crate) async fn join_as_client(seed: SocketAddr, nodes: usize) -> Result<Self, Error> {
        Self::start(Node::builder().client_only().join([seed]), nodes).await
    }

    async fn start(builder: NodeBuilder, nodes: usize) -> Result<Self, Error> {
        let attempts = Attempts::default();
        let node = Arc::new(builder.observe(attempts.clone()).start().await?);
        let (teller, view) = View::new();
        let mut watching = JoinSet::new();
        let watched = Arc::clone(&node);
        watching.spawn(async move {
            watch(&watched, watched.events(), |said| teller.on_said(said)).await;
        });
        let caller = Self { node, attempts, view, _watching: watching };
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
        let mut view = self.view.clone();
        if timeout(PATIENCE, view.sees(nodes)).await == Ok(true) {
            return Ok(());
        }
        let known = view.members();
        Err(format!("the caller sees {known} of {nodes} nodes after {PATIENCE:?}").into())
    }

    /// Waits until it calls a node dead, or for as long as is given.
    pub(crate) async fn notices(
        &self,
        addr: SocketAddr,
        killed: Killed,
        wait: Duration,
    ) -> Noticed {
        let mut view = self.view.clone();
        let at = timeout(wait, view.calls_dead(addr, killed.at)).await;
        Noticed { by: "the caller".to_owned(), at: at.ok().flatten() }
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
