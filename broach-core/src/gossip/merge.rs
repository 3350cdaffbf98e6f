//! What becomes of the table when something is said of a member.

use std::net::SocketAddr;
use std::time::Duration;

use crate::deadline::Time;
use crate::gossip::bucket::Bucket;
use crate::gossip::member::Member;
use crate::gossip::record::Report;
use crate::gossip::suspicion::Suspicion;
use crate::gossip::timers::Timer;
use crate::gossip::{Change, Membership, Role, State};
use crate::ids::Instance;
use crate::observe::Event as Seen;
use crate::peer::Peer;

/// Who says it, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) addr: SocketAddr,
    pub(super) instance: Instance,
    pub(super) kind: SourceKind,
}

/// What kind of saying it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SourceKind {
    /// Something has happened.
    News,
    /// What somebody knows, and did not know to be news: a death among it may be an old one.
    Copy,
    /// The same, and everybody else knows it already.
    Page,
}

impl Membership {
    /// Takes in a report, as far as it is newer than what is known.
    pub(super) fn take_in(&mut self, now: Time, mut report: Report, source: Source) {
        let addr = report.record.addr;
        if addr == self.me.addr {
            return self.hear_of_self(now, &report);
        }
        let hearsay = source.kind != SourceKind::News && self.me.role == Role::Member;
        let Some(known) = self.table.get(addr) else {
            return self.meet(now, report, source);
        };
        if hearsay && report.state == State::Dead && known.state.is_live() {
            // It may have contradicted since. If it is dead, it will not do so now.
            (report.state, report.accuser) = (State::Suspect, Some(source.instance));
        }
        let rank = report.record.rank(report.state);
        if rank == known.rank() && report.state == State::Suspect {
            let accuser = report.accuser.unwrap_or(source.instance);
            return self.confirm(now, addr, accuser);
        }
        if known.rank() < rank {
            self.replace(now, report, source);
        }
    }

    /// A member that was not known.
    fn meet(&mut self, now: Time, report: Report, source: Source) {
        if !report.state.is_live() {
            // News of a death may overtake those of the birth, which is then not believed. But
            // nobody remembers the dead because others do: they would never be forgotten.
            let overtakes = source.kind == SourceKind::News;
            if overtakes && self.table.len() < self.config.members_max {
                self.replace(now, report, source);
            }
            return;
        }
        if self.config.members_max <= self.table.len() && !self.bury_oldest() {
            if !std::mem::replace(&mut self.full, true) {
                self.observe.emit(Seen::MembersFull { members: self.table.len() });
            }
            return;
        }
        self.replace(now, report, source);
    }

    /// Puts a report in the place of what was known.
    fn replace(&mut self, now: Time, report: Report, source: Source) {
        let Report { record, state, accuser } = report;
        let addr = record.addr;
        let before = self.table.get(addr).cloned();
        let members = self.table.live();
        let suspicion = (state == State::Suspect).then(|| {
            let accuser = accuser.unwrap_or(source.instance);
            Suspicion::new(now, accuser, members, &self.config)
        });
        match &suspicion {
            // An observer does not hear of it at once if the suspect contradicts.
            Some(_) if self.me.role == Role::Observer => {}
            Some(suspicion) => self.timers.set(Timer::Suspicion(addr), suspicion.due()),
            None => self.timers.cancel(Timer::Suspicion(addr)),
        }
        let allowance = || Bucket::new(now, self.config.bytes_per_second.saturating_mul(2));
        self.table.update(addr, &mut self.rng, |known| {
            let same = known.filter(|known| known.life() == record.life);
            match same {
                Some(known) => {
                    let since = if known.state == state { known.since } else { now };
                    Member { record, state, since, suspicion, ..known }
                }
                None => Member { suspicion, ..Member::new(now, record, state, allowance()) },
            }
        });
        if source.kind != SourceKind::Page {
            self.spread_news(now, addr);
        }
        if !state.is_live() {
            self.wait_for_nobody_who_is_gone(now);
        }
        self.tell(before.as_ref(), addr, source);
        self.after_change(now);
    }

    /// One more node suspects a member.
    fn confirm(&mut self, now: Time, addr: SocketAddr, accuser: Instance) {
        let suspicion = self.table.get_mut(addr).and_then(|known| known.suspicion.as_mut());
        let Some(suspicion) = suspicion else { return };
        if suspicion.confirm(accuser) && self.me.role == Role::Member {
            let due = suspicion.due();
            self.hasten(now, addr, due);
            self.spread_news(now, addr);
        }
    }

    /// A member is gone, who may have been waited for as an accuser of others.
    fn wait_for_nobody_who_is_gone(&mut self, now: Time) {
        if self.me.role == Role::Observer {
            return;
        }
        let members = self.table.live();
        let suspects: Vec<SocketAddr> = self
            .table
            .iter()
            .filter(|member| member.suspicion.is_some())
            .map(Member::addr)
            .collect();
        for addr in suspects {
            let suspicion = self.table.get_mut(addr).and_then(|known| known.suspicion.as_mut());
            if let Some(suspicion) = suspicion
                && suspicion.limit(members)
            {
                let due = suspicion.due();
                self.hasten(now, addr, due);
            }
        }
    }

