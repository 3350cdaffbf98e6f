//! The judge: what callers saw against what handlers did.
//!
//! Calls are known here by tokens that the application put into its requests, so a mistake in the
//! framework's own numbering cannot hide.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::code::{Code, Outcome};

/// What callers saw and handlers did, from the beginning to the end of a run. All times are counted
/// from its beginning.
#[derive(Clone, Debug, Default)]
pub struct History {
    calls: BTreeMap<u64, Call>,
    executions: BTreeMap<u64, Vec<Execution>>,
    /// What was wrong with streams.
    broken: Vec<Violation>,
}

#[derive(Clone, Debug)]
struct Call {
    idempotent: bool,
    deadline: Duration,
    end: Option<End>,
}

#[derive(Clone, Debug)]
enum End {
    Replied {
        right: bool,
        at: Duration,
    },
    Failed {
        code: Code,
        outcome: Outcome,
        at: Duration,
    },
    /// The caller is gone: it crashed, or dropped the call.
    Dropped,
}

#[derive(Clone, Copy, Debug)]
struct Execution {
    /// The deadline had passed when the handler was started.
    expired: bool,
}

/// A promise that was not kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// The call has neither a reply nor a status.
    NeverEnded {
        /// The call.
        token: u64,
    },
    /// The call ended later than it may.
    EndedLate {
        /// The call.
        token: u64,
        /// How long after its deadline.
        by: Duration,
    },
    /// A handler that must run at most once was started more often.
    RanTwice {
        /// The call.
        token: u64,
        /// How often.
        times: usize,
    },
    /// The status says `NotExecuted`, but a handler was started.
    RanAfterAll {
        /// The call.
        token: u64,
    },
    /// The call has a reply, or the status says `Executed`, but no handler was started.
    NeverRan {
        /// The call.
        token: u64,
    },
    /// The reply is not the one to this call.
    WrongReply {
        /// The call.
        token: u64,
    },
    /// A handler was started after the call's deadline.
    StartedExpired {
        /// The call.
        token: u64,
    },
    /// A message of a stream is not the next one: something is missing, repeated, out of order or
    /// damaged.
    WrongItem {
        /// The call.
        token: u64,
        /// The number of the message that should have come, counted from 0.
        item: u64,
    },
    /// A stream ended well after more or fewer messages than were sent.
    EndedElsewhere {
        /// The call.
        token: u64,
        /// How many messages came.
        items: u64,
        /// How many were sent.
        of: u64,
    },
}

impl History {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A call begins that has to have ended by its deadline.
    pub fn call(&mut self, token: u64, idempotent: bool, deadline: Duration) {
        self.calls.insert(token, Call { idempotent, deadline, end: None });
    }

    /// A call has a reply; `right` tells whether it is the one that its request asks for.
    pub fn replied(&mut self, token: u64, at: Duration, right: bool) {
        self.end(token, End::Replied { right, at });
    }

    /// A call has failed.
    pub fn failed(&mut self, token: u64, at: Duration, code: Code, outcome: Outcome) {
        self.end(token, End::Failed { code, outcome, at });
    }

    /// The caller of a call is gone, or has dropped it.
    pub fn dropped(&mut self, token: u64) {
        self.end(token, End::Dropped);
    }

    /// A handler is started for a call.
    pub fn execution(&mut self, token: u64, expired: bool) {
        self.executions.entry(token).or_default().push(Execution { expired });
    }

    /// A message of a stream has come, which should be the one of number `expected`, counted from
    /// 0, and is the one of number `item`, or none of this stream.
    pub fn item(&mut self, token: u64, expected: u64, item: Option<u64>) {
        if item != Some(expected) {
            self.broken.push(Violation::WrongItem { token, item: expected });
        }
    }

    /// A stream has ended well after so many messages; `of` is how many were sent.
    pub fn stream_ended(&mut self, token: u64, items: u64, of: u64) {
        if items != of {
            self.broken.push(Violation::EndedElsewhere { token, items, of });
        }
    }

