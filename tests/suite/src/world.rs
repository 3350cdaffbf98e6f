//! [`World`]: nodes on a network within the process, in virtual time, from one seed.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broach_core::testing::{Faults, Network};
use broach_core::{Channel, ChannelBuilder, DatagramSocket, Node, NodeBuilder, Security, config};
use tokio::runtime::{Builder, Handle};
use tokio::time::Instant;

use crate::Watch;
use crate::watch::PATIENCE;

/// A place where nodes live. To be made in a current-thread runtime whose clock is paused.
#[derive(Debug)]
pub struct World {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// What carries datagrams.
    pub network: Network,
    begun: Instant,
    watches: Mutex<Vec<(u8, Watch)>>,
}

impl World {
    /// A world without nodes.
    pub fn new(seed: u64) -> Self {
        let (network, watches) = (Network::new(seed), Mutex::default());
        Self { seed, network, begun: Instant::now(), watches }
    }

    /// The address of the node that the test knows by a number.
    pub fn addr(node: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, node], 7400))
    }

    /// How much time has passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The socket with a node's address.
    ///
    /// # Panics
    ///
    /// If somebody has the address.
    pub fn socket(&self, node: u8) -> impl DatagramSocket + use<> {
        self.network.socket(Self::addr(node)).expect("each address is given to one node at a time")
    }

    /// A node that can be started once it has been told what to serve.
    pub fn node(&self, node: u8) -> NodeBuilder {
        self.node_on(node, self.socket(node))
    }

    /// The same over a socket of the test's own.
    pub fn node_on(&self, node: u8, socket: impl DatagramSocket) -> NodeBuilder {
        let (seed, watch) = self.birth(node);
        let builder = Node::builder().security(Security::clear()).socket(socket);
        builder.danger_seed(seed).observe(watch)
    }

    /// A program that only makes calls, and can connect once it has been told more.
    pub fn caller(&self, node: u8) -> ChannelBuilder {
        self.caller_on(node, self.socket(node))
    }

    /// The same over a socket of the test's own.
    pub fn caller_on(&self, node: u8, socket: impl DatagramSocket) -> ChannelBuilder {
        let (seed, watch) = self.birth(node);
        let builder = Channel::builder().security(Security::clear()).socket(socket);
        builder.danger_seed(seed).observe(watch)
    }

    /// A channel from a program at `node` to the node at `to`.
    pub async fn channel(&self, node: u8, to: u8) -> Channel {
        self.list(node, &[to]).await
    }

    /// A channel from a program at `node` to several nodes.
    pub async fn list(&self, node: u8, to: &[u8]) -> Channel {
        let addrs = to.iter().map(|&node| Self::addr(node));
        self.caller(node).list(addrs).await.expect("addresses and settings are good")
    }

    /// What can be seen of the node that was last started at this address.
    ///
    /// # Panics
    ///
    /// If none was.
    pub fn watch(&self, node: u8) -> Watch {
        let watches = self.watches();
        let last = watches.iter().rev().find(|(other, _)| *other == node);
        last.map(|(_, watch)| watch.clone()).expect("a node was started there")
    }

    /// The world ends, and with it the nodes and channels that are given, which must be all.
    /// Before, nothing may be under way any more; after, nothing may be left.
    ///
    /// # Panics
    ///
    /// If that is not so.
    pub async fn end<T>(self, all: T) {
        // What is on its way arrives, and what is to be sent again is.
        tokio::time::sleep(secs(2)).await;
        for (node, watch) in &*self.watches() {
            let problems = watch.tally().problems();
            assert!(problems.is_empty(), "node {node}: {problems:?}\n{:#?}", watch.tally());
        }
        drop(all);
        tokio::time::sleep(secs(2)).await;
        for (node, watch) in &*self.watches() {
            let (open, problems) = (watch.counters().sessions_open(), watch.tally().problems());
            assert_eq!(open, 0, "node {node} is gone and has sessions: {:#?}", watch.tally());
            assert!(problems.is_empty(), "node {node} is gone: {problems:?}");
        }
        let tasks = Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks, 0, "tasks are left when everything else is gone");
    }

    /// The seed and the eyes for one more life.
    fn birth(&self, node: u8) -> (u64, Watch) {
        let mut watches = self.watches();
        let watch = Watch::default();
        watches.push((node, watch.clone()));
        (self.seed.wrapping_mul(1_000).wrapping_add(watches.len() as u64), watch)
    }

    fn watches(&self) -> MutexGuard<'_, Vec<(u8, Watch)>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a test in a world for each of these seeds, and gives what comes of each. A failure prints
/// its seed; `BROACH_SEED=<seed>` runs that one alone.
pub fn for_seeds<F>(
    seeds: impl IntoIterator<Item = u64>,
    test: impl Fn(World) -> F,
) -> Vec<F::Output>
where
    F: Future,
{
    let only: Option<u64> = std::env::var("BROACH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = only.map_or_else(|| seeds.into_iter().collect(), |seed| vec![seed]);
    let run = |seed| {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without sockets needs nothing of the system");
        let run = || runtime.block_on(async { test(World::new(seed)).await });
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            eprintln!("seed {seed} failed; BROACH_SEED={seed} runs it again");
            resume_unwind(panic)
        })
    };
    seeds.into_iter().map(run).collect()
}

/// Waits until it is so, looking each millisecond: for what nobody tells of, on a paused clock.
///
/// # Panics
///
/// If it does not come to be so.
pub async fn eventually(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "what the test waits for never happened");
        tokio::time::sleep(millis(1)).await;
    }
}

/// The settings of the transport, but for what is changed.
pub fn transport(change: impl FnOnce(&mut config::Transport)) -> config::Transport {
    let mut config = config::Transport::default();
    change(&mut config);
    config
}

/// The settings of the side that makes calls, but for what is changed.
pub fn client(change: impl FnOnce(&mut config::Client)) -> config::Client {
    let mut config = config::Client::default();
    change(&mut config);
    config
}

/// What a network does that is good but for what is changed.
pub fn faults(change: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::default();
    change(&mut faults);
    faults
}

/// Shorthand.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Shorthand.
pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
