//! [`Trial`]: what has been tried of a call, and whether it is tried again.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::client::remote::Inner;
use crate::client::requests::{Bound, Requests};
use crate::code::{Code, Outcome};
use crate::config::SizeLimits;
use crate::deadline::{Deadline, Time};
use crate::exchange::{Body, Request, message_bytes, streams_of};
use crate::metadata::Metadata;
use crate::net::Outbound;
use crate::observe::{CallScope, TraceContext};
use crate::proto::CallBytes;
use crate::routing::{Chosen, Picker, Selection, Target};
use crate::status::{Attempt, Status};
use crate::wire::Open;

/// What has been tried of a call.
pub(super) struct Trial {
    pub(super) scope: Arc<CallScope>,
    /// Taken while an attempt at another node is under way; comes back with its end.
    pub(super) message: Option<Bytes>,
    /// In its place, if the call streams them.
    pub(super) requests: Option<Requests>,
    pub(super) metadata: Metadata,
    pub(super) deadline: Option<Deadline>,
    pub(super) idempotent: bool,
    pub(super) retried: bool,
    one_way: bool,
    pub(super) pinned: bool,
    pub(super) picker: Option<Arc<dyn Picker>>,
    pub(super) selection: Selection,
    pub(super) attempts: Vec<Attempt>,
    /// How many of them count: not those at nodes that were just shutting down.
    counted: usize,
    /// Who has been tried in the present round, in which nobody is tried twice.
    pub(super) tried: Vec<Arc<Target>>,
}

/// How an attempt failed.
pub(super) struct Failed {
    pub(super) status: Status,
    /// The node answered with it; otherwise it was made up here.
    pub(super) answered: bool,
}

/// Where a call is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// At another node; if there is none, once there is.
    Elsewhere,
    /// At any, after a wait.
    Again(Duration),
}

impl Trial {
    pub(super) fn new(scope: Arc<CallScope>, request: Request, limits: SizeLimits) -> Self {
        let (one_way, pinned) = (request.one_way, request.pinned);
        let Request { metadata, deadline, body, source, idempotent, retried, .. } = request;
        let (message, requests) = match body {
            Body::Message(message) if !streams_of(scope.method().shape()).requests => {
                (Some(message), None)
            }
            body => {
                let direct = source.and_then(|source| source.take());
                let source = direct.unwrap_or_else(|| Box::new(body.into_messages()));
                (None, Some(Requests::new(source, scope.method().clone(), limits)))
            }
        };
        let (attempts, tried) = (Vec::new(), Vec::new());
        Self {
            scope,
            message,
            requests,
            metadata,
            deadline,
            idempotent,
            retried,
            one_way,
            pinned,
            picker: request.picker,
            selection: request.selection,
            attempts,
            counted: 0,
            tried,
        }
    }

    /// The end of the call, with what was tried before it.
    pub(super) fn failed(&mut self, status: Status) -> Status {
        status.with_attempts(std::mem::take(&mut self.attempts))
    }

    /// Why there is no time for another attempt, if there is none.
    pub(super) fn expired(&self, now: Time) -> Option<Status> {
        self.deadline.filter(|deadline| deadline.remaining(now).is_none())?;
        let status = Status::deadline_exceeded("there was no time to send anything");
        Some(status.with_outcome(Outcome::NotExecuted))
    }

    /// Whether the next attempt is a retry in the eyes of the node that is called.
    fn is_retry(&self) -> bool {
        self.retried || !self.attempts.is_empty()
    }

    /// What goes to the transport for the next attempt.
    pub(super) fn outbound(
        &mut self,
        trace: Option<TraceContext>,
        chosen: &Chosen,
        attempts_max: usize,
    ) -> Outbound {
        let bytes = match (&self.requests, self.message.take()) {
            (None, Some(message)) => message_bytes(&self.metadata, trace, message),
            _ => CallBytes::default(),
        };
        let idempotent = if self.idempotent { Open::IDEMPOTENT } else { 0 };
        let retry = if self.is_retry() { Open::RETRY } else { 0 };
        let one_way = if self.one_way { Open::ONE_WAY } else { 0 };
        let last = attempts_max <= self.counted + 1;
        Outbound {
            to: chosen.target.member.addr(),
            method: self.scope.method().id(),
            flags: idempotent | retry | one_way,
            deadline: self.deadline.map(Deadline::time),
            streams: streams_of(self.scope.method().shape()),
            bytes,
            yields: !last && !self.retried && !chosen.alone,
        }
    }

