//! Nodes that die or fall silent while they are called through a list.

use std::time::Duration;

use broach_core::testing::History;
use broach_core::{Code, Outcome, Status};
use broach_tests::requests::{echo, sleep, wait};
use broach_tests::{Tap, World, millis, secs};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::list_channel::Three;

/// How a node ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// It says goodbye.
    Dropped,
    /// Nobody hears of it any more.
    Killed,
}

#[tokio::test(start_paused = true)]
async fn killing_a_node_fails_no_idempotent_call() {
    for end in [End::Dropped, End::Killed] {
        let (mut three, tap) = Three::with_tap_on_the_first().await;
        three.warm().await;
        let mut calls = JoinSet::new();
        for token in 1..=900 {
            calls.spawn(three.client().sleep_again(sleep(token, 30)));
            if token == 300 {
                three.end_first(end, &tap);
            }
            tokio::time::sleep(millis(2)).await;
        }
        for result in calls.join_all().await {
            result.unwrap_or_else(|status| panic!("{end:?}: {status:#}"));
        }
        assert!(100 < three.started()[0], "the node was called before it ended");
        let retried = three.world.watch(9).counters();
        assert!(retried.calls_started < retried.attempts_started, "calls were under way to it");
        three.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn killing_a_node_leaves_only_the_calls_in_flight_in_doubt() {
    for end in [End::Dropped, End::Killed] {
        let (mut three, tap) = Three::with_tap_on_the_first().await;
        three.warm().await;
        let (mut calls, mut in_flight) = (JoinSet::new(), 0);
        for token in 1..=900 {
            let call = three.client().sleep(sleep(token, 30)).timeout(secs(5));
            calls.spawn(async move { (token, call.await) });
            if token == 300 {
                in_flight = calls.len() - three.finished();
                three.end_first(end, &tap);
            }
            tokio::time::sleep(millis(2)).await;
        }
        let mut history = History::new();
        let mut in_doubt = 0;
        for (token, result) in calls.join_all().await {
            history.call(token, false, secs(3600));
            (0..three.started_for(token)).for_each(|_| history.execution(token, false));
            match result {
                Ok(_) => history.replied(token, Duration::ZERO, true),
                Err(status) => {
                    assert_eq!(status.outcome(), Outcome::Unknown, "{end:?}: {status:#}");
                    assert_eq!(status.attempts().len(), 1, "{end:?}: {status:#}");
                    in_doubt += 1;
                    history.failed(token, Duration::ZERO, status.code(), status.outcome());
                }
            }
        }
        assert_eq!(history.judge(Duration::ZERO), [], "{end:?}");
        // A node that says nothing more is called until it counts as silent: its turn comes every
        // 6 ms, and 300 ms are the least.
        let unheard = if end == End::Killed { 400 / 6 } else { 1 };
        assert!(0 < in_doubt && in_doubt <= in_flight + unheard, "{end:?}: {in_doubt} {in_flight}");
        three.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_passed_over_and_used_again_once_it_answers() {
    let three = Three::new().await;
    three.warm().await;
    three.world.network.stop(World::addr(1));
    // Whoever finds out goes elsewhere after a moment.
    for token in 0..3 {
        let begun = Instant::now();
        three.client().echo_again(echo(token)).await.unwrap();
        assert!(begun.elapsed() <= millis(500), "{:?}", begun.elapsed());
    }
    assert_eq!(three.world.watch(9).tally().silent, 1);
    // The others do not even try.
    let before = three.started();
    for token in 0..100 {
        let begun = Instant::now();
        three.client().echo_again(echo(token)).await.unwrap();
        assert!(begun.elapsed() <= millis(5), "{:?}", begun.elapsed());
    }
    let after = three.started();
    assert_eq!(before[0], after[0]);
    assert_eq!(after[1] + after[2] - before[1] - before[2], 100);
    three.world.network.resume(World::addr(1));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(three.world.watch(9).tally().heard, 1);
    let before = three.started();
    for token in 0..100 {
        three.client().echo_again(echo(token)).await.unwrap();
        tokio::time::sleep(millis(20)).await;
    }
    let share = three.started()[0] - before[0];
    assert!((25..=34).contains(&share), "{share} of 100 calls");
    three.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_run_waits_for_the_silent_node() {
    let three = Three::new().await;
    three.warm().await;
    let call = tokio::spawn(three.client().wait(wait(5)).timeout(secs(4)));
    three.probes[0].until(|probe| probe.running() == 1).await;
    three.world.network.stop(World::addr(1));
    tokio::time::sleep(secs(2)).await;
    assert!(!call.is_finished(), "it must not run twice, so it stays where it is");
    three.world.network.resume(World::addr(1));
    three.probes[0].release(1);
    call.await.unwrap().unwrap();
    assert_eq!(three.started_for(5), 1);
    three.end().await;
}

#[tokio::test(start_paused = true)]
async fn with_all_nodes_silent_calls_still_end_and_the_first_answer_counts() {
    let three = Three::new().await;
    three.warm().await;
    let addrs = [1, 2, 3].map(World::addr);
    addrs.iter().for_each(|&addr| three.world.network.stop(addr));
    let begun = Instant::now();
    let status: Status = three.client().echo(echo(1)).timeout(secs(3)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
    assert!(begun.elapsed() <= millis(3_010), "{:?}", begun.elapsed());
    three.world.network.resume(addrs[1]);
    tokio::time::sleep(secs(1)).await;
    for token in 10..20 {
        three.client().echo_again(echo(token)).timeout(secs(3)).await.unwrap();
    }
    addrs.iter().for_each(|&addr| three.world.network.resume(addr));
    tokio::time::sleep(secs(40)).await;
    let before = three.started();
    for token in 20..50 {
        three.client().echo(echo(token)).await.unwrap();
    }
    let after = three.started();
    assert!(before.iter().zip(after).all(|(before, after)| before + 9 <= after), "{after:?}");
    three.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_is_called_again() {
    let mut three = Three::new().await;
    three.warm().await;
    drop(three.nodes[0].take());
    for token in 0..30 {
        three.client().echo_again(echo(token)).await.unwrap();
    }
    let node = three.world.node(1).serve(three.probes[0].server()).start().await.unwrap();
    three.nodes[0] = Some(node);
    let before = three.started()[0];
    // A node that was silent is tried again after a while, and longer if it was more than once.
    for token in 0..300 {
        three.client().echo_again(echo(token)).await.unwrap();
        tokio::time::sleep(millis(100)).await;
    }
    assert!(50 <= three.started()[0] - before, "{:?}", three.started());
    three.end().await;
}

impl Three {
    /// The same, with a tap on what the first node sends.
    async fn with_tap_on_the_first() -> (Self, Tap) {
        let mut three = Self::new().await;
        drop(three.nodes[0].take());
        tokio::time::sleep(millis(10)).await;
        let tap = Tap::new(three.world.socket(1));
        let node = three.world.node_on(1, tap.clone()).serve(three.probes[0].server());
        three.nodes[0] = Some(node.start().await.unwrap());
        (three, tap)
    }

    fn end_first(&mut self, end: End, tap: &Tap) {
        if end == End::Killed {
            tap.let_pass(|_| false);
        }
        drop(self.nodes[0].take());
    }

    fn finished(&self) -> usize {
        self.probes.iter().map(broach_tests::Probe::finished).sum()
    }
}
