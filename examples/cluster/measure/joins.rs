//! How long nodes that are started at once take to see each other.

use std::process::ExitCode;
use std::time::Instant;

use crate::Error;
use crate::figures::time;
use crate::measure::distribution;
use crate::options::Joins;
use crate::processes::Nodes;
use crate::progress::say;

/// Starts and ends clusters, and prints how long they took to become whole: from before the first
/// process was started until the last of them saw all.
pub(crate) async fn joins(options: &Joins) -> Result<ExitCode, Error> {
    let mut times = Vec::new();
    for number in 1..=options.count {
        let started = Instant::now();
        let nodes = Nodes::start(options.nodes as usize).await?;
        let took = started.elapsed();
        nodes.stop().await?;
        say(&format!("{number:>4}: {}", time(took)));
        times.push(took);
    }
    println!("until all {} nodes see each other: {}", options.nodes, distribution(times));
    Ok(ExitCode::SUCCESS)
}
