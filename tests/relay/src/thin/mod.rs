//! A thin link between two network namespaces, and what Broach makes of it.

mod load;
mod namespaces;
mod serve;
mod tcp;

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) use load::call;
pub(crate) use serve::serve;

use crate::Error;
use crate::cli::{Thin, ThinCall};
use namespaces::{CLIENT, Link, SERVER, SERVER_IP};

/// Sets up the link, measures, prints what came of it, and takes everything down again.
///
/// # Errors
///
/// If the link cannot be set up, which takes root, or something on it fails.
pub(crate) async fn run(options: Thin) -> Result<ExitCode, Error> {
    let link = Link::set_up(&options).await?;
    // The link is taken down also if a signal ends this.
    let result = tokio::select! {
        result = measure(&options, &link) => result,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    link.take_down().await;
    result
}

async fn measure(options: &Thin, link: &Link) -> Result<ExitCode, Error> {
    let (_server, broach, tcp) = start_server().await?;
    let call = |broach_flows: usize, tcp_flows: usize, small: bool, burst: usize| ThinCall {
        broach: broach.clone(),
        tcp: tcp.clone(),
        broach_flows,
        tcp_flows,
        tcp_congestion: options.tcp.clone(),
        small,
        burst,
        seconds: options.seconds,
    };
    println!("{} Mbit/s each way, a queue of {} ms", options.rate_mbit, options.queue_ms);
    let mut goals = Goals::new(options);

    let alone = ask(&call(0, 0, true, 0)).await?;
    println!("small calls alone: {}", alone.latency());

    let before = link.dropped().await?;
    let bulk = ask(&call(1, 0, true, 0)).await?;
    let dropped = (link.dropped().await? - before).share();
    println!("bulk: {} of the link", goals.share(bulk.flows[0]));
    println!("  small calls beside it: {}", bulk.latency());
    println!("  dropped by the queue: {dropped:.2} %");
    goals.at_least("bulk's share of the link", 80.0, goals.percent(bulk.flows[0]));
    let wait = alone.p50_ms + options.queue_ms as f64 + 20.0;
    goals.at_most("p99 of small calls beside bulk, in ms", wait, bulk.p99_ms);
    goals.at_most("percent dropped", 2.0, dropped);

    let two = ask(&call(2, 0, false, 0)).await?;
    let sum: f64 = two.flows.iter().sum();
    let first = 100.0 * two.flows[0] / sum;
    println!("two flows: {} of the link, of which the first {first:.1} %", goals.share(sum));
    goals.at_least("share of the first of two flows", 40.0, first);
    goals.at_most("share of the first of two flows", 60.0, first);

    let tcp = ask(&call(0, 1, true, 0)).await?;
    println!("a flow of TCP ({}) alone: {} of the link", options.tcp, goals.share(tcp.flows[0]));
    println!("  small calls beside it: {}", tcp.latency());

    let both = ask(&call(1, 1, false, 0)).await?;
    let (ours, theirs) = (both.flows[0], both.flows[1]);
    println!("beside a flow of TCP: {}, and TCP {}", goals.share(ours), goals.share(theirs));
    goals.at_least("share of a flow of TCP beside Broach", 25.0, goals.percent(theirs));

    let burst = ask(&call(0, 0, false, 1_000)).await?;
    println!("1,000 small calls at once: {}", burst.latency());
    goals.at_most("p99 of many small calls at once, in ms", 200.0, burst.p99_ms);
    let failed = [&alone, &bulk, &tcp, &burst].iter().map(|report| report.failed).sum::<u64>();
    goals.at_most("calls that failed", 0.0, failed as f64);
    Ok(goals.conclude())
}

/// What is to be reached, and what has not been.
struct Goals {
    bits_per_s: f64,
    missed: Vec<String>,
}

impl Goals {
    const fn new(options: &Thin) -> Self {
        Self { bits_per_s: options.rate_mbit * 1e6, missed: Vec::new() }
    }

    fn percent(&self, bits_per_s: f64) -> f64 {
        100.0 * bits_per_s / self.bits_per_s
    }

    fn share(&self, bits_per_s: f64) -> String {
        format!("{:.1} %", self.percent(bits_per_s))
    }

    fn at_least(&mut self, what: &str, least: f64, is: f64) {
        if is.is_nan() || is < least {
            self.missed.push(format!("{what}: {is:.1}, at least {least:.1} is the goal"));
        }
    }

    fn at_most(&mut self, what: &str, most: f64, is: f64) {
        if is.is_nan() || most < is {
            self.missed.push(format!("{what}: {is:.1}, at most {most:.1} is the goal"));
        }
    }

    fn conclude(self) -> ExitCode {
        if self.missed.is_empty() {
            println!("every goal was reached");
            return ExitCode::SUCCESS;
        }
        self.missed.iter().for_each(|missed| println!("MISSED {missed}"));
        ExitCode::FAILURE
    }
}

/// What a client reports.
struct Report {
    /// Bits a second of each flow; those of Broach come first.
    flows: Vec<f64>,
    /// Of small calls.
    p50_ms: f64,
    p99_ms: f64,
    calls: u64,
    failed: u64,
}

impl Report {
    fn latency(&self) -> String {
        let Self { p50_ms, p99_ms, calls, failed, .. } = self;
        format!("p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, {calls} calls, {failed} failed")
    }
}

/// Starts the server in its namespace; gives its addresses for Broach and for TCP.
async fn start_server() -> Result<(Child, String, String), Error> {
    let mut command = inside(SERVER)?;
    command.args(["thin-serve", SERVER_IP]);
    started(command).await
}

/// Starts this program as a server, and waits until it serves.
///
/// # Errors
///
/// If it does not start.
pub(crate) async fn started(mut command: Command) -> Result<(Child, String, String), Error> {
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let stdout = child.stdout.take().ok_or("the server has no output")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    let line = line.ok_or("the server did not start")?;
    let addrs = line.strip_prefix("READY ").and_then(|rest| rest.split_once(' '));
    let (broach, tcp) = addrs.ok_or("the server did not start")?;
    Ok((child, broach.to_owned(), tcp.to_owned()))
}

/// Runs a client in its namespace.
async fn ask(call: &ThinCall) -> Result<Report, Error> {
    let mut command = inside(CLIENT)?;
    command.arg("thin-call").args(call.to_args()).kill_on_drop(true);
    let patience = Duration::from_secs_f64(call.seconds) + PATIENCE;
    let output = tokio::time::timeout(patience, command.stderr(Stdio::inherit()).output()).await;
    let output = output.map_err(|_| "the client did not end")??;
    if !output.status.success() {
        return Err(format!("the client ended with {}", output.status).into());
    }
    let value: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| value[name].as_f64().unwrap_or_default();
    let flows = value["bits_per_s"].as_array().map(Vec::as_slice).unwrap_or_default();
    let flows: Vec<f64> = flows.iter().filter_map(Value::as_f64).collect();
    if flows.len() < call.broach_flows + call.tcp_flows {
        return Err(format!("the client said {value}").into());
    }
    Ok(Report {
        flows,
        p50_ms: number("p50_ms"),
        p99_ms: number("p99_ms"),
        calls: value["calls"].as_u64().unwrap_or_default(),
        failed: value["failed"].as_u64().unwrap_or_default(),
    })
}

/// This program, in a namespace.
fn inside(namespace: &str) -> Result<Command, Error> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(std::env::current_exe()?);
    command.stdin(Stdio::null());
    Ok(command)
}

/// How much longer than it is told to a client may take.
const PATIENCE: Duration = Duration::from_secs(30);
