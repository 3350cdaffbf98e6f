//! The lives of nodes: how they begin, how they end, and what they come to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::skew::LocalClock;
use super::{Happening, Node, World};
use crate::deadline::Stopped;
use crate::ids::{ClusterHash, Instance};
use crate::observe::Observe;
use crate::proto::{Endpoint, Identity};
use crate::rng::Rng;

impl World {
    /// A node begins a life.
    pub(super) fn birth(&mut self, addr: SocketAddr, serves: bool, life: u64) -> Node {
        let skew = u64::from(self.storm.clock_skew_ppm);
        let clock = LocalClock {
            born: self.now,
            offset: self.rng.below(1 << 40),
            ppm: self.rng.below(2 * skew + 1) as i64 - skew as i64,
        };
        let instance = Instance(self.rng.non_zero());
        let identity = Identity { instance, cluster: ClusterHash(1) };
        let observe = Observe::new(Vec::new(), None, Stopped::shared(), Rng::from_seed(0));
        let config = Arc::new(self.storm.config.clone());
        let (now, rng) = (clock.local(self.now), self.rng.fork());
        let endpoint = Endpoint::new(now, config, identity, observe.clone(), rng);
        let (calls, handlers) = (BTreeMap::new(), BTreeSet::new());
        let inbox = VecDeque::new();
        let (timer, paused, ends) = (None, false, BTreeMap::new());
        Node {
            addr,
            serves,
            endpoint,
            observe,
            clock,
            life,
            timer,
            paused,
            inbox,
            calls,
            handlers,
            ends,
        }
    }

    /// A node dies and another one takes its address.
    pub(super) fn crash(&mut self, index: usize) {
        let Some(every) = self.crash_every(index) else {
            return;
        };
        self.report.crashes += 1;
        if self.nodes[index].serves && self.rng.chance(self.storm.goodbyes) {
            let node = &mut self.nodes[index];
            let now = node.clock.local(self.now);
            node.endpoint.close_all(now);
            self.turn(index);
        }
        self.count(index);
        let Node { addr, serves, life, .. } = self.nodes[index];
        for (token, _) in std::mem::take(&mut self.nodes[index].calls).into_values() {
            self.history.dropped(token);
        }
        self.nodes[index] = self.birth(addr, serves, life + 1);
        self.plan(Some(every), Happening::Crash { node: index });
        if !serves {
            for _ in 0..self.storm.in_flight {
                self.after(Duration::ZERO, Happening::Make { node: index, life: life + 1 });
            }
        }
    }

    pub(super) const fn crash_every(&self, index: usize) -> Option<Duration> {
        if index < self.storm.clients {
            self.storm.client_crash_every
        } else {
            self.storm.server_crash_every
        }
    }

    /// Adds what a life has counted to the report.
    pub(super) fn count(&mut self, index: usize) {
        let counters = self.nodes[index].observe.counters();
        let report = &mut self.report;
        if !counters.datagrams_add_up() {
            report.faults_found.push(format!("datagrams do not add up: {counters:?}"));
        }
        report.received += counters.datagrams_received;
        report.probes += counters.probes_sent;
        for (reason, count) in counters.datagrams_dropped {
            *report.dropped.entry(reason).or_default() += count;
        }
    }
}