    /// A suspect has less time now.
    fn hasten(&mut self, now: Time, addr: SocketAddr, due: Time) {
        // A node in trouble may hear the last accuser before it hears the contradiction.
        let doubt = self.config.probe_timeout * (self.health.factor() - 1);
        self.timers.set(Timer::Suspicion(addr), due.max(now + doubt));
    }

    /// This node suspects a member itself.
    pub(super) fn accuse(&mut self, now: Time, addr: SocketAddr) {
        let Some(member) = self.table.get(addr) else { return };
        let report = member.report(State::Suspect, Some(self.me.instance));
        self.take_in(now, report, self.myself());
    }

    /// A suspect's time is over.
    pub(super) fn on_suspicion_due(&mut self, now: Time, addr: SocketAddr) {
        let Some(member) = self.table.get(addr) else { return };
        if member.state != State::Suspect {
            return;
        }
        let interval = self.config.probe_interval;
        if member.evidence.is_some_and(|at| now.since(at) <= 2 * interval) {
            // Calls get through to it all the time, whatever others say.
            self.timers.set(Timer::Suspicion(addr), now + interval);
            return;
        }
        let report = member.report(State::Dead, None);
        self.replace(now, report, self.myself());
    }

    const fn myself(&self) -> Source {
        let (addr, instance) = (self.me.addr, self.me.instance);
        Source { addr, instance, kind: SourceKind::News }
    }

    /// Says what has changed about a member.
    fn tell(&mut self, before: Option<&Member>, addr: SocketAddr, source: Source) {
        let Some(after) = self.table.get(addr) else { return };
        let (peer, state, advert) = (after.peer(), after.state, after.advert());
        let facts = before.is_some_and(|before| before.facts() != after.facts());
        let was = before.map(|before| (before.state, before.instance()));
        let was_live = was.filter(|(state, _)| state.is_live());
        let same_life = before.is_some_and(|before| before.life() == after.life());
        if state.is_live() {
            if !(same_life && was_live.is_some()) {
                let replaces = was_live.map(|(_, instance)| instance);
                self.note(Change::Up { peer, replaces }, Seen::MemberUp { peer });
            } else if facts {
                self.note(Change::Facts { peer }, Seen::MemberChanged { peer });
            }
            let known = was_live.is_some()
                && before.is_some_and(|before| same_life && before.advert() == advert);
            if advert.hash != 0 && !known {
                let ask = source.addr;
                self.changes.push_back(Change::AdvertWanted { peer, advert, ask });
            }
        }
        self.tell_state(peer, state, was_live.map(|(state, _)| state), same_life);
    }

    fn tell_state(&mut self, peer: Peer, state: State, was: Option<State>, same_life: bool) {
        match (state, was) {
            (State::Suspect, Some(State::Suspect)) if same_life => {}
            (State::Suspect, _) => {
                self.note(Change::Suspect { peer }, Seen::MemberSuspected { peer });
            }
            (State::Alive, Some(State::Suspect)) if same_life => {
                self.note(Change::Cleared { peer }, Seen::MemberCleared { peer });
            }
            (State::Dead, Some(_)) => self.note(Change::Dead { peer }, Seen::MemberDied { peer }),
            (State::Left, Some(_)) => self.note(Change::Left { peer }, Seen::MemberLeft { peer }),
            _ => {}
        }
    }

    pub(super) fn note(&mut self, change: Change, seen: Seen<'_>) {
        self.changes.push_back(change);
        self.observe.emit(seen);
    }

    /// Sees to it that what depends on there being others, or dead ones, is under way.
    pub(super) fn after_change(&mut self, now: Time) {
        if self.table.ring().is_empty() {
            self.become_alone(now);
        } else {
            self.join.alone_since = None;
            if self.me.role == Role::Member {
                let first = now + self.some_of(self.config.probe_interval);
                self.timers.set_if_idle(Timer::Probe, first);
            }
        }
        if 0 < self.table.gone() {
            self.timers.set_if_idle(Timer::Bury, now + BURY_INTERVAL);
        }
        if 0 < self.table.dead() && self.me.role == Role::Member {
            let next = now + self.about(self.config.dead_interval);
            self.timers.set_if_idle(Timer::Dead, next);
        }
    }

    /// Forgets those who have been dead for long enough.
    pub(super) fn on_bury_timer(&mut self, now: Time) {
        let lifetime = self.config.tombstone_lifetime;
        let gone = |member: &&Member| {
            !member.state.is_live()
                && lifetime <= now.since(member.since)
                && member.addr() != self.me.addr
        };
        let gone: Vec<SocketAddr> = self.table.iter().filter(gone).map(Member::addr).collect();
        for addr in gone {
            self.table.forget(addr);
            self.spread.remove(addr);
        }
        if 0 < self.table.gone() {
            self.timers.set(Timer::Bury, now + BURY_INTERVAL);
        }
    }

    /// Makes room in a full table. Tells whether there was anybody to forget.
    fn bury_oldest(&mut self) -> bool {
        let dead = self.table.iter().filter(|member| !member.state.is_live());
        let oldest = dead.min_by_key(|member| member.since).map(Member::addr);
        if let Some(addr) = oldest {
            self.table.forget(addr);
            self.spread.remove(addr);
        }
        oldest.is_some()
    }
}

/// How often it is looked whether somebody can be forgotten.
const BURY_INTERVAL: Duration = Duration::from_secs(10);
