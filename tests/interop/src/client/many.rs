//! The cases of many calls.

use std::time::{Duration, Instant};

use broach_core::Code;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::client::caller::{Ask, Caller, Failed};
use crate::client::unary::{expect, large_ask};

/// One large call after the other, each of which is quick.
pub(crate) async fn soak(caller: &Caller, count: u64) -> Result<(), String> {
    for call in 0..count {
        let begun = Instant::now();
        caller
            .unary(large_ask())
            .await
            .map_err(|failed| format!("call {call}: {}", failed.text()))?;
        let took = begun.elapsed();
        if SOAK_MAX < took {
            return Err(format!("call {call} took {took:?}"));
        }
    }
    Ok(())
}

/// Large calls, all at once.
pub(crate) async fn concurrent(caller: &Caller, count: u64) -> Result<(), String> {
    let mut calls: FuturesUnordered<_> = (0..count).map(|_| caller.unary(large_ask())).collect();
    let (mut failures, mut first) = (0, None);
    while let Some(result) = calls.next().await {
        if let Err(failed) = result {
            failures += 1;
            first.get_or_insert_with(|| Failed::text(failed));
        }
    }
    match first {
        None => Ok(()),
        Some(first) => Err(format!("{failures} of {count} calls failed, the first with {first}")),
    }
}

/// Calls that cannot end in time, all at once: each ends soon after its deadline, and the servers
/// can be called right after.
pub(crate) async fn all_time_out(caller: &Caller, count: u64) -> Result<(), String> {
    let ask = || Ask { sleep_ms: 2_000, timeout: Some(SHORT), ..Ask::default() };
    let mut calls: FuturesUnordered<_> = (0..count)
        .map(|_| async {
            let begun = Instant::now();
            let result = expect(caller.unary(ask()).await, Code::DeadlineExceeded);
            (result, begun.elapsed())
        })
        .collect();
    let mut problem = None;
    while let Some((result, took)) = calls.next().await {
        if let Err(text) = result {
            problem.get_or_insert(text);
        }
        if SHORT + LATE_MAX < took {
            problem.get_or_insert_with(|| format!("a call took {took:?}"));
        }
    }
    for _ in 0..caller.servers() {
        if let Err(failed) = caller.unary(Ask::default()).await {
            problem.get_or_insert_with(|| format!("after that, a call failed: {}", failed.text()));
        }
    }
    problem.map_or(Ok(()), Err)
}

/// A single large call takes no longer than this.
const SOAK_MAX: Duration = Duration::from_secs(1);

/// What a call has that cannot end within it.
const SHORT: Duration = Duration::from_millis(200);

/// How long after its deadline a call may end.
pub(crate) const LATE_MAX: Duration = Duration::from_millis(500);
