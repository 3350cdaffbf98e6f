//! [`Path`]: callers and a server in virtual time, at the two ends of a path that has a rate, a
//! queue, a delay and a largest datagram.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::config::Transport;
use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::ids::MethodId;
use crate::proto::tests::pair::{End, Sent, addr};
use crate::proto::{Call, CallBytes, NewCall, Ticket};
use crate::rng::Rng;

/// What a way does to what goes over it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Bytes per second; `None` for any number.
    pub(super) rate: Option<u64>,
    /// What does not get through for so long is dropped.
    pub(super) queue: Duration,
    pub(super) delay: Duration,
    /// How much longer a datagram may take, so that others overtake it.
    pub(super) jitter: Duration,
    /// The share that is lost at random.
    pub(super) loss: f64,
    /// Larger datagrams do not get through, counted with the headers of IPv4 and UDP.
    pub(super) mtu: usize,
    /// What has to wait for longer than this is marked, if it may be.
    pub(super) mark_above: Option<Duration>,
    /// What is written on datagrams is wiped off.
    pub(super) bleaches: bool,
}

/// What has become of the datagrams that set out on a way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    /// Bytes of them, with what stands around those of calls.
    pub(super) bytes: u64,
    /// For want of room in the queue.
    pub(super) dropped: u64,
    pub(super) lost: u64,
    pub(super) oversized: u64,
    pub(super) marked: u64,
    /// The longest wait in the queue.
    pub(super) waited: Duration,
    /// The largest that got through.
    pub(super) largest: usize,
}

#[derive(Debug)]
struct Way {
    link: Link,
    /// When all that is in the queue will be through.
    free_at: Time,
    tally: Tally,
}

/// A call that a caller makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) bytes: usize,
    pub(super) at: Time,
    pub(super) took: Option<Duration>,
}

/// A caller at the near end.
pub(super) struct Caller {
    pub(super) end: End,
    pub(super) made: Vec<Made>,
    /// The calls that have not ended, by their place in `made`.
    open: BTreeMap<Ticket, usize>,
}

/// See the [module](self).
pub(super) struct Path {
    pub(super) now: Time,
    pub(super) callers: Vec<Caller>,
    pub(super) server: End,
    ways: [Way; 2],
    rng: Rng,
    /// What is on its way, by the time of its arrival.
    flying: BTreeMap<(Time, u64), Sent>,
    next_event: u64,
    next_ticket: u64,
    /// What the server answers with.
    pub(super) reply_bytes: usize,
}

impl Link {
    /// A way that takes so long, and nothing else.
    pub(super) fn of(delay: Duration) -> Self {
        Self {
            rate: None,
            queue: Duration::MAX,
            delay,
            jitter: Duration::ZERO,
            loss: 0.0,
            mtu: 1_500,
            mark_above: None,
            bleaches: false,
        }
    }
}

impl Path {
    /// So many callers with these settings, and the ways there and back.
    pub(super) fn new(
        seed: u64,
        callers: u64,
        config: &Transport,
        there: Link,
        back: Link,
    ) -> Self {
        let now = Time::from_nanos(1_000_000_000_000);
        let caller = |number| {
            let addr = SocketAddr::from(([10, 0, 1, number as u8], 1));
            let end = End::new(now, addr, 1_000 + (seed << 8 | number), 1, config.clone());
            Caller { end, made: Vec::new(), open: BTreeMap::new() }
        };
        Self {
            now,
            callers: (1..=callers).map(caller).collect(),
            server: End::new(now, addr("10.0.0.2:2"), 1_000 + (seed << 8), 1, config.clone()),
            ways: [there, back].map(|link| Way { link, free_at: now, tally: Tally::default() }),
            rng: Rng::from_seed(seed),
            flying: BTreeMap::new(),
            next_event: 0,
            next_ticket: 0,
            reply_bytes: 10,
        }
    }

    /// Changes the way there.
    pub(super) fn there(&mut self) -> &mut Link {
        &mut self.ways[0].link
    }

