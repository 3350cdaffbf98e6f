//! [`Chart`]: who has answered how many calls, as bars.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// What came of some calls.
pub(crate) struct Chart {
    /// How many each node has answered.
    answered: Vec<u64>,
    /// In microseconds.
    took: Histogram<u64>,
}

impl Chart {
    pub(crate) fn new(nodes: usize) -> Self {
        let took = Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds are in order");
        Self { answered: vec![0; nodes], took }
    }

    /// A node has answered one more.
    pub(crate) fn add(&mut self, node: usize, took: Duration) {
        self.answered[node] += 1;
        self.took.saturating_record(took.as_micros() as u64);
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.answered.iter().sum::<u64>().max(1) as f64;
        for (number, &answered) in (1..).zip(&self.answered) {
            let share = answered as f64 / all;
            let bar = "█".repeat((share * WIDTH).round() as usize);
            let line = format!("  {number} {:>5.1} % {bar}", 100.0 * share);
            writeln!(f, "{}", line.trim_end())?;
        }
        let millis = |part| self.took.value_at_quantile(part) as f64 / 1_000.0;
        write!(f, "  p50 {:.1} ms, p99 {:.1} ms", millis(0.5), millis(0.99))
    }
}

/// Longer than the timeout of a call nothing takes.
const MICROS_MAX: u64 = 60_000_000;

/// How long a bar for all calls is.
const WIDTH: f64 = 60.0;
