//! Latencies from many tasks, and what they come to.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Error;
use crate::harness::cpu_time;

/// Collects how long calls take; those that end outside of the window do not count.
pub(crate) struct Meter {
    phase: AtomicU8,
    shards: Vec<Mutex<Histogram<u64>>>,
    errors: AtomicU64,
}

/// What was measured: calls that succeeded within the window, and processor time per such call.
pub(crate) struct Figures {
    pub(crate) calls_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) client_cpu_us: Option<f64>,
    pub(crate) server_cpu_us: Option<f64>,
    pub(crate) errors: u64,
}

const WARMUP: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

/// Threads seldom meet at the same histogram.
const SHARDS: usize = 16;

thread_local! {
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Relaxed) % SHARDS
    };
}

impl Meter {
    pub(crate) fn shared() -> Arc<Self> {
        let shard = || {
            Mutex::new(Histogram::new_with_max(60_000_000_000, 3).expect("3 digits are allowed"))
        };
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Arc::new(Self { phase: AtomicU8::new(WARMUP), shards, errors: AtomicU64::new(0) })
    }

    pub(crate) fn stopped(&self) -> bool {
        self.phase.load(Relaxed) == STOP
    }

    /// A call that was begun then has succeeded.
    pub(crate) fn record(&self, started: Instant) {
        if self.phase.load(Relaxed) == MEASURE {
            let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let shard = &self.shards[SHARD.with(|&shard| shard)];
            shard.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanos.max(1));
        }
    }

    /// A call has failed.
    pub(crate) fn fail(&self) {
        if self.phase.load(Relaxed) == MEASURE {
            self.errors.fetch_add(1, Relaxed);
        }
    }

    /// Lets others call for a warm-up and the window, and sums up.
    pub(crate) fn run(
        &self,
        server: u32,
        warmup: Duration,
        window: Duration,
    ) -> Result<Figures, Error> {
        let client = std::process::id();
        std::thread::sleep(warmup);
        let before = [cpu_time(server)?, cpu_time(client)?];
        let started = Instant::now();
        self.phase.store(MEASURE, Relaxed);
        std::thread::sleep(window);
        self.phase.store(STOP, Relaxed);
        let wall = started.elapsed();
        let after = [cpu_time(server)?, cpu_time(client)?];
        let mut all = Histogram::<u64>::new(3)?;
        for shard in &self.shards {
            all.add(&*shard.lock().unwrap_or_else(PoisonError::into_inner))?;
        }
        let micros = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
        let per_call = |process: usize| match all.len() {
            0 => None,
            calls => {
                let used = after[process]? - before[process]?;
                Some(used.as_secs_f64() * 1e6 / calls as f64)
            }
        };
        Ok(Figures {
            calls_per_s: all.len() as f64 / wall.as_secs_f64(),
            p50_us: micros(0.5),
            p90_us: micros(0.9),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            client_cpu_us: per_call(1),
            server_cpu_us: per_call(0),
            errors: self.errors.load(Relaxed),
        })
    }
}
