//! Calls to the nodes of a directory: attempts at one after another until one of them ends the
//! call.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::client::attempted::{Begun, UnderWay};
use crate::client::budget::RetryBudget;
use crate::client::channel::Transport;
use crate::client::lookup::Lookups;
use crate::client::trial::{Failed, Next, Trial};
use crate::client::underway::{End, Here, Underway};
use crate::client::vacancy::{Vacancy, Waited, WaitingPlace};
use crate::code::{Code, Outcome};
use crate::config;
use crate::deadline::{Sleep, Time};
use crate::exchange::{Body, Local, Reply, Request, code_of, streams_of};
use crate::ids::Instance;
use crate::net::Handle;
use crate::observe::{AttemptScope, CallScope};
use crate::peer::Peer;
use crate::proto::{CallBytes, Condition};
use crate::rng::Rng;
use crate::routing::{Choice, Chosen, Dice, Directory, InFlight, Picker, Picking};
use crate::status::{Attempt, Status};

/// Makes calls to the nodes of a directory.
#[derive(Clone, Debug)]
pub(super) struct Remote(Arc<Inner>);

/// What the calls of a channel share.
pub(super) struct Inner {
    pub(super) handle: Handle,
    pub(super) directory: Arc<Directory>,
    pub(super) config: config::Client,
    pub(super) budget: RetryBudget,
    /// For the jitter of back-offs.
    pub(super) rng: Mutex<Rng>,
    picker: Arc<dyn Picker>,
    dice: Dice,
    local: Option<Arc<dyn Local>>,
    waiting: Arc<AtomicUsize>,
    /// Keeps the directory up to date.
    _lookups: Option<Lookups>,
}

/// What a channel's calls go to, and how.
pub(super) struct Parts {
    pub(super) handle: Handle,
    pub(super) directory: Arc<Directory>,
    pub(super) picker: Arc<dyn Picker>,
    pub(super) local: Option<Arc<dyn Local>>,
    pub(super) lookups: Option<Lookups>,
    pub(super) config: config::Client,
}

impl Remote {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { handle, directory, picker, local, lookups, config } = parts;
        let shared = handle.shared();
        let budget = RetryBudget::new(&config, shared.clock.now());
        // Nodes that have the same port, as all of one service may, must not retry in step.
        let mut rng = shared.fork_rng();
        let (dice, rng) = (Dice::new(&mut rng), Mutex::new(rng));
        let waiting = Arc::default();
        let _lookups = lookups;
        Self(Arc::new(Inner {
            handle,
            directory,
            config,
            budget,
            rng,
            picker,
            dice,
            local,
            waiting,
            _lookups,
        }))
    }
}

impl Transport for Remote {
    fn call(&self, request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        match self.0.check(&request) {
            Ok(()) => Box::pin(RemoteCall::new(Arc::clone(&self.0), request)),
            Err(status) => futures::future::err(status).boxed(),
        }
    }

    fn keeps_deadline(&self) -> bool {
        true
    }
}

/// A call under way. Written as a state machine by hand: what the compiler makes of nested async
/// functions was three times as large, and it is moved for every call.
struct RemoteCall {
    inner: Arc<Inner>,
    trial: Trial,
    /// Nobody else ends the call's scope.
    forwarded: bool,
    /// As long as there is no node for it.
    waits: Option<WaitingPlace>,
    state: State,
}

enum State {
    /// The next attempt can begin.
    Ready(Time),
    /// An attempt is under way.
    Trying(Trying),
    /// There is nobody to call.
    Vacant(Vacancy),
    /// The next attempt has to wait.
    Waiting { sleep: Sleep, until: Time },
}

struct Trying {
    underway: Underway,
    scope: AttemptScope,
    target: InFlight,
    begun: Time,
}

