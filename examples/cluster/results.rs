//! [`Results`]: what came of all calls together.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use broach_core::Status;
use hdrhistogram::Histogram;

use crate::words::Tally;

/// What came of all calls together. Each call counts once, however many attempts it took.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) tally: Tally,
    pub(crate) nodes: Vec<NodeCalls>,
    /// Calls answered by a node that is none of ours.
    pub(crate) strangers: u64,
    /// In nanoseconds, of calls that succeeded.
    pub(crate) latency: Histogram<u64>,
    /// Calls that needed more than one attempt.
    pub(crate) retried: u64,
    pub(crate) failed: u64,
    /// How the first that failed did.
    pub(crate) failures: Vec<Status>,
    pub(crate) killed: Option<Killed>,
    pub(crate) passes: u64,
    pub(crate) started: Instant,
    /// When the last call ended.
    pub(crate) ended: Instant,
}

/// What a node has answered.
#[derive(Debug)]
pub(crate) struct NodeCalls {
    pub(crate) addr: SocketAddr,
    pub(crate) calls: u64,
    /// When its last answer came.
    pub(crate) last: Option<Instant>,
}

/// A call that has ended.
#[derive(Debug)]
pub(crate) struct CallEnd {
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    pub(crate) result: Result<Answer, Status>,
}

/// How a call was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// Who answered.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) attempts: usize,
}

/// Which node was killed when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Killed {
    pub(crate) index: usize,
    pub(crate) at: Instant,
}

impl Results {
    /// Of no calls yet.
    pub(crate) fn new(addrs: Vec<SocketAddr>) -> Self {
        let now = Instant::now();
        Self {
            tally: Tally::default(),
            nodes: addrs.into_iter().map(|addr| NodeCalls { addr, calls: 0, last: None }).collect(),
            strangers: 0,
            latency: Histogram::new_with_max(LATENCY_NANOS_MAX, 3)
                .expect("three digits and more than 2 ns are allowed"),
            retried: 0,
            failed: 0,
            failures: Vec::new(),
            killed: None,
            passes: 0,
            started: now,
            ended: now,
        }
    }

    pub(crate) fn add(&mut self, end: CallEnd) {
        let CallEnd { started, ended, result } = end;
        self.ended = self.ended.max(ended);
        let attempts = match result {
            Ok(Answer { peer, attempts }) => {
                self.add_answer(peer, started, ended);
                attempts
            }
            Err(status) => {
                let attempts = status.attempts().len();
                self.failed += 1;
                if self.failures.len() < FAILURES_SHOWN {
                    self.failures.push(status);
                }
                attempts
            }
        };
        self.retried += u64::from(1 < attempts);
    }

    fn add_answer(&mut self, peer: Option<SocketAddr>, started: Instant, ended: Instant) {
        let nanos = u64::try_from((ended - started).as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos);
        match self.nodes.iter_mut().find(|node| Some(node.addr) == peer) {
            Some(node) => {
                node.calls += 1;
                node.last = node.last.max(Some(ended));
            }
            None => self.strangers += 1,
        }
    }

    /// How many calls have succeeded.
    pub(crate) fn calls(&self) -> u64 {
        self.strangers + self.nodes.iter().map(|node| node.calls).sum::<u64>()
    }

    /// From the first call to the end of the last.
    pub(crate) fn elapsed(&self) -> Duration {
        self.ended - self.started
    }
}

/// How many failures are told in full.
const FAILURES_SHOWN: usize = 3;

/// Ten minutes, which is longer than any call may take.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn a_call_counts_once_at_the_node_that_answered() {
        let mut results = Results::new([1, 2].map(addr).to_vec());
        let started = results.started;
        let after = |millis| started + Duration::from_millis(millis);
        let answered = |port, millis, attempts| CallEnd {
            started,
            ended: after(millis),
            result: Ok(Answer { peer: Some(addr(port)), attempts }),
        };
        for end in [answered(2, 3, 1), answered(2, 2, 2), answered(1, 1, 1), answered(9, 1, 1)] {
            results.add(end);
        }
        let failed = Err(Status::unavailable("no"));
        results.add(CallEnd { started, ended: after(4), result: failed });
        let nodes: Vec<_> = results.nodes.iter().map(|node| (node.calls, node.last)).collect();
        assert_eq!(nodes, [(1, Some(after(1))), (2, Some(after(3)))]);
        assert_eq!((results.calls(), results.strangers, results.failed), (4, 1, 1));
        assert_eq!((results.retried, results.failures.len()), (1, 1));
        assert_eq!(results.elapsed(), Duration::from_millis(4));
    }
}
