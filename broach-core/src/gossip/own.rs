//! What this node says of itself, and what it does when others say something else.

use std::net::SocketAddr;
use std::time::Duration;

use crate::deadline::Time;
use crate::gossip::bucket::Bucket;
use crate::gossip::member::Member;
use crate::gossip::record::{NUMBER_MAX, Record, Report};
use crate::gossip::timers::Timer;
use crate::gossip::{AdvertName, Change, Facts, Membership, Role, State};
use crate::ids::Instance;
use crate::observe::Event as Seen;
use crate::peer::Peer;

/// What this node keeps of itself beside what it was made with.
#[derive(Debug, Default)]
pub(super) struct Own {
    incarnation: u64,
    advert: AdvertName,
    published: Option<Time>,
    claim: Option<Claim>,
}

/// Another life of this node's own address that others know of.
#[derive(Clone, Copy, Debug)]
struct Claim {
    instance: Instance,
    /// When this node last moved past it.
    at: Time,
    /// Whether it has been said that two nodes have one address.
    named: bool,
}

impl Membership {
    /// Changes the facts. Others learn of it at once, but not more often than once a second, unless
    /// the node begins or ends draining.
    pub(crate) fn set_facts(&mut self, now: Time, facts: Facts) {
        if self.me.facts == facts {
            return;
        }
        let urgent = self.me.facts.draining != facts.draining;
        self.me.facts = facts;
        self.announce(now, urgent);
    }

    /// Names another advert. Others learn of it at once, but not more often than once a second.
    pub(crate) fn set_advert(&mut self, now: Time, advert: AdvertName) {
        if self.own.advert != advert {
            self.own.advert = advert;
            self.announce(now, false);
        }
    }

    fn announce(&mut self, now: Time, urgent: bool) {
        let next = self.own.published.map_or(now, |at| at + PUBLISH_INTERVAL);
        if urgent || next <= now {
            self.publish(now);
        } else {
            self.timers.set_if_idle(Timer::Publish, next);
        }
    }

    /// Says what the node has to say of itself now.
    pub(super) fn publish(&mut self, now: Time) {
        if self.me.role == Role::Observer || self.leaving {
            return;
        }
        self.timers.cancel(Timer::Publish);
        self.own.published = Some(now);
        self.own.incarnation = (self.own.incarnation + 1).min(NUMBER_MAX);
        self.put_own(now);
        self.changes.push_back(Change::Facts { peer: self.peer() });
        self.spread_news(now, self.me.addr);
    }

    /// Puts the node's own record into the table.
    pub(super) fn put_own(&mut self, now: Time) {
        let record = Record::own(&self.me, self.own.incarnation, self.own.advert);
        let state = if self.leaving { State::Left } else { State::Alive };
        let allowance = Bucket::new(now, self.config.bytes_per_second);
        self.table
            .update(self.me.addr, &mut self.rng, |_| Member::new(now, record, state, allowance));
    }

    /// Says goodbye in the node's own record.
    pub(super) fn put_farewell(&mut self, now: Time) {
        self.own.incarnation = (self.own.incarnation + 1).min(NUMBER_MAX);
        self.put_own(now);
        self.spread_news(now, self.me.addr);
    }

    const fn peer(&self) -> Peer {
        Peer { addr: self.me.addr, instance: self.me.instance }
    }

    /// Somebody says something of this node's own address.
    pub(super) fn hear_of_self(&mut self, now: Time, report: &Report) {
        let Some(own) = self.table.get(self.me.addr) else { return };
        if report.record.rank(report.state) <= own.rank() {
            return;
        }
        let (life, said) = (report.record.life, report.record.incarnation);
        let own_life = own.life();
        if life == own_life {
            // One contradiction for each incarnation: what is said of earlier ones is outdated.
            self.own.incarnation = (said + 1).min(NUMBER_MAX);
            if report.state != State::Alive {
                self.health.worse(1);
                self.observe.emit(Seen::SuspicionRefuted);
            }
        } else if life.instance == self.me.instance {
            self.me.epoch = (life.epoch + 1).min(NUMBER_MAX);
        } else if !self.move_past(now, life.epoch, life.instance) {
            return;
        }
        let is_other = life != own_life;
        self.put_own(now);
        self.spread_news(now, self.me.addr);
        if is_other {
            // Nobody knows this life, so nobody listens to it unless it shows a cookie.
            self.introduce();
        }
    }

    /// Somebody believes this incarnation, less one, suspect or dead; 0 stands for none.
    pub(super) fn on_doubt(&mut self, now: Time, doubted: u64) {
        if let Some(own) = self.table.get(self.me.addr)
            && own.incarnation() < doubted
        {
            let mut report = own.report(State::Suspect, None);
            report.record.incarnation = (doubted - 1).min(NUMBER_MAX);
            self.hear_of_self(now, &report);
        }
    }

    /// There is a later life of this node's address than its own. Tells whether the node claims to
    /// be later still.
    ///
    /// It may be one that has ended, if the clock was set back since; then once is enough. If it
    /// moves on as well, it is another node that lives.
    fn move_past(&mut self, now: Time, epoch: u64, other: Instance) -> bool {
        let claim = self.own.claim.filter(|claim| claim.instance == other);
        if claim.is_some_and(|claim| now.since(claim.at) < CLAIM_INTERVAL) {
            return false;
        }
        let named = claim.is_some();
        if named && !claim.is_some_and(|claim| claim.named) {
            let (addr, own): (SocketAddr, _) = (self.me.addr, self.me.instance);
            self.observe.emit(Seen::AddressClaimed { addr, own, other });
        }
        self.own.claim = Some(Claim { instance: other, at: now, named });
        self.me.epoch = (epoch + 1).min(NUMBER_MAX);
        self.own.incarnation = 0;
        true
    }
}

/// What a node says of itself changes no more often than this.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// A node does not quarrel about its address more often than this.
const CLAIM_INTERVAL: Duration = Duration::from_secs(2);
