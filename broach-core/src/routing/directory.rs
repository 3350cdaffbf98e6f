//! [`Directory`]: which nodes there are at present, for all who call them.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;

use crate::routing::waiters::{Place, Waiters};
use crate::routing::{Member, MemberState, Members, Offers};

/// The members that are known, as snapshots that follow one another. Whoever finds out about
/// members keeps it up to date; whoever calls them reads it.
pub(crate) struct Directory {
    members: ArcSwap<Members>,
    source: Source,
    /// Held while a snapshot is made, so that none is made of one that is not the last.
    updating: Mutex<()>,
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
    /// A directory in which nobody is known yet.
    pub(crate) fn new(source: Source) -> Arc<Self> {
        Arc::new(Self {
            members: ArcSwap::default(),
            source,
            updating: Mutex::default(),
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
        directory.update(addrs.into_iter().map(Member::named).collect());
        directory
    }

    /// From now on these are the members, and nobody else. Of those with the same address the first
    /// counts. Tells whether that is a change.
    pub(crate) fn update(&self, members: Vec<Member>) -> bool {
        let _updating = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(after) = Members::after(&self.members.load(), members, &self.ailing) else {
            return false;
        };
        self.members.store(Arc::new(after));
        self.waiters.wake();
        true
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
