//! Probing: one member at a time is asked for a sign of life, by this node and, if it does not
//! answer, by others for it.
//!
//! ```text
//!  0                   timeout                                   interval
//!  |--- probe -------->|--- probe again, and three others do --->|--- no answer: suspect
//! ```
//!
//! Both times are longer while this node has trouble itself (see `health`).

use std::net::SocketAddr;

use bytes::Bytes;

use crate::deadline::Time;
use crate::gossip::inbound::Sender;
use crate::gossip::outbox::Outgoing;
use crate::gossip::timers::Timer;
use crate::gossip::{Membership, State, address};
use crate::ids::Instance;
use crate::peer::Peer;
use crate::wire::schema;

/// The probe that is under way.
#[derive(Debug, Default)]
pub(super) struct Prober {
    current: Option<Probe>,
}

#[derive(Debug)]
struct Probe {
    number: u64,
    peer: Peer,
    sent: Time,
    /// How many others were asked.
    asked: u32,
    /// How many of those said that they got no answer either.
    failed: u32,
}

impl Prober {
    /// The probe says nothing about the member.
    pub(super) fn forgive(&mut self) {
        self.current = None;
    }

    /// Whether an answer with this number is awaited.
    pub(super) fn awaits(&self, number: u64) -> bool {
        self.current.as_ref().is_some_and(|probe| probe.number == number)
    }

    /// Whether it is the probed address that answers, but not the life that was meant.
    pub(super) fn is_other_life(&self, number: u64, from: SocketAddr, instance: u64) -> bool {
        self.current.as_ref().is_some_and(|probe| {
            probe.number == number && probe.peer.addr == from && probe.peer.instance.0 != instance
        })
    }

    /// One of those who were asked got no answer.
    pub(super) fn on_relay_failed(&mut self, number: u64) -> bool {
        let probe = self.current.as_mut().filter(|probe| probe.number == number);
        let Some(probe) = probe else { return false };
        probe.failed = (probe.failed + 1).min(probe.asked);
        true
    }
}

impl Membership {
    /// The last probe's time is over, and the next one begins.
    pub(super) fn on_probe_timer(&mut self, now: Time) {
        if let Some(probe) = self.prober.current.take() {
            self.on_silence(now, &probe);
        }
        if self.table.ring().is_empty() {
            return;
        }
        let factor = self.health.factor();
        self.timers.set(Timer::Probe, now + self.config.probe_interval * factor);
        let Some(peer) = self.next_to_probe(now) else { return };
        let number = self.rng.non_zero();
        self.prober.current = Some(Probe { number, peer, sent: now, asked: 0, failed: 0 });
        self.timers.set(Timer::ProbeLate, now + self.config.probe_timeout * factor);
        self.send_probe(peer, number);
    }

    /// The next member in the round of which there is no sign of life anyway.
    fn next_to_probe(&mut self, now: Time) -> Option<Peer> {
        let interval = self.config.probe_interval;
        for _ in 0..self.table.ring().len() {
            let addr = self.table.next_in_ring(&mut self.rng)?;
            let member = self.table.get(addr)?;
            let seen = member.evidence.is_some_and(|at| now.since(at) < interval);
            if !seen || member.state == State::Suspect {
                return Some(member.peer());
            }
        }
        None
    }

    /// Asks for a sign of life. Tells a suspect that it is one, so that it can contradict.
    pub(super) fn send_probe(&mut self, peer: Peer, number: u64) {
        let mut gossip = self.blank();
        let padding = Bytes::from_static(&[0; DOUBT_BYTES]);
        gossip.probe = Some(schema::Probe { number, instance: peer.instance.0, padding });
        self.add_accusation(peer.addr, &mut gossip);
        self.send(Outgoing::to_member(peer.addr, gossip));
    }

    /// Adds what this node believes of a member, if it is not that it is alive.
    pub(super) fn add_accusation(&self, addr: SocketAddr, gossip: &mut schema::Gossip) {
        let accused = self.table.get(addr).filter(|member| member.state != State::Alive);
        gossip.updates.extend(accused.map(|member| member.to_update()));
    }

    /// The member has not answered: it is asked again, and others ask too.
    pub(super) fn on_probe_late(&mut self, _: Time) {
        let Some(probe) = &self.prober.current else { return };
        let (number, peer) = (probe.number, probe.peer);
        self.send_probe(peer, number);
        let helpers = self.table.draw(self.config.indirect_probes, Some(peer.addr), &mut self.rng);
        if let Some(probe) = &mut self.prober.current {
            probe.asked = helpers.len() as u32;
        }
        for helper in helpers {
            let mut gossip = self.blank();
            let address = address::to_bytes(peer.addr);
            gossip.relay = Some(schema::Relay { number, address, instance: peer.instance.0 });
            self.send(Outgoing::to_member(helper, gossip));
        }
    }

    /// The member has not answered at all.
    fn on_silence(&mut self, now: Time, probe: &Probe) {
        let Some(member) = self.table.get(probe.peer.addr) else { return };
        let same = member.instance() == probe.peer.instance && member.state.is_live();
        let seen = member.evidence.is_some_and(|at| probe.sent <= at);
        if !same || seen {
            return;
        }
        // Helpers that say nothing either are a sign that it is this node that is not heard.
        let signs = if probe.asked == 0 { 1 } else { probe.asked - probe.failed };
        self.health.worse(signs);
        self.accuse(now, probe.peer.addr);
    }

    /// Shows that this node lives, and what it believes of the one that asks. Tells one that means
    /// another life of this node which one it is.
    pub(super) fn on_probe(&mut self, sender: Sender, probe: &schema::Probe) {
        let own = self.me.instance.0;
        let prober = self.table.by_instance(sender.instance);
        let doubt = prober.filter(|prober| prober.state != State::Alive);
        let doubted = doubt.map_or(0, |prober| prober.incarnation() + 1);
        let mut gossip = self.blank();
        gossip.answer = Some(schema::ProbeAnswer { number: probe.number, instance: own, doubted });
        if probe.instance != own && sender.is_member {
            gossip.updates.extend(self.table.get(self.me.addr).map(|own| own.to_update()));
        }
        self.answer(sender, gossip);
    }

    /// A member has answered, or has shown in another way that it lives and can be heard.
    pub(super) fn on_sign_of_life(&mut self, instance: Instance) {
        let probed = self.prober.current.as_ref().map(|probe| probe.peer.instance);
        if probed == Some(instance) {
            self.prober.current = None;
            self.timers.cancel(Timer::ProbeLate);
            self.health.better();
        }
    }
}

/// What a doubt takes in an answer, at the most.
const DOUBT_BYTES: usize = 10;
