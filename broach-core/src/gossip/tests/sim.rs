//! A network of memberships in virtual time: everything that happens comes from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::hash::Hasher;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use siphasher::sip::SipHasher24;

use crate::config::Gossip;
use crate::deadline::{Stopped, Time};
use crate::gossip::{Change, Facts, Me, Membership, Role};
use crate::ids::{ClusterHash, Instance};
use crate::observe::{DropReason, Event as Seen, Observe, Observer};
use crate::rng::Rng;
use crate::wire::{Datagram, Kind};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const CLUSTER: ClusterHash = ClusterHash(0xc1);

/// The network and the nodes on it.
pub(super) struct Sim {
    pub(super) now: Time,
    pub(super) config: Gossip,
    pub(super) nodes: Vec<Node>,
    by_addr: BTreeMap<SocketAddr, Vec<usize>>,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    /// Nodes of different groups do not reach each other.
    pub(super) groups: BTreeMap<SocketAddr, u32>,
    /// The share that is lost on the way to these, beside the rest.
    pub(super) deaf: BTreeMap<SocketAddr, f64>,
    pub(super) rng: Rng,
    pub(super) trace: SipHasher24,
    flying: BinaryHeap<Reverse<(Time, u64, Flight)>>,
    timers: BTreeSet<(Time, usize)>,
    sent: u64,
    /// What was sent, if it is to be kept.
    pub(super) recorded: Option<Vec<Flight>>,
    pub(super) log: Vec<(Time, usize, Change)>,
}

/// A datagram on its way.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Flight {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// Keeps the events that are said only once.
#[derive(Default)]
pub(super) struct Named(pub(super) Mutex<Vec<String>>);