    fn end(&mut self, token: u64, end: End) {
        if let Some(call) = self.calls.get_mut(&token) {
            call.end.get_or_insert(end);
        }
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// How many calls have a reply.
    pub fn replies(&self) -> usize {
        let replied = |call: &&Call| matches!(call.end, Some(End::Replied { .. }));
        self.calls.values().filter(replied).count()
    }

    /// How many calls have neither a reply nor a failure because their caller is gone.
    pub fn abandoned(&self) -> usize {
        let abandoned = |call: &&Call| matches!(call.end, Some(End::Dropped));
        self.calls.values().filter(abandoned).count()
    }

    /// How many calls failed, by code and outcome.
    pub fn failures(&self) -> BTreeMap<(Code, Outcome), usize> {
        let mut failures = BTreeMap::new();
        for call in self.calls.values() {
            if let Some(End::Failed { code, outcome, .. }) = call.end {
                *failures.entry((code, outcome)).or_default() += 1;
            }
        }
        failures
    }

    /// How many handlers were started.
    pub fn executions(&self) -> usize {
        self.executions.values().map(Vec::len).sum()
    }

    /// All promises that were not kept. `tolerance` is how much later than its deadline a call may
    /// end.
    pub fn judge(&self, tolerance: Duration) -> Vec<Violation> {
        let mut violations = self.broken.clone();
        for (&token, call) in &self.calls {
            let runs = self.executions.get(&token).map_or(&[][..], Vec::as_slice);
            let mut found = |violation| violations.push(violation);
            if 1 < runs.len() && !call.idempotent {
                found(Violation::RanTwice { token, times: runs.len() });
            }
            if runs.iter().any(|run| run.expired) {
                found(Violation::StartedExpired { token });
            }
            match call.end {
                None => found(Violation::NeverEnded { token }),
                Some(End::Dropped) => {}
                Some(End::Replied { right, at }) => {
                    if !right {
                        found(Violation::WrongReply { token });
                    }
                    if runs.is_empty() {
                        found(Violation::NeverRan { token });
                    }
                    late(token, call.deadline, at, tolerance, &mut found);
                }
                Some(End::Failed { outcome, at, .. }) => {
                    match outcome {
                        Outcome::NotExecuted if !runs.is_empty() => {
                            found(Violation::RanAfterAll { token });
                        }
                        Outcome::Executed if runs.is_empty() => {
                            found(Violation::NeverRan { token })
                        }
                        _ => {}
                    }
                    late(token, call.deadline, at, tolerance, &mut found);
                }
            }
        }
        violations
    }
}

fn late(
    token: u64,
    deadline: Duration,
    at: Duration,
    tolerance: Duration,
    found: &mut impl FnMut(Violation),
) {
    if deadline + tolerance < at {
        found(Violation::EndedLate { token, by: at - deadline });
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverEnded { token } => write!(f, "call {token} never ended"),
            Self::EndedLate { token, by } => {
                write!(f, "call {token} ended {by:?} after its deadline")
            }
            Self::RanTwice { token, times } => write!(f, "call {token} was run {times} times"),
            Self::RanAfterAll { token } => {
                write!(f, "call {token} is labelled NotExecuted but was run")
            }
            Self::NeverRan { token } => write!(f, "call {token} was answered but never run"),
            Self::WrongReply { token } => write!(f, "call {token} got the reply to another"),
            Self::StartedExpired { token } => {
                write!(f, "call {token} was run after its deadline")
            }
            Self::WrongItem { token, item } => {
                write!(f, "message {item} of a stream of call {token} is not what was sent")
            }
            Self::EndedElsewhere { token, items, of } => {
                write!(f, "a stream of call {token} ended after {items} messages of {of}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Duration = Duration::from_millis(1);

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A history with call 1, due at 10 ms, that was run `runs` times and ended so.
    fn history(runs: usize, end: impl FnOnce(&mut History)) -> Vec<Violation> {
        let mut history = History::new();
        history.call(1, false, at(10));
        (0..runs).for_each(|_| history.execution(1, false));
        end(&mut history);
        history.judge(TOLERANCE)
    }

    fn failed(outcome: Outcome) -> impl FnOnce(&mut History) {
        move |history| history.failed(1, at(5), Code::Unavailable, outcome)
    }

    #[test]
    fn good_histories_pass() {
        assert_eq!(history(1, |history| history.replied(1, at(5), true)), []);
        assert_eq!(history(0, failed(Outcome::NotExecuted)), []);
        assert_eq!(history(0, failed(Outcome::Unknown)), []);
        assert_eq!(history(1, failed(Outcome::Unknown)), []);
        assert_eq!(history(1, failed(Outcome::Executed)), []);
        assert_eq!(history(1, |history| history.dropped(1)), []);
    }

    #[test]
    fn every_broken_promise_is_found() {
        assert_eq!(history(0, |_| ()), [Violation::NeverEnded { token: 1 }]);
        assert_eq!(
            history(2, |history| history.replied(1, at(5), true)),
            [Violation::RanTwice { token: 1, times: 2 }]
        );
        assert_eq!(
            history(2, |history| history.dropped(1)),
            [Violation::RanTwice { token: 1, times: 2 }]
        );
        assert_eq!(history(1, failed(Outcome::NotExecuted)), [Violation::RanAfterAll { token: 1 }]);
        assert_eq!(history(0, failed(Outcome::Executed)), [Violation::NeverRan { token: 1 }]);
        assert_eq!(
            history(0, |history| history.replied(1, at(5), true)),
            [Violation::NeverRan { token: 1 }]
        );
        assert_eq!(
            history(1, |history| history.replied(1, at(5), false)),
            [Violation::WrongReply { token: 1 }]
        );
        assert_eq!(
            history(1, |history| history.replied(1, at(12), true)),
            [Violation::EndedLate { token: 1, by: Duration::from_millis(2) }]
        );
        let mut expired = History::new();
        expired.call(1, true, at(10));
        expired.execution(1, true);
        expired.failed(1, at(10), Code::DeadlineExceeded, Outcome::Unknown);
        assert_eq!(expired.judge(TOLERANCE), [Violation::StartedExpired { token: 1 }]);
    }

    #[test]
    fn messages_of_streams_come_in_order_and_all_of_them() {
        let stream = |items: &[Option<u64>], of| {
            history(1, |history| {
                for (expected, &item) in (0..).zip(items) {
                    history.item(1, expected, item);
                }
                history.stream_ended(1, items.len() as u64, of);
                history.replied(1, at(5), true);
            })
        };
        let wrong = |item| Violation::WrongItem { token: 1, item };
        assert_eq!(stream(&[Some(0), Some(1)], 2), []);
        assert_eq!(stream(&[], 0), []);
        assert_eq!(stream(&[Some(0), Some(2)], 2), [wrong(1)]);
        assert_eq!(stream(&[Some(0), Some(0)], 2), [wrong(1)]);
        assert_eq!(stream(&[None], 1), [wrong(0)]);
        let elsewhere = Violation::EndedElsewhere { token: 1, items: 1, of: 2 };
        assert_eq!(stream(&[Some(0)], 2), [elsewhere]);
    }

    #[test]
    fn idempotent_calls_may_run_twice() {
        let mut history = History::new();
        history.call(1, true, at(10));
        history.execution(1, false);
        history.execution(1, false);
        history.replied(1, at(5), true);
        assert_eq!(history.judge(TOLERANCE), []);
    }
}
