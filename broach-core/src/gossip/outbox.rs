//! What goes out, in which order, and how much of it.
//!
//! What concerns the life of members goes first. The rest, tables and news, keeps a part of the
//! budget free for it. News ride on whatever has room for them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use prost::Message;
use prost::encoding::encoded_len_varint;

use crate::config::{BASE_DATAGRAM_BYTES, Gossip};
use crate::deadline::Time;
use crate::gossip::bucket::Bucket;
use crate::gossip::spread::Spread;
use crate::gossip::timers::Timer;
use crate::gossip::{Membership, Role};
use crate::ids::{PacketNumber, SessionId};
use crate::wire::{HEADER_BYTES, Kind, TRAILER_BYTES, schema, stateless};

/// Datagrams that are to go out.
#[derive(Debug)]
pub(super) struct Outbox {
    urgent: VecDeque<Outgoing>,
    bulk: VecDeque<Outgoing>,
    /// To whom the news go in this round.
    round: Vec<SocketAddr>,
    budget: Bucket,
    number: PacketNumber,
}

/// A datagram that is to go out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) to: SocketAddr,
    pub(super) gossip: schema::Gossip,
    /// It takes along what news there is room for.
    pub(super) news: bool,
    /// How large it may be, as a whole.
    pub(super) bytes_max: usize,
    /// It is to be as large as it may be.
    pub(super) padded: bool,
}

impl Outbox {
    pub(super) fn new(now: Time, bytes_per_second: u32) -> Self {
        Self {
            urgent: VecDeque::new(),
            bulk: VecDeque::new(),
            round: Vec::new(),
            budget: Bucket::new(now, bytes_per_second),
            number: PacketNumber(0),
        }
    }

    /// What the budget must hold before the next datagram goes out; `None` if there is none.
    fn needed(&self) -> Option<usize> {
        if !self.urgent.is_empty() {
            return Some(BASE_DATAGRAM_BYTES);
        }
        let idle = self.bulk.is_empty() && self.round.is_empty();
        (!idle).then_some(BASE_DATAGRAM_BYTES + RESERVE)
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.needed().map(|bytes| self.budget.when(bytes))
    }

    pub(super) fn clear(&mut self) {
        self.urgent.clear();
        self.bulk.clear();
        self.round.clear();
    }
}

impl Outgoing {
    /// A datagram for a member.
    pub(super) const fn to_member(to: SocketAddr, gossip: schema::Gossip) -> Self {
        Self { to, gossip, news: true, bytes_max: BASE_DATAGRAM_BYTES, padded: false }
    }

    /// A datagram that is as large as may be, so that the answer may be, too.
    pub(super) const fn padded(to: SocketAddr, gossip: schema::Gossip) -> Self {
        Self { to, gossip, news: false, bytes_max: BASE_DATAGRAM_BYTES, padded: true }
    }

    fn room(&self) -> usize {
        self.bytes_max.saturating_sub(OVERHEAD + self.gossip.encoded_len())
    }
}

impl Membership {
    /// A datagram's body with nothing in it yet.
    pub(super) fn blank(&self) -> schema::Gossip {
        schema::Gossip {
            cluster: self.me.cluster.0,
            observer: self.me.role == Role::Observer,
            ..schema::Gossip::default()
        }
    }

    /// Sends before everything else.
    pub(super) fn send(&mut self, outgoing: Outgoing) {
        if self.outbox.urgent.len() < QUEUE_MAX {
            self.outbox.urgent.push_back(outgoing);
        }
    }

    /// Sends when there is nothing urgent.
    pub(super) fn send_later(&mut self, outgoing: Outgoing) {
        if self.outbox.bulk.len() < QUEUE_MAX {
            self.outbox.bulk.push_back(outgoing);
        }
    }

    /// There is news of a member, which others are to hear.
    pub(super) fn spread_news(&mut self, now: Time, addr: SocketAddr) {
        if self.me.role == Role::Member {
            self.spread.add(addr);
            self.timers.set_if_idle(Timer::Gossip, now);
        }
    }

