//! [`Load`]: calls that are made all the time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::task::JoinSet;

use crate::Error;
use crate::caller::Caller;
use crate::progress::say;
use crate::wordcount::v1::{CountRequest, WordCountClient};

/// A number of workers, each of which makes one call after the other.
#[derive(Debug)]
pub(crate) struct Load {
    left: Arc<AtomicU64>,
    workers: JoinSet<Done>,
}

/// What calls have come to.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// By the node that answered.
    pub(crate) answered: BTreeMap<SocketAddr, u64>,
    /// Calls that were answered, but not at the first attempt.
    pub(crate) retried: u64,
    pub(crate) failed: u64,
}

impl Load {
    /// Begins to make so many calls.
    pub(crate) fn start(caller: &Caller, in_flight: u64, calls: u64) -> Self {
        let left = Arc::new(AtomicU64::new(calls));
        let mut workers = JoinSet::new();
        for _ in 0..in_flight {
            workers.spawn(work(caller.client(), Arc::clone(&left)));
        }
        Self { left, workers }
    }

    /// Begins no more calls.
    pub(crate) fn stop(&self) {
        self.left.store(0, Relaxed);
    }

    /// Waits until all calls have ended.
    ///
    /// # Errors
    ///
    /// If a worker panics.
    pub(crate) async fn done(mut self) -> Result<Done, Error> {
        let mut all = Done::default();
        while let Some(done) = self.workers.join_next().await {
            let Done { answered, retried, failed } = done?;
            all.retried += retried;
            all.failed += failed;
            for (addr, calls) in answered {
                *all.answered.entry(addr).or_default() += calls;
            }
        }
        Ok(all)
    }
}

async fn work(client: WordCountClient, left: Arc<AtomicU64>) -> Done {
    let mut done = Done::default();
    while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
        match client.count(CountRequest { text: TEXT.to_owned() }).response().await {
            Ok(response) => {
                done.retried += u64::from(1 < response.attempts.len());
                if let Some(peer) = response.peer {
                    *done.answered.entry(peer.addr).or_default() += 1;
                }
            }
            Err(status) => {
                say(&format!("{status:#}"));
                done.failed += 1;
            }
        }
    }
    done
}

/// Short, so that there are many calls.
const TEXT: &str = "It was the best of times, it was the worst of times";
