//! One node's view of the cluster: its parts, its inputs, and whose turn it is when time passes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use prost::Message;

use crate::config::Gossip;
use crate::deadline::Time;
use crate::gossip::bucket::Bucket;
use crate::gossip::cookie::Cookies;
use crate::gossip::health::Health;
use crate::gossip::join::Join;
use crate::gossip::outbox::Outbox;
use crate::gossip::own::Own;
use crate::gossip::prober::Prober;
use crate::gossip::relay::Relays;
use crate::gossip::spread::Spread;
use crate::gossip::strangers::Strangers;
use crate::gossip::table::Table;
use crate::gossip::timers::{Timer, Timers};
use crate::gossip::{Change, Entry, Me, Member, Role, address};
use crate::ids::Instance;
use crate::observe::{DropReason, Event as Seen, Observe};
use crate::rng::Rng;
use crate::wire::{VERSION, schema};

/// One node's view of the cluster; see the [module](super) for how to use it.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(super) config: Gossip,
    pub(super) me: Me,
    pub(super) own: Own,
    pub(super) table: Table,
    pub(super) spread: Spread,
    pub(super) prober: Prober,
    pub(super) relays: Relays,
    pub(super) health: Health,
    pub(super) join: Join,
    pub(super) cookies: Cookies,
    pub(super) strangers: Strangers,
    /// What all who are no members may send together.
    pub(super) allowance: Bucket,
    pub(super) timers: Timers,
    pub(super) outbox: Outbox,
    pub(super) changes: VecDeque<Change>,
    pub(super) observe: Observe,
    pub(super) rng: Rng,
    /// Whether it has been said that the table is full.
    pub(super) full: bool,
    pub(super) leaving: bool,
}

impl Membership {
    /// A node that knows of nobody. The address must be settled: it goes out with the first
    /// datagram.
    pub(crate) fn new(
        now: Time,
        config: Gossip,
        mut me: Me,
        observe: Observe,
        mut rng: Rng,
    ) -> Self {
        me.addr = address::canonical(me.addr);
        let rate = config.bytes_per_second;
        let mut membership = Self {
            own: Own::default(),
            table: Table::new(me.addr),
            spread: Spread::default(),
            prober: Prober::default(),
            relays: Relays::default(),
            health: Health::new(config.health_max),
            join: Join::new(now),
            cookies: Cookies::new(&mut rng),
            strangers: Strangers::default(),
            allowance: Bucket::new(now, rate.saturating_mul(STRANGERS_FACTOR)),
            timers: Timers::default(),
            outbox: Outbox::new(now, rate),
            changes: VecDeque::new(),
            observe,
            rng,
            full: false,
            leaving: false,
            config,
            me,
        };
        if membership.me.role == Role::Member {
            membership.put_own(now);
        }
        let interval = membership.sync_interval();
        let first = now + membership.some_of(interval);
        membership.timers.set(Timer::Sync, first);
        membership
    }

    /// Lets time pass. To be called once [`next_timeout`](Self::next_timeout) has been reached, and
    /// after all datagrams that have arrived by then have been handled: an answer may be among
    /// them.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        let late = LATE.max(self.config.probe_interval);
        let woke = self.timers.next().is_some_and(|due| late < now.since(due));
        if woke {
            // The process was held up. What others said in the meantime may not have been read yet,
            // so their silence until now proves nothing.
            self.prober.forgive();
        }
        // Each timer once, whatever it is set to next: what is due still may have to go out first.
        let due: Vec<Timer> = std::iter::from_fn(|| self.timers.pop(now)).collect();
        for timer in due {
            match timer {
                Timer::Probe => self.on_probe_timer(now),
                Timer::ProbeLate => self.on_probe_late(now),
                Timer::Relay(number) => self.on_relay_late(now, number),
                Timer::Gossip => self.on_gossip_timer(now),
                Timer::Suspicion(addr) if woke => {
                    let again = now + self.config.probe_interval;
                    self.timers.set(Timer::Suspicion(addr), again);
                }
                Timer::Suspicion(addr) => self.on_suspicion_due(now, addr),
                Timer::Sync => self.on_sync_timer(now),
                Timer::Seeds => self.on_seeds_timer(now),
                Timer::Dead => self.on_dead_timer(now),
                Timer::Pull => self.on_pull_timer(now),
                Timer::Publish => self.publish(now),
                Timer::Bury => self.on_bury_timer(now),
                Timer::Leave => self.on_left(),
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, or
    /// [`poll_transmit`](Self::poll_transmit) may send again.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        [self.timers.next(), self.outbox.next_timeout()].into_iter().flatten().min()
    }

    /// What has changed. To be drained after every input.
    pub(crate) fn poll_event(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// A datagram of a call that went to this node has been acknowledged: it lives, and it can be
    /// heard. Counts as an answer to a probe.
    pub(crate) fn on_evidence(&mut self, now: Time, peer: SocketAddr, instance: Instance) {
        let addr = address::canonical(peer);
        let Some(member) = self.table.get_mut(addr) else { return };
        if member.instance() == instance {
            member.evidence = Some(now);
            self.on_sign_of_life(instance);
        }
    }

    /// The members: this node, unless it is an observer, and all others that are alive or
    /// suspected.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.table.iter().filter(|member| member.state().is_live())
    }

    /// The [`members`](Self::members), for those who have no table.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let entry = |member: &Member| Entry {
            peer: member.peer(),
            state: member.state(),
            facts: member.facts().clone(),
            advert: member.advert(),
        };
        self.members().map(entry).collect()
    }

    /// What is known of the node with this address, even if it is dead.
    #[cfg(test)]
    pub(crate) fn member(&self, addr: SocketAddr) -> Option<&Member> {
        self.table.get(address::canonical(addr))
    }

    /// Changes whenever the table does.
    pub(crate) const fn version(&self) -> u64 {
        self.table.version()
    }

    /// Handles a VERSIONS datagram for this instance: a node that was asked says which wire
    /// versions it speaks. Reports that it was accepted, or why it was dropped; that it was
    /// received is the caller's to report.
    pub(crate) fn on_versions(&mut self, from: SocketAddr, body: &[u8]) {
        let from = address::canonical(from);
        let reason = match schema::Versions::decode(body) {
            Err(_) => DropReason::Malformed,
            // It could have answered.
            Ok(said) if said.versions.contains(&u32::from(VERSION)) => DropReason::Stray,
            Ok(_) => {
                self.observe.emit(Seen::DatagramAccepted { from });
                if self.strangers.is_new(from) {
                    self.observe.emit(Seen::VersionDiffers { from });
                }
                return;
            }
        };
        self.observe.emit(Seen::DatagramDropped { from, reason });
    }

    /// A random part of a time, so that nodes that start together do not stay in step.
    pub(super) fn some_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.rng.fraction())
    }

    /// About so long: up to an eighth more or less.
    pub(super) fn about(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(0.875 + self.rng.fraction() / 4.0)
    }

    pub(super) const fn sync_interval(&self) -> Duration {
        match self.me.role {
            Role::Member => self.config.sync_interval,
            Role::Observer => self.config.observe_interval,
        }
    }
}

/// A timer that is reached so much too late means that the process was held up.
const LATE: Duration = Duration::from_millis(500);

/// Those who are no members may send so many times what one node may: a whole cluster may be
/// starting.
const STRANGERS_FACTOR: u32 = 8;
