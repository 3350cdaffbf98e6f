//! Simulations of the transport, of whole clusters, and of calls that fight for memory, over bad
//! networks, as many as one likes.
//!
//! ```text
//! cargo run --release -p broach-storm -- --seeds 0..1000
//! cargo run --release -p broach-storm -- --seeds 7..8 --calls 100000 --loss 0.1 --duplicate 0.05
//! cargo run --release -p broach-storm -- --bytes 1000000 --calls 100 --rate-mbit 10 --mtu 1232
//! cargo run --release -p broach-storm -- --cluster --seeds 0..1000
//! cargo run --release -p broach-storm -- --tangle --seeds 0..10000
//! ```
//!
//! Without any option about the network each seed draws its own faults, of every kind. Whatever is
//! found wrong is printed with its seed, and the seed alone brings it back.

mod clusters;
mod tangles;

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;

use broach_core::testing::{Report, Storm};
use broach_core::{Code, Outcome};
use clap::Parser;

/// Simulates nodes that call each other over a bad network, and judges what came of it.
#[derive(Parser)]
#[command(about)]
struct Cli {
    /// Which seeds to run: the first, and the one after the last.
    #[arg(long, default_value = "0..100", value_parser = seeds)]
    seeds: Range<u64>,
    /// Calls made with each seed.
    #[arg(long)]
    calls: Option<u64>,
    /// Bytes of the largest requests and replies.
    #[arg(long)]
    bytes: Option<usize>,
    /// The share of calls that stream their requests, their replies, or both.
    #[arg(long)]
    streaming: Option<f64>,
    /// Milliseconds that each call may take.
    #[arg(long)]
    deadline_ms: Option<u64>,
    /// Print the report of every seed.
    #[arg(long)]
    verbose: bool,
    /// Simulate whole nodes instead, which find each other by gossip and call each other while some
    /// of them crash, leave, join, stop or are cut off. Each seed draws everything, and is run
    /// twice: both runs must do the same.
    #[arg(long, conflicts_with_all = ["calls", "bytes", "streaming", "deadline_ms", "Network"])]
    cluster: bool,
    /// Simulate whole nodes with hardly any memory instead, whose calls of all shapes get into each
    /// other's way: large messages, slow readers, handlers that pass streams on or call back.
    /// Whoever reads or writes must come further within a minute.
    #[arg(
        long,
        conflicts_with_all = ["cluster", "calls", "bytes", "streaming", "deadline_ms", "Network"]
    )]
    tangle: bool,
    #[command(flatten)]
    network: Network,
}

/// The network and its nodes. Any of these options takes the place of all faults that seeds draw.
#[derive(clap::Args)]
struct Network {
    /// The share of datagrams that are lost, each way.
    #[arg(long)]
    loss: Option<f64>,
    /// The share of datagrams that arrive twice.
    #[arg(long)]
    duplicate: Option<f64>,
    /// Milliseconds by which datagrams may be late: evenly spread, so that they overtake each
    /// other.
    #[arg(long)]
    jitter_ms: Option<f64>,
    /// Milliseconds that every datagram takes at the least.
    #[arg(long)]
    delay_ms: Option<f64>,
    /// Megabits that each way carries in a second.
    #[arg(long)]
    rate_mbit: Option<f64>,
    /// Milliseconds that datagrams wait at most for their turn on such a way.
    #[arg(long)]
    queue_ms: Option<f64>,
    /// Milliseconds of waiting above which datagrams are marked with congestion experienced.
    #[arg(long)]
    mark_ms: Option<f64>,
    /// Bytes of the largest datagram that gets through; the narrowest path of IPv6 has 1232.
    #[arg(long)]
    mtu: Option<usize>,
    /// Seconds after which each server crashes and starts again, on average.
    #[arg(long)]
    crash_every: Option<f64>,
    /// The share of calls that may run twice.
    #[arg(long)]
    idempotent: Option<f64>,
}

