//! [`Node`]: one process's place in a cluster, put together from all the parts.

mod builder;
mod cluster;
mod events;
mod keeper;
mod look;
mod start;

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

pub use builder::NodeBuilder;
pub use events::{MemberEvent, MemberEvents};
pub use start::StartError;

use crate::advert::AdvertError;
use crate::client::{Channel, ConnectError};
use crate::config::{self, ConfigError, Security};
use crate::errors::debug_as_text;
use crate::ids::Instance;
use crate::net::Handle;
use crate::node::builder::check_zone;
use crate::node::cluster::Cluster;
use crate::observe::{Counters, Held};
use crate::routing::Members;
use crate::server::Serve;
use crate::status::Status;

/// A running node: it serves what it was built with, and calls others through its own socket.
///
/// Dropping it ends everything at once: handlers are stopped, and callers are told that the node is
/// gone. [`run_until`](Self::run_until) and [`shutdown`](Self::shutdown) let calls finish first.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    instance: Instance,
    advertised: SocketAddr,
    client: config::Client,
    security: Option<Security>,
    drain_timeout: Duration,
    cluster: Cluster,
    channel: Channel,
    /// The way to this node's own services.
    local: Serve,
}

/// A node was shut down while calls to it were under way, because the time was over, or it was told
/// to hurry.
#[derive(Clone, Copy, Eq, PartialEq, thiserror::Error)]
#[error("{running} handlers were still running when {why}; each is stopped where it waits next")]
pub struct Unfinished {
    running: u64,
    why: &'static str,
}

impl Unfinished {
    const fn in_time(running: u64) -> Self {
        Self { running, why: "the time for shutting down was over (drain_timeout)" }
    }

    const fn in_a_hurry(running: u64) -> Self {
        Self { running, why: "the node was told to stop at once" }
    }
}