    /// Changes the way back.
    pub(super) fn back(&mut self) -> &mut Link {
        &mut self.ways[1].link
    }

    /// What has become of what the callers have sent so far.
    pub(super) const fn tally(&self) -> Tally {
        self.ways[0].tally
    }

    /// Counts anew.
    pub(super) fn reset_tally(&mut self) {
        self.ways[0].tally = Tally::default();
    }

    /// A caller makes a call with so many bytes.
    pub(super) fn call(&mut self, caller: usize, bytes: usize) -> Ticket {
        self.next_ticket += 1;
        let (ticket, at) = (Ticket(self.next_ticket), self.now);
        let call = Call {
            ticket,
            method: MethodId(1),
            flags: 0,
            deadline: Some(self.now + Duration::from_secs(600)),
            made_at: self.now,
            yields: false,
            streams: crate::proto::Streams::default(),
        };
        let call = NewCall { call, bytes: CallBytes::message(Bytes::from(vec![7; bytes])) };
        let server = self.server.addr;
        let caller = &mut self.callers[caller];
        caller.end.endpoint.open(self.now, server, call).expect("a few calls are taken");
        caller.open.insert(ticket, caller.made.len());
        caller.made.push(Made { bytes, at, took: None });
        ticket
    }

    /// Lets things happen until a time, or until `done` says so.
    pub(super) fn run(&mut self, until: Time, mut done: impl FnMut(&mut Self) -> bool) {
        loop {
            self.turn();
            if done(self) {
                return;
            }
            // What was done about it may have led to something to send.
            self.turn();
            let arrival = self.flying.first_key_value().map(|(&(time, _), _)| time);
            let now = self.now;
            let ends = self.callers.iter_mut().map(|caller| &mut caller.end);
            let timers = ends.chain([&mut self.server]);
            let timer = timers.filter_map(|end| end.endpoint.poll_timeout(now)).min();
            let Some(next) = [arrival, timer].into_iter().flatten().min() else { break };
            if until < next {
                break;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry()
                && entry.key().0 <= self.now
            {
                let Sent { from, to, ecn, bytes } = entry.remove();
                let end = self.callers.iter_mut().map(|caller| &mut caller.end);
                let end = end.chain([&mut self.server]).find(|end| end.addr == to);
                if let Some(end) = end {
                    end.receive_marked(self.now, from, ecn, bytes);
                }
            }
            let now = self.now;
            let ends = self.callers.iter_mut().map(|caller| &mut caller.end);
            for end in ends.chain([&mut self.server]) {
                if end.endpoint.poll_timeout(now).is_some_and(|due| due <= now) {
                    end.endpoint.handle_timeout(now);
                }
            }
        }
        self.now = until;
    }

    /// Every end does what there is to do.
    fn turn(&mut self) {
        for index in 0..self.callers.len() {
            let caller = &mut self.callers[index];
            caller.end.act_once();
            for (ticket, result) in std::mem::take(&mut caller.end.ended) {
                let index = caller.open.remove(&ticket).expect("a call ends once");
                let made = &mut caller.made[index];
                result.unwrap_or_else(|status| panic!("{made:?}: {status}"));
                made.took = Some(self.now.since(made.at));
            }
            let sent = caller.end.transmit(self.now);
            self.carry(0, sent);
        }
        self.server.act_once();
        self.server.reply_briefly(self.reply_bytes);
        let sent = self.server.transmit(self.now);
        self.carry(1, sent);
    }

    fn carry(&mut self, way: usize, sent: Vec<Sent>) {
        for mut sent in sent {
            let Way { link, free_at, tally } = &mut self.ways[way];
            tally.sent += 1;
            tally.bytes += sent.bytes.len() as u64;
            if link.mtu < sent.bytes.len() + HEADERS {
                tally.oversized += 1;
                continue;
            }
            if self.rng.chance(link.loss) {
                tally.lost += 1;
                continue;
            }
            let begins = (*free_at).max(self.now);
            let waits = begins.since(self.now);
            if link.queue < waits {
                tally.dropped += 1;
                continue;
            }
            tally.waited = tally.waited.max(waits);
            tally.largest = tally.largest.max(sent.bytes.len());
            if link.bleaches {
                sent.ecn = Ecn::NotCapable;
            } else if sent.ecn.is_capable() && link.mark_above.is_some_and(|most| most < waits) {
                tally.marked += 1;
                sent.ecn = Ecn::Ce;
            }
            let bytes = (sent.bytes.len() + HEADERS) as u64;
            let takes = link.rate.map_or(0, |rate| bytes * 1_000_000_000 / rate);
            *free_at = begins + Duration::from_nanos(takes);
            let jitter = u64::try_from(link.jitter.as_nanos()).unwrap_or(0);
            let jitter = Duration::from_nanos(self.rng.below(1 + jitter));
            let arrives = *free_at + link.delay + jitter;
            self.next_event += 1;
            self.flying.insert((arrives, self.next_event), sent);
        }
    }
}

/// Keeps so many calls of about one size under way, from each caller, and makes small ones of the
/// first beside them.
pub(super) struct Load {
    pub(super) bulk_bytes: usize,
    pub(super) bulk_calls: usize,
    pub(super) small_every: Option<Duration>,
}

/// What came of a load.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Bytes per second of bulk, of each caller.
    pub(super) goodput: Vec<f64>,
    /// How long each of the small calls took, sorted.
    pub(super) small: Vec<Duration>,
    pub(super) tally: Tally,
}

