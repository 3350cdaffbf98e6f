//! [`Network`]: a network within the process, for whole nodes.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::deadline::Time;
use crate::net::memory::{Carrier, Hub};
use crate::net::{DatagramSocket, TokioClock};
use crate::rng::Rng;
use crate::testing::faults::Way;
use crate::testing::{Faults, Struck};

/// A network that exists in this process only, and is as bad as it is told to be.
///
/// Give its sockets to [`NodeBuilder::socket`](crate::NodeBuilder::socket) and
/// [`ChannelBuilder::socket`](crate::ChannelBuilder::socket). On a current-thread runtime of tokio
/// whose clock is paused, time passes as fast as there is nothing to do, and the same seed gives
/// the same run.
///
/// ```
/// use std::time::Duration;
///
/// use broach_core::testing::{Faults, Network};
/// use broach_core::{Channel, Code, Node};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = Network::new(42);
/// let mut faults = Faults::default();
/// faults.loss = 0.2;
/// network.set_faults(faults);
/// let addr = "10.0.0.1:7400".parse()?;
/// let node = Node::builder().socket(network.socket(addr)?).start().await?;
/// let here = network.socket("10.0.0.2:1".parse()?)?;
/// let channel = Channel::builder()
///     .security(broach_core::Security::clear())
///     .socket(here)
///     .connect(addr)
///     .await?;
/// let status = channel.call("no.such/Method", "").await.unwrap_err();
/// assert_eq!(status.code(), Code::Unimplemented);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    hub: Hub,
    weather: Arc<Mutex<Weather>>,
}

/// What the network does at present, and has done.
#[derive(Debug)]
struct Weather {
    rng: Rng,
    faults: Faults,
    struck: Struck,
    ways: BTreeMap<(SocketAddr, SocketAddr), Way>,
}

/// Carries datagrams through the weather.
struct Outside(Arc<Mutex<Weather>>);

impl Network {
    /// A network on which everything that is drawn comes from the seed, and which does nothing bad
    /// yet.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime.
    pub fn new(seed: u64) -> Self {
        let weather = Weather {
            rng: Rng::from_seed(seed),
            faults: Faults::default(),
            struck: Struck::default(),
            ways: BTreeMap::new(),
        };
        let weather = Arc::new(Mutex::new(weather));
        let hub = Hub::new(TokioClock::shared(), Box::new(Outside(Arc::clone(&weather))));
        Self { hub, weather }
    }

    /// A socket with this address. The address is free again when the socket is dropped, with the
    /// node that has it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] if another socket has the address.
    pub fn socket(&self, addr: SocketAddr) -> io::Result<impl DatagramSocket + use<>> {
        self.hub.bind(addr)
    }

    /// From now on the network does this.
    pub fn set_faults(&self, faults: Faults) {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner).faults = faults;
    }

    /// How often each fault has struck so far.
    pub fn struck(&self) -> Struck {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner).struck
    }

    /// Nobody reads at this address any more, as if the process there were stopped. What is sent
    /// there waits.
    pub fn stop(&self, addr: SocketAddr) {
        self.hub.set_stopped(addr, true);
    }

    /// The process at this address goes on.
    pub fn resume(&self, addr: SocketAddr) {
        self.hub.set_stopped(addr, false);
    }
}

impl Carrier for Outside {
    fn carry(
        &mut self,
        now: Time,
        from: SocketAddr,
        to: SocketAddr,
        datagram: Bytes,
    ) -> Vec<(Time, Bytes)> {
        let mut weather = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Weather { rng, faults, struck, ways } = &mut *weather;
        let way = ways.entry((from, to)).or_insert_with(|| Way::new(rng.fork()));
        way.carry(now, &datagram, faults, struck)
    }
}