impl RemoteCall {
    fn new(inner: Arc<Inner>, mut request: Request) -> Self {
        let scope = request.scope.take();
        let forwarded = scope.is_none();
        // A request that came in over a layer of a server has no scope of its own here.
        let scope = scope.unwrap_or_else(|| {
            let shared = inner.handle.shared();
            let (observe, now) = (&shared.observe, shared.clock.now());
            let Request { method, trace, .. } = &request;
            Arc::new(CallScope::start(observe, method, "(forwarded)", now, *trace))
        });
        inner.budget.on_call();
        let state = State::Ready(scope.started());
        let limits = inner.handle.shared().config.size_limits();
        let trial = Trial::new(scope, request, limits);
        Self { inner, trial, forwarded, waits: None, state }
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, Status>> {
        loop {
            self.state = match &mut self.state {
                State::Ready(now) => {
                    let now = *now;
                    match self.begin(now, cx) {
                        Ok(state) => state,
                        Err(status) => return Poll::Ready(Err(self.trial.failed(status))),
                    }
                }
                State::Trying(trying) => {
                    let end = futures::ready!(trying.underway.poll_unpin(cx));
                    let mut failed = match self.settle(end) {
                        Ok(reply) => return Poll::Ready(Ok(reply)),
                        Err(failed) => failed,
                    };
                    let now = self.now();
                    match self.inner.next(now, &self.trial, &mut failed) {
                        Some(Next::Elsewhere) => State::Ready(now),
                        Some(Next::Again(wait)) => {
                            self.trial.begin_round();
                            self.inner.wait(now, &self.trial, wait)
                        }
                        None => return Poll::Ready(Err(self.trial.failed(failed.status))),
                    }
                }
                State::Vacant(vacancy) => match futures::ready!(vacancy.poll_unpin(cx)) {
                    Waited::Changed => State::Ready(self.now()),
                    Waited::TimeOver => {
                        let status = self.inner.nobody(&self.trial);
                        return Poll::Ready(Err(self.trial.failed(status)));
                    }
                },
                State::Waiting { sleep, until } => {
                    futures::ready!(sleep.poll_unpin(cx));
                    State::Ready(*until)
                }
            };
        }
    }

    /// Begins the next attempt, if there is somebody to make it at.
    fn begin(&mut self, now: Time, cx: &mut Context<'_>) -> Result<State, Status> {
        let Self { inner, trial, waits, .. } = self;
        if let Some(status) = trial.expired(now) {
            // If it has found nobody until now, that says more.
            return Err(if waits.is_some() { inner.nobody(trial) } else { status });
        }
        match inner.choose(now, trial)? {
            Choice::Chosen(chosen) => {
                *waits = None;
                Ok(State::Trying(inner.start(now, trial, chosen, cx)))
            }
            Choice::Nobody { .. } if inner.directory.is_closed() => {
                let status = Status::unavailable("this node has stopped");
                Err(status.with_outcome(Outcome::NotExecuted))
            }
            Choice::Nobody { version } => {
                if waits.is_none() {
                    let max = inner.config.calls_waiting_max;
                    if max == 0 {
                        return Err(inner.nobody(trial));
                    }
                    *waits = Some(WaitingPlace::take(&inner.waiting, max)?);
                }
                Ok(State::Vacant(Vacancy::new(inner, version, trial.deadline)))
            }
        }
    }

    /// Takes in how the attempt under way ended, or that its reply has begun.
    fn settle(&mut self, end: End) -> Result<Reply, Failed> {
        let State::Trying(trying) = std::mem::replace(&mut self.state, State::Ready(Time::ZERO))
        else {
            unreachable!("what has ended was under way a moment ago");
        };
        let call = self.forwarded.then(|| Arc::clone(&self.trial.scope));
        self.inner.settle(&mut self.trial, trying, end, call)
    }

    fn now(&self) -> Time {
        self.inner.handle.shared().clock.now()
    }
}

impl Future for RemoteCall {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = futures::ready!(self.poll_reply(cx));
        // What is left of it must not count as a call that nobody waited for.
        self.state = State::Ready(Time::ZERO);
        // The messages of a reply that streams take care of it themselves.
        let streams = |reply: &Reply| matches!(reply.body, Body::Stream(_));
        if self.forwarded && !result.as_ref().is_ok_and(streams) {
            let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
            self.trial.scope.end(code_of(&result), outcome);
        }
        Poll::Ready(result)
    }
}

impl Drop for RemoteCall {
    fn drop(&mut self) {
        // How long a node has taken at least is known also if nobody waits for the rest.
        if let State::Trying(Trying { target, begun, .. }) = &self.state {
            let now = self.now();
            target.on_failure(now, now.since(*begun));
        }
    }
}

