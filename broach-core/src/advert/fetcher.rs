//! [`Fetcher`]: which adverts are to be fetched, from whom, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::advert::{
    ADVERT_BYTES_MAX, Advert, AdvertHash, AdvertStore, EncodedAdvert, RefusedAdvert,
};
use crate::code::Code;
use crate::deadline::Time;
use crate::rng::Rng;

/// Sees to it that every advert of a live member is in the [`AdvertStore`].
///
/// Its inputs are [`set_wanted`](Self::set_wanted), after each change of the members, and
/// [`on_result`](Self::on_result), once for each [`Fetch`]. After any of them, and when the time of
/// [`next_timeout`](Self::next_timeout) has come, [`poll`](Self::poll) is to be called until it
/// returns `None`; that may change the time.
///
/// ```text
///            jitter             asked              bytes of that hash
///   wanted ---------> in line --------> asking ------------------------> kept
///                        ^                |                                |
///                        +----------------+                     nobody has it any more:
///                     back-off: ask somebody else                  kept for a minute
/// ```
#[derive(Debug)]
pub(crate) struct Fetcher {
    store: Arc<AdvertStore>,
    rng: Rng,
    /// What live members have and the store does not.
    wanted: BTreeMap<AdvertHash, Wanted>,
    /// Those of them that nobody is being asked for, by the time at which somebody is to be.
    line: BTreeSet<(Time, AdvertHash)>,
    /// Who is being asked. It may not be wanted any more.
    asking: BTreeMap<AdvertHash, SocketAddr>,
    /// What has been fetched.
    kept: BTreeMap<AdvertHash, Kept>,
    /// Those of them that no live member has, by the time at which they are forgotten.
    unused: BTreeSet<(Time, AdvertHash)>,
    kept_bytes: usize,
    /// There was no room for another one, and that has been said.
    said_full: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "it is not done by itself"]
pub(crate) enum Output {
    /// A node is to be asked for an advert.
    Ask(Fetch),
    /// The adverts take all the memory that they may take: this many are wanted and will not be
    /// fetched. Said once, until there is room again.
    Full { wanted: usize },
}

/// A call that is to be made. Its result is owed to the fetcher, whatever it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fetch {
    pub(crate) hash: AdvertHash,
    /// A node that has the advert.
    pub(crate) ask: SocketAddr,
    /// How long the call may take.
    pub(crate) timeout: Duration,
}

#[derive(Debug)]
struct Wanted {
    /// Never empty.
    holders: BTreeSet<SocketAddr>,
    /// When it is to be asked for, unless somebody is being asked.
    due: Time,
    failures: u32,
    /// Those holders that were asked in vain.
    tried: BTreeMap<SocketAddr, Tried>,
}

#[derive(Clone, Copy, Debug)]
struct Tried {
    /// When it failed.
    at: Time,
    /// When it may be asked again.
    not_before: Time,
}

#[derive(Debug)]
struct Kept {
    bytes: usize,
    /// When it is forgotten; `None` while a live member has it.
    until: Option<Time>,
}

impl Fetcher {
    /// Puts what it fetches into this store.
    pub(crate) const fn new(store: Arc<AdvertStore>, rng: Rng) -> Self {
        Self {
            store,
            rng,
            wanted: BTreeMap::new(),
            line: BTreeSet::new(),
            asking: BTreeMap::new(),
            kept: BTreeMap::new(),
            unused: BTreeSet::new(),
            kept_bytes: 0,
            said_full: false,
        }
    }

    /// All adverts that live members have, with the addresses of those who have them; without this
    /// node. What is not in it is not wanted any more.
    pub(crate) fn set_wanted(
        &mut self,
        now: Time,
        all: impl IntoIterator<Item = (AdvertHash, Vec<SocketAddr>)>,
    ) {
        let mut holders_of: BTreeMap<AdvertHash, BTreeSet<SocketAddr>> = BTreeMap::new();
        for (hash, holders) in all {
            holders_of.entry(hash).or_default().extend(holders);
        }
        holders_of.retain(|&hash, holders| hash != AdvertHash::NONE && !holders.is_empty());
        self.note_unused(now, |hash| !holders_of.contains_key(&hash));
        let mut before = std::mem::take(&mut self.wanted);
        self.line.clear();
        let members = holders_of.values().map(BTreeSet::len).sum();
        for (hash, holders) in holders_of {
            if self.is_known(hash) {
                continue;
            }
            let soon = now + jitter(members).mul_f64(self.rng.fraction());
            let wanted = match before.remove(&hash) {
                Some(mut wanted) => {
                    // Another node has it now: those before may have been the trouble.
                    if !holders.is_subset(&wanted.holders) {
                        wanted.due = wanted.due.min(soon);
                    }
                    wanted.tried.retain(|holder, _| holders.contains(holder));
                    Wanted { holders, ..wanted }
                }
                None => Wanted { holders, due: soon, failures: 0, tried: BTreeMap::new() },
            };
            if !self.asking.contains_key(&hash) {
                self.line.insert((wanted.due, hash));
            }
            self.wanted.insert(hash, wanted);
        }
    }

