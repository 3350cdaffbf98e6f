//! Calls over the network: attempts at one node after another until one of them ends the call.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::client::budget::RetryBudget;
use crate::client::channel::Transport;
use crate::code::{Code, Outcome};
use crate::config;
use crate::deadline::{Deadline, Time};
use crate::exchange::{Body, Reply, Request, check_metadata, code_of, message_bytes, read_reply};
use crate::method::Shape;
use crate::net::{Ended, Handle, NoReply, Outbound};
use crate::observe::{CallScope, TraceContext};
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

/// A call under way: what has been tried of it.
struct Trial {
    request: Request,
    /// Taken while an attempt is under way; comes back if it fails.
    message: Option<Bytes>,
    scope: Arc<CallScope>,
    attempts: Vec<Attempt>,
    /// Where in them the present round begins: in one round no node is tried twice.
    round: usize,
}

/// How an attempt ended.
struct Failed {
    status: Status,
    /// The node answered with it; otherwise it was made up here.
    answered: bool,
}

impl Trial {
    /// Whether a node has been tried in this round.
    fn has_tried(&self, addr: SocketAddr) -> bool {
        self.attempts[self.round..].iter().any(|attempt| attempt.peer == Some(addr))
    }

    /// How many nodes have been tried in this round.
    const fn tried(&self) -> usize {
        self.attempts.len() - self.round
    }
}

/// Where a call is tried again.
enum Next {
    /// At another node.
    Elsewhere,
    /// At the same one, after a wait.
    Again(Duration),
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
        let inner = Arc::clone(&self.0);
        async move { inner.call(request).await }.boxed()
    }

    fn keeps_deadline(&self) -> bool {
        true
    }
}

impl Inner {
    async fn call(&self, request: Request) -> Result<Reply, Status> {
        let forwarded = request.scope.is_none();
        let mut trial = self.begin(request)?;
        let result = self.run(&mut trial).await;
        if forwarded {
            // Otherwise whoever has made the scope ends it.
            let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
            trial.scope.end(code_of(&result), outcome);
        }
        result
    }

    /// Tries until the call has ended.
    async fn run(&self, trial: &mut Trial) -> Result<Reply, Status> {
        self.budget.on_call();
        let mut now = trial.scope.started();
        loop {
            let Some(addr) = self.list.pick(now, |addr| trial.has_tried(addr)) else {
                // There is a node at first, and later only if another try was found worth while.
                return Err(Status::internal("there is no node to call"));
            };
            let failed = match self.attempt(now, trial, addr).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            now = self.handle.shared().clock.now();
            match self.next(now, trial, &failed) {
                Some(Next::Elsewhere) => {}
                Some(Next::Again(wait)) => {
                    trial.round = trial.attempts.len();
                    now = self.wait(now, trial.request.deadline, wait).await;
                }
                None => {
                    let attempts = std::mem::take(&mut trial.attempts);
                    return Err(failed.status.with_attempts(attempts));
                }
            }
        }
    }

    /// Checks what can be checked before anything is sent.
    fn begin(&self, mut request: Request) -> Result<Trial, Status> {
        let shared = self.handle.shared();
        let name = request.method.full_name();
        let not_executed = |status: Status| status.with_outcome(Outcome::NotExecuted);
        let shape = request.method.shape();
        let message = match &request.body {
            Body::Message(message) if shape == Shape::Unary => message,
            _ => {
                return Err(not_executed(Status::unimplemented(format!(
                    "{name} is {shape}: only unary calls go over the network so far"
                ))));
            }
        };
        let (bytes, max) = (message.len(), shared.config.message_bytes_max);
        if max < bytes {
            return Err(not_executed(Status::resource_exhausted(format!(
                "the request of {name} has {bytes} bytes, and {max} are allowed \
                 (transport.message_bytes_max of this node)"
            ))));
        }
        check_metadata(&request.metadata, shared.config.metadata_bytes_max)?;
        // A request that came in over a layer of a server has no scope of its own here.
        let scope = request.scope.take().unwrap_or_else(|| {
            let (target, now) = ("(forwarded)", shared.clock.now());
            let Request { method, trace, .. } = &request;
            Arc::new(CallScope::start(&shared.observe, method, target, now, *trace))
        });
        let message = match std::mem::replace(&mut request.body, Body::Message(Bytes::new())) {
            Body::Message(message) => Some(message),
            Body::Stream(_) => None,
        };
        Ok(Trial { request, message, scope, attempts: Vec::new(), round: 0 })
    }

