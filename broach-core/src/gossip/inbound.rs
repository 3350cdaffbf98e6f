//! What becomes of a datagram: who sent it, and what it may say.
//!
//! Three questions are asked. *Does it count?* Updates are taken in from a sender that names an
//! instance that is known (64 random bits), shows its cookie, or answers something that was asked.
//! *May the answer be larger than the question?* Only to the address of a live member of that
//! instance. *May it ask for tables?* The same, or with a cookie; others are given one.

use std::net::SocketAddr;

use prost::Message;

use crate::config::BASE_DATAGRAM_BYTES;
use crate::deadline::Time;
use crate::gossip::merge::{Source, SourceKind};
use crate::gossip::outbox::{OVERHEAD, Outgoing};
use crate::gossip::record::Report;
use crate::gossip::{Membership, Role, address};
use crate::ids::{ClusterHash, Instance};
use crate::observe::{DropReason, Event as Seen};
use crate::wire::{Header, KNOCK_BYTES, schema};

/// Who sent a datagram, and what that allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) addr: SocketAddr,
    pub(super) instance: Instance,
    /// It is a live member, and this is its address.
    pub(super) is_member: bool,
    /// It gets what is sent to its address.
    pub(super) is_proven: bool,
    /// How large each answer may be.
    pub(super) answer_max: usize,
}

impl Membership {
    /// Handles a GOSSIP datagram whose checksum is right: reports that it was accepted, or why it
    /// was dropped. That it was received is the caller's to report.
    pub(crate) fn handle(&mut self, now: Time, from: SocketAddr, header: &Header, body: &[u8]) {
        let from = address::canonical(from);
        let event = match self.process(now, from, header, body) {
            Ok(()) => Seen::DatagramAccepted { from },
            Err(reason) => Seen::DatagramDropped { from, reason },
        };
        self.observe.emit(event);
    }

    fn process(
        &mut self,
        now: Time,
        from: SocketAddr,
        header: &Header,
        body: &[u8],
    ) -> Result<(), DropReason> {
        let instance = Instance(header.to.0);
        if instance.0 == 0 || BASE_DATAGRAM_BYTES < OVERHEAD + body.len() {
            return Err(DropReason::Malformed);
        }
        if instance == self.me.instance {
            // Its own address is among its seeds.
            return Err(DropReason::Stray);
        }
        if self.leaving {
            return Err(DropReason::Gossip);
        }
        let known = self.table.by_instance(instance).map(|member| member.addr());
        let allowance = match known.and_then(|addr| self.table.get_mut(addr)) {
            Some(member) => &mut member.allowance,
            None => &mut self.allowance,
        };
        if !allowance.take(now, OVERHEAD + body.len()) {
            return Err(DropReason::Flood);
        }
        let gossip = schema::Gossip::decode(body).map_err(|_| DropReason::Malformed)?;
        if gossip.cluster != self.me.cluster.0 {
            self.on_stranger(from, &gossip, OVERHEAD + body.len());
            return Err(DropReason::Cluster);
        }
        let is_member = known == Some(from) && self.table.is_live(from);
        if is_member {
            self.hear_of(instance);
        }
        let shows = self.cookies.is_good(now, from, instance, gossip.cookie);
        let answer_max = if is_member { BASE_DATAGRAM_BYTES } else { OVERHEAD + body.len() };
        let sender =
            Sender { addr: from, instance, is_member, is_proven: is_member || shows, answer_max };
        let counts = known.is_some() || shows || self.was_asked(from, &gossip);
        let lone = self.table.ring().is_empty() && self.me.role == Role::Member;
        if lone && !counts && !gossip.observer && KNOCK_BYTES <= answer_max {
            // Somebody who knows this address, from an earlier life perhaps.
            self.knock_back(now, from);
        }
        self.act(now, sender, gossip, counts)
    }

    /// Whether a datagram answers something that this node asked.
    fn was_asked(&self, from: SocketAddr, gossip: &schema::Gossip) -> bool {
        let answers = gossip.answer.is_some_and(|answer| {
            self.prober.awaits(answer.number) || self.relays.awaits(answer.number)
        });
        answers || self.join.awaits(from)
    }

    fn act(
        &mut self,
        now: Time,
        sender: Sender,
        mut gossip: schema::Gossip,
        counts: bool,
    ) -> Result<(), DropReason> {
        let updates = std::mem::take(&mut gossip.updates);
        let reports: Option<Vec<Report>> = updates.into_iter().map(Report::decode).collect();
        let reports = reports.ok_or(DropReason::Malformed)?;
        if gossip.observer && gossip.answer.is_some() {
            return Err(DropReason::Malformed);
        }
        if counts && !gossip.observer {
            let kind = match (gossip.page, gossip.copy) {
                (Some(_), _) => SourceKind::Page,
                (None, true) => SourceKind::Copy,
                (None, false) => SourceKind::News,
            };
            let source = Source { addr: sender.addr, instance: sender.instance, kind };
            let before = self.table.version();
            reports.into_iter().for_each(|report| self.take_in(now, report, source));
            if gossip.copy && before != self.table.version() {
                self.on_copied(now);
            }
        }
        self.on_answers(now, sender, &gossip, counts)?;
        self.on_requests(now, sender, gossip, counts)
    }