impl Inner {
    /// Checks what can be checked before anything is sent.
    fn check(&self, request: &Request) -> Result<(), Status> {
        let (config, method) = (&self.handle.shared().config, &request.method);
        let name = method.full_name();
        let bytes = match &request.body {
            Body::Message(message) => message.len(),
            Body::Stream(_) if streams_of(method.shape()).requests => 0,
            Body::Stream(_) => {
                let text = format!("{name} takes one request, but a stream of them was given");
                return Err(Status::internal(text).with_outcome(Outcome::NotExecuted));
            }
        };
        let what = format_args!("the request of {name}");
        let metadata = request.metadata.bytes();
        match config.size_limits().exceeded(bytes, metadata, what, "this node") {
            Some(text) => Err(Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted)),
            None => Ok(()),
        }
    }

    fn choose(&self, now: Time, trial: &Trial) -> Result<Choice, Status> {
        let attempt = trial.attempts.len() + 1;
        let picking =
            Picking::new(trial.scope.method(), attempt, self.dice.throw(), &trial.selection);
        let picker = trial.picker.as_deref().unwrap_or(&*self.picker);
        self.directory.choose(now, picker, &picking, &trial.tried)
    }

    /// Begins an attempt.
    fn start(&self, now: Time, trial: &mut Trial, chosen: Chosen, cx: &mut Context<'_>) -> Trying {
        let member = &chosen.target.member;
        let (scope, trace) = trial.scope.attempt(now, Some(member.addr()));
        let shared = self.handle.shared();
        let underway = match &self.local {
            Some(local) if member.is_self() => {
                let instance = member.instance().unwrap_or(Instance(0));
                let peer = Peer { addr: member.addr(), instance };
                let handling = local.call(peer, trial.request(trace));
                Underway::Here(Here::new(handling, peer, trial.deadline, &shared.clock))
            }
            _ => {
                let attempts_max = self.config.attempts_max as usize;
                let outbound = trial.outbound(trace, &chosen, attempts_max);
                if outbound.streams.any() {
                    let target = Arc::clone(&chosen.target);
                    Underway::Streaming(self.stream(now, trial, outbound, target, trace, cx))
                } else {
                    let limits = shared.config.size_limits();
                    Underway::Away { sent: self.handle.call(now, outbound), limits }
                }
            }
        };
        Trying { underway, scope, target: chosen.target, begun: now }
    }

    /// Takes in how an attempt ended, or that its reply has begun; `call` is ended with the stream
    /// of replies then.
    fn settle(
        &self,
        trial: &mut Trial,
        trying: Trying,
        end: End,
        call: Option<Arc<CallScope>>,
    ) -> Result<Reply, Failed> {
        let Trying { underway, mut scope, target, begun } = trying;
        let End { peer, condition, answered, rtt, request, result } = end;
        if let Some(rtt) = rtt {
            target.live.rtt.set(rtt);
        }
        if !matches!(underway, Underway::Here(_)) && trial.requests.is_none() {
            trial.message = request.map(CallBytes::into_message);
        }
        let addr = target.member.addr();
        let result = result.map_err(|status| named(status, addr, trial.scope.method().full_name()));
        if let Ok(Reply { body: Body::Stream(messages), metadata, .. }) = result {
            let failed = std::mem::take(&mut trial.attempts);
            let under_way =
                UnderWay { scope, failed, peer: Some(addr), target: Some(target), call };
            let begun = Begun { messages, metadata, peer, begun };
            return Ok(self.begun(trial, begun, under_way));
        }
        let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
        let elapsed = scope.end(code_of(&result), outcome);
        let now = begun + elapsed;
        match condition {
            Condition::Silent => target.live.standing.on_silent(now),
            Condition::Leaving => target.on_leaving(now),
            Condition::Well if answered => target.live.standing.on_answer(),
            Condition::Well => {}
        }
        match result {
            Ok(reply) => {
                target.on_reply(now, elapsed);
                let failed = std::mem::take(&mut trial.attempts);
                Ok(Reply { peer, failed, elapsed: Some(elapsed), ..reply })
            }
            Err(status) => {
                target.on_failure(now, elapsed);
                if status.is_shutting_down() {
                    target.on_leaving(now);
                }
                let attempt = Attempt::new(Some(addr), elapsed, Err(&status));
                trial.on_failure(&target, attempt, self.is_free(&status));
                Err(Failed { status, answered })
            }
        }
    }

    /// Why a call found nobody.
    fn nobody(&self, trial: &Trial) -> Status {
        let text = self.directory.explain(trial.scope.method().service(), &trial.selection);
        Status::unavailable(text).with_outcome(Outcome::NotExecuted)
    }

    /// Waits, but not beyond the deadline.
    fn wait(&self, now: Time, trial: &Trial, wait: std::time::Duration) -> State {
        if wait.is_zero() {
            return State::Ready(now);
        }
        let until = now + wait;
        let until = trial.deadline.map_or(until, |deadline| deadline.time().min(until));
        State::Waiting { sleep: self.handle.shared().clock.sleep_until(until), until }
    }
}

/// The status of a node that knows a method only by its number, with the method's name.
fn named(status: Status, addr: std::net::SocketAddr, method: &str) -> Status {
    if status.code() != Code::Unimplemented || !status.message().is_empty() {
        return status;
    }
    let outcome = status.outcome();
    Status::unimplemented(format!("{addr} does not serve {method}")).with_outcome(outcome)
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("directory", &self.directory)
            .field("picker", &self.picker)
            .finish_non_exhaustive()
    }
}
