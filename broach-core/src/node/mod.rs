//! [`Node`]: one process's place in a cluster, put together from all the parts.

mod builder;

use std::net::SocketAddr;
use std::time::Duration;

pub use builder::{NodeBuilder, StartError};

use crate::client::{Channel, ConnectError};
use crate::config::{self, Security};
use crate::ids::Instance;
use crate::net::Handle;
use crate::observe::Counters;
use crate::status::Status;

/// A running node: it serves what it was built with, and calls others through its own socket.
///
/// Dropping it ends everything at once: handlers are stopped, and callers are told that the node is
/// gone. [`run_until`](Self::run_until) and [`shutdown`](Self::shutdown) let calls finish first.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    instance: Instance,
    client: config::Client,
    security: Option<Security>,
    drain_timeout: Duration,
}

/// A node was shut down while calls to it were under way, because the time was over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{running} handlers were still running when the time for shutting down was over \
     (drain_timeout); they have been stopped"
)]
pub struct Unfinished {
    running: u64,
}

impl Node {
    /// A node with settings; [`NodeBuilder::start`] starts it.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// The address that the node's socket is bound to: with the port that the operating system
    /// chose, if it was asked to.
    pub fn local_addr(&self) -> SocketAddr {
        self.handle.shared().local_addr
    }

    /// Which life of the node this is: a random number, drawn when it was started.
    pub const fn instance(&self) -> Instance {
        self.instance
    }

    /// How often everything has happened so far.
    pub fn counters(&self) -> Counters {
        self.handle.shared().observe.counters()
    }

    /// A channel to another node through this node's socket; see [`Channel::connect`]. It ends
    /// with the node.
    ///
    /// # Errors
    ///
    /// If the address cannot be used. That nobody answers there is no error here: calls tell.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped there is no channel, and the node stays as it is.
    pub async fn connect(&self, addr: impl ToString) -> Result<Channel, ConnectError> {
        let (handle, client) = (self.handle.clone(), self.client.clone());
        Channel::through(handle, addr.to_string(), self.security, client).await
    }

    /// Serves until `signal` ends, and then shuts down like [`shutdown`](Self::shutdown), which
    /// waits for calls under way no longer than [`NodeBuilder::drain_timeout`].
    ///
    /// `tokio::signal::ctrl_c()` is such a signal, with tokio's feature `signal`. Containers and
    /// service managers ask programs to end with SIGTERM instead, and kill them some time after
    /// (often 10 s or 30 s), so the drain timeout should be shorter than that. To wait for both:
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// /// Ends when somebody wants the program to end: with Ctrl-C, or SIGTERM.
    /// async fn asked_to_end() -> std::io::Result<()> {
    ///     #[cfg(unix)]
    ///     {
    ///         use tokio::signal::unix::{SignalKind, signal};
    ///
    ///         let mut terminate = signal(SignalKind::terminate())?;
    ///         tokio::select! {
    ///             result = tokio::signal::ctrl_c() => result,
    ///             _ = terminate.recv() => Ok(()),
    ///         }
    ///     }
    ///     #[cfg(not(unix))]
    ///     tokio::signal::ctrl_c().await
    /// }
    ///
    /// # async fn example(builder: broach_core::NodeBuilder)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let node = builder.drain_timeout(Duration::from_secs(5)).start().await?;
    /// node.run_until(asked_to_end()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If calls were still under way when the time for shutting down was over.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the node ends at once.
    pub async fn run_until(self, signal: impl Future) -> Result<(), Unfinished> {
        signal.await;
        self.shutdown().await
    }

    /// Takes no more calls (new ones fail as not executed, so that callers go elsewhere), waits
    /// until those under way have ended and their replies have arrived, and ends.
    ///
    /// # Errors
    ///
    /// If calls were still under way when the time for it was over; see
    /// [`NodeBuilder::drain_timeout`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the node ends at once.
    pub async fn shutdown(self) -> Result<(), Unfinished> {
        let refusal = Status::shutting_down("the node is shutting down");
        let drained = self.handle.drain(refusal, self.drain_timeout).await;
        let running = self.counters().handlers_running();
        self.handle.stop().await;
        if drained { Ok(()) } else { Err(Unfinished { running }) }
    }
}

impl Drop for Node {
    /// Channels of the node may still be there; they do not keep it alive.
    fn drop(&mut self) {
        self.handle.begin_stop();
    }
}
