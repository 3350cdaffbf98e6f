//! How evenly calls are shared out among equal nodes.

use std::process::ExitCode;
use std::time::Instant;

use crate::Error;
use crate::caller::Caller;
use crate::figures::{count_of, grouped, time};
use crate::measure::load::Load;
use crate::options::Shares;
use crate::processes::Nodes;

/// Makes calls, and prints what each node got of them.
pub(crate) async fn shares(options: &Shares) -> Result<ExitCode, Error> {
    let nodes = Nodes::start(options.nodes as usize).await?;
    let caller = Caller::join(nodes.a_live_one(), options.nodes as usize).await?;
    let started = Instant::now();
    let done = Load::start(&caller, options.in_flight, options.calls).done().await?;
    let took = started.elapsed();
    let fair = options.calls as f64 / options.nodes as f64;
    println!("{} in {}", count_of(options.calls, "call"), time(took));
    let mut worst: f64 = 0.0;
    for (index, addr) in nodes.addrs().iter().enumerate() {
        let calls = done.answered.get(addr).copied().unwrap_or_default();
        let off = (calls as f64 / fair - 1.0) * 100.0;
        worst = worst.max(off.abs());
        println!("  node {}: {:>11}, {off:+.1} % of a fair share", index + 1, grouped(calls));
    }
    let [retried, failed] = [done.retried, done.failed].map(grouped);
    println!("furthest from fair: {worst:.1} %; {retried} retried, {failed} failed");
    nodes.stop().await?;
    Ok(if done.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