    /// What goes to this node's own services for the next attempt.
    pub(super) fn request(&self, trace: Option<TraceContext>) -> Request {
        let message = match &self.requests {
            Some(requests) => Body::Stream(Box::pin(requests.begin_attempt())),
            None => Body::Message(self.message.clone().unwrap_or_default()),
        };
        let (method, clock) = (self.scope.method().clone(), Arc::clone(self.scope.clock()));
        let mut request = Request::new(method, message, clock);
        request.metadata = self.metadata.clone();
        request.deadline = self.deadline;
        request.idempotent = self.idempotent;
        request.retried = self.is_retry();
        request.one_way = self.one_way;
        request.trace = trace;
        request
    }

    /// An attempt has failed at this node. `free` if it does not count.
    pub(super) fn on_failure(&mut self, target: &Arc<Target>, attempt: Attempt, free: bool) {
        self.attempts.push(attempt);
        self.counted += usize::from(!free);
        self.tried.push(Arc::clone(target));
    }

    /// From now on nodes may be tried that were tried before.
    pub(super) fn begin_round(&mut self) {
        // Who is about to leave does not change his mind.
        self.tried.retain(|target| target.is_leaving());
    }
}

impl Inner {
    /// Whether and where a call is tried again.
    pub(super) fn next(&self, now: Time, trial: &Trial, failed: &mut Failed) -> Option<Next> {
        let next = self.would_be_next(now, trial, failed)?;
        if let Some(Err(bound)) = trial.requests.as_ref().map(Requests::try_again) {
            if bound == Bound::TooMuch {
                failed.status = too_much(failed.status.clone());
            }
            return None;
        }
        // A node that shuts down is part of every life and costs next to nothing, and each is tried
        // once at the most: so it need not be paid for.
        (self.is_free(&failed.status) || self.budget.take(now)).then_some(next)
    }

    /// The same, whatever it costs.
    fn would_be_next(&self, now: Time, trial: &Trial, failed: &Failed) -> Option<Next> {
        let Failed { status, answered } = failed;
        // Someone further up tries again already; if everyone did, one failure would become many
        // calls. And without its message a call cannot be made again.
        if trial.retried
            || self.config.attempts_max as usize <= trial.counted
            || trial.message.is_none() && trial.requests.is_none()
        {
            return None;
        }
        let over = |deadline: Deadline| deadline.remaining(now).is_none();
        if trial.deadline.is_some_and(over) {
            return None;
        }
        let service = trial.scope.method().service();
        let members = self.directory.look();
        let elsewhere = members.has_others(service, &trial.selection, &trial.tried);
        if self.is_free(status) {
            // Those that were tried before and did not shut down are who is left.
            return Some(if elsewhere { Next::Elsewhere } else { Next::Again(Duration::ZERO) });
        }
        Some(match (status.outcome(), status.code()) {
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
        })
    }

    /// Whether an attempt that ended like this does not count: the node was shutting down, and the
    /// directory will say who is there instead.
    pub(super) fn is_free(&self, status: &Status) -> bool {
        status.is_shutting_down()
            && status.outcome() == Outcome::NotExecuted
            && self.directory.source() == crate::routing::Source::Cluster
    }

    /// How long to wait before a node is called again that has just failed.
    fn back_off(&self, trial: &Trial, status: &Status) -> Duration {
        let asked = status.retry_after().unwrap_or_default();
        let Some(doublings) = trial.counted.checked_sub(2) else {
            // A session that had ended, most likely: another one can be opened at once.
            return asked;
        };
        let most = BACK_OFF_MIN * (1 << doublings.min(10));
        let fraction = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fraction();
        asked.max(most.min(BACK_OFF_MAX).mul_f64(fraction))
    }
}

/// Why a call that streams its requests is not tried again, though others would be.
fn too_much(status: Status) -> Status {
    let text = format!(
        "{}; the call was not tried again because more of its requests had been sent than are kept \
         for that (32 KiB)",
        status.message()
    );
    status.with_message(text)
}

/// Waits before another try at the same node: random, up to these, doubled each time.
const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
