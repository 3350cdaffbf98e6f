//! What the nodes of a simulation know, have said and have sent.

use std::hash::Hasher;
use std::net::SocketAddr;

use super::sim::{MS, SECOND, Sim};
use crate::deadline::Time;
use crate::gossip::{Change, State};
use crate::ids::Instance;
use crate::observe::{Counters, DropReason};

impl Sim {
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
        let is_it = |(_, _, change): &&(Time, usize, Change)| matches!(change, Change::Dead { peer } if peer.instance == instance);
        self.log.iter().filter(is_it).count()
    }

    /// How often somebody took a node for dead that runs.
    pub(super) fn false_deaths(&self) -> usize {
        let running = self.nodes.iter().filter(|node| node.up);
        running.map(|node| self.deaths_of(node.instance)).sum()
    }

    /// What a node has said once.
    pub(super) fn named(&self, index: usize) -> Vec<String> {
        self.nodes[index].named.0.lock().unwrap().clone()
    }

    /// How often a node has dropped a datagram for this reason.
    pub(super) fn dropped(&self, index: usize, reason: DropReason) -> u64 {
        self.counters(index).datagrams_dropped.get(&reason).copied().unwrap_or(0)
    }

    pub(super) fn counters(&self, index: usize) -> Counters {
        self.nodes[index].observe.counters()
    }

    /// Bytes sent by all so far.
    pub(super) fn bytes_sent(&self) -> u64 {
        self.nodes.iter().map(|node| node.bytes_sent).sum()
    }
}