impl Network {
    const fn is_given(&self) -> bool {
        let Self { loss, duplicate, jitter_ms, delay_ms, crash_every, idempotent, .. } = self;
        let Self { rate_mbit, queue_ms, mark_ms, mtu, .. } = self;
        loss.is_some()
            || duplicate.is_some()
            || jitter_ms.is_some()
            || delay_ms.is_some()
            || rate_mbit.is_some()
            || queue_ms.is_some()
            || mark_ms.is_some()
            || mtu.is_some()
            || crash_every.is_some()
            || idempotent.is_some()
    }
}

impl Cli {
    fn storm(&self, seed: u64) -> Storm {
        let mut storm = if self.network.is_given() { Storm::new(seed) } else { Storm::wild(seed) };
        let network = &self.network;
        let millis = |ms: f64| Duration::from_secs_f64(ms / 1_000.0);
        storm.calls = self.calls.unwrap_or(storm.calls);
        if let Some(bytes) = self.bytes {
            (storm.request_bytes, storm.reply_bytes) = (0..=bytes, 0..=bytes);
        }
        storm.streaming = self.streaming.unwrap_or(storm.streaming);
        storm.deadline = self.deadline_ms.map_or(storm.deadline, Duration::from_millis);
        storm.idempotent = network.idempotent.unwrap_or(storm.idempotent);
        let every = network.crash_every.map(Duration::from_secs_f64);
        storm.server_crash_every = every.or(storm.server_crash_every);
        let faults = &mut storm.faults;
        faults.loss = network.loss.unwrap_or(faults.loss);
        faults.duplicate = network.duplicate.unwrap_or(faults.duplicate);
        faults.jitter = network.jitter_ms.map_or(faults.jitter, millis);
        faults.delay = network.delay_ms.map_or(faults.delay, millis);
        let rate = network.rate_mbit.map(|megabits| (megabits * 125_000.0) as u64);
        faults.bytes_per_second = rate.or(faults.bytes_per_second);
        faults.queue = network.queue_ms.map_or(faults.queue, millis);
        faults.mark_above = network.mark_ms.map(millis).or(faults.mark_above);
        faults.mtu = network.mtu.unwrap_or(faults.mtu);
        storm
    }
}

/// What came of all seeds together.
#[derive(Default)]
struct Total {
    calls: usize,
    replies: usize,
    abandoned: usize,
    executions: usize,
    failures: BTreeMap<(Code, Outcome), usize>,
    bad: Vec<u64>,
}

impl Total {
    fn add(&mut self, report: Report) {
        self.calls += report.calls;
        self.replies += report.replies;
        self.abandoned += report.abandoned;
        self.executions += report.executions;
        if !report.is_good() {
            self.bad.push(report.seed);
        }
        for (kind, count) in report.failures {
            *self.failures.entry(kind).or_default() += count;
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.cluster {
        return clusters::run(cli.seeds, cli.verbose);
    }
    if cli.tangle {
        return tangles::run(cli.seeds, cli.verbose);
    }
    let mut total = Total::default();
    let started = std::time::Instant::now();
    for seed in cli.seeds.clone() {
        let report = cli.storm(seed).run();
        if cli.verbose || !report.is_good() {
            println!("{report}");
        }
        total.add(report);
    }
    let Total { calls, replies, abandoned, executions, failures, bad } = total;
    let (runs, share) = (cli.seeds.end - cli.seeds.start, 100.0 * replies as f64 / calls as f64);
    println!("{runs} runs in {:.1?}", started.elapsed());
    println!("{calls} calls, {replies} replies ({share:.3} %), {executions} handlers started");
    println!("  abandoned by their callers: {abandoned}");
    for ((code, outcome), count) in failures {
        println!("  {code} ({outcome}): {count}");
    }
    if bad.is_empty() {
        println!("every promise was kept");
        return ExitCode::SUCCESS;
    }
    println!("seeds in which something was wrong: {bad:?}");
    ExitCode::FAILURE
}

/// `first..end`.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parts = text.split_once("..").and_then(|(start, end)| {
        let range = start.parse().ok()?..end.parse().ok()?;
        (range.start < range.end).then_some(range)
    });
    parts.ok_or_else(|| "must be two numbers such as 0..100, the second above the first".to_owned())
}
