//! The engine of a [`Storm`]: events in the order of virtual time.

mod actors;
mod lives;
mod payload;
mod skew;
mod streams;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHasher;

use crate::deadline::Time;
use crate::ids::SessionId;
use crate::net::memory::Carried;
use crate::observe::Observe;
use crate::proto::{Endpoint, Received, Ticket, Transmit};
use crate::rng::Rng;
use crate::testing::faults::Way;
use crate::testing::{Faults, History, Report, Storm, Struck};
use skew::LocalClock;
use streams::{End, EndKey};

/// All nodes and the network between them.
pub(crate) struct World {
    storm: Storm,
    now: Time,
    /// How many events in a row there were without any time between them.
    at_once: u64,
    rng: Rng,
    nodes: Vec<Node>,
    by_addr: BTreeMap<SocketAddr, usize>,
    ways: BTreeMap<(SocketAddr, SocketAddr), Way>,
    events: BinaryHeap<Reverse<(Time, u64, Happening)>>,
    next_event: u64,
    next_token: u64,
    history: History,
    forged: BTreeMap<SocketAddr, Traffic>,
    struck: Struck,
    report: Report,
    trace: FxHasher,
    buffer: Vec<u8>,
}

/// Something that happens at a time. The order of the variants decides nothing: no two events have
/// the same number.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Happening {
    Arrive { to: SocketAddr, from: SocketAddr, datagram: Carried },
    Timer { node: usize },
    Finish { node: usize, life: u64, serving: (u64, u64), reply: Bytes },
    Make { node: usize, life: u64 },
    Drop { node: usize, life: u64, token: u64 },
    Crash { node: usize },
    Pause { node: usize },
    Resume { node: usize },
    Take { node: usize, life: u64, which: EndKey },
    Stopped { token: u64 },
    Weather { number: usize },
}

struct Node {
    addr: SocketAddr,
    serves: bool,
    endpoint: Endpoint,
    observe: Observe,
    clock: LocalClock,
    life: u64,
    /// Where its timer is set.
    timer: Option<Time>,
    paused: bool,
    inbox: VecDeque<(Time, SocketAddr, Carried)>,
    calls: BTreeMap<Ticket, (u64, SessionId)>,
    handlers: BTreeSet<(u64, u64)>,
    /// Its ends of calls that stream.
    ends: BTreeMap<EndKey, End>,
}

/// What went to and came from an address that nobody has.
#[derive(Default)]
struct Traffic {
    to_it: u64,
    from_it: u64,
}

impl World {
    pub(crate) fn new(storm: Storm) -> Self {
        let mut rng = Rng::from_seed(storm.seed);
        let now = Time::from_nanos(1);
        let mut world = Self {
            now,
            at_once: 0,
            nodes: Vec::new(),
            by_addr: BTreeMap::new(),
            ways: BTreeMap::new(),
            events: BinaryHeap::new(),
            next_event: 0,
            next_token: 0,
            history: History::new(),
            forged: BTreeMap::new(),
            struck: Struck::default(),
            report: Report { seed: storm.seed, ..Report::default() },
            trace: FxHasher::default(),
            buffer: Vec::new(),
            rng: rng.fork(),
            storm,
        };
        for index in 0..world.storm.clients + world.storm.servers {
            let addr = SocketAddr::from(([10, 0, (index >> 8) as u8, index as u8], 7400));
            world.by_addr.insert(addr, index);
            let serves = world.storm.clients <= index;
            let node = world.birth(addr, serves, 0);
            world.nodes.push(node);
            let (crash, pause) = (world.crash_every(index), world.storm.pause_every);
            world.plan(crash, Happening::Crash { node: index });
            world.plan(pause, Happening::Pause { node: index });
        }
        for number in 0..world.storm.later.len() {
            let wait = world.storm.later[number].0;
            world.after(wait, Happening::Weather { number });
        }
        for node in 0..world.storm.clients {
            for _ in 0..world.storm.in_flight {
                world.after(Duration::ZERO, Happening::Make { node, life: 0 });
            }
        }
        world
    }

