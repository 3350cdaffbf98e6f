//! What has to be there before a driver starts: a socket, a clock, an identity.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::config::{Gossip, Transport};
use crate::deadline::Clock;
use crate::errors::debug_as_text;
use crate::gossip::{Facts, Me, Membership, Role};
use crate::ids::{ClusterHash, Instance};
use crate::method::hash64;
use crate::net::driver::{Parts, start};
use crate::net::gossiper::Gossiper;
use crate::net::handle::{Handle, Shared};
use crate::net::sightings::Sightings;
use crate::net::socket::DatagramSocket;
use crate::net::work::Handler;
use crate::net::{TokioClock, udp::UdpSocket};
use crate::observe::{Observe, Observer, Propagator};
use crate::proto::Identity;
use crate::rng::Rng;

/// What a node is made of, as its user gives it.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) cluster: String,
    pub(crate) config: Transport,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) propagator: Option<Arc<dyn Propagator>>,
    /// In place of the operating system's UDP.
    pub(crate) socket: Option<Arc<dyn DatagramSocket>>,
    /// In place of the operating system's randomness.
    pub(crate) seed: Option<u64>,
}

/// A node whose socket is bound and whose driver has not been started.
#[derive(Debug)]
pub(crate) struct Prepared {
    socket: Arc<dyn DatagramSocket>,
    identity: Identity,
    rng: Rng,
    shared: Shared,
}

/// How a node takes part in a cluster.
#[derive(Debug)]
pub(crate) struct ClusterPart {
    pub(crate) config: Gossip,
    /// Where others reach the node.
    pub(crate) addr: SocketAddr,
    pub(crate) role: Role,
    pub(crate) facts: Facts,
    /// Where to show the members.
    pub(crate) sightings: Arc<Sightings>,
}

/// Why a node has no socket.
#[derive(thiserror::Error)]
#[error("cannot bind {addr}: {}", hint(source))]
pub struct BindError {
    addr: SocketAddr,
    #[source]
    source: io::Error,
}

debug_as_text!(BindError);

impl BindError {
    /// The address that was wanted.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What kind of error the operating system reported.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// What to do about it.
fn hint(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "another socket has this address; stop the program that owns it, choose another port, \
             or port 0 for any that is free"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has this address".to_owned()
        }
        io::ErrorKind::PermissionDenied => "this user may not use this port".to_owned(),
        _ => format!("the operating system refuses it, {source}"),
    }
}

impl Setup {
    /// Binds the socket.
    ///
    /// # Errors
    ///
    /// If the operating system does not give the address, or no randomness.
    pub(crate) fn prepare(self, bind: SocketAddr) -> Result<Prepared, BindError> {
        let config = Arc::new(self.config);
        let refused = |source| BindError { addr: bind, source };
        let socket = match self.socket {
            Some(socket) => socket,
            None => Arc::new(UdpSocket::bind(bind, &config).map_err(refused)?),
        };
        let local_addr = socket.local_addr().map_err(refused)?;
        let mut rng = match self.seed {
            Some(seed) => Rng::from_seed(seed),
            None => Rng::from_secret(secret().map_err(refused)?),
        };
        let clock: Arc<dyn Clock> = TokioClock::shared();
        let observe = Observe::new(self.observers, self.propagator, Arc::clone(&clock), rng.fork());
        let instance = Instance(rng.non_zero());
        let identity = Identity { instance, cluster: ClusterHash(hash64(&self.cluster)) };
        let for_channels = Arc::new(Mutex::new(rng.fork()));
        let shared = Shared { local_addr, config, clock, observe, for_channels };
        Ok(Prepared { socket, identity, rng, shared })
    }
}

impl Prepared {
    pub(crate) const fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) const fn instance(&self) -> Instance {
        self.identity.instance
    }

    /// Starts the driver, as a task of the tokio runtime that this is called in. Without a handler
    /// the node serves nothing.
    pub(crate) fn start(self, handler: Option<Arc<dyn Handler>>) -> Handle {
        let Self { socket, identity, rng, shared } = self;
        start(Parts { socket, identity, shared, rng, handler, gossiper: None })
    }

    /// Starts the driver of a node that takes part in a cluster.
    pub(crate) fn start_in_cluster(
        mut self,
        handler: Arc<dyn Handler>,
        cluster: ClusterPart,
    ) -> Handle {
        let ClusterPart { config, addr, role, facts, sightings } = cluster;
        let Identity { instance, cluster } = self.identity;
        let epoch = self.socket.unix_time().as_millis() as u64;
        let me = Me { addr, instance, epoch, cluster, role, facts };
        let (now, observe) = (self.shared.clock.now(), self.shared.observe.clone());
        let membership = Membership::new(now, config, me, observe.clone(), self.rng.fork());
        let gossiper = Some(Gossiper::new(membership, instance, observe, sightings));
        let Self { socket, identity, rng, shared } = self;
        start(Parts { socket, identity, shared, rng, handler: Some(handler), gossiper })
    }
}

/// Randomness that nobody can guess.
fn secret() -> io::Result<[u8; 16]> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(io::Error::from)?;
    Ok(secret)
}
