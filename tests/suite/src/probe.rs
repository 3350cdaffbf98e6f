//! [`Probe`]: a service that behaves in known ways and remembers who called it how.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broach_core::observe::TraceContext;
use broach_core::{CallKey, Code, Context, Metadata, Peer, Status};
use tokio::sync::{Semaphore, watch};

use crate::broach::testing::v1::{
    self, EchoReply, EchoRequest, FailRequest, Nothing, Number, ProbeServer, SleepRequest,
    WaitRequest,
};
use crate::watch::until_so;

/// A service that behaves in known ways and remembers who called it how. Clones are the same
/// service: a test keeps one and looks there what the handlers did.
#[derive(Clone, Debug)]
pub struct Probe(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seen: Mutex<Vec<Seen>>,
    ends: Mutex<Ends>,
    /// What handlers of `Wait` wait for.
    gate: Semaphore,
    /// Tells those who wait that something is different.
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Ends {
    finished: usize,
    stopped: usize,
}

/// A call as a handler saw it when it was started.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method's own name.
    pub method: String,
    /// What the test knows the call by; 0 if its request has no token.
    pub token: u64,
    /// What was left of its time.
    pub time_left: Option<Duration>,
    /// Whether it is another try.
    pub is_retry: bool,
    /// What came along.
    pub metadata: Metadata,
    /// Its place in a trace.
    pub trace: Option<TraceContext>,
    /// Who made it.
    pub peer: Option<Peer>,
    /// What tells it from all others.
    pub key: Option<CallKey>,
}

/// A handler at work. If it is dropped before it is done, the handler was stopped.
struct AtWork {
    probe: Arc<Inner>,
    done: bool,
}

impl Probe {
    /// A service that nobody has called.
    pub fn new() -> Self {
        let (seen, ends) = (Mutex::default(), Mutex::default());
        let (gate, changes) = (Semaphore::new(0), watch::Sender::default());
        Self(Arc::new(Inner { seen, ends, gate, changes }))
    }

    /// The service, ready to be served.
    pub fn server(&self) -> ProbeServer<Self> {
        ProbeServer::new(self.clone())
    }

    /// All calls whose handlers were started, in that order.
    pub fn seen(&self) -> Vec<Seen> {
        self.0.seen().clone()
    }

    /// The last of them.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn last_seen(&self) -> Seen {
        self.0.seen().last().expect("a handler was started").clone()
    }

    /// How many handlers were started.
    pub fn started(&self) -> usize {
        self.0.seen().len()
    }

    /// How many handlers were started for this token.
    pub fn started_for(&self, token: u64) -> usize {
        self.0.seen().iter().filter(|seen| seen.token == token).count()
    }

    /// How many handlers came to their end by themselves.
    pub fn finished(&self) -> usize {
        self.0.ends().finished
    }

    /// How many handlers were stopped.
    pub fn stopped(&self) -> usize {
        self.0.ends().stopped
    }

    /// How many handlers are at work.
    pub fn running(&self) -> usize {
        let ends = self.0.ends();
        self.started() - ends.finished - ends.stopped
    }

    /// Waits until it is so.
    ///
    /// # Panics
    ///
    /// If it does not come to be so.
    pub async fn until(&self, what: impl Fn(&Self) -> bool) {
        until_so(&self.0.changes, || what(self)).await;
    }

    /// Lets this many handlers of `Wait` go on.
    pub fn release(&self, handlers: usize) {
        self.0.gate.add_permits(handlers);
    }

    fn start(&self, cx: &Context, token: u64) -> AtWork {
        self.0.seen().push(Seen {
            method: cx.method().name().to_owned(),
            token,
            time_left: cx.time_left(),
            is_retry: cx.is_retry(),
            metadata: cx.metadata().clone(),
            trace: cx.trace(),
            peer: cx.peer(),
            key: cx.key(),
        });
        self.0.changes.send_replace(());
        AtWork { probe: Arc::clone(&self.0), done: false }
    }

    fn echo(&self, cx: &Context, request: EchoRequest) -> EchoReply {
        let work = self.start(cx, request.token);
        work.done();
        EchoReply { token: request.token, payload: request.payload }
    }

    async fn sleep(&self, cx: Context, request: SleepRequest) -> Nothing {
        let work = self.start(&cx, request.token);
        tokio::time::sleep(Duration::from_millis(request.milliseconds)).await;
        work.done();
        Nothing {}
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AtWork {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        {
            let mut ends = self.probe.ends();
            *(if self.done { &mut ends.finished } else { &mut ends.stopped }) += 1;
        }
        self.probe.changes.send_replace(());
    }
}

#[broach_core::async_trait]
impl v1::Probe for Probe {
    async fn echo(&self, cx: Context, request: EchoRequest) -> Result<EchoReply, Status> {
        Ok(Self::echo(self, &cx, request))
    }

    async fn echo_again(&self, cx: Context, request: EchoRequest) -> Result<EchoReply, Status> {
        Ok(Self::echo(self, &cx, request))
    }

    async fn sleep(&self, cx: Context, request: SleepRequest) -> Result<Nothing, Status> {
        Ok(Self::sleep(self, cx, request).await)
    }

    async fn sleep_again(&self, cx: Context, request: SleepRequest) -> Result<Nothing, Status> {
        Ok(Self::sleep(self, cx, request).await)
    }

    async fn wait(&self, cx: Context, request: WaitRequest) -> Result<Nothing, Status> {
        let work = self.start(&cx, request.token);
        let permit = self.0.gate.acquire().await;
        permit.map_err(|closed| Status::internal(closed.to_string()))?.forget();
        work.done();
        Ok(Nothing {})
    }

    async fn panic(&self, cx: Context, _: Nothing) -> Result<Nothing, Status> {
        self.start(&cx, 0).done();
        panic!("as the test wants it");
    }

    async fn fail(&self, cx: Context, request: FailRequest) -> Result<Nothing, Status> {
        self.start(&cx, 0).done();
        let status = Status::new(Code::from_number(request.code), request.message);
        Err(match request.detail {
            0 => status,
            value => status.with_detail(&Number { value }),
        })
    }
}
