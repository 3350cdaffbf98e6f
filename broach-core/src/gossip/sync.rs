//! Comparing tables, so that nobody misses anything for good.
//!
//! ```text
//!  one                                     the other
//!   |--- summary: 64 numbers ---------------->|
//!   |                                         |   equal: nothing more
//!   |<-- listings of what differs ------------|
//!   |--- what the other lacks --------------->|
//!   |--- fetch: what this one lacks --------->|
//!   |<-- that --------------------------------|
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use prost::Message;
use prost::encoding::encoded_len_varint;

use crate::config::BASE_DATAGRAM_BYTES;
use crate::deadline::Time;
use crate::gossip::inbound::Sender;
use crate::gossip::outbox::{Outgoing, body_max, framed_len};
use crate::gossip::record::state_from_wire;
use crate::gossip::table::BUCKETS;
use crate::gossip::timers::Timer;
use crate::gossip::{Membership, Role, State, address};
use crate::observe::DropReason;
use crate::wire::schema;

impl Membership {
    /// Compares tables with somebody.
    pub(super) fn on_sync_timer(&mut self, now: Time) {
        let interval = self.sync_interval().min(self.join.settling);
        self.join.settling = (2 * interval).min(self.sync_interval());
        let mut next = self.about(interval);
        match self.me.role {
            Role::Member => {
                if let Some(&to) = self.table.draw(1, None, &mut self.rng).first() {
                    self.send_summary(to);
                }
            }
            Role::Observer => {
                self.observe_others(now);
                next = next.min(self.observe_again());
            }
        }
        self.timers.set(Timer::Sync, now + next);
    }

    /// Compares tables soon, and then ever less often.
    pub(super) fn compare_soon(&mut self, now: Time) {
        let first = match self.me.role {
            Role::Member => SETTLE_MIN,
            Role::Observer => OBSERVE_FIRST,
        };
        self.join.settling = first;
        let next = now + self.about(first);
        self.timers.set(Timer::Sync, next);
    }

    /// An observer that has learnt something looks whether there is more: what it gets is only as
    /// large as what it sends.
    pub(super) fn on_copied(&mut self, now: Time) {
        if self.me.role == Role::Observer {
            self.timers.set(Timer::Sync, now + OBSERVE_AGAIN);
        }
    }

    /// Says who this node is to some who have given it a cookie.
    pub(super) fn introduce(&mut self) {
        for to in self.join.acquaintances(INTRODUCTIONS) {
            self.send_summary(to);
        }
    }

    /// Tells somebody in short what this node knows.
    pub(super) fn send_summary(&mut self, to: SocketAddr) {
        let mut gossip = self.blank();
        gossip.cookie = self.join.cookie(to);
        gossip.summary = Some(schema::Summary { buckets: self.table.buckets().to_vec() });
        let member = self.table.is_live(to) && gossip.cookie == 0;
        if self.me.role == Role::Observer {
            gossip.probe = self.asks_for_a_sign(to);
            self.send(Outgoing { news: false, ..Outgoing::to_member(to, gossip) });
        } else if member {
            self.send(Outgoing::to_member(to, gossip));
        } else {
            // It does not know this node, or believes it dead, and this node believes so of it.
            gossip.updates.extend(self.table.get(self.me.addr).map(|own| own.to_update()));
            self.add_accusation(to, &mut gossip);
            self.send(Outgoing::padded(to, gossip));
        }
    }

