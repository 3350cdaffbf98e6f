//! [`Trying`]: an attempt from its beginning to its end, with all that goes by how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;

use crate::client::attempted::{Begun, UnderWay};
use crate::client::remote::Inner;
use crate::client::trial::{Failed, Trial};
use crate::client::underway::{End, Here, Underway};
use crate::code::{Code, Outcome};
use crate::deadline::Time;
use crate::exchange::{Body, Reply, code_of};
use crate::ids::Instance;
use crate::observe::{AttemptScope, CallScope};
use crate::peer::Peer;
use crate::proto::{CallBytes, Condition};
use crate::routing::{Chosen, InFlight};
use crate::status::{Attempt, Status};

/// An attempt under way. Dropping it cancels it.
pub(super) struct Trying {
    pub(super) underway: Underway,
    pub(super) scope: AttemptScope,
    pub(super) target: InFlight,
    pub(super) begun: Time,
}

impl Inner {
    /// Begins an attempt.
    pub(super) fn start(
        &self,
        now: Time,
        trial: &mut Trial,
        chosen: Chosen,
        cx: &mut Context<'_>,
    ) -> Trying {
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
    pub(super) fn settle(
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
}

/// The status of a node that knows a method only by its number, with the method's name.
fn named(status: Status, addr: SocketAddr, method: &str) -> Status {
    if status.code() != Code::Unimplemented || !status.message().is_empty() {
        return status;
    }
    let outcome = status.outcome();
    Status::unimplemented(format!("{addr} does not serve {method}")).with_outcome(outcome)
}
