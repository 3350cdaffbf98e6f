//! Finding the others: seeds are tried for ever, the dead for some time, and whoever answers is
//! asked for all that it knows.
//!
//! ```text
//!  node                               seed
//!   |--- knock ------------------------>|
//!   |<-- cookie ------------------------|   nothing is kept of this
//!   |--- pull, cookie, own record ----->|   now the seed knows the node
//!   |<-- page --------------------------|
//!   |--- pull of the rest, four lanes ->|   ...
//! ```
//!
//! A node that knows others already does not pull but compares tables (see `sync`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::deadline::Time;
use crate::gossip::inbound::Sender;
use crate::gossip::observer::Asked;
use crate::gossip::outbox::{Outgoing, body_max, framed_len};
use crate::gossip::timers::Timer;
use crate::gossip::{Change, Membership, Role, State, address};
use crate::observe::DropReason;
use crate::wire::{KNOCK_BYTES, schema};

/// What is under way to find others.
#[derive(Debug)]
pub(super) struct Join {
    seeds: BTreeSet<SocketAddr>,
    /// Where in them the next ones to be tried begin, if there are too many for one time.
    next_seed: usize,
    backoff: Duration,
    /// Since when this node has known of no other that lives.
    pub(super) alone_since: Option<Time>,
    /// Who was asked for a cookie, and until when it is awaited.
    knocked: BTreeMap<SocketAddr, Time>,
    /// The cookies that others gave, and until when they are shown.
    cookies: BTreeMap<SocketAddr, (u64, Time)>,
    lanes: Vec<Lane>,
    /// How often tables are compared for the time being.
    pub(super) settling: Duration,
    /// Whom an observer waits for.
    pub(super) asked: Option<Asked>,
}

/// A piece of somebody's table that is being asked for.
#[derive(Clone, Copy, Debug)]
struct Lane {
    at: SocketAddr,
    first: u64,
    last: u64,
    asked: Time,
    tries: u32,
}

impl Join {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            seeds: BTreeSet::new(),
            next_seed: 0,
            backoff: BACKOFF_MIN,
            alone_since: Some(now),
            knocked: BTreeMap::new(),
            cookies: BTreeMap::new(),
            lanes: Vec::new(),
            settling: Duration::MAX,
            asked: None,
        }
    }

    /// Whether a piece of its table was asked of this node.
    fn pulls(&self, addr: SocketAddr) -> bool {
        self.lanes.iter().any(|lane| lane.at == addr)
    }

    /// Whether what this node says may answer something.
    pub(super) fn awaits(&self, addr: SocketAddr) -> bool {
        self.pulls(addr) || self.cookies.contains_key(&addr)
    }

    pub(super) fn cookie(&self, addr: SocketAddr) -> u64 {
        self.cookies.get(&addr).map_or(0, |&(cookie, _)| cookie)
    }

    /// Some of those who have given a cookie.
    pub(super) fn acquaintances(&self, count: usize) -> Vec<SocketAddr> {
        self.cookies.keys().take(count).copied().collect()
    }

    pub(super) fn forget_old(&mut self, now: Time) {
        self.knocked.retain(|_, &mut until| now < until);
        self.cookies.retain(|_, &mut (_, until)| now < until);
    }
}

impl Membership {
    /// Where to look for others: addresses that were resolved outside, again and again. This node's
    /// own may be among them.
    pub(crate) fn set_seeds(&mut self, now: Time, seeds: Vec<SocketAddr>) {
        let usable = |seed: &SocketAddr| address::is_usable(*seed) && *seed != self.me.addr;
        let seeds: BTreeSet<SocketAddr> =
            seeds.into_iter().map(address::canonical).filter(usable).collect();
        if seeds != self.join.seeds {
            self.join.seeds = seeds;
            self.join.backoff = BACKOFF_MIN;
            self.timers.set(Timer::Seeds, now);
        }
    }

    /// Nobody else is left.
    pub(super) fn become_alone(&mut self, now: Time) {
        if self.join.alone_since.is_none() {
            self.join.alone_since = Some(now);
            self.join.backoff = BACKOFF_MIN;
            self.timers.set(Timer::Seeds, now + BACKOFF_MIN);
        }
    }

