//! [`Network`]: a network within the process, for whole nodes.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deadline::Time;
use crate::net::memory::{Carried, Carrier, Hub};
use crate::net::{DatagramSocket, TokioClock};
use crate::rng::Rng;
use crate::testing::barriers::Barriers;
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
///
/// # Parting nodes
///
/// [`partition`](Self::partition), [`cut`](Self::cut) and [`unplug`](Self::unplug) keep datagrams
/// from getting through. It is judged when they are sent: what is on its way when a barrier goes up
/// still arrives.
///
/// ```
/// # use broach_core::testing::Network;
/// # use broach_core::{Channel, Code, Node, Security};
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let network = Network::new(42);
/// # let (addr, here) = ("10.0.0.1:7400".parse()?, "10.0.0.2:1".parse()?);
/// # let start = || Node::builder().socket(network.socket(addr).unwrap()).start();
/// # let node = start().await?;
/// # let builder = Channel::builder().security(Security::clear());
/// # let channel = builder.socket(network.socket(here)?).connect(addr).await?;
/// // Two sides that do not hear of each other.
/// network.partition([&[addr][..], &[here][..]]);
/// let call = channel.call("no.such/Method", "").timeout(Duration::from_secs(5));
/// assert_ne!(call.await.unwrap_err().code(), Code::Unimplemented);
/// assert!(0 < network.struck().severed);
/// network.heal();
///
/// // A crash: the node ends, and nobody hears its goodbye.
/// network.unplug(addr);
/// drop(node);
/// tokio::time::sleep(Duration::from_millis(1)).await;
/// network.plug_in(addr);
/// let node = start().await?;
/// # let status = channel.call("no.such/Method", "").await.unwrap_err();
/// # assert_eq!(status.code(), Code::Unimplemented);
/// # drop(node);
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
    barriers: Barriers,
    struck: Struck,
    ways: BTreeMap<(SocketAddr, SocketAddr), Way>,
    distances: BTreeMap<SocketAddr, Duration>,
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
            barriers: Barriers::default(),
            struck: Struck::default(),
            ways: BTreeMap::new(),
            distances: BTreeMap::new(),
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
        self.weather().faults = faults;
    }

    /// From now on each node's socket holds so many datagrams that have arrived and that nobody has
    /// read yet; further ones are lost. Default: as many as there are.
    pub fn set_receive_buffer(&self, datagrams: usize) {
        self.hub.set_receive_buffer(datagrams);
    }

    /// How often each fault has struck so far.
    pub fn struck(&self) -> Struck {
        let unread = self.hub.unread();
        Struck { unread, ..self.weather().struck }
    }

    /// From now on datagrams pass within each of these groups only. A node in two groups reaches
    /// both; one in none is alone. Takes the place of the partition that there was.
    pub fn partition<'a>(&self, groups: impl IntoIterator<Item = &'a [SocketAddr]>) {
        let groups = groups.into_iter().map(|group| group.iter().copied().collect());
        self.weather().barriers.partition(groups.collect());
    }

    /// From now on nothing passes from the one address to the other. What goes the other way does.
    pub fn cut(&self, from: SocketAddr, to: SocketAddr) {
        self.weather().barriers.cut(from, to);
    }

    /// The partition and all cuts end. What is unplugged stays so.
    pub fn heal(&self) {
        self.weather().barriers.heal();
    }

    /// From now on nothing gets into this address or out of it.
    pub fn unplug(&self, addr: SocketAddr) {
        self.weather().barriers.unplug(addr);
    }

    /// Undoes [`unplug`](Self::unplug).
    pub fn plug_in(&self, addr: SocketAddr) {
        self.weather().barriers.plug_in(addr);
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

    /// Datagrams from and to this address take so much longer than others: the node is far away.
    pub fn set_distance(&self, addr: SocketAddr, distance: Duration) {
        self.weather().distances.insert(addr, distance);
    }

    fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier for Outside {
    fn carry(
        &mut self,
        now: Time,
        from: SocketAddr,
        to: SocketAddr,
        datagram: Carried,
    ) -> Vec<(Time, Carried)> {
        let mut weather = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Weather { rng, faults, barriers, struck, ways, distances } = &mut *weather;
        if !barriers.pass(from, to) {
            struck.sent += 1;
            struck.severed += 1;
            return Vec::new();
        }
        let way = ways.entry((from, to)).or_insert_with(|| Way::new(rng.fork()));
        let mut copies = way.carry(now, &datagram, faults, struck);
        for distance in [from, to].iter().filter_map(|end| distances.get(end)) {
            copies.iter_mut().for_each(|(arrives, _)| *arrives = *arrives + *distance);
        }
        copies
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;
    use crate::ecn::Ecn;
    use crate::net::Datagrams;

    #[tokio::test(start_paused = true)]
    async fn a_socket_holds_what_it_has_room_for() {
        let network = Network::new(1);
        network.set_receive_buffer(5);
        let [here, there] = [1, 2].map(|number| SocketAddr::from(([10, 0, 0, number], 7400)));
        let (sender, receiver) = (network.socket(here).unwrap(), network.socket(there).unwrap());
        let send = |count: u8| {
            for number in 0..count {
                let contents = &[number];
                let datagrams =
                    Datagrams { to: there, local_ip: None, ecn: Ecn::Ect0, contents, size: 1 };
                sender.try_send(&datagrams).unwrap();
            }
        };
        let receive = || async {
            let mut received = Vec::new();
            poll_fn(|cx| receiver.poll_receive(cx, &mut received)).await.unwrap();
            received.iter().map(|datagram| datagram.bytes[0]).collect::<Vec<_>>()
        };
        send(8);
        // Nothing is lost before it has arrived.
        assert_eq!(network.struck().unread, 0);
        assert_eq!(receive().await, [0, 1, 2, 3, 4]);
        assert_eq!(network.struck().unread, 3);
        // What has been read makes room, and what is only on its way takes none.
        send(4);
        tokio::time::sleep(Duration::from_millis(1)).await;
        send(3);
        assert_eq!(receive().await, [0, 1, 2, 3]);
        assert_eq!(receive().await, [0, 1, 2]);
        assert_eq!(network.struck().unread, 3);
        // A process that is stopped reads nothing, and less room counts at once.
        network.stop(there);
        network.set_receive_buffer(2);
        send(6);
        tokio::time::sleep(Duration::from_millis(1)).await;
        network.set_receive_buffer(usize::MAX);
        assert_eq!(network.struck().unread, 7);
        network.resume(there);
        assert_eq!(receive().await, [0, 1]);
    }
}
