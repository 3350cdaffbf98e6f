//! Calls over the network: attempts at one node after another until one of them ends the call.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::client::budget::RetryBudget;
use crate::client::channel::Transport;
use crate::code::{Code, Outcome};
use crate::config;
use crate::deadline::{Deadline, Sleep, Time};
use crate::exchange::{Body, Reply, Request, code_of, message_bytes, no_streams, read_reply};
use crate::metadata::Metadata;
use crate::method::Shape;
use crate::net::{Ended, Handle, Outbound, Sent};
use crate::observe::{AttemptScope, CallScope, TraceContext};
use crate::proto::CallBytes;
use crate::rng::Rng;
use crate::routing::FixedList;
use crate::status::{Attempt, Status};
use crate::wire::Open;

/// Makes calls to the nodes of a list.
#[derive(Clone, Debug)]
pub(super) struct Remote(Arc<Inner>);

struct Inner {
    handle: Handle,
    list: FixedList,
    config: config::Client,
    budget: RetryBudget,
    /// For the jitter of back-offs.
    rng: Mutex<Rng>,
}

impl Remote {
    pub(super) fn new(
        handle: Handle,
        addrs: impl IntoIterator<Item = SocketAddr>,
        config: config::Client,
        rng: Rng,
    ) -> Self {
        let budget = RetryBudget::new(&config, handle.shared().clock.now());
        let list = FixedList::new(addrs);
        Self(Arc::new(Inner { handle, list, config, budget, rng: Mutex::new(rng) }))
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
    state: State,
}

enum State {
    /// The next attempt can begin.
    Ready(Time),
    /// An attempt is under way.
    Trying { sent: Sent, scope: AttemptScope, addr: SocketAddr },
    /// The next attempt has to wait.
    Waiting { sleep: Sleep, until: Time },
}

/// What has been tried of a call.
struct Trial {
    scope: Arc<CallScope>,
    /// Taken while an attempt is under way; comes back with its end.
    message: Option<Bytes>,
    metadata: Metadata,
    deadline: Option<Deadline>,
    idempotent: bool,
    retried: bool,
    attempts: Vec<Attempt>,
    /// Where in them the present round begins: in one round no node is tried twice.
    round: usize,
}

/// How an attempt failed.
struct Failed {
    status: Status,
    /// The node answered with it; otherwise it was made up here.
    answered: bool,
}

/// Where a call is tried again.
enum Next {
    /// At another node.
    Elsewhere,
    /// At the same one, after a wait.
    Again(Duration),
}

impl RemoteCall {
    fn new(inner: Arc<Inner>, request: Request) -> Self {
        let Request { method, metadata, deadline, body, idempotent, retried, trace, scope, .. } =
            request;
        let forwarded = scope.is_none();
        // A request that came in over a layer of a server has no scope of its own here.
        let scope = scope.unwrap_or_else(|| {
            let shared = inner.handle.shared();
            let (observe, now) = (&shared.observe, shared.clock.now());
            Arc::new(CallScope::start(observe, &method, "(forwarded)", now, trace))
        });
        let message = match body {
            Body::Message(message) => Some(message),
            Body::Stream(_) => None,
        };
        inner.budget.on_call();
        let state = State::Ready(scope.started());
        let attempts = Vec::new();
        let trial =
            Trial { scope, message, metadata, deadline, idempotent, retried, attempts, round: 0 };
        Self { inner, trial, forwarded, state }
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, Status>> {
        loop {
            self.state = match &mut self.state {
                State::Ready(now) => {
                    let now = *now;
                    if let Some(status) = self.trial.expired(now) {
                        return Poll::Ready(Err(status));
                    }
                    let tried = |addr| self.trial.has_tried(addr);
                    let Some(addr) = self.inner.list.pick(now, tried) else {
                        // There is one at first, and later only if another try was found worth
                        // while.
                        let status = Status::internal("there is no node to call");
                        return Poll::Ready(Err(status.with_outcome(Outcome::NotExecuted)));
                    };
                    let (scope, trace) = self.trial.scope.attempt(now, Some(addr));
                    let outbound = self.inner.outbound(&mut self.trial, trace, addr);
                    let sent = self.inner.handle.call(now, outbound);
                    State::Trying { sent, scope, addr }
                }
                State::Trying { sent, scope, addr } => {
                    let ended = futures::ready!(sent.poll_unpin(cx));
                    let failed = match self.inner.settle(&mut self.trial, scope, *addr, ended) {
                        Ok(reply) => return Poll::Ready(Ok(reply)),
                        Err(failed) => failed,
                    };
                    let now = self.inner.handle.shared().clock.now();
                    match self.inner.next(now, &self.trial, &failed) {
                        Some(Next::Elsewhere) => State::Ready(now),
                        Some(Next::Again(wait)) => {
                            self.trial.round = self.trial.attempts.len();
                            self.inner.wait(now, self.trial.deadline, wait)
                        }
                        None => {
                            let attempts = std::mem::take(&mut self.trial.attempts);
                            return Poll::Ready(Err(failed.status.with_attempts(attempts)));
                        }
                    }
                }
                State::Waiting { sleep, until } => {
                    futures::ready!(sleep.poll_unpin(cx));
                    State::Ready(*until)
                }
            };
        }
    }
}

impl Future for RemoteCall {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = futures::ready!(self.poll_reply(cx));
        if self.forwarded {
            let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
            self.trial.scope.end(code_of(&result), outcome);
        }
        Poll::Ready(result)
    }
}

impl Trial {
    /// Why there is no time for another attempt, if there is none.
    fn expired(&mut self, now: Time) -> Option<Status> {
        self.deadline.filter(|deadline| deadline.remaining(now).is_none())?;
        let status = Status::deadline_exceeded("there was no time to send anything");
        let attempts = std::mem::take(&mut self.attempts);
        Some(status.with_outcome(Outcome::NotExecuted).with_attempts(attempts))
    }

