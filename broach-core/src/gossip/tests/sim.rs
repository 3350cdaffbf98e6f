//! A network of memberships in virtual time: everything that happens comes from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use siphasher::sip::SipHasher24;

use crate::config::Gossip;
use crate::deadline::{Stopped, Time};
use crate::gossip::{Change, Facts, Me, Membership, Role, State};
use crate::ids::{ClusterHash, Instance};
use crate::observe::{Counters, Event as Seen, Observe};
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
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    /// Nodes of different groups do not reach each other.
    pub(super) groups: BTreeMap<SocketAddr, u32>,
    /// The share that is lost on the way to these, beside the rest.
    pub(super) deaf: BTreeMap<SocketAddr, f64>,
    rng: Rng,
    trace: SipHasher24,
    flying: BinaryHeap<Reverse<(Time, u64, Flight)>>,
    timers: BTreeSet<(Time, usize)>,
    sent: u64,
    pub(super) log: Vec<(Time, usize, Change)>,
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Flight {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// One node, or one that was.
pub(super) struct Node {
    pub(super) addr: SocketAddr,
    pub(super) instance: Instance,
    pub(super) membership: Membership,
    pub(super) observe: Observe,
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
            loss: 0.0,
            duplicate: 0.0,
            groups: BTreeMap::new(),
            deaf: BTreeMap::new(),
            rng: Rng::from_seed(seed),
            trace: SipHasher24::new(),
            flying: BinaryHeap::new(),
            timers: BTreeSet::new(),
            sent: 0,
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
        let observe = Observe::new(vec![], None, Stopped::shared(), Rng::from_seed(0));
        let (addr, instance) = (me.addr, me.instance);
        let rng = self.rng.fork();
        let membership =
            Membership::new(self.now, self.config.clone(), me, observe.clone(), rng);
        self.nodes.push(Node {
            addr,
            instance,
            membership,
            observe,
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
        let Some(next) = [flight, timer].into_iter().flatten().min().filter(|&at| at <= end)
        else {
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
        let here = |node: &&usize| self.nodes[**node].up && self.nodes[**node].addr == flight.to;
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let here: Vec<usize> = all.iter().filter(here).copied().collect();
        if here.is_empty() {
            return;
        }
        let index = here[self.rng.below(here.len() as u64) as usize];
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
                let reason = crate::observe::DropReason::Type;
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

    /// Stands for everything that was sent, and when.
    pub(super) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// A random number.
    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.rng.below(below)
    }

    /// Indices of the nodes that run.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&index| self.nodes[index].up).collect()
    }

    /// What a node knows of an address.
    pub(super) fn view(&self, index: usize, addr: SocketAddr) -> Option<(Instance, State)> {
        let member = self.nodes[index].membership.member(addr)?;
        Some((member.instance(), member.state()))
    }

    /// Whether all of these nodes know all of them to be alive, and nobody else.
    pub(super) fn is_full(&self, indices: &[usize]) -> bool {
        indices.iter().all(|&index| self.has_full_view(index, indices))
    }

    pub(super) fn has_full_view(&self, index: usize, of: &[usize]) -> bool {
        let membership = &self.nodes[index].membership;
        let known = membership.members().filter(|member| member.state() == State::Alive);
        known.count() == of.len()
            && membership.members().count() == of.len()
            && of.iter().all(|&other| {
                let node = &self.nodes[other];
                self.view(index, node.addr) == Some((node.instance, State::Alive))
            })
    }

    /// A cluster of nodes that all know each other, joined through the first.
    pub(super) fn cluster(&mut self, count: usize) -> Vec<usize> {
        let indices: Vec<usize> = (0..count)
            .map(|number| {
                let index = self.start(number, &[0]);
                self.run(10 * MS);
                index
            })
            .collect();
        let full = self.run_until(60 * SECOND, |sim| sim.is_full(&indices));
        assert!(full.is_some(), "{count} nodes must find each other");
        indices
    }

    /// How often somebody took this life for dead.
    pub(super) fn deaths_of(&self, instance: Instance) -> usize {
        let is_it = |(_, _, change): &&(Time, usize, Change)| {
            matches!(change, Change::Dead { peer } if peer.instance == instance)
        };
        self.log.iter().filter(is_it).count()
    }

    /// How often somebody took a node for dead that runs.
    pub(super) fn false_deaths(&self) -> usize {
        let running = self.nodes.iter().filter(|node| node.up);
        running.map(|node| self.deaths_of(node.instance)).sum()
    }

    pub(super) fn counters(&self, index: usize) -> Counters {
        self.nodes[index].observe.counters()
    }

    /// Bytes sent by all so far.
    pub(super) fn bytes_sent(&self) -> u64 {
        self.nodes.iter().map(|node| node.bytes_sent).sum()
    }
}