    /// Tries the seeds that are not members.
    pub(super) fn on_seeds_timer(&mut self, now: Time) {
        self.join.forget_old(now);
        let Self { join, table, .. } = self;
        let strange = join.seeds.iter().copied().filter(|&seed| !table.is_live(seed));
        let mut strange: Vec<SocketAddr> = strange.collect();
        if !strange.is_empty() {
            let first = join.next_seed % strange.len();
            strange.rotate_left(first);
            join.next_seed = first + SEEDS_MAX.min(strange.len());
        }
        strange.into_iter().take(SEEDS_MAX).for_each(|seed| self.knock(now, seed));
        let lifetime = self.config.tombstone_lifetime;
        let hopeful = self.join.alone_since.is_some_and(|since| now.since(since) < lifetime);
        let wait = if hopeful {
            let backoff = self.join.backoff;
            self.join.backoff = (2 * backoff).min(self.config.seed_backoff_max);
            backoff
        } else {
            self.config.seed_interval
        };
        let wait = self.about(wait);
        self.timers.set(Timer::Seeds, now + wait);
    }

    /// Asks one of the dead whether it lives.
    pub(super) fn on_dead_timer(&mut self, now: Time) {
        let dead = self.table.iter().filter(|member| member.state == State::Dead);
        let dead: Vec<SocketAddr> = dead.map(|member| member.addr()).collect();
        if dead.is_empty() {
            return;
        }
        let one = dead[self.rng.below(dead.len() as u64) as usize];
        self.join.forget_old(now);
        self.knock(now, one);
        let next = now + self.about(self.config.dead_interval);
        self.timers.set(Timer::Dead, next);
    }

    /// Asks somebody for a cookie who has come by himself. Whoever makes up many of these does not
    /// keep this node from asking those that it looks for.
    pub(super) fn knock_back(&mut self, now: Time, to: SocketAddr) {
        let most = KNOCKS_MAX - SEEDS_MAX;
        if most <= self.join.knocked.len() {
            self.join.forget_old(now);
        }
        if self.join.knocked.len() < most {
            self.knock(now, to);
        }
    }

    /// Asks for a cookie.
    pub(super) fn knock(&mut self, now: Time, to: SocketAddr) {
        if KNOCKS_MAX <= self.join.knocked.len() {
            return;
        }
        self.join.knocked.insert(to, now + KNOCK_TIMEOUT);
        let mut gossip = self.blank();
        gossip.knock = Some(schema::Knock {});
        let knock = Outgoing { bytes_max: KNOCK_BYTES, ..Outgoing::padded(to, gossip) };
        self.send(knock);
    }

    /// Somebody wants to see a cookie, and has given one.
    pub(super) fn on_new_cookie(
        &mut self,
        now: Time,
        from: SocketAddr,
        cookie: u64,
    ) -> Result<(), DropReason> {
        let knocked = self.join.knocked.remove(&from).is_some();
        let pulls = self.join.pulls(from);
        let compares = self.table.is_live(from) && self.join.cookie(from) != cookie;
        if !knocked && !pulls && !compares {
            return Err(DropReason::Stray);
        }
        self.join.cookies.insert(from, (cookie, now + COOKIE_LIFETIME));
        if pulls {
            self.ask_again(now, |lane| lane.at == from);
        } else if self.table.ring().is_empty() && self.join.lanes.is_empty() {
            self.open_lanes(now, from, 0, u64::MAX, 1);
        } else {
            self.send_summary(from);
        }
        Ok(())
    }

    /// Asks for everything between two positions, in so many pieces at once.
    fn open_lanes(&mut self, now: Time, at: SocketAddr, first: u64, last: u64, count: u64) {
        let width = (last - first) / count;
        for number in 0..count {
            let from = first + number * width + u64::from(number != 0);
            let to = if number + 1 == count { last } else { first + (number + 1) * width };
            let lane = Lane { at, first: from, last: to, asked: now, tries: 0 };
            self.join.lanes.push(lane);
            self.send_pull(lane);
        }
        self.timers.set_if_idle(Timer::Pull, now + PULL_TIMEOUT);
    }

    fn send_pull(&mut self, lane: Lane) {
        let mut gossip = self.blank();
        gossip.cookie = self.join.cookie(lane.at);
        gossip.pull = Some(schema::Pull { first: lane.first, last: lane.last });
        if self.me.role == Role::Member {
            gossip.updates.extend(self.table.get(self.me.addr).map(|own| own.to_update()));
            // If it is believed dead, it contradicts before it answers.
            self.add_accusation(lane.at, &mut gossip);
        }
        self.send(Outgoing::padded(lane.at, gossip));
    }