    /// Passes the news on to a few.
    pub(super) fn on_gossip_timer(&mut self, now: Time) {
        if self.table.ring().is_empty() {
            // Whoever comes takes the whole table.
            self.spread = Spread::default();
        }
        if self.spread.is_empty() {
            return;
        }
        self.timers.set(Timer::Gossip, now + self.config.gossip_interval);
        self.outbox.round = self.table.draw(self.config.gossip_fanout, None, &mut self.rng);
    }

    /// Writes a datagram to the end of `buffer`, which should be empty, and tells where it goes.
    pub(crate) fn poll_transmit(&mut self, now: Time, buffer: &mut Vec<u8>) -> Option<SocketAddr> {
        loop {
            let needed = self.outbox.needed()?;
            if !self.outbox.budget.holds(now, needed) {
                return None;
            }
            let queue = &mut self.outbox;
            let queued = queue.urgent.pop_front().or_else(|| queue.bulk.pop_front());
            let mut outgoing = match queued {
                Some(outgoing) => outgoing,
                None => Outgoing::to_member(queue.round.pop()?, self.blank()),
            };
            if outgoing.news {
                self.add_news(&mut outgoing);
            }
            if outgoing.gossip == self.blank() || outgoing.bytes_max < outgoing_len(&outgoing) {
                // There are no news any more, or the answer would be larger than what it answers.
                continue;
            }
            if outgoing.padded {
                pad(&mut outgoing);
            }
            let number = self.outbox.number;
            self.outbox.number = number.next();
            let sender = SessionId(self.me.instance.0);
            let bytes = stateless(Kind::Gossip, sender, number, &outgoing.gossip);
            self.outbox.budget.spend(bytes.len());
            buffer.extend_from_slice(&bytes);
            return Some(outgoing.to);
        }
    }

    /// Adds as many news as there is room for.
    fn add_news(&mut self, outgoing: &mut Outgoing) {
        let mut room = outgoing.room();
        let mut added = Vec::new();
        for addr in self.spread.iter() {
            if room < UPDATE_BYTES_MIN {
                break;
            }
            let Some(update) = self.table.get(addr).map(|member| member.to_update()) else {
                continue;
            };
            let len = framed_len(&update);
            if len <= room {
                room -= len;
                outgoing.gossip.updates.push(update);
                added.push(addr);
            }
        }
        let most = self.retransmits();
        for addr in added {
            self.spread.sent(addr, most);
        }
    }

    /// How often each node passes on a piece of news.
    fn retransmits(&self) -> u32 {
        let Gossip { retransmits_per_digit, retransmits_min, .. } = self.config;
        let digits = (self.table.live() as f64 + 1.0).log10() + 1.0;
        retransmits_min.max((f64::from(retransmits_per_digit) * digits).ceil() as u32)
    }
}

/// Bytes that an update takes in a datagram.
pub(super) fn framed_len(update: &schema::Update) -> usize {
    let len = update.encoded_len();
    1 + encoded_len_varint(len as u64) + len
}

/// Bytes that are left for a datagram's body.
pub(super) const fn body_max(bytes_max: usize) -> usize {
    bytes_max.saturating_sub(OVERHEAD)
}

fn outgoing_len(outgoing: &Outgoing) -> usize {
    OVERHEAD + outgoing.gossip.encoded_len()
}

/// Brings a datagram to its largest size, or one byte less.
fn pad(outgoing: &mut Outgoing) {
    let room = outgoing.room();
    let head = 1 + encoded_len_varint(room as u64);
    outgoing.gossip.padding = Bytes::from(vec![0; room.saturating_sub(head)]);
}

/// Bytes around the body.
pub(super) const OVERHEAD: usize = HEADER_BYTES + TRAILER_BYTES;

/// What is kept for what is urgent.
const RESERVE: usize = 4 * BASE_DATAGRAM_BYTES;

/// More is not kept: who asked asks again.
const QUEUE_MAX: usize = 256;

/// No update is smaller.
const UPDATE_BYTES_MIN: usize = 24;
