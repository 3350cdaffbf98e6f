//! Whether a rolling restart loses a call, and how long each node takes to end.

use std::process::ExitCode;
use std::time::Instant;

use crate::Error;
use crate::caller::Caller;
use crate::figures::{count_of, grouped, time};
use crate::measure::distribution;
use crate::measure::load::Load;
use crate::options::Rolls;
use crate::processes::Nodes;
use crate::progress::say;

/// Ends one node after the other in good order under load, each time starts it again at the same
/// address, and waits until all see each other. Prints the times, and what became of the calls.
pub(crate) async fn rolls(options: &Rolls) -> Result<ExitCode, Error> {
    let count = options.nodes as usize;
    let mut nodes = Nodes::start(count).await?;
    let caller = Caller::join(nodes.a_live_one(), count).await?;
    let load = Load::start(&caller, options.in_flight, u64::MAX);
    let started = Instant::now();
    let mut times = Vec::new();
    for round in 1..=options.rounds {
        for index in 0..count {
            let took = nodes.restart(index).await?;
            nodes.see(count).await?;
            caller.sees(count).await?;
            say(&format!("{round:>4}: node {} ended in {}", index + 1, time(took)));
            times.push(took);
        }
    }
    load.stop();
    let done = load.done().await?;
    let rounds = count_of(options.rounds, "rolling restart");
    println!("{rounds} of {count} nodes in {}", time(started.elapsed()));
    println!("  until a node had ended: {}", distribution(times));
    let answered = done.answered.values().sum();
    let counts = [answered, done.retried, done.failed].map(grouped);
    println!("  {} calls answered, {} of them retried, {} failed", counts[0], counts[1], counts[2]);
    nodes.stop().await?;
    Ok(if done.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