impl Observer for Named {
    fn event(&self, event: &Seen<'_>) {
        if matches!(
            event,
            Seen::AddressClaimed { .. }
                | Seen::ClusterDiffers { .. }
                | Seen::VersionDiffers { .. }
                | Seen::MembersFull { .. }
        ) {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
    }
}

/// One node, or one that was.
pub(super) struct Node {
    pub(super) addr: SocketAddr,
    pub(super) instance: Instance,
    pub(super) membership: Membership,
    pub(super) observe: Observe,
    pub(super) named: Arc<Named>,
    pub(super) up: bool,
    /// What comes in until then waits, and so does the node itself.
    paused_until: Option<Time>,
    /// What comes in and goes out until then waits; the timers run.
    held_until: Option<Time>,
    waiting: Vec<(SocketAddr, Vec<u8>)>,
    held_out: Vec<(SocketAddr, Vec<u8>)>,
    armed: Option<Time>,
    pub(super) bytes_sent: u64,
    pub(super) datagrams_sent: u64,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Time::ZERO,
            config: Gossip::default(),
            nodes: Vec::new(),
            by_addr: BTreeMap::new(),
            loss: 0.0,
            duplicate: 0.0,
            groups: BTreeMap::new(),
            deaf: BTreeMap::new(),
            rng: Rng::from_seed(seed),
            trace: SipHasher24::new(),
            flying: BinaryHeap::new(),
            timers: BTreeSet::new(),
            sent: 0,
            recorded: None,
            log: Vec::new(),
        }
    }

    /// The address of the node with this number.
    pub(super) fn addr(number: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, (number / 250) as u8, 1 + (number % 250) as u8], 7400))
    }

    /// Starts a node and gives its index.
    pub(super) fn start(&mut self, number: usize, seeds: &[usize]) -> usize {
        self.start_as(number, seeds, Role::Member, CLUSTER)
    }

    pub(super) fn start_as(
        &mut self,
        number: usize,
        seeds: &[usize],
        role: Role,
        cluster: ClusterHash,
    ) -> usize {
        let me = Me {
            addr: Self::addr(number),
            instance: Instance(self.rng.non_zero()),
            epoch: 1_700_000_000_000 + self.now.as_nanos() / 1_000_000,
            cluster,
            role,
            facts: Facts::default(),
        };
        let index = self.start_me(me);
        let seeds = seeds.iter().map(|&seed| Self::addr(seed)).collect();
        self.nodes[index].membership.set_seeds(self.now, seeds);
        self.drain(index);
        index
    }

    pub(super) fn start_me(&mut self, me: Me) -> usize {
        let named = Arc::<Named>::default();
        let observers: Vec<Arc<dyn Observer>> = vec![Arc::clone(&named) as _];
        let observe = Observe::new(observers, None, Stopped::shared(), Rng::from_seed(0));
        let (addr, instance) = (me.addr, me.instance);
        let rng = self.rng.fork();
        let membership = Membership::new(self.now, self.config.clone(), me, observe.clone(), rng);
        self.nodes.push(Node {
            addr,
            instance,
            membership,
            observe,
            named,
            up: true,
            paused_until: None,
            held_until: None,
            waiting: Vec::new(),
            held_out: Vec::new(),
            armed: None,
            bytes_sent: 0,
            datagrams_sent: 0,
        });
        let index = self.nodes.len() - 1;
        self.by_addr.entry(addr).or_default().push(index);
        self.drain(index);
        index
    }

    /// The process ends without a word.
    pub(super) fn crash(&mut self, index: usize) {
        self.nodes[index].up = false;
        if let Some(armed) = self.nodes[index].armed.take() {
            self.timers.remove(&(armed, index));
        }
    }

    /// The process stops for a while; what comes in meanwhile is there when it goes on.
    pub(super) fn pause(&mut self, index: usize, duration: Duration) {
        self.nodes[index].paused_until = Some(self.now + duration);
        self.arm(index, Some(self.now + duration));
    }

    /// The node's datagrams, in and out, wait for a while; its timers run.
    pub(super) fn hold(&mut self, index: usize, duration: Duration) {
        self.nodes[index].held_until = Some(self.now + duration);
        self.drain(index);
    }

    /// Does something to a node.
    pub(super) fn with<T>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Membership, Time) -> T,
    ) -> T {
        let done = act(&mut self.nodes[index].membership, self.now);
        self.drain(index);
        done
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until something holds; tells how long that took, if it was in time.
    pub(super) fn run_until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Option<Duration> {
        let (start, end) = (self.now, self.now + limit);
        loop {
            if holds(self) {
                return Some(self.now.since(start));
            }
            if end <= self.now {
                return None;
            }
            let next = (self.now + 10 * MS).min(end);
            while self.step(next) {}
            self.now = next;
        }
    }

    /// Does the next thing before `end`. Datagrams come before timers.
    fn step(&mut self, end: Time) -> bool {
        let flight = self.flying.peek().map(|Reverse((at, ..))| *at);
        let timer = self.timers.first().map(|&(at, _)| at);
        let Some(next) = [flight, timer].into_iter().flatten().min().filter(|&at| at <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if flight == Some(next) {
            let Some(Reverse((_, _, flight))) = self.flying.pop() else { return false };
            self.arrive(flight);
        } else if let Some((_, index)) = self.timers.pop_first() {
            self.wake(index);
        }
        true
    }

    fn arrive(&mut self, flight: Flight) {
        let here = self.by_addr.get(&flight.to).into_iter().flatten().copied();
        let here: Vec<usize> = here.filter(|&index| self.nodes[index].up).collect();
        // More than one if somebody has set it up wrongly: then it is left to chance.
        let at = if here.len() < 2 { 0 } else { self.rng.below(here.len() as u64) as usize };
        let Some(&index) = here.get(at) else { return };
        let node = &mut self.nodes[index];
        if node.paused_until.is_some() || node.held_until.is_some() {
            node.waiting.push((flight.from, flight.bytes));
            return;
        }
        self.take(index, flight.from, flight.bytes);
        self.drain(index);
    }

    /// A datagram reaches a node, as its driver would hand it on.
    pub(super) fn take(&mut self, index: usize, from: SocketAddr, bytes: Vec<u8>) {
        let node = &mut self.nodes[index];
        node.observe.emit(Seen::DatagramReceived { from, bytes: bytes.len() });
        match Datagram::decode(Bytes::from(bytes)) {
            Ok(datagram) if datagram.header.kind == Kind::Gossip => {
                node.membership.handle(self.now, from, &datagram.header, &datagram.body);
            }
            Ok(_) => {
                let reason = DropReason::Type;
                node.observe.emit(Seen::DatagramDropped { from, reason });
            }
            Err(rejected) => {
                let reason = rejected.reason;
                node.observe.emit(Seen::DatagramDropped { from, reason });
            }
        }
    }

    fn wake(&mut self, index: usize) {
        self.nodes[index].armed = None;
        let node = &mut self.nodes[index];
        let reached = |until: Option<Time>| until.is_some_and(|until| until <= self.now);
        let released = reached(node.paused_until) || reached(node.held_until);
        if reached(node.paused_until) {
            node.paused_until = None;
        }
        if reached(node.held_until) {
            node.held_until = None;
        }
        if released {
            for (to, bytes) in std::mem::take(&mut self.nodes[index].held_out) {
                self.carry(self.nodes[index].addr, to, bytes);
            }
            for (from, bytes) in std::mem::take(&mut self.nodes[index].waiting) {
                self.take(index, from, bytes);
            }
        }
        if self.nodes[index].paused_until.is_none() {
            self.nodes[index].membership.handle_timeout(self.now);
        }
        self.drain(index);
    }

    /// Takes what a node has to send and to say.
    pub(super) fn drain(&mut self, index: usize) {
        let mut buffer = Vec::new();
        let addr = self.nodes[index].addr;
        while let Some(to) = self.nodes[index].membership.poll_transmit(self.now, &mut buffer) {
            let bytes = std::mem::take(&mut buffer);
            assert!(bytes.len() <= 1200, "{} bytes", bytes.len());
            let node = &mut self.nodes[index];
            node.bytes_sent += bytes.len() as u64;
            node.datagrams_sent += 1;
            if node.held_until.is_some() {
                node.held_out.push((to, bytes));
            } else {
                self.carry(addr, to, bytes);
            }
        }
        while let Some(change) = self.nodes[index].membership.poll_event() {
            self.log.push((self.now, index, change));
        }
        let node = &self.nodes[index];
        let paused = [node.paused_until, node.held_until].into_iter().flatten();
        let next = if node.paused_until.is_some() {
            node.paused_until
        } else {
            paused.chain(node.membership.next_timeout()).min()
        };
        self.arm(index, next);
    }

    fn arm(&mut self, index: usize, next: Option<Time>) {
        let node = &mut self.nodes[index];
        if let Some(armed) = node.armed {
            self.timers.remove(&(armed, index));
        }
        node.armed = next.filter(|_| node.up);
        if let Some(next) = node.armed {
            self.timers.insert((next, index));
        }
    }

    fn carry(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.trace.write_u64(self.now.as_nanos());
        self.trace.write(&bytes);
        if let Some(recorded) = &mut self.recorded {
            recorded.push(Flight { from, to, bytes: bytes.clone() });
        }
        let groups = (self.groups.get(&from), self.groups.get(&to));
        let deaf = self.deaf.get(&to).copied().unwrap_or(0.0);
        if groups.0 != groups.1 || self.rng.chance(self.loss) || self.rng.chance(deaf) {
            return;
        }
        let copies = 1 + usize::from(self.rng.chance(self.duplicate));
        for _ in 0..copies {
            let delay = Duration::from_micros(100 + self.rng.below(900));
            self.sent += 1;
            let flight = Flight { from, to, bytes: bytes.clone() };
            self.flying.push(Reverse((self.now + delay, self.sent, flight)));
        }
    }
}