    /// Tries one node.
    async fn attempt(
        &self,
        now: Time,
        trial: &mut Trial,
        addr: SocketAddr,
    ) -> Result<Reply, Failed> {
        let attempt = trial.scope.attempt(now, Some(addr));
        let outbound = self.outbound(trial, attempt.trace(), addr);
        let Ended { peer, silent, result } = self.handle.call(now, outbound).await;
        let answered = result.is_ok();
        let result = match result {
            Ok(bytes) => read_reply(bytes).map_err(|status| named(status, addr, &trial.request)),
            Err(NoReply { status, bytes }) => {
                trial.message = bytes.map(CallBytes::into_message);
                Err(status)
            }
        };
        if silent {
            self.list.on_silent(self.handle.shared().clock.now(), addr);
        } else if answered {
            self.list.on_answer(addr);
        }
        let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
        let elapsed = attempt.end(code_of(&result), outcome);
        match result {
            Ok(reply) => {
                let failed = std::mem::take(&mut trial.attempts);
                Ok(Reply { peer, failed, elapsed, ..reply })
            }
            Err(status) => {
                trial.attempts.push(Attempt::new(Some(addr), elapsed, Err(&status)));
                Err(Failed { status, answered })
            }
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
        let request = &trial.request;
        let idempotent = if request.idempotent { Open::IDEMPOTENT } else { 0 };
        let retry = if request.retried || !trial.attempts.is_empty() { Open::RETRY } else { 0 };
        let last = self.config.attempts_max as usize <= trial.attempts.len() + 1;
        Outbound {
            to: addr,
            method: request.method.id(),
            flags: idempotent | retry,
            deadline: request.deadline.map(Deadline::time),
            bytes: message_bytes(&request.metadata, trace, message),
            yields: !last && !request.retried && trial.tried() + 1 < self.list.len(),
        }
    }

    /// Whether and where a call is tried again.
    fn next(&self, now: Time, trial: &Trial, failed: &Failed) -> Option<Next> {
        let Failed { status, answered } = failed;
        // Someone further up tries again already; if everyone did, one failure would become many
        // calls.
        if trial.request.retried || self.config.attempts_max as usize <= trial.attempts.len() {
            return None;
        }
        let over = |deadline: Deadline| deadline.remaining(now).is_none();
        if trial.request.deadline.is_some_and(over) {
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
            (_, Code::Unavailable) if trial.request.idempotent => {
                if elsewhere {
                    Next::Elsewhere
                } else {
                    Next::Again(self.back_off(trial, status).max(BACK_OFF_MIN))
                }
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

    /// Waits, but not beyond the deadline. Tells what time it is then.
    async fn wait(&self, now: Time, deadline: Option<Deadline>, wait: Duration) -> Time {
        let until = now + wait;
        let until = deadline.map_or(until, |deadline| deadline.time().min(until));
        if now < until {
            self.handle.shared().clock.sleep_until(until).await;
        }
        now.max(until)
    }
}

/// The status of a node that knows a method only by its number, with the method's name.
fn named(status: Status, addr: SocketAddr, request: &Request) -> Status {
    if status.code() != Code::Unimplemented || !status.message().is_empty() {
        return status;
    }
    let text = format!("{addr} does not serve {}", request.method.full_name());
    Status::unimplemented(text).with_outcome(status.outcome())
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("list", &self.list).finish_non_exhaustive()
    }
}

/// Waits before another try at the same node: random, up to these, doubled each time.
const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