    /// What is to be done now, until there is nothing.
    pub(crate) fn poll(&mut self, now: Time) -> Option<Output> {
        while let Some(&(until, hash)) = self.unused.first()
            && until <= now
        {
            self.forget(hash);
        }
        while self.asking.len() < ASKING_MAX {
            let &(due, hash) = self.line.first().filter(|(due, _)| *due <= now)?;
            if !self.make_room() {
                return self.say_full();
            }
            self.said_full = false;
            self.line.remove(&(due, hash));
            let wanted = self.wanted.get_mut(&hash).expect("what is in line is wanted");
            match wanted.choose(now, &mut self.rng) {
                Ok(ask) => {
                    self.asking.insert(hash, ask);
                    let timeout = TIMEOUT_MIN * 2_u32.pow(wanted.failures.min(8));
                    let timeout = timeout.min(TIMEOUT_MAX);
                    return Some(Output::Ask(Fetch { hash, ask, timeout }));
                }
                Err(later) => {
                    wanted.due = later;
                    self.line.insert((later, hash));
                }
            }
        }
        None
    }

    /// A node has answered, or failed to: then with the code of the status.
    ///
    /// # Errors
    ///
    /// If these bytes are not the advert. Somebody else will be asked.
    pub(crate) fn on_result(
        &mut self,
        now: Time,
        hash: AdvertHash,
        result: Result<Bytes, Code>,
    ) -> Result<(), RefusedAdvert> {
        let Some(asked) = self.asking.remove(&hash) else { return Ok(()) };
        match result.map(|bytes| EncodedAdvert::decode(hash, &bytes)) {
            Ok(Ok(advert)) => {
                self.keep(now, advert);
                Ok(())
            }
            Ok(Err(refused)) => {
                self.ask_again(now, hash, asked, BACK_OFF_MAX);
                Err(refused)
            }
            Err(code) => {
                let is_without = matches!(code, Code::NotFound | Code::Unimplemented);
                let leave_alone = if is_without { BACK_OFF_MAX } else { Duration::ZERO };
                self.ask_again(now, hash, asked, leave_alone);
                Ok(())
            }
        }
    }

    /// When [`poll`](Self::poll) is to be called even if nothing happens.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        let may_find_room = self.has_room_for(ADVERT_BYTES_MAX)
            || !self.unused.is_empty()
            || (self.asking.is_empty() && !self.said_full);
        let may_ask = self.asking.len() < ASKING_MAX && may_find_room;
        let ask = self.line.first().filter(|_| may_ask);
        let times = [ask, self.unused.first()].into_iter().flatten();
        times.map(|&(time, _)| time).min()
    }

    /// The advert of a hash, if it is known.
    pub(crate) fn get(&self, hash: AdvertHash) -> Option<Arc<Advert>> {
        self.store.get(hash).map(|known| Arc::clone(known.advert()))
    }

    /// Notes of what is kept whether a live member has it.
    fn note_unused(&mut self, now: Time, is_unused: impl Fn(AdvertHash) -> bool) {
        for (&hash, kept) in &mut self.kept {
            match (kept.until, is_unused(hash)) {
                (Some(until), false) => {
                    self.unused.remove(&(until, hash));
                    kept.until = None;
                }
                (None, true) => {
                    self.unused.insert((now + KEEP_UNUSED, hash));
                    kept.until = Some(now + KEEP_UNUSED);
                }
                _ => {}
            }
        }
        self.limit_unused();
    }

    /// Whether an advert need not be fetched.
    fn is_known(&mut self, hash: AdvertHash) -> bool {
        if self.kept.contains_key(&hash) {
            return true;
        }
        let Some(own) = self.store.get(hash) else { return false };
        // Kept even when this node's own advert has become another one.
        let bytes = own.bytes().len();
        if self.has_room_for(bytes) {
            self.insert(own, None);
        }
        true
    }

    /// Keeps an advert, for a while only if it is not wanted any more.
    fn keep(&mut self, now: Time, advert: EncodedAdvert) {
        let is_wanted = self.wanted.remove(&advert.hash()).is_some();
        // This node may have begun to offer the same in the meantime.
        if !self.kept.contains_key(&advert.hash()) {
            self.insert(advert, (!is_wanted).then_some(now + KEEP_UNUSED));
            self.limit_unused();
        }
    }

    fn insert(&mut self, advert: EncodedAdvert, until: Option<Time>) {
        let (hash, bytes) = (advert.hash(), advert.bytes().len());
        self.kept.insert(hash, Kept { bytes, until });
        self.kept_bytes += bytes;
        self.unused.extend(until.map(|until| (until, hash)));
        self.store.insert(advert);
    }

    fn forget(&mut self, hash: AdvertHash) {
        let Some(kept) = self.kept.remove(&hash) else { return };
        self.kept_bytes -= kept.bytes;
        if let Some(until) = kept.until {
            self.unused.remove(&(until, hash));
        }
        self.store.remove(hash);
    }

    fn limit_unused(&mut self) {
        while UNUSED_MAX < self.unused.len()
            && let Some(&(_, oldest)) = self.unused.first()
        {
            self.forget(oldest);
        }
    }

    /// Asks somebody after a while, and the one who was asked in vain not before a longer one.
    fn ask_again(&mut self, now: Time, hash: AdvertHash, asked: SocketAddr, longer: Duration) {
        let Some(wanted) = self.wanted.get_mut(&hash) else { return };
        let wait = BACK_OFF_MIN * 2_u32.saturating_pow(wanted.failures.min(16));
        wanted.failures = wanted.failures.saturating_add(1);
        wanted.due = now + wait.min(BACK_OFF_MAX);
        if wanted.holders.contains(&asked) {
            wanted.tried.insert(asked, Tried { at: now, not_before: now + longer });
        }
        self.line.insert((wanted.due, hash));
    }

    /// Forgets what nobody has any more until there is room for another advert. Tells whether there
    /// is.
    fn make_room(&mut self) -> bool {
        while !self.has_room_for(ADVERT_BYTES_MAX) {
            let Some(&(_, oldest)) = self.unused.first() else { return false };
            self.forget(oldest);
        }
        true
    }

    /// Says once that there is no room; not as long as some may be left of what is under way.
    fn say_full(&mut self) -> Option<Output> {
        if self.said_full || !self.asking.is_empty() {
            return None;
        }
        self.said_full = true;
        Some(Output::Full { wanted: self.line.len() })
    }

    /// Whether there is room beside what is kept and what is being asked for. How large that is
    /// will be known only when it has come.
    fn has_room_for(&self, bytes: usize) -> bool {
        self.kept_bytes + self.asking.len() * ADVERT_BYTES_MAX + bytes <= KEPT_BYTES_MAX
    }
}

