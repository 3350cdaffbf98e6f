//! [`World`]: a fetcher, and nodes that it can ask.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::advert::{Advert, AdvertHash, AdvertStore, EncodedAdvert, Fetch, Fetcher, Output};
use crate::code::Code;
use crate::deadline::Time;
use crate::rng::Rng;

pub(super) const MS: Duration = Duration::from_millis(1);

/// A fetcher, and the nodes that it can ask.
pub(super) struct World {
    pub(super) fetcher: Fetcher,
    pub(super) store: Arc<AdvertStore>,
    rng: Rng,
    pub(super) now: Time,
    /// What there is, and who has it as far as gossip knows.
    pub(super) held: BTreeMap<AdvertHash, (EncodedAdvert, Vec<SocketAddr>)>,
    pub(super) faults: Faults,
    /// The answers that are on their way, by when they arrive.
    answers: BTreeMap<(Time, AdvertHash), Result<Bytes, Code>>,
    /// Everyone who was asked, and when.
    pub(super) asked: Vec<(Time, Fetch)>,
    pub(super) told_full: Vec<usize>,
    pub(super) refused: usize,
}

/// How likely it is that a node does something else than to answer.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) silent: f64,
    pub(super) wrong: f64,
    pub(super) without: f64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let store = Arc::new(AdvertStore::default());
        let mut rng = Rng::from_seed(seed);
        Self {
            fetcher: Fetcher::new(Arc::clone(&store), rng.fork()),
            store,
            rng,
            now: Time::ZERO,
            held: BTreeMap::new(),
            faults: Faults::default(),
            answers: BTreeMap::new(),
            asked: Vec::new(),
            told_full: Vec::new(),
            refused: 0,
        }
    }

    /// These nodes have this advert from now on, and nothing else is held by anybody unless it was
    /// said before.
    pub(super) fn hold(&mut self, advert: &EncodedAdvert, holders: impl IntoIterator<Item = u16>) {
        let holders = holders.into_iter().map(node).collect();
        self.held.insert(advert.hash(), (advert.clone(), holders));
    }

    pub(super) fn tell(&mut self) {
        let all = self.held.iter().map(|(&hash, (_, holders))| (hash, holders.clone()));
        self.fetcher.set_wanted(self.now, all.collect::<Vec<_>>());
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.fetcher.poll(self.now) {
            match output {
                Output::Ask(fetch) => self.ask(fetch),
                Output::Full { wanted } => self.told_full.push(wanted),
            }
        }
        let asking = self.answers.keys().map(|(_, hash)| hash);
        assert!(asking.clone().count() <= 8, "too many are asked at once");
        let distinct: BTreeSet<_> = asking.clone().collect();
        assert_eq!(distinct.len(), asking.count(), "one advert is asked for twice at once");
        let next = self.fetcher.next_timeout();
        assert!(next.is_none_or(|time| self.now < time), "poll left something to do");
    }

    pub(super) fn ask(&mut self, fetch: Fetch) {
        let Fetch { hash, ask, .. } = fetch;
        self.asked.push((self.now, fetch));
        let (took, answer) = match self.held.get(&hash) {
            _ if self.rng.chance(self.faults.silent) => (1000, Err(Code::DeadlineExceeded)),
            _ if self.rng.chance(self.faults.wrong) => (2, Ok(Bytes::from_static(b"wrong"))),
            _ if self.rng.chance(self.faults.without) => (2, Err(Code::NotFound)),
            Some((advert, holders)) if holders.contains(&ask) => (2, Ok(advert.bytes().clone())),
            _ => (2, Err(Code::NotFound)),
        };
        self.answers.insert((self.now + took * MS, hash), answer);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let answer = self.answers.keys().next().map(|&(time, _)| time);
            let next = [answer, self.fetcher.next_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|&next| next <= end) else { break };
            self.now = self.now.max(next);
            if answer == Some(next) {
                let ((_, hash), result) = self.answers.pop_first().unwrap();
                let refused = self.fetcher.on_result(self.now, hash, result).is_err();
                self.refused += usize::from(refused);
            }
            self.drain();
        }
        self.now = end;
    }

    pub(super) fn knows(&self, advert: &EncodedAdvert) -> bool {
        let known = self.fetcher.get(advert.hash());
        known.is_some_and(|known| known == *advert.advert())
    }
}

pub(super) fn node(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}

/// An advert of about this many bytes.
pub(super) fn sized(number: usize, bytes: usize) -> EncodedAdvert {
    let value = |at: usize| "x".repeat(4000.min(bytes - at * 4000));
    let tags = (0..bytes.div_ceil(4000)).map(|at| (format!("{number}-{at}"), value(at)));
    EncodedAdvert::new(Advert { tags: tags.collect(), ..Advert::default() }).unwrap()
}

pub(super) fn advert(number: usize) -> EncodedAdvert {
    sized(number, 10)
}