    /// What answers something.
    fn on_answers(
        &mut self,
        now: Time,
        sender: Sender,
        gossip: &schema::Gossip,
        counts: bool,
    ) -> Result<(), DropReason> {
        if gossip.new_cookie != 0 {
            self.on_new_cookie(now, sender.addr, gossip.new_cookie)?;
        }
        if let Some(answer) = gossip.answer {
            if self.is_sign_for_observer(answer.number) {
                if answer.instance != sender.instance.0 {
                    return Err(DropReason::Malformed);
                }
            } else if self.prober.is_other_life(answer.number, sender.addr, answer.instance) {
                // It has been started again, and may not have found anybody yet.
                self.knock(now, sender.addr);
            } else if self.prober.awaits(answer.number) {
                self.on_sign_of_life(Instance(answer.instance));
                self.on_doubt(now, answer.doubted);
            } else if self.relays.awaits(answer.number) {
                // Who answers says who it is in the header.
                self.on_relayed(answer.number, sender.instance.0);
            } else {
                return Err(DropReason::Stray);
            }
        }
        if let Some(failed) = gossip.relay_failed
            && !self.prober.on_relay_failed(failed.number)
        {
            return Err(DropReason::Stray);
        }
        if let Some(page) = gossip.page {
            self.on_page(now, sender.addr, page)?;
        }
        if !gossip.listings.is_empty() {
            if !counts {
                return Err(DropReason::Stray);
            }
            self.on_listings(sender, &gossip.listings)?;
        }
        Ok(())
    }

    /// What asks for something.
    fn on_requests(
        &mut self,
        now: Time,
        sender: Sender,
        gossip: schema::Gossip,
        counts: bool,
    ) -> Result<(), DropReason> {
        let tables = gossip.summary.is_some() || gossip.fetch.is_some() || gossip.pull.is_some();
        let asks = tables || gossip.knock.is_some() || gossip.probe.is_some();
        if !asks && gossip.relay.is_none() {
            return Ok(());
        }
        if self.me.role == Role::Observer {
            return Err(DropReason::Gossip);
        }
        if gossip.knock.is_some() || tables && !sender.is_proven {
            self.give_cookie(now, sender);
            return Ok(());
        }
        if let Some(probe) = &gossip.probe {
            self.on_probe(sender, probe);
        }
        if let Some(relay) = &gossip.relay {
            if !counts || !sender.is_member {
                return Err(DropReason::Stray);
            }
            self.on_relay(now, sender.addr, relay)?;
        }
        if let Some(summary) = &gossip.summary {
            self.on_summary(sender, summary)?;
        }
        if let Some(fetch) = &gossip.fetch {
            self.on_fetch(sender, fetch)?;
        }
        if let Some(pull) = gossip.pull {
            self.on_pull(sender, pull)?;
        }
        Ok(())
    }

    /// Answers a probe or a knock: members first.
    pub(super) fn answer(&mut self, sender: Sender, gossip: schema::Gossip) {
        let mut outgoing = Outgoing::to_member(sender.addr, gossip);
        (outgoing.news, outgoing.bytes_max) = (sender.is_member, sender.answer_max);
        if sender.is_member { self.send(outgoing) } else { self.send_later(outgoing) }
    }

    fn give_cookie(&mut self, now: Time, sender: Sender) {
        let mut gossip = self.blank();
        gossip.new_cookie = self.cookies.mint(now, sender.addr, sender.instance);
        let to_anybody = Sender { is_member: false, ..sender };
        self.answer(to_anybody, gossip);
    }

    /// A node of another cluster. It is told so, once for each datagram, so that it can say who
    /// does not let it in.
    fn on_stranger(&mut self, from: SocketAddr, gossip: &schema::Gossip, bytes: usize) {
        if self.strangers.is_new(from) {
            let cluster = ClusterHash(gossip.cluster);
            self.observe.emit(Seen::ClusterDiffers { from, cluster });
        }
        if !gossip.refused && self.me.role == Role::Member {
            let refusal = schema::Gossip { refused: true, ..self.blank() };
            let mut outgoing = Outgoing::to_member(from, refusal);
            (outgoing.news, outgoing.bytes_max) = (false, bytes);
            self.send_later(outgoing);
        }
    }
}