    /// Sends those pulls again.
    fn ask_again(&mut self, now: Time, which: impl Fn(&Lane) -> bool) {
        let mut lanes = std::mem::take(&mut self.join.lanes);
        for lane in lanes.iter_mut().filter(|lane| which(lane)) {
            lane.asked = now;
            self.send_pull(*lane);
        }
        self.join.lanes = lanes;
    }

    /// Asks again for what has not come: first the same node, then others.
    pub(super) fn on_pull_timer(&mut self, now: Time) {
        let mut lanes = std::mem::take(&mut self.join.lanes);
        // What nobody gives is found by comparing tables later.
        lanes.retain(|lane| lane.tries < PULL_TRIES);
        for lane in &mut lanes {
            if now.since(lane.asked) < PULL_TIMEOUT {
                continue;
            }
            (lane.asked, lane.tries) = (now, lane.tries + 1);
            if PULL_TRIES / 2 <= lane.tries {
                let other = self.table.draw(1, Some(lane.at), &mut self.rng);
                lane.at = other.first().copied().unwrap_or(lane.at);
            }
            self.send_pull(*lane);
        }
        self.join.lanes = lanes;
        let next = self.join.lanes.iter().map(|lane| lane.asked + PULL_TIMEOUT).min();
        if let Some(next) = next {
            self.timers.set(Timer::Pull, next);
        }
    }

    /// A piece of a table has come, and its members have been taken in.
    pub(super) fn on_page(
        &mut self,
        now: Time,
        from: SocketAddr,
        page: schema::Page,
    ) -> Result<(), DropReason> {
        if page.last < page.first {
            return Err(DropReason::Malformed);
        }
        let is_it = |lane: &Lane| lane.at == from && lane.first == page.first;
        let Some(at) = self.join.lanes.iter().position(is_it) else {
            // It came twice.
            return Err(DropReason::Stray);
        };
        let lane = self.join.lanes.swap_remove(at);
        if page.last < lane.last {
            let lonely = self.join.lanes.is_empty() && LANES_FROM <= page.members;
            let count = if lonely && lane.first == 0 { LANES } else { 1 };
            self.open_lanes(now, from, page.last + 1, lane.last, count);
        }
        if self.join.lanes.is_empty() {
            self.timers.cancel(Timer::Pull);
            self.changes.push_back(Change::Joined);
            // Others may be joining as well: what has happened meanwhile may have passed this node
            // by, as it did not know those who told it.
            self.compare_soon(now);
        }
        Ok(())
    }

    /// Somebody asks for a piece of the table.
    pub(super) fn on_pull(&mut self, sender: Sender, pull: schema::Pull) -> Result<(), DropReason> {
        if pull.last < pull.first {
            return Err(DropReason::Malformed);
        }
        let mut gossip = self.blank();
        let members = self.table.live() as u64;
        let mut room = body_max(sender.answer_max).saturating_sub(PAGE_HEAD_BYTES);
        let mut covered = pull.last;
        let mut before = pull.first;
        for member in self.table.between(pull.first..=pull.last) {
            // Whoever asks must know of another life of its address, to outdo it: the clock may
            // have been set back.
            let own = member.addr() == sender.addr;
            if !member.state.is_live() && !own {
                continue;
            }
            let update = member.to_update();
            let len = framed_len(&update);
            if room < len {
                covered = before;
                break;
            }
            (room, before) = (room - len, member.position);
            gossip.updates.push(update);
        }
        gossip.page = Some(schema::Page { first: pull.first, last: covered, members });
        let page = Outgoing::to_member(sender.addr, gossip);
        self.send_later(Outgoing { news: false, bytes_max: sender.answer_max, ..page });
        Ok(())
    }
}

/// A lone node tries its seeds again after this time, then after twice as long, and so on.
const BACKOFF_MIN: Duration = Duration::from_millis(200);

/// More seeds are not tried at a time; the others have their turn the next time.
const SEEDS_MAX: usize = 256;

/// More are not asked for a cookie at once.
const KNOCKS_MAX: usize = 512;

/// How long a cookie is awaited.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Cookies are taken for at least a minute.
const COOKIE_LIFETIME: Duration = Duration::from_secs(55);

/// How long a page is awaited.
const PULL_TIMEOUT: Duration = Duration::from_millis(250);

/// How often a page is asked for.
const PULL_TRIES: u32 = 8;

/// In how many pieces at once a large table is asked for, and from how many members on.
const LANES: u64 = 4;
const LANES_FROM: u64 = 60;

/// Bytes of a Page, with the body's other fields.
const PAGE_HEAD_BYTES: usize = 48;
