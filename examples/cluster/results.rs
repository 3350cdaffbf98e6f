//! [`Results`]: what came of all calls together.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use broach_core::Status;
use hdrhistogram::Histogram;

use crate::processes::{Killed, Noticed};
use crate::timeline::{self, Timeline};
use crate::words::Tally;

/// What came of all calls together. Each call counts once, however many attempts it took.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) tally: Tally,
    pub(crate) nodes: Vec<NodeCalls>,
    /// Nodes that have answered and are none of ours, as far as is known.
    pub(crate) strangers: Vec<NodeCalls>,
    /// In nanoseconds, of calls that succeeded.
    pub(crate) latency: Histogram<u64>,
    /// Calls that needed more than one attempt.
    pub(crate) retried: u64,
    pub(crate) failed: u64,
    /// How the first that failed did.
    pub(crate) failures: Vec<Status>,
    pub(crate) killed: Option<Killed>,
    /// When the last call was sent to the node that was killed, before that or after.
    pub(crate) last_sent: Option<Instant>,
    /// When the others called it dead.
    pub(crate) noticed: Vec<Noticed>,
    pub(crate) newcomer: Option<Newcomer>,
    pub(crate) passes: u64,
    pub(crate) started: Instant,
    /// When the last call ended.
    pub(crate) ended: Instant,
    /// How finely calls are placed in time.
    pub(crate) stretch: Duration,
}

/// What a node has answered.
#[derive(Debug)]
pub(crate) struct NodeCalls {
    pub(crate) addr: SocketAddr,
    pub(crate) calls: u64,
    /// When its first answer came.
    pub(crate) first: Option<Instant>,
    /// When its last answer came.
    pub(crate) last: Option<Instant>,
    pub(crate) timeline: Timeline,
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

/// Which node was started while the others were at work, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    pub(crate) index: usize,
    pub(crate) at: Instant,
}

impl Results {
    /// Of no calls yet, in a run of about such a length.
    pub(crate) fn new(addrs: Vec<SocketAddr>, time: Duration) -> Self {
        let now = Instant::now();
        Self {
            tally: Tally::default(),
            nodes: addrs.into_iter().map(NodeCalls::none).collect(),
            strangers: Vec::new(),
            latency: Histogram::new_with_max(LATENCY_NANOS_MAX, 3)
                .expect("three digits and more than 2 ns are allowed"),
            retried: 0,
            failed: 0,
            failures: Vec::new(),
            killed: None,
            last_sent: None,
            noticed: Vec::new(),
            newcomer: None,
            passes: 0,
            started: now,
            ended: now,
            stretch: timeline::stretch(time),
        }
    }

    /// There is another node. It may have answered before that is said here.
    pub(crate) fn add_node(&mut self, addr: SocketAddr) {
        let known = self.strangers.iter().position(|node| node.addr == addr);
        let node = known.map(|index| self.strangers.remove(index));
        self.nodes.push(node.unwrap_or_else(|| NodeCalls::none(addr)));
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
        // Whoever does not say who he is, is a stranger.
        let addr = peer.unwrap_or_else(|| ([0, 0, 0, 0], 0).into());
        let after = ended - self.started;
        let mut nodes = self.nodes.iter_mut().chain(&mut self.strangers);
        if let Some(node) = nodes.find(|node| node.addr == addr) {
            node.add(ended, after, self.stretch);
        } else {
            let mut stranger = NodeCalls::none(addr);
            stranger.add(ended, after, self.stretch);
            self.strangers.push(stranger);
        }
    }

    /// How many calls have succeeded.
    pub(crate) fn calls(&self) -> u64 {
        self.nodes.iter().chain(&self.strangers).map(|node| node.calls).sum()
    }

    /// From the first call to the end of the last.
    pub(crate) fn elapsed(&self) -> Duration {
        self.ended - self.started
    }
}

impl NodeCalls {
    fn none(addr: SocketAddr) -> Self {
        Self { addr, calls: 0, first: None, last: None, timeline: Timeline::default() }
    }

    fn add(&mut self, ended: Instant, after: Duration, stretch: Duration) {
        self.calls += 1;
        self.first = Some(self.first.map_or(ended, |first| first.min(ended)));
        self.last = self.last.max(Some(ended));
        self.timeline.add(after, stretch);
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
        let mut results = Results::new([1, 2].map(addr).to_vec(), Duration::from_secs(1));
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
        let seen = |node: &NodeCalls| (node.calls, node.first, node.last);
        let nodes: Vec<_> = results.nodes.iter().map(seen).collect();
        let (one, two, three) = (Some(after(1)), Some(after(2)), Some(after(3)));
        assert_eq!(nodes, [(1, one, one), (2, two, three)]);
        assert_eq!((results.calls(), results.strangers.len(), results.failed), (4, 1, 1));
        assert_eq!((results.retried, results.failures.len()), (1, 1));
        assert_eq!(results.elapsed(), Duration::from_millis(4));
    }

    #[test]
    fn a_node_that_answers_before_it_is_announced_is_no_stranger() {
        let mut results = Results::new(vec![addr(1)], Duration::from_secs(1));
        let now = results.started;
        let answer = Answer { peer: Some(addr(2)), attempts: 1 };
        results.add(CallEnd { started: now, ended: now, result: Ok(answer) });
        assert_eq!((results.strangers.len(), results.nodes.len()), (1, 1));
        results.add_node(addr(2));
        assert_eq!((results.strangers.len(), results.nodes[1].calls), (0, 1));
        results.add_node(addr(3));
        assert_eq!((results.calls(), results.nodes[2].calls), (1, 0));
    }
}
