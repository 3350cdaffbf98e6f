//! [`Dialog`]: a service whose streams do what the test says.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use broach_core::{Context, Receiver, Sender, Status};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::broach::testing::v1::{self, DialogServer, Item};
use crate::watch::until_so;

/// A service whose methods run functions of the test, and which counts them. Clones are the same
/// service. A method that has no function is unimplemented.
#[derive(Clone, Default)]
pub struct Dialog {
    tell: Option<Arc<Tell>>,
    ask: Option<Arc<Ask>>,
    talk: Option<Arc<Talk>>,
    counts: Arc<Counts>,
}

type Handling<T> = BoxFuture<'static, Result<T, Status>>;
type Tell = dyn Fn(Context, Item, Sender<Item>) -> Handling<()> + Send + Sync;
type Ask = dyn Fn(Context, Receiver<Item>) -> Handling<Item> + Send + Sync;
type Talk = dyn Fn(Context, Receiver<Item>, Sender<Item>) -> Handling<()> + Send + Sync;

#[derive(Default)]
struct Counts {
    started: AtomicUsize,
    finished: AtomicUsize,
    stopped: AtomicUsize,
    changes: watch::Sender<()>,
}

/// A handler at work. If it is dropped before it is done, the handler was stopped.
struct AtWork {
    counts: Arc<Counts>,
    done: bool,
}

impl Dialog {
    /// A service without methods.
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles `Tell` and `TellAgain` like this.
    #[must_use]
    pub fn tell<F>(
        mut self,
        handle: impl Fn(Context, Item, Sender<Item>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.tell = Some(Arc::new(move |cx, item, replies| handle(cx, item, replies).boxed()));
        self
    }

    /// Handles `Ask` like this.
    #[must_use]
    pub fn ask<F>(
        mut self,
        handle: impl Fn(Context, Receiver<Item>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Item, Status>> + Send + 'static,
    {
        self.ask = Some(Arc::new(move |cx, requests| handle(cx, requests).boxed()));
        self
    }

    /// Handles `Talk` and `TalkAgain` like this.
    #[must_use]
    pub fn talk<F>(
        mut self,
        handle: impl Fn(Context, Receiver<Item>, Sender<Item>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.talk =
            Some(Arc::new(move |cx, requests, replies| handle(cx, requests, replies).boxed()));
        self
    }

    /// The service, ready to be served.
    pub fn server(&self) -> DialogServer<Self> {
        DialogServer::new(self.clone())
    }

    /// How many handlers were started.
    pub fn started(&self) -> usize {
        self.counts.started.load(SeqCst)
    }

    /// How many handlers came to their end by themselves.
    pub fn finished(&self) -> usize {
        self.counts.finished.load(SeqCst)
    }

    /// How many handlers were stopped.
    pub fn stopped(&self) -> usize {
        self.counts.stopped.load(SeqCst)
    }

    /// Waits until it is so.
    ///
    /// # Panics
    ///
    /// If it does not come to be so.
    pub async fn until(&self, what: impl Fn(&Self) -> bool) {
        until_so(&self.counts.changes, || what(self)).await;
    }

    async fn run<T>(&self, handling: Option<Handling<T>>) -> Result<T, Status> {
        let mut work = AtWork::start(&self.counts);
        let Some(handling) = handling else {
            return Err(Status::unimplemented("the test has no use for it"));
        };
        let result = handling.await;
        work.done = true;
        result
    }
}

impl AtWork {
    fn start(counts: &Arc<Counts>) -> Self {
        counts.started.fetch_add(1, SeqCst);
        counts.changes.send_replace(());
        Self { counts: Arc::clone(counts), done: false }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let Counts { finished, stopped, changes, .. } = &*self.counts;
        (if self.done { finished } else { stopped }).fetch_add(1, SeqCst);
        changes.send_replace(());
    }
}

#[broach_core::async_trait]
impl v1::Dialog for Dialog {
    async fn tell(&self, cx: Context, item: Item, replies: Sender<Item>) -> Result<(), Status> {
        self.run(self.tell.as_ref().map(|tell| tell(cx, item, replies))).await
    }

    async fn tell_again(
        &self,
        cx: Context,
        item: Item,
        replies: Sender<Item>,
    ) -> Result<(), Status> {
        self.run(self.tell.as_ref().map(|tell| tell(cx, item, replies))).await
    }

    async fn ask(&self, cx: Context, requests: Receiver<Item>) -> Result<Item, Status> {
        self.run(self.ask.as_ref().map(|ask| ask(cx, requests))).await
    }

    async fn talk(
        &self,
        cx: Context,
        requests: Receiver<Item>,
        replies: Sender<Item>,
    ) -> Result<(), Status> {
        self.run(self.talk.as_ref().map(|talk| talk(cx, requests, replies))).await
    }

    async fn talk_again(
        &self,
        cx: Context,
        requests: Receiver<Item>,
        replies: Sender<Item>,
    ) -> Result<(), Status> {
        self.run(self.talk.as_ref().map(|talk| talk(cx, requests, replies))).await
    }
}

impl fmt::Debug for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialog")
            .field("started", &self.started())
            .field("finished", &self.finished())
            .field("stopped", &self.stopped())
            .finish_non_exhaustive()
    }
}
