//! [`NodeBuilder`]: what a node is made of.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tower::{Layer, Service};

use crate::client::DEFAULT_CLUSTER;
use crate::config::{self, ConfigError, Security};
use crate::errors::debug_as_text;
use crate::exchange::{Dispatch, Reply, Request};
use crate::net::{AddressError, BindError, DatagramSocket, Setup, resolve};
use crate::node::Node;
use crate::observe::{Observer, Propagator};
use crate::server::{RegisterError, Registry, Routes, Serve};
use crate::status::Status;

/// Makes a [`Node`].
///
/// ```no_run
/// # use broach_core::codegen::Dispatch;
/// # async fn example(service: impl Dispatch) -> Result<(), Box<dyn std::error::Error>> {
/// use broach_core::{Node, Security};
///
/// let node = Node::builder()
///     .cluster("shop")
///     .security(Security::clear())
///     .bind("0.0.0.0:7400")
///     .serve(service)
///     .start()
///     .await?;
/// node.run_until(tokio::signal::ctrl_c()).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it starts the node"]
pub struct NodeBuilder {
    setup: Setup,
    client: config::Client,
    security: Option<Security>,
    bind: String,
    services: Vec<Arc<dyn Dispatch>>,
    layers: Vec<Wrap>,
    drain_timeout: Duration,
}

/// Puts a layer around the way to the services.
type Wrap = Box<dyn FnOnce(Routes) -> Routes + Send>;

/// Why a node did not start.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address to bind cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A service cannot be served beside the others.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The address to bind is not a loopback address, and nothing is said of security.
    #[error(
        "{addr} is not a loopback address, and nothing is said of security: write \
         .security(Security::clear()) if datagrams may go in the clear there"
    )]
    Security {
        /// The address.
        addr: SocketAddr,
    },
    /// The operating system does not give the address.
    #[error(transparent)]
    Bind(#[from] BindError),
}

debug_as_text!(StartError);

impl NodeBuilder {
    pub(super) fn new() -> Self {
        Self {
            setup: Setup { cluster: DEFAULT_CLUSTER.to_owned(), ..Setup::default() },
            client: config::Client::default(),
            security: None,
            bind: "127.0.0.1:0".to_owned(),
            services: Vec::new(),
            layers: Vec::new(),
            drain_timeout: Duration::from_secs(10),
        }
    }

    /// The name of the cluster that the node belongs to; nodes and channels of others are refused.
    /// Default: `default`.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.setup.cluster = name.into();
        self
    }

    /// How datagrams are protected. Must be said unless the node is bound to a loopback address.
    pub fn security(mut self, security: Security) -> Self {
        self.security = Some(security);
        self
    }

    /// The address of the node's one UDP port, such as `0.0.0.0:7400`; `[::]` serves both versions
    /// of IP. Default: `127.0.0.1:0`, which is a port of this machine that is free.
    pub fn bind(mut self, addr: impl ToString) -> Self {
        self.bind = addr.to_string();
        self
    }

    /// Serves a service. Can be called for as many as there are, each of a name of its own.
    pub fn serve(mut self, service: impl Dispatch) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    /// Puts a layer around all services: each call that comes in goes through it before it reaches
    /// its handler. A layer added later is further out.
    ///
    /// The layer sees encoded messages, see [`Request`] and [`Reply`]. An error that is no
    /// [`Status`] becomes one with the code `UNKNOWN`.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Routes> + Send + 'static,
        L::Service:
            Service<Request, Response = Reply, Error: Into<Status>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.layers.push(Box::new(|routes| routes.layer(layer)));
        self
    }

    /// Settings of the transport.
    pub fn transport(mut self, config: config::Transport) -> Self {
        self.setup.config = config;
        self
    }

    /// Settings of the calls that the node makes.
    pub fn client(mut self, config: config::Client) -> Self {
        self.client = config;
        self
    }

    /// How long calls that are under way may take to finish when the node is shut down. Default:
    /// 10 s.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
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

    /// Carries datagrams over this socket instead of binding one; the address to bind is not used.
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

    /// Starts the node. It serves from then on, in a task of the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// If a setting, the address or a service cannot be used; the error says which and why.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped no node is started, and what it was built with is dropped.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime, or it lacks timers, or I/O and no socket is given; tokio's
    /// `enable_all` gives both.
    pub async fn start(self) -> Result<Node, StartError> {
        self.setup.config.validate()?;
        self.client.validate()?;
        let mut registry = Registry::default();
        for service in self.services {
            registry.add(service)?;
        }
        let registry = Arc::new(registry);
        let bind = match &self.setup.socket {
            Some(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
            None => resolve(&self.bind).await?,
        };
        if Security::is_missing(self.security, bind) {
            return Err(StartError::Security { addr: bind });
        }
        let prepared = self.setup.prepare(bind)?;
        let instance = prepared.instance();
        let routes = Routes::new(Arc::clone(&registry));
        let routes = self.layers.into_iter().fold(routes, |routes, wrap| wrap(routes));
        let shared = prepared.shared().clone();
        let serve = Serve::new(Arc::clone(&registry), routes, shared.config, shared.observe);
        let handle = match registry.is_empty() {
            true => prepared.start(None),
            false => prepared.start(Some(Arc::new(serve))),
        };
        let (client, security) = (self.client, self.security);
        Ok(Node { handle, instance, client, security, drain_timeout: self.drain_timeout })
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.services.iter().map(|service| service.spec().name).collect();
        f.debug_struct("NodeBuilder")
            .field("cluster", &self.setup.cluster)
            .field("bind", &self.bind)
            .field("services", &services)
            .finish_non_exhaustive()
    }
}
