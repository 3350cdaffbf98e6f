//! [`Directory`]: which nodes there are at present, for all who call them.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::deadline::Time;
use crate::peer::Peer;
use crate::routing::slow_start::SlowStart;
use crate::routing::waiters::{Place, Waiters};
use crate::routing::{Member, MemberState, Members, Offers};

/// The members that are known, as snapshots that follow one another. Whoever finds out about
/// members keeps it up to date; whoever calls them reads it.
pub(crate) struct Directory {
    members: ArcSwap<Members>,
    source: Source,
    /// Since when others than this node have been known. Held while a snapshot is made, so that
    /// none is made of one that is not the last.
    peopled: Mutex<Option<Time>>,
    /// How long the slow start of a node takes.
    slow_start: Duration,
    /// What its source has to say about what it does not know.
    said: Mutex<String>,
    pub(super) ailing: Arc<AtomicUsize>,
    waiters: Waiters,
    /// Nobody keeps it up to date any more.
    closed: AtomicBool,
}

/// Where a directory's members come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// They are members of a cluster, which find each other.
    Cluster,
    /// They were named by their addresses, and stay.
    List,
    /// They were named, and names are looked up again.
    Names,
}

impl Directory {
    /// A directory in which nobody is known yet, and in which those who join others later get their
    /// full share of the calls at once.
    pub(crate) fn new(source: Source) -> Arc<Self> {
        Self::with_slow_start(source, Duration::ZERO)
    }

    /// The same, but those who join later take this long until they get their full share.
    pub(crate) fn with_slow_start(source: Source, slow_start: Duration) -> Arc<Self> {
        Arc::new(Self {
            members: ArcSwap::default(),
            source,
            peopled: Mutex::default(),
            slow_start,
            said: Mutex::default(),
            ailing: Arc::default(),
            waiters: Waiters::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// A directory of nodes that stay and of which any is called; each counts once however often it
    /// is named.
    pub(crate) fn list(addrs: impl IntoIterator<Item = SocketAddr>) -> Arc<Self> {
        let directory = Self::new(Source::List);
        directory.update(Time::ZERO, addrs.into_iter().map(Member::named).collect());
        directory
    }

    /// From now on these are the members, and nobody else. Of those with the same address the first
    /// counts. Tells whether that is a change.
    pub(crate) fn update(&self, now: Time, members: Vec<Member>) -> bool {
        let mut peopled = self.peopled.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever was here first comes to know the others one after the other. They have not
        // joined, they were found.
        let slow_start = match *peopled {
            Some(since) if self.slow_start <= now.since(since) => {
                SlowStart::begin(now, self.slow_start)
            }
            _ => SlowStart::default(),
        };
        let before = self.members.load();
        let Some(after) = Members::after(&before, members, &self.ailing, slow_start) else {
            return false;
        };
        let others = after.iter().any(|member| !member.is_self());
        *peopled = if others { peopled.or(Some(now)) } else { None };
        self.members.store(Arc::new(after));
        self.waiters.wake();
        true
    }

    /// This life of a node has answered something else than a call, after it had been silent.
    pub(crate) fn on_heard(&self, peer: Peer) {
        let members = self.look();
        let target = members.targets().iter().find(|target| {
            (target.member.addr, target.member.instance) == (peer.addr, Some(peer.instance))
        });
        if let Some(target) = target {
            target.live.standing.on_answer();
        }
    }

    /// The members at present.
    pub(crate) fn snapshot(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// The same for a short look: it costs less.
    pub(crate) fn look(&self) -> arc_swap::Guard<Arc<Members>> {
        self.members.load()
    }

    /// Waits until there is a snapshot of a higher version than this.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub(crate) fn changed(self: &Arc<Self>, version: u64) -> Changed {
        Changed { directory: Arc::clone(self), version, place: Place::default() }
    }

    /// Nothing changes any more: whoever waits for that need not.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
        self.waiters.wake();
    }

    /// Whether nothing changes any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    pub(crate) const fn source(&self) -> Source {
        self.source
    }

    /// Notes what the source has to say to those who find nobody; empty if there is nothing.
    pub(crate) fn say(&self, said: String) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether nothing is wrong with any node, as far as calls have found out.
    pub(super) fn is_sound(&self) -> bool {
        self.ailing.load(Relaxed) == 0
    }

    /// Whether there is nobody who answers.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        let members = self.look();
        members.targets().iter().all(|target| target.live.standing.is_silent())
    }

    /// How many wait for a change.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiters.len()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.look();
        f.debug_struct("Directory")
            .field("source", &self.source)
            .field("version", &members.version())
            .field("members", &members.len())
            .finish_non_exhaustive()
    }
}

/// Ends when the directory has changed, or never will; gives its version then.
#[derive(Debug)]
#[must_use = "it waits only if it is awaited"]
pub(crate) struct Changed {
    directory: Arc<Directory>,
    version: u64,
    place: Place,
}

impl Future for Changed {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let Self { directory, version, place } = &mut *self;
        directory.waiters.register(place, cx.waker());
        let current = directory.look().version();
        let over = *version < current || directory.is_closed();
        if over { Poll::Ready(current) } else { Poll::Pending }
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        let Self { directory, place, .. } = self;
        directory.waiters.leave(place);
    }
}

impl Member {
    /// A node of which no more than its address is known, and that is called whatever is called.
    pub(crate) fn named(addr: SocketAddr) -> Self {
        Self {
            addr,
            instance: None,
            state: MemberState::Alive,
            draining: false,
            weight: 100,
            zone: String::new(),
            offers: Offers::Everything,
            own: false,
        }
    }
}
