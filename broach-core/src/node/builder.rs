//! [`NodeBuilder`]: what a node is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tower::{Layer, Service};

use crate::advert::{Advert, AdvertStore, EncodedAdvert, Location};
use crate::client::{self, DEFAULT_CLUSTER};
use crate::config::{self, ConfigError, Security};
use crate::exchange::{Dispatch, Reply, Request};
use crate::gossip::{Facts, Role, ZONE_BYTES_MAX};
use crate::net::{ClusterPart, DatagramSocket, Resolver, Seeds, Setup, Sightings, resolve, settle};
use crate::node::Node;
use crate::node::cluster::Cluster;
use crate::node::keeper::Keeper;
use crate::node::look::look;
use crate::node::start::StartError;
use crate::observe::{Observer, Propagator};
use crate::routing::{Directory, Source};
use crate::server::{DirectoryService, Registry, Routes, Serve};
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
    seeds: Vec<String>,
    advertise: Option<String>,
    gossip: config::Gossip,
    role: Role,
    facts: Facts,
    tags: BTreeMap<String, String>,
    group: String,
    /// Latitude and longitude.
    location: Option<(f64, f64)>,
}

/// Puts a layer around the way to the services.
type Wrap = Box<dyn FnOnce(Routes) -> Routes + Send>;

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
            seeds: Vec::new(),
            advertise: None,
            gossip: config::Gossip::default(),
            role: Role::Member,
            facts: Facts::default(),
            tags: BTreeMap::new(),
            group: String::new(),
            location: None,
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

    /// Joins a cluster through these seeds: addresses of nodes that may be running, such as
    /// `10.0.0.7:7400`, `host:7400`, or `dns://name:7400` for a name with many addresses. One that
    /// lives is enough to find all others. Can be called several times.
    ///
    /// All are tried, and tried again for ever, so nodes may start in any order, and a cluster that
    /// was cut in two becomes one again. The node's own address may be among them, so that all
    /// nodes can have the same list. A seed that cannot be used is named in the log once a minute;
    /// the node runs on.
    ///
    /// A node that is given none waits for others to join it.
    pub fn join(mut self, seeds: impl IntoIterator<Item = impl ToString>) -> Self {
        self.seeds.extend(seeds.into_iter().map(|seed| seed.to_string()));
        self
    }

    /// The address by which other nodes reach this one, with or without its port.
    ///
    /// Default: the address it is bound to; if that is `0.0.0.0` or `[::]`, the address of this
    /// machine from which the seeds are reached; without seeds, its only private address. Behind
    /// address translation it has to be said.
    pub fn advertise(mut self, addr: impl ToString) -> Self {
        self.advertise = Some(addr.to_string());
        self
    }

    /// Makes calls to the cluster without becoming a member: nobody learns of the node, nobody
    /// watches it, and its coming and going leaves no trace. It asks the members now and then what
    /// has changed ([`config::Gossip::observe_interval`]).
    ///
    /// For command line tools, and for nodes that others cannot reach.
    pub fn client_only(mut self) -> Self {
        self.role = Role::Observer;
        self
    }

    /// Where the node is, for those who choose among nodes: at most 32 bytes, such as `eu-1a`.
    /// Default: empty.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.facts.zone = zone.into();
        self
    }

    /// The node's share of the calls beside those of others; 0 for none as long as there are
    /// others. Default: 100.
    pub fn weight(mut self, weight: u32) -> Self {
        self.facts.weight = weight;
        self
    }

    /// Says something about the node, for those who choose among nodes. A tag of the same name is
    /// replaced.
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Puts the node into a group, for [calls](crate::Call::group) that ask for one: at most 512
    /// bytes, such as `canary`. Default: none.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// Where on the globe the node is, in degrees north of the equator and east of Greenwich, for
    /// [`Nearest`](crate::picker::Nearest). Default: not said.
    pub const fn location(mut self, latitude: f64, longitude: f64) -> Self {
        self.location = Some((latitude, longitude));
        self
    }

    /// Settings of the membership.
    pub fn gossip(mut self, config: config::Gossip) -> Self {
        self.gossip = config;
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
        self.gossip.validate()?;
        check_zone(&self.facts.zone)?;
        let mut registry = Registry::default();
        for service in self.services {
            registry.add(service)?;
        }
        if self.role == Role::Observer && !registry.is_empty() {
            return Err(StartError::ClientOnly);
        }
        let location =
            self.location.map(|(latitude, longitude)| Location::new(latitude, longitude));
        let advert = EncodedAdvert::new(Advert {
            services: registry.offered(),
            tags: self.tags,
            group: self.group,
            location: location.transpose()?,
        })?;
        let store = Arc::new(AdvertStore::default());
        registry.add_internal(Arc::new(DirectoryService::new(Arc::clone(&store))))?;
        let bind = match &self.setup.socket {
            Some(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
            None => resolve(&self.bind).await?,
        };
        if Security::is_missing(self.security, bind) {
            return Err(StartError::Security { addr: bind });
        }
        let name = self.setup.cluster.clone();
        let prepared = self.setup.prepare(bind)?;
        let (instance, shared) = (prepared.instance(), prepared.shared().clone());
        let mut seeds = Seeds::new(self.seeds);
        let advertised = match self.role {
            Role::Observer => shared.local_addr,
            Role::Member => {
                let (given, bound) = (self.advertise.as_deref(), shared.local_addr);
                let unclear = given.is_none() && bound.ip().is_unspecified();
                let known = match unclear {
                    true => seeds.look_up(&*shared.clock, &Resolver).await,
                    // A name that is slow to be looked up need not be waited for.
                    false => seeds.addrs(),
                };
                settle(given, bound, &known).await?
            }
        };
        let registry = Arc::new(registry);
        let routes = Routes::new(Arc::clone(&registry));
        let routes = self.layers.into_iter().fold(routes, |routes, wrap| wrap(routes));
        let local = Serve::new(registry, routes, shared.config, shared.observe.clone());
        let sightings = Arc::new(Sightings::default());
        let part = ClusterPart {
            config: self.gossip,
            addr: advertised,
            role: self.role,
            facts: self.facts.clone(),
            sightings: Arc::clone(&sightings),
        };
        let handle = prepared.start_in_cluster(Arc::new(local.clone()), part);
        let directory = Directory::with_slow_start(Source::Cluster, self.client.slow_start);
        let cluster = Cluster::new(
            handle.clone(),
            Arc::clone(&directory),
            Arc::clone(&store),
            self.facts,
            advert,
        );
        let keeper = Keeper::new(
            instance,
            handle.clone(),
            sightings,
            store,
            Arc::clone(&directory),
            cluster.sender().clone(),
        );
        cluster.spawn(keeper.run());
        cluster.spawn(look(seeds, advertised, handle.clone(), Arc::clone(&directory)));
        let channel = client::cluster(
            handle.clone(),
            directory,
            Some(Arc::new(local.clone())),
            self.client.clone(),
            &name,
        );
        Ok(Node {
            handle,
            instance,
            advertised,
            client: self.client,
            security: self.security,
            drain_timeout: self.drain_timeout,
            cluster,
            channel,
            local,
        })
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

/// Checks the name of a zone.
///
/// # Errors
///
/// If it is too long to be told with every update.
pub(super) fn check_zone(zone: &str) -> Result<(), ConfigError> {
    config::check("zone", zone.len() <= ZONE_BYTES_MAX, || {
        format!("must have at most {ZONE_BYTES_MAX} bytes, but {zone:?} has {}", zone.len())
    })
}