    /// Whether a node has been tried in this round.
    fn has_tried(&self, addr: SocketAddr) -> bool {
        self.attempts[self.round..].iter().any(|attempt| attempt.peer == Some(addr))
    }

    /// How many nodes have been tried in this round.
    const fn tried(&self) -> usize {
        self.attempts.len() - self.round
    }
}

impl Inner {
    /// Checks what can be checked before anything is sent.
    fn check(&self, request: &Request) -> Result<(), Status> {
        let (config, method) = (&self.handle.shared().config, &request.method);
        let Body::Message(message) = &request.body else {
            return Err(no_streams(method));
        };
        if method.shape() != Shape::Unary {
            return Err(no_streams(method));
        }
        let name = method.full_name();
        let what = format_args!("the request of {name}");
        let metadata = request.metadata.bytes();
        match config.size_limits().exceeded(message.len(), metadata, what, "this node") {
            Some(text) => Err(Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted)),
            None => Ok(()),
        }
    }

    /// What goes to the transport for the next attempt.
    fn outbound(
        &self,
        trial: &mut Trial,
        trace: Option<TraceContext>,
        addr: SocketAddr,
    ) -> Outbound {
        let message = trial.message.take().unwrap_or_default();
        let idempotent = if trial.idempotent { Open::IDEMPOTENT } else { 0 };
        let retry = if trial.retried || !trial.attempts.is_empty() { Open::RETRY } else { 0 };
        let last = self.config.attempts_max as usize <= trial.attempts.len() + 1;
        Outbound {
            to: addr,
            method: trial.scope.method().id(),
            flags: idempotent | retry,
            deadline: trial.deadline.map(Deadline::time),
            bytes: message_bytes(&trial.metadata, trace, message),
            yields: !last && !trial.retried && trial.tried() + 1 < self.list.len(),
        }
    }

