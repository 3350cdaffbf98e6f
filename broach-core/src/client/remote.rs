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
use crate::deadline::Deadline;
use crate::exchange::{Reply, Request, check_metadata, code_of, message_bytes, read_reply};
use crate::method::Shape;
use crate::net::{Ended, Handle, Outbound};
use crate::observe::CallScope;
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
    message: Bytes,
    scope: Arc<CallScope>,
    tried: Vec<SocketAddr>,
    attempts: Vec<Attempt>,
}

/// How an attempt ended.
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
        loop {
            let now = self.handle.shared().clock.now();
            let Some(addr) = self.list.pick(now, &trial.tried) else {
                // There is a node at first, and later only if another try was found worth while.
                return Err(Status::internal("there is no node to call"));
            };
            let failed = match self.attempt(trial, addr).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            match self.next(trial, &failed) {
                Some(Next::Elsewhere) => {}
                Some(Next::Again(wait)) => {
                    trial.tried.clear();
                    self.wait(trial.request.deadline, wait).await;
                }
                None => {
                    let attempts = std::mem::take(&mut trial.attempts);
                    return Err(failed.status.with_attempts(attempts));
                }
            }
        }
    }

    /// Checks what can be checked before anything is sent.
    fn begin(&self, request: Request) -> Result<Trial, Status> {
        let shared = self.handle.shared();
        let method = &request.method;
        let not_executed = |status: Status| status.with_outcome(Outcome::NotExecuted);
        let message = match request.body.as_message() {
            Some(message) if method.shape() == Shape::Unary => message.clone(),
            _ => {
                let (name, shape) = (method.full_name(), method.shape());
                return Err(not_executed(Status::unimplemented(format!(
                    "{name} is {shape}: only unary calls go over the network so far"
                ))));
            }
        };
        let (bytes, max) = (message.len(), shared.config.message_bytes_max);
        if max < bytes {
            return Err(not_executed(Status::resource_exhausted(format!(
                "the request of {} has {bytes} bytes, and {max} are allowed \
                 (transport.message_bytes_max of this node)",
                method.full_name()
            ))));
        }
        check_metadata(&request.metadata, shared.config.metadata_bytes_max)?;
        // A request that came in over a layer of a server has no scope of its own here.
        let scope = request.scope.clone().unwrap_or_else(|| {
            let target = "(forwarded)";
            let Request { method, clock, trace, .. } = &request;
            Arc::new(CallScope::start(&shared.observe, clock, method, target, *trace))
        });
        Ok(Trial { request, message, scope, tried: Vec::new(), attempts: Vec::new() })
    }

    /// Tries one node.
    async fn attempt(&self, trial: &mut Trial, addr: SocketAddr) -> Result<Reply, Failed> {
        trial.tried.push(addr);
        let Trial { request, message, scope, tried, attempts } = trial;
        let attempt = scope.attempt(Some(addr));
        let idempotent = if request.idempotent { Open::IDEMPOTENT } else { 0 };
        let retry = if request.retried || !attempts.is_empty() { Open::RETRY } else { 0 };
        let last = self.config.attempts_max as usize <= attempts.len() + 1;
        let outbound = Outbound {
            to: addr,
            method: request.method.id(),
            flags: idempotent | retry,
            deadline: request.deadline.map(|deadline| deadline.time()),
            bytes: message_bytes(&request.metadata, attempt.trace(), message.clone()),
            yields: !last && !request.retried && tried.len() < self.list.len(),
        };
        let Ended { peer, silent, result } = self.handle.call(outbound).await;
        let answered = result.is_ok();
        let result = result.and_then(read_reply).map_err(|status| {
            let unknown = status.code() == Code::Unimplemented && status.message().is_empty();
            if unknown {
                // The node knows the method by its number only.
                let text = format!("{addr} does not serve {}", request.method.full_name());
                return Status::unimplemented(text).with_outcome(status.outcome());
            }
            status
        });
        if silent {
            self.list.on_silent(self.handle.shared().clock.now(), addr);
        } else if answered {
            self.list.on_answer(addr);
        }
        let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
        let elapsed = attempt.end(code_of(&result), outcome);
        attempts.push(Attempt::new(Some(addr), elapsed, result.as_ref().map(|_| ())));
        match result {
            Ok(reply) => Ok(Reply { peer, attempts: std::mem::take(attempts), ..reply }),
            Err(status) => Err(Failed { status, answered }),
        }
    }

    /// Whether and where a call is tried again.
    fn next(&self, trial: &Trial, failed: &Failed) -> Option<Next> {
        let Failed { status, answered } = failed;
        let now = self.handle.shared().clock.now();
        // Someone further up tries again already; if everyone did, one failure would become many
        // calls.
        if trial.request.retried || self.config.attempts_max as usize <= trial.attempts.len() {
            return None;
        }
        trial
            .request
            .deadline
            .is_none_or(|deadline| deadline.remaining(now).is_some())
            .then_some(())?;
        let elsewhere = trial.tried.len() < self.list.len();
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

    /// Waits, but not beyond the deadline.
    async fn wait(&self, deadline: Option<Deadline>, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        let clock = &self.handle.shared().clock;
        let until = clock.now() + wait;
        clock.sleep_until(deadline.map_or(until, |deadline| deadline.time().min(until))).await;
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("list", &self.list).finish_non_exhaustive()
    }
}

/// Waits before another try at the same node: random, up to these, doubled each time.
const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
