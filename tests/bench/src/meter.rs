//! Latencies from many tasks, and what they come to.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Map, Value};

use crate::Error;
use crate::harness::cpu_time;

/// Collects how long calls take; those that end outside of the window do not count.
pub(crate) struct Meter {
    phase: AtomicU8,
    shards: Vec<Mutex<Histogram<u64>>>,
    errors: AtomicU64,
}

/// What was measured: calls that succeeded within the window.
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) calls_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

/// How long something took, and what processor time both processes used for it.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    client: Option<Duration>,
    server: Option<Duration>,
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

    /// Calls that have failed within the window.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// Lets others call for a warm-up and the window, which begins and ends with what `look` gives.
    pub(crate) fn run<T>(
        &self,
        server: u32,
        [warmup, window]: [Duration; 2],
        mut look: impl FnMut() -> Result<T, Error>,
    ) -> Result<(Spent, [T; 2]), Error> {
        let cpu = || Ok::<_, Error>([cpu_time(std::process::id())?, cpu_time(server)?]);
        std::thread::sleep(warmup);
        let first = look()?;
        let before = cpu()?;
        let started = Instant::now();
        self.phase.store(MEASURE, Relaxed);
        std::thread::sleep(window);
        self.phase.store(STOP, Relaxed);
        let wall = started.elapsed();
        let after = cpu()?;
        let used = |process: usize| Some(after[process]? - before[process]?);
        Ok((Spent { wall, client: used(0), server: used(1) }, [first, look()?]))
    }

    /// What all calls of the window come to.
    pub(crate) fn figures(&self, wall: Duration) -> Result<Figures, Error> {
        let mut all = Histogram::<u64>::new(3)?;
        for shard in &self.shards {
            all.add(&*shard.lock().unwrap_or_else(PoisonError::into_inner))?;
        }
        let micros = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Figures {
            calls: all.len(),
            calls_per_s: all.len() as f64 / wall.as_secs_f64(),
            p50_us: micros(0.5),
            p90_us: micros(0.9),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
        })
    }
}

impl Figures {
    /// Adds them to the line.
    pub(crate) fn write(&self, line: &mut Map<String, Value>) {
        line.insert("calls_per_s".into(), self.calls_per_s.into());
        line.insert("p50_us".into(), self.p50_us.into());
        line.insert("p90_us".into(), self.p90_us.into());
        line.insert("p99_us".into(), self.p99_us.into());
        line.insert("p999_us".into(), self.p999_us.into());
    }
}

impl Spent {
    /// Adds the processor time for each of so many things to the line.
    pub(crate) fn write(&self, line: &mut Map<String, Value>, count: u64) {
        let each = |used: Option<Duration>| match count {
            0 => None,
            _ => Some(used?.as_secs_f64() * 1e6 / count as f64),
        };
        line.insert("client_cpu_us".into(), each(self.client).into());
        line.insert("server_cpu_us".into(), each(self.server).into());
    }
}
