//! [`Load`]: calls that go on while other things happen, and what came of each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broach_core::Status;
use broach_core::testing::{History, Violation};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::broach::testing::v1::ProbeClient;
use crate::requests::sleep;
use crate::{Cluster, Probe, millis};

/// Calls that go on and on, every other one of them idempotent, and what came of them. Clones are
/// the same load.
#[derive(Clone, Debug)]
pub struct Load(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    state: Mutex<State>,
    /// Whether it goes on, and how many calls are under way.
    under_way: watch::Sender<(bool, usize)>,
    /// How long each handler takes, in milliseconds.
    takes: u64,
    timeout: Duration,
}

#[derive(Debug, Default)]
struct State {
    history: History,
    calls: u64,
    failures: BTreeMap<u64, Status>,
    /// The longest that a call has taken.
    slowest: Duration,
}

impl Load {
    /// Calls whose handlers take so long and that may take so long.
    pub fn new(takes: u64, timeout: Duration) -> Self {
        let under_way = watch::Sender::new((true, 0));
        let state = Mutex::default();
        Self(Arc::new(Inner { begun: Instant::now(), state, under_way, takes, timeout }))
    }

    /// Makes calls through this client from now on, so often, until the load stops or the handle
    /// is used.
    pub fn begin(&self, client: ProbeClient, every: Duration) -> AbortHandle {
        let this = self.clone();
        let task = tokio::spawn(async move {
            while this.0.under_way.borrow().0 {
                this.call(client.clone());
                tokio::time::sleep(every).await;
            }
        });
        task.abort_handle()
    }

    /// Makes one call.
    pub fn call(&self, client: ProbeClient) {
        let (token, idempotent) = {
            let mut state = self.lock();
            state.calls += 1;
            let (token, idempotent) = (state.calls, is_idempotent(state.calls));
            state.history.call(token, idempotent, self.0.begun.elapsed() + self.0.timeout);
            (token, idempotent)
        };
        self.0.under_way.send_modify(|(_, count)| *count += 1);
        let request = sleep(token, self.0.takes);
        let call = match idempotent {
            true => client.sleep_again(request),
            false => client.sleep(request),
        };
        let (this, began) = (self.clone(), Instant::now());
        tokio::spawn(async move {
            let result = call.timeout(this.0.timeout).await;
            this.end(token, result.err(), began.elapsed());
        });
    }

    fn end(&self, token: u64, failed: Option<Status>, took: Duration) {
        {
            let (at, mut state) = (self.0.begun.elapsed(), self.lock());
            state.slowest = state.slowest.max(took);
            match failed {
                None => state.history.replied(token, at, true),
                Some(status) => {
                    state.history.failed(token, at, status.code(), status.outcome());
                    state.failures.insert(token, status);
                }
            }
        }
        self.0.under_way.send_modify(|(_, count)| *count -= 1);
    }

    /// No more calls are made; waits until all have ended.
    ///
    /// # Panics
    ///
    /// If they do not end.
    pub async fn stop(&self) {
        self.0.under_way.send_modify(|(goes_on, _)| *goes_on = false);
        let mut under_way = self.0.under_way.subscribe();
        let ended = under_way.wait_for(|(_, count)| *count == 0);
        let ended = tokio::time::timeout(self.0.timeout + millis(500), ended).await;
        ended.expect("every call ends").expect("the load is still there");
    }

    /// How many calls have been made.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// The calls that have failed, by their tokens.
    pub fn failures(&self) -> BTreeMap<u64, Status> {
        self.lock().failures.clone()
    }

    /// Those of them that might have run twice, and whose caller has not ended.
    pub fn failed_for_nothing(&self) -> Vec<Status> {
        let here = |status: &Status| status.message().starts_with("this node");
        let failures = self.failures().into_iter();
        let failures = failures.filter(|(token, status)| is_idempotent(*token) && !here(status));
        failures.map(|(_, status)| status).collect()
    }

    /// The longest that a call has taken.
    pub fn slowest(&self) -> Duration {
        self.lock().slowest
    }

    /// What is wrong with the calls, given what the handlers of the cluster saw. To be asked once
    /// all have ended.
    pub fn judge(&self, cluster: &Cluster) -> Vec<Violation> {
        let mut history = self.lock().history.clone();
        for seen in cluster.probes().flat_map(Probe::seen) {
            let expired = seen.time_left.is_some_and(|left| left.is_zero());
            history.execution(seen.token, expired);
        }
        history.judge(millis(5))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn is_idempotent(token: u64) -> bool {
    token.is_multiple_of(2)
}
