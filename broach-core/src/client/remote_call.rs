//! [`RemoteCall`]: a call under way, at one node of a directory after another until one of them
//! ends it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;

use crate::client::remote::Inner;
use crate::client::trial::{Failed, Next, Trial};
use crate::client::trying::Trying;
use crate::client::underway::End;
use crate::client::vacancy::{Vacancy, Waited, WaitingPlace};
use crate::code::Outcome;
use crate::deadline::{Sleep, Time};
use crate::exchange::{Body, Reply, Request, code_of};
use crate::observe::CallScope;
use crate::routing::Choice;
use crate::status::Status;

/// A call under way. Written as a state machine by hand: what the compiler makes of nested async
/// functions was three times as large, and it is moved for every call.
pub(super) struct RemoteCall {
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

impl RemoteCall {
    pub(super) fn new(inner: Arc<Inner>, mut request: Request) -> Self {
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
                    if max == 0 || trial.pinned {
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
    /// Waits, but not beyond the deadline.
    fn wait(&self, now: Time, trial: &Trial, wait: Duration) -> State {
        if wait.is_zero() {
            return State::Ready(now);
        }
        let until = now + wait;
        let until = trial.deadline.map_or(until, |deadline| deadline.time().min(until));
        State::Waiting { sleep: self.handle.shared().clock.sleep_until(until), until }
    }
}
