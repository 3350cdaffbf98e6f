//! [`Pacer`]: begins calls at their times, whatever became of those before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::WallClock;

/// When calls are to begin: the k-th at `start_us` + k / `rate`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) start_us: u64,
    pub(crate) rate: f64,
    pub(crate) calls: u64,
}

/// Begins calls at their times, from a thread of its own: the timers of the runtime are a
/// millisecond wide, and what its threads are busy with must not keep calls from beginning.
#[derive(Debug)]
pub(crate) struct Pacer {
    stopped: Arc<AtomicBool>,
    thread: Thread,
    begun: oneshot::Receiver<u64>,
}

impl Plan {
    /// When the k-th call is to begin.
    pub(crate) fn due_us(self, k: u64) -> u64 {
        self.start_us + (k as f64 * 1e6 / self.rate) as u64
    }
}

impl Pacer {
    /// Calls `begin` with the number of each call and its time, never before that.
    pub(crate) fn start(
        plan: Plan,
        clock: WallClock,
        begin: impl Fn(u64, u64) + Send + 'static,
    ) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let (tell, begun) = oneshot::channel();
        let stop = Arc::clone(&stopped);
        let handle = thread::spawn(move || {
            let mut k = 0;
            while k < plan.calls && wait_until(plan.due_us(k), clock, &stop) {
                begin(k, plan.due_us(k));
                k += 1;
            }
            // Nobody may want to know any more.
            let _ = tell.send(k);
        });
        Self { stopped, thread: handle.thread().clone(), begun }
    }

    /// Begins no more calls.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }

    /// Waits until the last call has begun; tells how many there were. To be awaited until it ends
    /// once.
    pub(crate) async fn begun(&mut self) -> u64 {
        (&mut self.begun).await.unwrap_or_default()
    }
}

/// Waits; tells whether to go on.
fn wait_until(due_us: u64, clock: WallClock, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = due_us.saturating_sub(clock.now_us());
        if left == 0 {
            return true;
        }
        thread::park_timeout(Duration::from_micros(left));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn times_do_not_drift() {
        let plan = Plan { start_us: 1_000_000, rate: 300.0, calls: 0 };
        assert_eq!(
            [0, 1, 2, 3, 300].map(|k| plan.due_us(k) - 1_000_000),
            [0, 3_333, 6_666, 10_000, 1_000_000]
        );
    }

    #[tokio::test]
    async fn no_call_begins_before_its_time_and_none_after_the_stop() {
        let clock = WallClock::start();
        let plan = Plan { start_us: clock.now_us() + 1_000, rate: 1_000.0, calls: 20 };
        let (tell, told) = mpsc::channel();
        let mut pacer = Pacer::start(plan, clock, move |k, due| {
            tell.send((k, due, clock.now_us())).unwrap();
        });
        let all: Vec<_> = told.iter().collect();
        assert!(all.iter().all(|&(k, due, now)| due == plan.due_us(k) && due <= now), "{all:?}");
        assert_eq!(pacer.begun().await, 20);
        let never = Plan { start_us: u64::MAX / 2, ..plan };
        let mut pacer = Pacer::start(never, clock, |_, _| {});
        pacer.stop();
        assert_eq!(pacer.begun().await, 0);
    }
}
