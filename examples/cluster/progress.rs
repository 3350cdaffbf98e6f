//! [`Progress`]: how far the run is, on standard error while it lasts.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::figures::grouped;
use crate::processes::Killed;
use crate::results::{Newcomer, Results};
use crate::timeline::bar;

/// One line that changes, on a terminal; elsewhere a line every few seconds.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    estimate: Estimate,
    /// What was shown last: when, and the calls of each node up to then.
    before: (Instant, Vec<u64>),
}

/// How much of the run is done, as far as can be told before it is over.
#[derive(Debug)]
struct Estimate {
    time: Duration,
    chunks: usize,
    /// It never goes back.
    fraction: f64,
}

impl Progress {
    pub(crate) fn new(time: Duration, chunks: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(BAR_MAX), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{percent:>3} % [{bar:25}] {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        let before = (Instant::now(), Vec::new());
        Self { bar, estimate: Estimate { time, chunks, fraction: 0.0 }, before }
    }

    /// How often it should be shown.
    pub(crate) fn period(&self) -> Duration {
        if self.bar.is_hidden() { LINE_PERIOD } else { BAR_PERIOD }
    }

    /// Shows how far the run is, of which so many passes have been begun.
    pub(crate) fn show(&mut self, results: &Results, passes: u64) {
        let now = Instant::now();
        let elapsed = now - results.started;
        let calls: Vec<u64> = results.nodes.iter().map(|node| node.calls).collect();
        let (then, before) = std::mem::replace(&mut self.before, (now, calls.clone()));
        if before.is_empty() {
            // The run has only begun.
            return;
        }
        let fraction = self.estimate.at(elapsed, results.calls() + results.failed, passes);
        // Of a node that was not there before, all of them.
        let before = before.into_iter().chain(std::iter::repeat(0));
        let recent: Vec<u64> = calls.iter().zip(before).map(|(now, then)| now - then).collect();
        let rate = recent.iter().sum::<u64>() as f64 / (now - then).as_secs_f64();
        let killed = results.killed.map(|killed| killed.index);
        let status = format!(
            "{:>7} calls/s  nodes {}  {} failed",
            grouped(rate as u64),
            levels(&recent, killed),
            results.failed
        );
        if self.bar.is_hidden() {
            let (seconds, percent) = (elapsed.as_secs_f64(), fraction * 100.0);
            say(&format!("{seconds:>6.1} s  {percent:>3.0} %  {status}"));
        } else {
            self.bar.set_message(status);
            self.bar.set_position((fraction * BAR_MAX as f64) as u64);
        }
    }

    /// Says that a node was killed.
    pub(crate) fn announce_kill(&self, results: &Results, Killed { index, at }: Killed) {
        self.announce(results, at, "killed", index, " with SIGKILL");
    }

    /// Says that a node was started.
    pub(crate) fn announce_start(&self, results: &Results, Newcomer { index, at }: Newcomer) {
        self.announce(results, at, "started", index, "");
    }

    fn announce(&self, results: &Results, at: Instant, done: &str, index: usize, how: &str) {
        let seconds = (at - results.started).as_secs_f64();
        let addr = results.nodes[index].addr;
        let text = format!("{seconds:>6.1} s  {done} node {} ({addr}){how}", index + 1);
        match self.bar.is_hidden() {
            true => say(&text),
            false => self.bar.println(text),
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Estimate {
    /// The part of the run that is done: of as many whole passes as fill the time at the speed so
    /// far.
    fn at(&mut self, elapsed: Duration, calls: u64, begun: u64) -> f64 {
        let pass = self.chunks as f64;
        let passes = if elapsed < self.time && !elapsed.is_zero() {
            let pace = calls as f64 / elapsed.as_secs_f64();
            (pace * self.time.as_secs_f64() / pass).ceil().max(begun as f64)
        } else {
            begun as f64
        };
        let done = calls as f64 / (passes.max(1.0) * pass);
        self.fraction = self.fraction.max(done.min(1.0));
        self.fraction
    }
}

/// A line on standard error. If nobody reads it the run goes on all the same.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A bar for each node: how much it did of late, compared to the one that did most.
fn levels(recent: &[u64], killed: Option<usize>) -> String {
    let most = recent.iter().copied().max().unwrap_or_default();
    let level = |(index, &calls): (usize, &u64)| match bar(calls, most) {
        Some(bar) => bar,
        None if killed == Some(index) => 'x',
        None => '.',
    };
    recent.iter().enumerate().map(level).collect()
}

/// What the bar counts up to.
const BAR_MAX: u64 = 1000;

/// Five times a second looks alive and can still be read.
const BAR_PERIOD: Duration = Duration::from_millis(200);

const LINE_PERIOD: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(seconds: u64, chunks: usize) -> Estimate {
        Estimate { time: Duration::from_secs(seconds), chunks, fraction: 0.0 }
    }

    #[test]
    fn many_passes_are_half_done_after_half_of_the_time() {
        let mut estimate = estimate(20, 100);
        assert_eq!(estimate.at(Duration::ZERO, 0, 1), 0.0);
        assert_eq!(estimate.at(Duration::from_secs(10), 5_000, 51), 0.5);
        assert_eq!(estimate.at(Duration::from_secs(20), 10_000, 100), 1.0);
    }

    #[test]
    fn a_pass_that_takes_longer_than_the_time_is_the_whole() {
        let mut estimate = estimate(20, 100);
        assert_eq!(estimate.at(Duration::from_secs(10), 25, 1), 0.25);
        assert_eq!(estimate.at(Duration::from_secs(30), 75, 1), 0.75);
        assert_eq!(estimate.at(Duration::from_secs(40), 100, 1), 1.0);
    }

    #[test]
    fn what_is_done_stays_done() {
        let mut estimate = estimate(20, 100);
        assert_eq!(estimate.at(Duration::from_secs(10), 100, 1), 0.5);
        assert_eq!(estimate.at(Duration::from_secs(11), 111, 2), 0.5);
    }

    #[test]
    fn the_busiest_node_has_the_highest_bar() {
        assert_eq!(levels(&[8, 4, 1, 0, 0], Some(3)), "█▄▁x.");
        assert_eq!(levels(&[0, 0], None), "..");
        assert_eq!(levels(&[1_000, 1], Some(0)), "█▁");
    }
}