    /// Somebody says in short what it knows: it is told in more detail what differs.
    pub(super) fn on_summary(
        &mut self,
        sender: Sender,
        summary: &schema::Summary,
    ) -> Result<(), DropReason> {
        let theirs: &[u32; BUCKETS] =
            summary.buckets.as_slice().try_into().map_err(|_| DropReason::Malformed)?;
        let most = if sender.is_member { LISTINGS_MAX } else { 1 };
        let room = body_max(sender.answer_max).saturating_sub(self.blank().encoded_len());
        let mut datagrams = vec![Vec::new()];
        let mut left = room;
        let differs = |&number: &usize| theirs[number] != self.table.buckets()[number];
        'buckets: for number in (0..BUCKETS).filter(differs) {
            let (first, last) = positions(number).into_inner();
            let mut listing = schema::Listing { first, last, items: Vec::new() };
            for member in self.table.between(first..=last) {
                let item = member.to_item();
                let len = item_len(&item);
                if left < LISTING_BYTES_MAX + len {
                    // What is listed must be complete: the rest goes into the next one.
                    let rest = schema::Listing { first: member.position, last, items: vec![] };
                    let mut full = std::mem::replace(&mut listing, rest);
                    if first < member.position && !full.items.is_empty() {
                        full.last = member.position - 1;
                        push(&mut datagrams, full);
                    }
                    if datagrams.len() == most || room < LISTING_BYTES_MAX + len {
                        break 'buckets;
                    }
                    datagrams.push(Vec::new());
                    left = room;
                }
                left -= len;
                listing.items.push(item);
            }
            if left < LISTING_BYTES_MAX {
                break;
            }
            left -= LISTING_BYTES_MAX;
            push(&mut datagrams, listing);
        }
        for listings in datagrams.into_iter().filter(|listings| !listings.is_empty()) {
            let gossip = schema::Gossip { listings, ..self.blank() };
            let outgoing = Outgoing::to_member(sender.addr, gossip);
            self.send_later(Outgoing { news: false, bytes_max: sender.answer_max, ..outgoing });
        }
        Ok(())
    }

    /// Somebody says what it knows where the tables differ.
    pub(super) fn on_listings(
        &mut self,
        sender: Sender,
        listings: &[schema::Listing],
    ) -> Result<(), DropReason> {
        let (mut wanted, mut given) = (Vec::new(), Vec::new());
        for listing in listings {
            let items = listing.items.iter().map(|item| {
                let state = state_from_wire(item.state)?;
                let addr = address::from_bytes(&item.address)?;
                Some((addr, (item.epoch, item.incarnation, state)))
            });
            let items: Option<BTreeMap<SocketAddr, (u64, u64, State)>> = items.collect();
            let items = items.ok_or(DropReason::Malformed)?;
            for (&addr, &(epoch, incarnation, state)) in &items {
                let newer = match self.table.get(addr) {
                    Some(own) => {
                        (own.epoch(), own.incarnation(), own.state) < (epoch, incarnation, state)
                    }
                    None => state.is_live(),
                };
                if newer {
                    wanted.push(address::to_bytes(addr));
                }
            }
            for own in self.table.between(listing.first..=listing.last) {
                let newer = match items.get(&own.addr()) {
                    Some(&theirs) => theirs < (own.epoch(), own.incarnation(), own.state),
                    None => own.state.is_live(),
                };
                if newer {
                    given.push(own.addr());
                }
            }
        }
        for addresses in wanted.chunks(FETCH_MAX).take(FETCHES_MAX) {
            let mut gossip = self.blank();
            gossip.cookie = self.join.cookie(sender.addr);
            gossip.fetch = Some(schema::Fetch { addresses: addresses.to_vec() });
            // Who has asked for a cookie does not take this node for a member.
            let member = gossip.cookie == 0 && sender.is_member;
            let fetch = Outgoing::padded(sender.addr, gossip);
            self.send_later(Outgoing { padded: !member, ..fetch });
        }
        if self.me.role == Role::Member {
            self.send_copies(sender, &given);
        }
        Ok(())
    }

    /// Somebody asks for the updates of some members.
    pub(super) fn on_fetch(
        &mut self,
        sender: Sender,
        fetch: &schema::Fetch,
    ) -> Result<(), DropReason> {
        let addrs = fetch.addresses.iter().map(|bytes| address::from_bytes(bytes));
        let addrs: Option<Vec<SocketAddr>> = addrs.collect();
        self.send_copies(sender, &addrs.ok_or(DropReason::Malformed)?);
        Ok(())
    }

    /// Sends what is known of these members: as much as fits into one answer, or to a member, into
    /// some.
    fn send_copies(&mut self, sender: Sender, addrs: &[SocketAddr]) {
        let most = if sender.is_member { COPIES_MAX } else { 1 };
        let mut addrs = addrs.iter().copied().peekable();
        for _ in 0..most {
            let cookie = self.join.cookie(sender.addr);
            let mut gossip = schema::Gossip { copy: true, cookie, ..self.blank() };
            let mut room = body_max(sender.answer_max).saturating_sub(gossip.encoded_len());
            while let Some(&addr) = addrs.peek() {
                if let Some(update) = self.table.get(addr).map(|member| member.to_update()) {
                    if room < framed_len(&update) {
                        break;
                    }
                    room -= framed_len(&update);
                    gossip.updates.push(update);
                }
                addrs.next();
            }
            if gossip.updates.is_empty() {
                return;
            }
            let outgoing = Outgoing::to_member(sender.addr, gossip);
            self.send_later(Outgoing { news: false, bytes_max: sender.answer_max, ..outgoing });
        }
    }
}

fn push(datagrams: &mut [Vec<schema::Listing>], listing: schema::Listing) {
    if let Some(last) = datagrams.last_mut() {
        last.push(listing);
    }
}

/// The positions that count for one number of a summary.
const fn positions(number: usize) -> RangeInclusive<u64> {
    let width = u64::MAX / BUCKETS as u64;
    let first = (number as u64) << (64 - BUCKETS.trailing_zeros());
    first..=first + width
}

/// Bytes that an item takes in a listing.
fn item_len(item: &schema::ListingItem) -> usize {
    let len = item.encoded_len();
    1 + encoded_len_varint(len as u64) + len
}

/// Bytes of a listing beside its items.
const LISTING_BYTES_MAX: usize = 22;

/// Datagrams of listings in answer to one summary.
const LISTINGS_MAX: usize = 8;

/// Addresses in one request, so that it fits into a datagram whatever they are.
const FETCH_MAX: usize = (BASE_DATAGRAM_BYTES - 64) / 20;

/// Requests in answer to one datagram of listings.
const FETCHES_MAX: usize = 2;

/// Datagrams in answer to one request.
const COPIES_MAX: usize = 8;

/// How soon a node that has joined compares tables for the first time.
const SETTLE_MIN: Duration = Duration::from_millis(500);

/// To how many a node introduces itself at once.
const INTRODUCTIONS: usize = 3;

/// The same for an observer, to which nobody passes on what happens meanwhile.
const OBSERVE_FIRST: Duration = Duration::from_millis(100);

/// How soon an observer asks for more.
const OBSERVE_AGAIN: Duration = Duration::from_millis(50);
