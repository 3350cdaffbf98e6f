//! [`Results`]: what came of all calls together.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use broach_core::{Response, Status};
use hdrhistogram::Histogram;

use crate::run::{CallEnd, Killed};
use crate::wordcount::v1::CountReply;
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

impl Results {
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
        self.ended = self.ended.max(end.ended);
        match end.result {
            Ok(response) => self.add_response(response, end.started, end.ended),
            Err(status) => {
                self.failed += 1;
                self.retried += u64::from(1 < status.attempts().len());
                if self.failures.len() < FAILURES_SHOWN {
                    self.failures.push(status);
                }
            }
        }
    }

    fn add_response(&mut self, response: Response<CountReply>, started: Instant, ended: Instant) {
        for (word, count) in &response.message.counts {
            self.tally.add(word, *count);
        }
        self.retried += u64::from(1 < response.attempts.len());
        let nanos = u64::try_from((ended - started).as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos);
        let peer = response.peer.map(|peer| peer.addr);
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

    /// How many calls there were in a second, of those that succeeded.
    pub(crate) fn calls_per_second(&self) -> f64 {
        let seconds = self.elapsed().as_secs_f64();
        if seconds == 0.0 { 0.0 } else { self.calls() as f64 / seconds }
    }
}

/// How many failures are told in full.
const FAILURES_SHOWN: usize = 3;

/// Ten minutes, which is longer than any call may take.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;