    pub(crate) fn run(mut self) -> Report {
        // Safety: faults strike until the last call has been made.
        while self.next_token < self.storm.calls && self.step() {}
        // Liveness: without faults, everything that is under way comes to its end.
        self.storm.faults = Faults { delay: self.storm.faults.delay, ..Faults::default() };
        self.storm.later.clear();
        (self.storm.server_crash_every, self.storm.client_crash_every) = (None, None);
        (self.storm.pause_every, self.storm.forged) = (None, 0.0);
        let busy = |node: &Node| !node.calls.is_empty();
        while self.nodes.iter().any(busy) && self.step() {}
        self.report.elapsed = self.elapsed();
        // Everything left over goes away by itself: late copies arrive, unused sessions end.
        while self.step() {}
        self.conclude()
    }

    fn conclude(mut self) -> Report {
        for node in &self.nodes {
            let counters = node.observe.counters();
            if node.endpoint.bytes_held() != (0, 0) {
                let held = node.endpoint.bytes_held();
                self.report.faults_found.push(format!("{} still holds {held:?} bytes", node.addr));
            }
            if counters.sessions_open() != 0 {
                let open = counters.sessions_open();
                self.report.faults_found.push(format!("{} still has {open} sessions", node.addr));
            }
            if !node.handlers.is_empty() || !node.ends.is_empty() {
                let (handlers, ends) = (node.handlers.len(), node.ends.len());
                let text = format!("{} still runs {handlers} handlers, {ends} streams", node.addr);
                self.report.faults_found.push(text);
            }
        }
        (0..self.nodes.len()).for_each(|index| self.count(index));
        for (addr, Traffic { to_it, from_it }) in &self.forged {
            if 3 * from_it < *to_it {
                let text = format!("{to_it} bytes went to {addr}, from which {from_it} came");
                self.report.faults_found.push(text);
            }
        }
        let storm = &self.storm;
        let skew = storm.deadline * storm.clock_skew_ppm / 1_000_000;
        let held_up = if self.report.pauses == 0 { Duration::ZERO } else { storm.pause };
        let tolerance = Duration::from_millis(1) + 2 * skew + held_up;
        Report {
            calls: self.history.calls(),
            replies: self.history.replies(),
            abandoned: self.history.abandoned(),
            failures: self.history.failures(),
            executions: self.history.executions(),
            violations: self.history.judge(tolerance),
            struck: self.struck,
            trace: self.trace.finish(),
            ..self.report
        }
    }

    /// Lets the next thing happen; tells whether there was one.
    fn step(&mut self) -> bool {
        let Some(Reverse((time, _, happening))) = self.events.pop() else {
            return false;
        };
        self.at_once = if self.now < time { 0 } else { self.at_once + 1 };
        if AT_ONCE_MAX < self.at_once {
            self.report.faults_found.push(format!("time stands still at {:?}", self.elapsed()));
            return false;
        }
        self.now = self.now.max(time);
        match happening {
            Happening::Arrive { to, from, datagram } => self.arrive(to, from, datagram),
            Happening::Timer { node } => {
                if self.nodes[node].timer == Some(time) {
                    self.nodes[node].timer = None;
                    self.turn(node);
                }
            }
            Happening::Finish { node, life, serving, reply } => {
                self.finish(node, life, serving, reply);
            }
            Happening::Make { node, life } if self.nodes[node].life == life => self.make(node),
            Happening::Drop { node, life, token } if self.nodes[node].life == life => {
                self.give_up(node, token);
            }
            Happening::Make { .. } | Happening::Drop { .. } => {}
            Happening::Take { node, life, which } => self.take(node, life, which),
            Happening::Stopped { token } => self.check_stopped(token),
            Happening::Crash { node } => self.crash(node),
            Happening::Pause { node } => {
                if self.storm.pause_every.is_some() {
                    self.report.pauses += 1;
                    self.nodes[node].paused = true;
                    let pause = self.storm.pause.as_nanos() as u64;
                    let pause = Duration::from_nanos(self.rng.below(pause));
                    self.after(pause, Happening::Resume { node });
                }
            }
            Happening::Resume { node } => {
                self.nodes[node].paused = false;
                self.plan(self.storm.pause_every, Happening::Pause { node });
                self.turn(node);
            }
            Happening::Weather { number } => {
                if let Some((_, faults)) = self.storm.later.get(number) {
                    self.storm.faults = faults.clone();
                }
            }
        }
        true
    }

