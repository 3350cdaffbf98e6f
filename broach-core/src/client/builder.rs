//! [`ChannelBuilder`]: channels to nodes that are named, from a program that is no node itself.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::client::Channel;
use crate::client::lookup::Targets;
use crate::client::remote::Parts;
use crate::config::{self, ConfigError, Security};
use crate::errors::debug_as_text;
use crate::net::{
    AddressError, BindError, DatagramSocket, Handle, Lookup, Resolver, Setup, TokioClock,
};
use crate::observe::{Observer, Propagator};
use crate::routing::{ByKey, Picker, RoundRobin, Selection};

/// Makes a [`Channel`] to one node or several, with settings.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use broach_core::{Channel, Security};
///
/// let channel = Channel::builder()
///     .cluster("shop")
///     .security(Security::clear())
///     .connect("10.0.0.7:7400")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it connects"]
pub struct ChannelBuilder {
    setup: Setup,
    client: config::Client,
    security: Option<Security>,
    picker: Arc<dyn Picker>,
    pub(super) selection: Selection,
    pub(super) lookup: Arc<dyn Lookup>,
}

/// Why there is no channel.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// An address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The list of nodes is empty.
    #[error("no node is named: a channel needs the address of at least one")]
    Empty,
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address is not a loopback address, and nothing is said of security.
    #[error(
        "{addr} is not a loopback address, and nothing is said of security: write \
         .security(Security::clear()) if datagrams may go there in the clear"
    )]
    Security {
        /// The address.
        addr: SocketAddr,
    },
    /// The operating system gave no socket to call from.
    #[error(transparent)]
    Bind(#[from] BindError),
}

debug_as_text!(ConnectError);

impl ChannelBuilder {
    pub(super) fn new() -> Self {
        let setup = Setup { cluster: DEFAULT_CLUSTER.to_owned(), ..Setup::default() };
        Self {
            setup,
            client: config::Client::default(),
            security: None,
            picker: Arc::new(ByKey::or(RoundRobin::new())),
            selection: Selection::new(),
            lookup: Arc::new(Resolver),
        }
    }

    /// The name of the cluster that the nodes belong to; others refuse calls. Default: `default`.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.setup.cluster = name.into();
        self
    }

    /// How datagrams are protected. Must be said unless all nodes are on the loopback interface.
    pub fn security(mut self, security: Security) -> Self {
        self.security = Some(security);
        self
    }

    /// Settings of the transport.
    pub fn transport(mut self, config: config::Transport) -> Self {
        self.setup.config = config;
        self
    }

    /// Settings of the side that makes calls.
    pub fn client(mut self, config: config::Client) -> Self {
        self.client = config;
        self
    }

    /// Chooses among several nodes like this. Default: [`RoundRobin`], and for calls with a
    /// [key](crate::Call::key) [`ConsistentHash`](crate::picker::ConsistentHash).
    pub fn picker(mut self, picker: impl Picker) -> Self {
        self.picker = Arc::new(picker);
        self
    }

    /// Shows every event to an observer.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.setup.observers.push(Arc::new(observer));
        self
    }

    /// Joins the spans of calls to a tracing system with ids of its own.
    pub fn propagate(mut self, propagator: impl Propagator + 'static) -> Self {
        self.setup.propagator = Some(Arc::new(propagator));
        self
    }

    /// Calls over this socket instead of binding one.
    pub fn socket(mut self, socket: impl DatagramSocket) -> Self {
        self.setup.socket = Some(Arc::new(socket));
        self
    }

    /// Draws all that is random from a seed, so that a simulation can be repeated. Never in
    /// production: whoever knows the seed knows the numbers of all sessions.
    pub fn danger_seed(mut self, seed: u64) -> Self {
        self.setup.seed = Some(seed);
        self
    }

    /// A channel to one node, like [`Channel::connect`].
    ///
    /// # Errors
    ///
    /// If the address or a setting cannot be used. That nobody answers at the address is no error
    /// here: calls tell.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped nothing is left of the channel.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, or it lacks timers, or I/O and no socket is given; tokio's
    /// `enable_all` gives both.
    pub async fn connect(self, addr: impl ToString) -> Result<Channel, ConnectError> {
        self.list([addr]).await
    }

    /// A channel to several nodes, like [`Channel::list`].
    ///
    /// # Errors
    ///
    /// If an address or a setting cannot be used, or there is no address. That nobody answers is no
    /// error here: calls tell.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped nothing is left of the channel.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, or it lacks timers, or I/O and no socket is given; tokio's
    /// `enable_all` gives both.
    pub async fn list(
        self,
        addrs: impl IntoIterator<Item = impl ToString>,
    ) -> Result<Channel, ConnectError> {
        self.setup.config.validate()?;
        self.client.validate()?;
        let mistake = self.selection.mistake();
        config::check("selection", mistake.is_none(), || mistake.unwrap_or_default().to_owned())?;
        let texts: Vec<String> = addrs.into_iter().map(|addr| addr.to_string()).collect();
        let targets = Targets::of(texts, self.security, self.lookup, TokioClock::shared()).await?;
        let prepared = self.setup.prepare(any_port(&targets))?;
        let shared = prepared.shared().clone();
        let target = targets.text();
        let (directory, lookups) = targets.directory(shared.local_addr, &self.client)?;
        let (handle, picker, local) = (prepared.start(None), self.picker, None);
        let parts = Parts { handle, directory, picker, local, lookups, config: self.client };
        Ok(Channel::remote(parts, target).select(self.selection))
    }
}

impl Channel {
    /// A channel to a named node through another node's socket, by which it is sent; what
    /// [`Channel::connect`] is with a socket of its own.
    pub(crate) async fn through(
        handle: Handle,
        addr: String,
        security: Option<Security>,
        config: config::Client,
    ) -> Result<Self, ConnectError> {
        let shared = handle.shared();
        let clock = Arc::clone(&shared.clock);
        let targets = Targets::of(vec![addr], security, Arc::new(Resolver), clock).await?;
        let target = targets.text();
        let (directory, lookups) = targets.directory(shared.local_addr, &config)?;
        let picker = Arc::new(ByKey::or(RoundRobin::new()));
        let parts = Parts { handle, directory, picker, local: None, lookups, config };
        Ok(Self::remote(parts, target))
    }
}

/// Where to bind a socket that only makes calls: to the loopback interface if nothing else is
/// called, and for both versions of IP if both are.
fn any_port(targets: &Targets) -> SocketAddr {
    let known = targets.known();
    // Names may yet stand for anything that security allows.
    let anything = targets.has_names() && targets.security().is_some();
    let Some(first) = known.first() else {
        let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        return match (anything, std::net::UdpSocket::bind(both)) {
            (true, Ok(_)) => both,
            (true, Err(_)) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            (false, _) => (Ipv4Addr::LOCALHOST, 0).into(),
        };
    };
    let loopback = !anything && known.iter().all(|addr| addr.ip().is_loopback());
    let same = known.iter().all(|addr| addr.is_ipv4() == first.is_ipv4());
    match (loopback && same, first.is_ipv4() && same) {
        (true, true) => (Ipv4Addr::LOCALHOST, 0).into(),
        (true, false) => (Ipv6Addr::LOCALHOST, 0).into(),
        (false, true) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        (false, false) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

impl std::fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelBuilder")
            .field("cluster", &self.setup.cluster)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// The cluster of nodes and channels that name none.
pub(crate) const DEFAULT_CLUSTER: &str = "default";