debug_as_text!(Unfinished);

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

    /// How many bytes the node holds now for the calls that it serves.
    pub fn held(&self) -> Held {
        self.handle.shared().observe.held()
    }

    /// A channel to the services of the cluster: each call goes to a member that offers its
    /// service, this node itself among them, which is called without the socket. It ends with the
    /// node.
    ///
    /// Of two members that are drawn, the one that answers faster and has less to do is called
    /// ([`PowerOfTwoChoices`](crate::picker::PowerOfTwoChoices)); [`Channel::picker`] chooses
    /// otherwise. Members that are silent, suspected or about to leave are called only if there is
    /// nobody better. If nobody offers the service, the call waits until somebody does, or its
    /// deadline has come.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The members of the cluster, as this node knows them now: itself, unless it is
    /// [client only](NodeBuilder::client_only), and all that are alive or suspected. The table does
    /// not change; ask again for the next one.
    pub fn members(&self) -> Arc<Members> {
        self.cluster.members()
    }

    /// Waits until this node knows so many members, itself included (unless it is
    /// [client only](NodeBuilder::client_only)), and gives the table then. For programs that do
    /// something when all are there; calls need not wait for anything. It waits for as long as that
    /// takes: `tokio::time::timeout` around it sets a limit.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn wait_for_members(&self, count: usize) -> Arc<Members> {
        loop {
            let members = self.cluster.members();
            if count <= members.len() {
                return members;
            }
            self.cluster.changed(members.version()).await;
        }
    }

    /// What becomes of the members from now on. For a reader that is late 1024 events are kept; of
    /// those before them it is told how many there were.
    pub fn events(&self) -> MemberEvents {
        self.cluster.events()
    }

    /// The address by which others know this node; see [`NodeBuilder::advertise`].
    pub const fn advertised_addr(&self) -> SocketAddr {
        self.advertised
    }

    /// Changes the node's share of the calls; see [`NodeBuilder::weight`]. Others hear of it within
    /// moments; several changes within a second are told as one.
    pub fn set_weight(&self, weight: u32) {
        self.cluster.change_facts(|facts| facts.weight = weight);
    }

    /// Changes where the node is; see [`NodeBuilder::zone`].
    ///
    /// # Errors
    ///
    /// If the name is too long; nothing is changed then.
    pub fn set_zone(&self, zone: impl Into<String>) -> Result<(), ConfigError> {
        let zone = zone.into();
        check_zone(&zone)?;
        self.cluster.change_facts(|facts| facts.zone = zone);
        Ok(())
    }

    /// Asks others to make no new calls to this node, or to make them again. Calls that come all
    /// the same are served.
    pub fn set_draining(&self, draining: bool) {
        self.cluster.change_facts(|facts| facts.draining = draining);
    }

    /// Adds a tag, or gives it another value; see [`NodeBuilder::tag`].
    ///
    /// # Errors
    ///
    /// If the node says too much of itself; nothing is changed then. It may have 1024 tags, with
    /// names of up to 512 bytes and values of up to 4096, and all that it offers must fit into
    /// 256 KiB.
    pub fn set_tag(
        &self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), AdvertError> {
        self.cluster.change_advert(|advert| {
            advert.tags.insert(name.into(), value.into());
        })
    }

    /// Puts the node into another group; see [`NodeBuilder::group`].
    ///
    /// # Errors
    ///
    /// If the name is too long, or the node says too much of itself; nothing is changed then.
    pub fn set_group(&self, group: impl Into<String>) -> Result<(), AdvertError> {
        self.cluster.change_advert(|advert| advert.group = group.into())
    }

    /// Takes a tag away.
    pub fn remove_tag(&self, name: &str) {
        // What is left of an advert that was small enough is small enough.
        let _ = self.cluster.change_advert(|advert| {
            advert.tags.remove(name);
        });
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

    /// Leaves the cluster and ends, without a call being lost to it.
    ///
    /// The node first tells the other members that it is draining, and serves on for a moment while
    /// they go elsewhere. Then it takes no more calls (those that come all the same fail as not
    /// executed, which callers take elsewhere), waits until the ones under way have ended and their
    /// replies have arrived (until then calls that it makes to itself are served), says goodbye to
    /// the cluster, which takes half a second at the most, and ends.
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
        self.shutdown_or_stop(pending::<()>()).await
    }

    /// Shuts down like [`shutdown`](Self::shutdown), but stops at once when `hurry` ends: for
    /// programs that are told a second time to end. Handlers that are still at work are stopped
    /// then, and their callers are told that the node is gone.
    ///
    /// # Errors
    ///
    /// If calls were still under way when the time for it was over, or when `hurry` ended.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the node ends at once.
    pub async fn shutdown_or_stop(self, hurry: impl Future) -> Result<(), Unfinished> {
        let orderly = async {
            let drained = self.drain().await;
            let running = self.counters().handlers_running();
            self.handle.leave().await;
            if drained { Ok(()) } else { Err(Unfinished::in_time(running)) }
        };
        let result = match select(pin!(orderly), pin!(hurry)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => match self.counters().handlers_running() {
                0 => Ok(()),
                running => Err(Unfinished::in_a_hurry(running)),
            },
        };
        self.handle.stop().await;
        result
    }

    /// Takes no more calls, and waits until those under way have ended or the time is over; tells
    /// whether they have.
    async fn drain(&self) -> bool {
        let clock = &self.handle.shared().clock;
        let over = clock.now() + self.drain_timeout;
        self.cluster.change_facts(|facts| facts.draining = true);
        self.handle.go_away();
        if self.cluster.is_known_to_others() {
            let moved = clock.now() + MOVING.min(self.drain_timeout / 2);
            clock.sleep_until(moved).await;
        }
        let refusal = Status::shutting_down("the node is shutting down");
        let drained = self.handle.drain(refusal.clone(), over.since(clock.now())).await;
        // Not before, because what is under way may need them.
        self.local.refuse(refusal);
        let own = pin!(self.local.has_served_own());
        drained & matches!(select(own, clock.sleep_until(over)).await, Either::Left(_))
    }
}

impl Drop for Node {
    /// Channels of the node may still be there; they do not keep it alive.
    fn drop(&mut self) {
        self.local.refuse(Status::shutting_down("this node has stopped"));
        self.local.stop_own();
        self.handle.begin_stop();
    }
}

/// How long a node that is to end serves on while the others hear of it: news reach all of a
/// hundred members in less.
const MOVING: Duration = Duration::from_millis(300);