    /// Takes in how an attempt ended.
    fn settle(
        &self,
        trial: &mut Trial,
        scope: &mut AttemptScope,
        addr: SocketAddr,
        ended: Ended,
    ) -> Result<Reply, Failed> {
        let Ended { peer, silent, request, result } = ended;
        let answered = result.is_ok();
        trial.message = request.map(CallBytes::into_message);
        let result = result.and_then(|bytes| {
            read_reply(bytes, self.handle.shared().config.size_limits())
                .map_err(|status| named(status, addr, trial.scope.method().full_name()))
        });
        if silent {
            self.list.on_silent(self.handle.shared().clock.now(), addr);
        } else if answered {
            self.list.on_answer(addr);
        }
        let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
        let elapsed = scope.end(code_of(&result), outcome);
        match result {
            Ok(reply) => {
                let failed = std::mem::take(&mut trial.attempts);
                Ok(Reply { peer, failed, elapsed: Some(elapsed), ..reply })
            }
            Err(status) => {
                trial.attempts.push(Attempt::new(Some(addr), elapsed, Err(&status)));
                Err(Failed { status, answered })
            }
        }
    }

    /// Whether and where a call is tried again.
    fn next(&self, now: Time, trial: &Trial, failed: &Failed) -> Option<Next> {
        let Failed { status, answered } = failed;
        // Someone further up tries again already; if everyone did, one failure would become many
        // calls. And without its message a call cannot be made again.
        if trial.retried
            || self.config.attempts_max as usize <= trial.attempts.len()
            || trial.message.is_none()
        {
            return None;
        }
        let over = |deadline: Deadline| deadline.remaining(now).is_none();
        if trial.deadline.is_some_and(over) {
            return None;
        }
        let elsewhere = trial.tried() < self.list.len();
        let next = match (status.outcome(), status.code()) {
            // What this node lacks another may have.
            (Outcome::NotExecuted, Code::Unimplemented | Code::FailedPrecondition) if elsewhere => {
                Next::Elsewhere
            }
            // This node's own limits are not lifted by going elsewhere.
            (Outcome::NotExecuted, Code::ResourceExhausted) if elsewhere && *answered => {
                Next::Elsewhere
            }
            (Outcome::NotExecuted, Code::Unavailable) if elsewhere => Next::Elsewhere,
            (Outcome::NotExecuted, Code::Unavailable) => Next::Again(self.back_off(trial, status)),
            (_, Code::Unavailable) if trial.idempotent && elsewhere => Next::Elsewhere,
            // Of another wire version; a life before it may have executed the call.
            (Outcome::Unknown, Code::FailedPrecondition) if trial.idempotent && elsewhere => {
                Next::Elsewhere
            }
            (_, Code::Unavailable) if trial.idempotent => {
                Next::Again(self.back_off(trial, status).max(BACK_OFF_MIN))
            }
            _ => return None,
        };
        self.budget.take(now).then_some(next)
    }

    /// How long to wait before a node is called again that has just failed.
    fn back_off(&self, trial: &Trial, status: &Status) -> Duration {
        let asked = status.retry_after().unwrap_or_default();
        let Some(doublings) = trial.attempts.len().checked_sub(2) else {
            // A session that had ended, most likely: another one can be opened at once.
            return asked;
        };
        let most = BACK_OFF_MIN * (1 << doublings.min(10));
        let fraction = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fraction();
        asked.max(most.min(BACK_OFF_MAX).mul_f64(fraction))
    }

    /// Waits, but not beyond the deadline.
    fn wait(&self, now: Time, deadline: Option<Deadline>, wait: Duration) -> State {
        if wait.is_zero() {
            return State::Ready(now);
        }
        let until = now + wait;
        let until = deadline.map_or(until, |deadline| deadline.time().min(until));
        State::Waiting { sleep: self.handle.shared().clock.sleep_until(until), until }
    }
}

/// The status of a node that knows a method only by its number, with the method's name.
fn named(status: Status, addr: SocketAddr, method: &str) -> Status {
    if status.code() != Code::Unimplemented || !status.message().is_empty() {
        return status;
    }
    let outcome = status.outcome();
    Status::unimplemented(format!("{addr} does not serve {method}")).with_outcome(outcome)
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("list", &self.list).finish_non_exhaustive()
    }
}

/// Waits before another try at the same node: random, up to these, doubled each time.
const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