    /// A datagram reaches an address.
    fn arrive(&mut self, to: SocketAddr, from: SocketAddr, datagram: Carried) {
        self.trace.write_u64(self.now.as_nanos());
        self.trace.write(&datagram.bytes);
        let Some(&index) = self.by_addr.get(&to) else { return };
        if !self.by_addr.contains_key(&from) {
            self.forged.entry(from).or_default().from_it += datagram.bytes.len() as u64;
        }
        let node = &mut self.nodes[index];
        if node.inbox.len() < self.storm.receive_buffer {
            node.inbox.push_back((self.now, from, datagram));
        } else {
            self.struck.unread += 1;
        }
        self.turn(index);
    }

    /// A node does all that there is to do: reads, lets time pass, acts, sends.
    fn turn(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.paused {
            return;
        }
        let now = node.clock.local(self.now);
        while let Some((arrived, from, Carried { ecn, bytes })) = node.inbox.pop_front() {
            let arrived = node.clock.local(arrived);
            let received = Received { from, local_ip: None, arrived, ecn, bytes };
            node.endpoint.handle_datagram(now, received);
        }
        if node.endpoint.poll_timeout(now).is_some_and(|due| due <= now) {
            node.endpoint.handle_timeout(now);
        }
        while let Some(event) = self.nodes[index].endpoint.poll_event() {
            self.act(index, event);
        }
        loop {
            self.buffer.clear();
            let node = &mut self.nodes[index];
            let Some(transmit) = node.endpoint.poll_transmit(now, &mut self.buffer) else {
                break;
            };
            let all = Bytes::copy_from_slice(&self.buffer);
            let (from, mut start) = (node.addr, 0);
            let Transmit { to, ecn, sizes, .. } = transmit;
            for size in sizes {
                let bytes = all.slice(start..start + size);
                self.send(from, to, Carried { ecn, bytes });
                start += size;
            }
        }
        let node = &mut self.nodes[index];
        let due = node.endpoint.poll_timeout(now).map(|due| node.clock.global(due).max(self.now));
        if due.is_some() && due != node.timer {
            node.timer = due;
            let wait = due.map_or(Duration::ZERO, |due| due.since(self.now));
            self.after(wait, Happening::Timer { node: index });
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, datagram: Carried) {
        if !self.by_addr.contains_key(&to) {
            // Counted here and not on arrival: that the network repeats it is not the node's doing.
            self.forged.entry(to).or_default().to_it += datagram.bytes.len() as u64;
        }
        let rng = &mut self.rng;
        let way = self.ways.entry((from, to)).or_insert_with(|| Way::new(rng.fork()));
        let arrivals = way.carry(self.now, &datagram, &self.storm.faults, &mut self.struck);
        if self.rng.chance(self.storm.forged) {
            let forged = SocketAddr::from(([192, 0, 2, self.rng.below(200) as u8], 9));
            self.after(Duration::from_millis(1), Happening::Arrive { to, from: forged, datagram });
        }
        for (time, datagram) in arrivals {
            let wait = time.since(self.now);
            self.after(wait, Happening::Arrive { to, from, datagram });
        }
    }

    /// How long the run has taken so far.
    fn elapsed(&self) -> Duration {
        self.now.since(Time::ZERO)
    }

    fn after(&mut self, wait: Duration, happening: Happening) {
        self.next_event += 1;
        self.events.push(Reverse((self.now + wait, self.next_event, happening)));
    }

    /// Lets something happen after about this time, if it is to happen at all.
    fn plan(&mut self, every: Option<Duration>, happening: Happening) {
        if let Some(every) = every {
            let wait = every.mul_f64(2.0 * self.rng.fraction());
            self.after(wait, happening);
        }
    }
}

/// More events than any node has a reason for at one moment.
const AT_ONCE_MAX: u64 = 1_000_000;
