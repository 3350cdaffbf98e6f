//! The end of calls without a reply: at their deadline, because the other side says nothing, or
//! with the session.

use std::net::SocketAddr;
use std::time::Duration;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::ids::CallId;
use crate::proto::active::{Active, Call, NewCall, Progress};
use crate::proto::answered::Ended;
use crate::proto::budget::Budget;
use crate::proto::caller::Caller;
use crate::proto::trouble::Trouble;
use crate::status::Status;
use crate::wire::Open;

impl Caller {
    /// Ends the calls whose deadline has passed.
    pub(crate) fn expire(
        &mut self,
        now: Time,
        peer: SocketAddr,
        trouble: Trouble,
        budget: &mut Budget,
    ) -> Vec<Ended> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let ended = self.end_if(budget, |call, progress| {
            call.deadline.filter(|&deadline| deadline <= now)?;
            let took = now.since(call.made_at);
            let text = match progress {
                Progress::Waiting => {
                    format!("waited {took:.3?} for a place among the calls to {peer}")
                }
                Progress::Sent(_) => format!("{peer} did not answer within {took:.3?}{trouble}"),
                Progress::Arrived(None) => {
                    format!("{peer} took no more than a part of the request within {took:.3?}")
                }
                Progress::Arrived(Some(_)) => {
                    format!("{peer} has taken the request but did not reply within {took:.3?}")
                }
            };
            Some(Status::deadline_exceeded(text).with_outcome(progress.outcome()))
        });
        self.deadline = self.all().filter_map(|call| call.deadline).min();
        ended
    }

    /// Ends the calls that can go elsewhere and were made at `before` or earlier, because the other
    /// side says nothing. A call that may have run and must not run twice stays.
    pub(crate) fn yield_calls(
        &mut self,
        before: Time,
        peer: SocketAddr,
        budget: &mut Budget,
    ) -> Vec<Ended> {
        self.end_if(budget, |call, progress| {
            let outcome = progress.outcome();
            let idempotent = call.flags & Open::IDEMPOTENT != 0;
            let goes = call.yields && call.made_at <= before;
            (goes && (idempotent || outcome == Outcome::NotExecuted)).then(|| {
                Status::unavailable(format!("{peer} has fallen silent")).with_outcome(outcome)
            })
        })
    }

    /// Ends the calls that can go elsewhere and of which nothing has been sent, because the other
    /// side is about to end.
    pub(crate) fn yield_waiting(&mut self, peer: SocketAddr, budget: &mut Budget) -> Vec<Ended> {
        self.end_if(budget, |call, progress| {
            let goes = call.yields && matches!(progress, Progress::Waiting);
            goes.then(|| {
                let status = Status::shutting_down(format!("{peer} is shutting down"));
                status.with_outcome(Outcome::NotExecuted)
            })
        })
    }

    /// Ends all calls, because the session does. `dead_for` is for how long the other side has
    /// surely taken nothing of it; what was first sent within that time was never executed.
    pub(crate) fn end_all(
        &mut self,
        now: Time,
        dead_for: Duration,
        status: impl Fn() -> Status,
        budget: &mut Budget,
    ) -> Vec<Ended> {
        self.end_if(budget, |_, progress| {
            Some(status().with_outcome(progress.outcome_if_dead_for(now, dead_for)))
        })
    }

    /// Ends the calls for which `end` has a status, in the order in which they were made.
    fn end_if(
        &mut self,
        budget: &mut Budget,
        end: impl Fn(&Call, Progress) -> Option<Status>,
    ) -> Vec<Ended> {
        let verdict =
            |(&id, active): (&CallId, &Active)| Some((id, end(&active.call, active.progress())?));
        let mut verdicts: Vec<(CallId, Status)> = self.active.iter().filter_map(verdict).collect();
        // The map has an order of its own, which must not decide what is told first.
        verdicts.sort_unstable_by_key(|(id, _)| *id);
        let mut ended: Vec<Ended> = verdicts
            .into_iter()
            .filter_map(|(id, status)| self.give_up(id, status, budget))
            .collect();
        for new in self.waiting.drain() {
            match end(&new.call, Progress::Waiting) {
                None => self.waiting.push(new),
                Some(status) => {
                    let NewCall { call, bytes } = new;
                    self.streams.remove(&call.ticket);
                    let result = Err(status);
                    ended.push(Ended { ticket: call.ticket, request: bytes, result });
                }
            }
        }
        ended
    }
}