impl Outcome {
    /// How long all but this share of the small calls took at the most.
    pub(super) fn percentile(&self, share: f64) -> Duration {
        let at = (self.small.len().saturating_sub(1) as f64 * share) as usize;
        self.small.get(at).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> f64 {
        self.goodput.iter().sum()
    }
}

impl Load {
    /// Lets the load go over a path for so long.
    pub(super) fn run(&self, path: &mut Path, lasts: Duration) -> Outcome {
        let began = path.now;
        let until = began + lasts;
        let mut small_at = began;
        path.reset_tally();
        while path.now < until {
            let next = self.small_every.map_or(until, |every| small_at + every).min(until);
            path.run(next, |path| {
                for index in 0..path.callers.len() {
                    let Caller { made, open, .. } = &path.callers[index];
                    let bulk = open.values().filter(|&&at| made[at].bytes != SMALL_BYTES);
                    for _ in bulk.count()..self.bulk_calls {
                        // Calls of one size would all end, and others begin, at the same time.
                        let half = self.bulk_bytes as u64 / 2;
                        let bytes = (half + path.rng.below(2 * half)) as usize;
                        path.call(index, bytes);
                    }
                }
                false
            });
            if self.small_every.is_some() {
                small_at = next;
                path.call(0, SMALL_BYTES);
            }
        }
        let of = |caller: &Caller| {
            let ended = |made: &&Made| made.took.is_some() && began <= made.at;
            let bulk = caller.made.iter().filter(|made| made.bytes != SMALL_BYTES);
            let bulk: Vec<&Made> = bulk.filter(ended).collect();
            let last = bulk.iter().filter_map(|made| Some(made.at + made.took?)).max();
            let took = last.map_or(0.0, |last| last.since(began).as_secs_f64());
            bulk.iter().map(|made| made.bytes).sum::<usize>() as f64 / took.max(1e-9)
        };
        let made = path.callers.iter().flat_map(|caller| &caller.made);
        let small = made.filter(|made| made.bytes == SMALL_BYTES && began <= made.at);
        let mut small: Vec<Duration> = small.filter_map(|made| made.took).collect();
        small.sort_unstable();
        Outcome { goodput: path.callers.iter().map(of).collect(), small, tally: path.tally() }
    }
}

/// Bytes of the headers of IPv4 and UDP.
const HEADERS: usize = 28;

/// What a small call carries.
const SMALL_BYTES: usize = 32;
