//! How soon no call goes to a node that was killed, and how soon all others call it dead.

use std::process::ExitCode;
use std::time::Duration;

use crate::Error;
use crate::caller::Caller;
use crate::figures::{count_of, grouped, time};
use crate::measure::distribution;
use crate::measure::load::Load;
use crate::options::Kills;
use crate::processes::{Killed, Nodes, Noticed};
use crate::progress::say;

/// Kills one node after the other under load, each time waits until all others call it dead, and
/// replaces it. Prints the times.
pub(crate) async fn kills(options: &Kills) -> Result<ExitCode, Error> {
    let count = options.nodes as usize;
    let mut nodes = Nodes::start(count).await?;
    let seed = nodes.a_live_one();
    let caller = match options.client_only {
        true => Caller::join_as_client(seed, count).await?,
        false => Caller::join(seed, count).await?,
    };
    let load = Load::start(&caller, options.in_flight, u64::MAX);
    let (mut sent, mut dead) = (Vec::new(), Vec::new());
    // The oldest of those that live, in turn; so each will have been there for a while.
    for index in 0..options.count as usize {
        let killed = nodes.kill(index).await?;
        let all = all_noticed(&nodes.notice(killed, PATIENCE).await, killed);
        nodes.add().await?;
        nodes.see(count).await?;
        caller.sees(count).await?;
        // Only now, because until the caller has heard of it, it may try the dead node again.
        let last = caller.last_attempt(nodes.addr(index));
        let last = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(killed.at));
        let called = all.map_or_else(|| format!("not within {}", time(PATIENCE)), time);
        say(&format!("{:>4}: last call to it {}, called dead {called}", index + 1, time(last)));
        sent.push(last);
        dead.extend(all);
    }
    load.stop();
    let done = load.done().await?;
    println!("{} killed, one after the other, of {count}", count_of(options.count, "node"));
    println!("  until the last call went there: {}", distribution(sent));
    let late = options.count as usize - dead.len();
    println!("  until all other nodes called it dead: {}", distribution(dead));
    println!("  not called dead by all within {}: {late}", time(PATIENCE));
    let answered = done.answered.values().sum();
    let counts = [answered, done.retried, done.failed].map(grouped);
    println!("  {} calls answered, {} of them retried, {} failed", counts[0], counts[1], counts[2]);
    nodes.stop().await?;
    Ok(if done.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How long it took until all had noticed, if they did.
fn all_noticed(noticed: &[Noticed], killed: Killed) -> Option<Duration> {
    let times = noticed.iter().map(|noticed| Some(noticed.at? - killed.at));
    times.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// How long the others have.
const PATIENCE: Duration = Duration::from_secs(30);
