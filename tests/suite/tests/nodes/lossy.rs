//! Whole nodes on networks that lose, repeat, reorder and damage datagrams.

use std::time::Duration;

use broach_core::testing::{Faults, History, Struck, TraceHash};
use broach_core::{Channel, Code, Node, Outcome, Status};
use broach_tests::broach::testing::v1::{EchoReply, ProbeClient};
use broach_tests::requests::{call_in_the_end, echo_bytes};
use broach_tests::{Probe, World, faults, for_seeds, millis, secs};
use tokio::task::JoinSet;

#[test]
fn every_promise_is_kept_on_a_bad_network() {
    let runs = for_seeds(0..30, |world| async move {
        let network = faults(|faults| {
            // From 10 to 30 %, in runs or one by one.
            faults.loss = 0.1 + 0.2 * (world.seed % 10) as f64 / 9.0;
            faults.burst = 1.0 + (world.seed % 3) as f64;
            (faults.duplicate, faults.corrupt, faults.truncate) = (0.1, 0.03, 0.02);
            (faults.late, faults.late_by) = (0.01, secs(30));
            (faults.delay, faults.jitter) = (millis(1 + world.seed % 20), millis(10));
        });
        let run = run(&world, network).await;
        let Run { history, struck, nodes, channels, .. } = run;
        assert_eq!(history.judge(millis(3)), []);
        world.network.set_faults(faults(|_| {}));
        for channel in &channels {
            call_in_the_end(channel).await;
        }
        world.end((nodes, channels)).await;
        (history, struck)
    });
    for (_, struck) in &runs {
        let Struck { lost, duplicated, corrupted, truncated, late, .. } = *struck;
        assert!(0 < lost && 0 < duplicated && 0 < corrupted + truncated + late, "{struck:?}");
    }
    // The network may cost a call here and there, no more.
    let calls: usize = runs.iter().map(|(history, _)| history.calls()).sum();
    let replies: usize = runs.iter().map(|(history, _)| history.replies()).sum();
    assert!(calls * 99 / 100 <= replies, "{replies} replies to {calls} calls");
}

#[test]
fn every_promise_is_kept_whatever_the_seed_draws() {
    for_seeds(100..130, |world| async move {
        let run = run(&world, Faults::drawn(world.seed)).await;
        assert_eq!(run.history.judge(millis(3)), []);
        world.end((run.nodes, run.channels)).await;
    });
}

#[test]
fn what_is_certain_without_crashes_is_not_in_doubt() {
    // With time enough, losses alone leave nothing open.
    for_seeds(200..210, |world| async move {
        let network = faults(|faults| (faults.loss, faults.jitter) = (0.2, millis(5)));
        let Run { history, nodes, channels, struck, .. } = run(&world, network).await;
        assert!(0 < struck.lost);
        assert_eq!(history.judge(millis(3)), []);
        let in_doubt = |((code, outcome), _): &((Code, Outcome), usize)| {
            *outcome == Outcome::Unknown && *code != Code::DeadlineExceeded
        };
        let failures = history.failures();
        assert!(!failures.clone().into_iter().any(|failure| in_doubt(&failure)), "{failures:?}");
        world.end((nodes, channels)).await;
    });
}

#[test]
fn one_seed_gives_one_run() {
    let digest = |seed: u64| {
        let values = for_seeds([seed], |world| async move {
            let run = run(&world, Faults::drawn(seed)).await;
            let value = (run.trace.digest(), run.trace.events());
            world.end((run.nodes, run.channels)).await;
            value
        });
        values[0]
    };
    for seed in [3, 4, 5] {
        let first = digest(seed);
        assert!(4_000 < first.1, "{} events", first.1);
        assert_eq!(first, digest(seed), "seed {seed}");
    }
    assert_ne!(digest(3), digest(4));
}

/// What came of calls on a bad network.
struct Run {
    history: History,
    struck: Struck,
    trace: TraceHash,
    nodes: Vec<Node>,
    channels: Vec<Channel>,
}

/// Two callers, of whom one knows a node and the other one all three, make calls of all sizes.
async fn run(world: &World, network: Faults) -> Run {
    let (probe, trace) = (Probe::new(), TraceHash::new());
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let label = format!("node {number}");
        let node = world.node(number).observe(trace.of(&label)).serve(probe.server());
        nodes.push(node.start().await.unwrap());
    }
    world.network.set_faults(network);
    let one = world.caller(8).observe(trace.of("one")).connect(World::addr(1)).await.unwrap();
    let all = world.caller(9).observe(trace.of("all")).list([1, 2, 3].map(World::addr)).await;
    let channels = vec![one, all.unwrap()];
    let mut calls = JoinSet::new();
    for token in 0..200 {
        let channel = channels[(token % 2) as usize].clone();
        calls.spawn(call(channel, token, world.elapsed()));
        if token % 5 == 4 {
            tokio::time::sleep(millis(7)).await;
        }
    }
    let mut history = History::new();
    for (token, begun, ended, result) in calls.join_all().await {
        history.call(token, is_idempotent(token), begun + TIMEOUT);
        match result {
            Ok(reply) => {
                let right = reply.payload == echo_bytes(token, bytes(token)).payload;
                history.replied(token, ended, right && reply.token == token);
            }
            Err(status) => history.failed(token, ended, status.code(), status.outcome()),
        }
    }
    // Late copies arrive now, and nothing may come of them.
    tokio::time::sleep(secs(61)).await;
    for seen in probe.seen() {
        history.execution(seen.token, seen.time_left == Some(Duration::ZERO));
    }
    Run { history, struck: world.network.struck(), trace, nodes, channels }
}

async fn call(
    channel: Channel,
    token: u64,
    begun: Duration,
) -> (u64, Duration, Duration, Result<EchoReply, Status>) {
    let client = ProbeClient::new(channel);
    let started = tokio::time::Instant::now();
    let request = echo_bytes(token, bytes(token));
    let result = match is_idempotent(token) {
        true => client.echo_again(request).timeout(TIMEOUT).await,
        false => client.echo(request).timeout(TIMEOUT).await,
    };
    (token, begun, begun + started.elapsed(), result)
}

const fn is_idempotent(token: u64) -> bool {
    token.is_multiple_of(3)
}

/// From nothing to more than a dozen datagrams.
const fn bytes(token: u64) -> usize {
    match token % 20 {
        0 => 0,
        1..16 => (token * 7) as usize,
        16..19 => 1_100 + token as usize,
        _ => 20_000,
    }
}

const TIMEOUT: Duration = secs(10);