impl Wanted {
    /// One of the holders at random that were not asked so far, or else the one that failed the
    /// longest time ago; or when there is one that may be asked.
    fn choose(&self, now: Time, rng: &mut Rng) -> Result<SocketAddr, Time> {
        let untried = self.holders.iter().filter(|holder| !self.tried.contains_key(holder));
        let untried: Vec<SocketAddr> = untried.copied().collect();
        if !untried.is_empty() {
            return Ok(untried[rng.below(untried.len() as u64) as usize]);
        }
        let tried = self.tried.iter().filter(|(_, tried)| tried.not_before <= now);
        if let Some((&holder, _)) = tried.min_by_key(|(_, tried)| tried.at) {
            return Ok(holder);
        }
        let next = self.tried.values().map(|tried| tried.not_before).min();
        Err(next.unwrap_or(now + BACK_OFF_MAX))
    }
}

/// How long a node waits at most before it asks for an advert that it has just heard of.
///
/// When one node begins to offer something new, everybody hears so at about the same time and
/// nobody else has it yet. In a small cluster that is no harm.
fn jitter(members: usize) -> Duration {
    let beyond = members.saturating_sub(JITTER_FROM).min(JITTER_FULL - JITTER_FROM);
    JITTER_MAX.mul_f64(beyond as f64 / (JITTER_FULL - JITTER_FROM) as f64)
}

/// How long the call of a [`Fetch`] may take: at first not long, because the node that is asked may
/// have crashed, or not be reached from here, and calls may be waiting for the answer; twice as
/// long after each failure, so that it is time enough for the largest advert on a bad network.
const TIMEOUT_MIN: Duration = Duration::from_millis(500);
const TIMEOUT_MAX: Duration = Duration::from_secs(3);

/// How many nodes are asked at once.
const ASKING_MAX: usize = 8;

/// Bytes of the adverts that are kept, with room for those under way: 63 of the largest size, and
/// 2 KiB for each of as many members as there can be. Further ones are not fetched.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long an advert is kept that no live member has: long enough for a member that is restarted.
const KEEP_UNUSED: Duration = Duration::from_secs(60);

/// How many such adverts are kept.
const UNUSED_MAX: usize = 64;

/// How long to wait after a failure; twice as long after each further one, up to the longer time. A
/// holder that does not have what it should is left alone for the longer time.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// The longest jitter, from how many members on there is any, and from how many on it is full.
const JITTER_MAX: Duration = Duration::from_millis(100);
const JITTER_FROM: usize = 10;
const JITTER_FULL: usize = 1000;
