//! Calls to whoever the directory names: failures, waiting, and what is said in the end.

use std::time::Duration;

use super::{World, member, member_of, method, ms, own, until};
use crate::code::{Code, Outcome};
use crate::config;
use crate::ids::Instance;
use crate::routing::{Candidates, Member, MemberState, Offers, Picker, Picking};
use crate::testing::Faults;

/// Takes whoever comes last.
#[derive(Debug)]
struct Last;

impl Picker for Last {
    fn pick(&self, candidates: &Candidates<'_>, _: &Picking<'_>) -> Option<usize> {
        candidates.len().checked_sub(1)
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_shared_out_and_each_is_answered_also_under_loss() {
    let world = World::new();
    let (mut nodes, mut tests, mut members) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=4 {
        let (node, test) = world.node(number).await;
        members.push(member_of(number, &node));
        nodes.push(node);
        tests.push(test);
    }
    world.update(members);
    world.network.set_faults(Faults { loss: 0.1, ..Faults::default() });
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..2_000 {
        calls.spawn(world.echo());
        if 32 <= calls.len() {
            calls.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    for result in calls.join_all().await {
        result.unwrap();
    }
    let shares: Vec<usize> = tests.iter().map(super::Test::started).collect();
    assert_eq!(shares.iter().sum::<usize>(), 2_000, "none ran twice");
    // With so much loss a node may seem silent for a while, and nobody says here that it is not.
    assert!(shares.iter().all(|share| (100..=750).contains(share)), "{shares:?}");
    let idle = |target: &std::sync::Arc<crate::routing::Target>| {
        target.live.in_flight.load(std::sync::atomic::Ordering::Relaxed) == 0
    };
    assert!(world.directory.snapshot().targets().iter().all(idle));
}

#[tokio::test(start_paused = true)]
async fn what_a_node_dies_with_is_done_elsewhere_if_it_may_be() {
    let world = World::new();
    let (one, first) = world.node(1).await;
    let (two, second) = world.node(2).await;
    world.update([member_of(1, &one)]);
    let calls = [
        tokio::spawn(world.hold().idempotent()),
        tokio::spawn(world.hold().timeout(Duration::from_secs(5))),
    ];
    until(|| first.running() == 2).await;
    world.update([member_of(1, &one), member_of(2, &two)]);
    drop(one);
    second.0.gate.add_permits(9);
    let [again, once] = calls;
    assert_eq!(again.await.unwrap().unwrap(), "held true");
    let status = once.await.unwrap().unwrap_err();
    assert_eq!((status.outcome(), second.started()), (Outcome::Unknown, 1), "{status:#}");
    // Later calls go past it.
    for _ in 0..20 {
        world.echo().timeout(ms(900)).await.unwrap();
    }
    assert_eq!(first.started(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_costs_no_call_even_if_it_was_the_only_one() {
    let world = World::new();
    let (one, first) = world.node(1).await;
    world.update([member_of(1, &one)]);
    let held = tokio::spawn(world.hold());
    until(|| first.running() == 1).await;
    // The directory does not know yet that it is about to leave.
    let leaving = tokio::spawn(one.shutdown());
    tokio::time::sleep(ms(10)).await;
    let calls: Vec<_> = (0..200).map(|_| tokio::spawn(world.echo())).collect();
    tokio::time::sleep(ms(500)).await;
    assert_eq!(world.directory.waiting(), 200);
    let (two, second) = world.node(2).await;
    world.update([member_of(2, &two)]);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!((first.started(), second.started()), (1, 200));
    first.0.gate.add_permits(1);
    held.await.unwrap().unwrap();
    leaving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn refusals_of_nodes_that_shut_down_do_not_use_attempts_up() {
    let world = World::with(config::Client {
        attempts_max: 2,
        retries_per_second: 0,
        retry_ratio: 0.0,
        ..config::Client::default()
    });
    let (mut members, mut leaving) = (Vec::new(), Vec::new());
    for number in 1..=6 {
        let (node, test) = world.node(number).await;
        members.push(member_of(number, &node));
        world.update([member_of(number, &node)]);
        let held = tokio::spawn(world.hold());
        until(|| test.running() == 1).await;
        leaving.push((tokio::spawn(node.shutdown()), held, test));
    }
    let (last, test) = world.node(7).await;
    members.push(member_of(7, &last));
    tokio::time::sleep(ms(10)).await;
    world.update(members);
    for _ in 0..100 {
        world.echo().await.unwrap();
    }
    assert_eq!(test.started(), 100);
    for (leaving, held, test) in leaving {
        test.0.gate.add_permits(1);
        held.await.unwrap().unwrap();
        leaving.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn suspects_and_those_that_leave_are_called_if_there_is_nobody_else() {
    let world = World::new();
    let (one, first) = world.node(1).await;
    let (two, second) = world.node(2).await;
    let suspect = Member { state: MemberState::Suspect, ..member_of(1, &one) };
    let draining = Member { draining: true, ..member_of(2, &two) };
    world.update([suspect.clone(), draining.clone()]);
    world.echo().await.unwrap();
    assert_eq!((first.started(), second.started()), (1, 0));
    world.update([draining]);
    world.echo().await.unwrap();
    assert_eq!((first.started(), second.started()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn another_life_on_the_same_address_is_called_like_a_new_node() {
    let world = World::new();
    let (one, first) = world.node(1).await;
    world.update([member_of(1, &one)]);
    let held = tokio::spawn(world.hold());
    until(|| first.running() == 1).await;
    let leaving = tokio::spawn(one.shutdown());
    tokio::time::sleep(ms(10)).await;
    let waits = tokio::spawn(world.echo());
    tokio::time::sleep(ms(100)).await;
    first.0.gate.add_permits(1);
    held.await.unwrap().unwrap();
    leaving.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (again, second) = world.node(1).await;
    world.update([member_of(1, &again)]);
    assert_eq!(waits.await.unwrap().unwrap(), "hello");
    assert_eq!((first.started(), second.started()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_node_and_goes_to_it() {
    let world = World::new();
    let waits = tokio::spawn(world.echo());
    let gives_up = tokio::spawn(world.echo());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.directory.waiting(), 2);
    gives_up.abort();
    assert!(gives_up.await.is_err());
    assert_eq!(world.directory.waiting(), 1, "nothing is left of a call that was dropped");
    let (one, _) = world.node(1).await;
    world.update([Member { offers: Offers::Unknown, ..member_of(1, &one) }]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!waits.is_finished());
    world.update([member_of(1, &one)]);
    assert_eq!(waits.await.unwrap().unwrap(), "hello");
    assert_eq!(world.directory.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_it_is_said_what_is_known() {
    let world = World::new();
    let others = [1, 2].map(|number| member(number, Instance(1)));
    world.update([own()].into_iter().chain(others));
    let begun = tokio::time::Instant::now();
    let call = world.channel.call("greeter.v1.Greeter/SayHello", "").timeout(ms(700));
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(
        status.message(),
        "no node offers greeter.v1.Greeter: 3 members known, none advertises it"
    );
    assert!(status.attempts().is_empty());
    assert!((ms(700)..=ms(702)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    // A change in between changes nothing but the text.
    let call = world.channel.call("greeter.v1.Greeter/SayHello", "").timeout(ms(700));
    let calling = tokio::spawn(call);
    tokio::time::sleep(ms(300)).await;
    world.update([own()]);
    let status = calling.await.unwrap().unwrap_err();
    assert!(status.message().contains("1 member known, this node itself"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_wait_than_may() {
    let world = World::with(config::Client { calls_waiting_max: 3, ..config::Client::default() });
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(world.echo())).collect();
    tokio::time::sleep(ms(1)).await;
    let status = world.echo().await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotExecuted));
    assert!(status.message().starts_with("3 calls wait already"), "{status}");
    assert!(status.message().contains("client.calls_waiting_max"), "{status}");
    let (one, _) = world.node(1).await;
    world.update([member_of(1, &one)]);
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    world.update([]);
    assert_eq!(world.echo().timeout(ms(9)).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn if_none_may_wait_it_is_said_at_once_what_is_known() {
    let world = World::with(config::Client { calls_waiting_max: 0, ..config::Client::default() });
    let begun = tokio::time::Instant::now();
    let status = world.echo().await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert!(status.message().contains("no member is known"), "{status}");
    assert!(begun.elapsed() < ms(5));
}

#[tokio::test(start_paused = true)]
async fn what_is_said_tells_that_all_who_offer_it_leave() {
    let world = World::new();
    let (one, first) = world.node(1).await;
    world.update([member_of(1, &one)]);
    let held = tokio::spawn(world.hold());
    until(|| first.running() == 1).await;
    let leaving = tokio::spawn(one.shutdown());
    tokio::time::sleep(ms(10)).await;
    let status = world.echo().timeout(ms(500)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert!(status.message().contains("takes new calls"), "{status}");
    assert_eq!(status.attempts().len(), 1, "{status:#}");
    first.0.gate.add_permits(1);
    held.await.unwrap().unwrap();
    leaving.await.unwrap().unwrap();
    assert_eq!(method("Echo").service(), "test.v1.Test");
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_back_to_a_node_that_refused_it_once_if_all_others_shut_down() {
    let world = World::new();
    let (one, first) = world.node_that_refuses_once(1).await;
    let (two, second) = world.node(2).await;
    world.update([member_of(2, &two)]);
    let held = tokio::spawn(world.hold());
    until(|| second.running() == 1).await;
    world.update([member_of(1, &one), member_of(2, &two)]);
    let leaving = tokio::spawn(two.shutdown());
    tokio::time::sleep(ms(10)).await;
    let begun = tokio::time::Instant::now();
    let channel = world.channel.picker(Last);
    let call = channel.unary::<String, String>(method("Echo"), String::new());
    let response = call.response().await.unwrap();
    assert!(begun.elapsed() <= ms(100), "{:?}", begun.elapsed());
    let peers: Vec<_> = response.attempts.iter().map(|attempt| attempt.peer.unwrap()).collect();
    assert_eq!(peers, [1, 2, 1].map(super::addr));
    assert_eq!((first.started(), second.started()), (1, 1));
    second.0.gate.add_permits(1);
    held.await.unwrap().unwrap();
    leaving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_passes_on_that_another_node_shuts_down_does_not_shut_down_itself() {
    let world = World::new();
    let (one, _) = world.node(1).await;
    world.update([member_of(1, &one)]);
    let passes_on = world.channel.unary::<String, String>(method("PassOn"), String::new());
    let status = passes_on.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Executed));
    let target = std::sync::Arc::clone(&world.directory.snapshot().targets()[0]);
    assert!(!target.is_leaving(), "{status:#}");
}
