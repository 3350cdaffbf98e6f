//! Who may be called at all: silence, suspicion, leaving, weights.

use std::sync::Arc;
use std::time::Duration;

use super::{Caller, addr, at, cluster, member, tally};
use crate::code::{Code, Outcome};
use crate::deadline::Time;
use crate::routing::target::Target;
use crate::routing::{
    Candidates, Directory, Member, MemberState, Picker, Picking, PowerOfTwoChoices, RoundRobin,
    Source,
};

/// In turn over a list of these.
fn list(ports: impl IntoIterator<Item = u16>) -> Caller<RoundRobin> {
    Caller::new(&Directory::list(ports.into_iter().map(addr)), RoundRobin::new())
}

fn target(directory: &Directory, port: u16) -> Arc<Target> {
    let members = directory.look();
    let found = members.targets().iter().find(|target| target.member.addr == addr(port));
    Arc::clone(found.unwrap())
}

impl Caller<RoundRobin> {
    fn on_silent(&self, now: Time, port: u16) {
        target(&self.directory, port).live.standing.on_silent(now);
    }

    fn on_answer(&self, port: u16) {
        target(&self.directory, port).live.standing.on_answer();
    }
}

#[test]
fn nodes_are_called_in_turn_and_each_counts_once() {
    let list = list([1, 2, 3, 2]);
    assert_eq!(list.directory.snapshot().len(), 3);
    assert_eq!(list.picks(at(0), 6), [1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_node_that_was_tried_is_not_tried_again() {
    let list = list([1, 2]);
    let tried = [target(&list.directory, 1)];
    let chosen = list.choose(at(0), &tried).unwrap().unwrap();
    assert_eq!((chosen.target.member.addr, chosen.alone), (addr(2), true));
    let both = [1, 2].map(|port| target(&list.directory, port));
    assert!(list.choose(at(0), &both).unwrap().is_none());
}

#[test]
fn a_silent_node_is_passed_over_and_then_tried_once() {
    let list = list([1, 2, 3]);
    list.on_silent(at(10), 2);
    assert!(!list.picks(at(500), 9).contains(&2));
    let later = list.picks(at(1_010), 9);
    assert_eq!(tally::<3>(&later)[1], 1, "{later:?}");
    list.on_answer(2);
    assert!(list.picks(at(1_020), 3).contains(&2));
}

#[test]
fn what_a_silent_node_is_spared_is_shared_out_evenly() {
    let list = list(1..=5);
    list.on_silent(at(0), 3);
    assert_eq!(tally(&list.picks(at(1), 400)), [100, 100, 0, 100, 100]);
}

#[test]
fn a_node_that_stays_silent_is_tried_ever_more_rarely() {
    let list = list([1, 2]);
    let (mut now, mut waits) = (at(0), Vec::new());
    for _ in 0..7 {
        list.on_silent(now, 1);
        let from = now;
        while !list.picks(now, 2).contains(&1) {
            now = now + Duration::from_millis(100);
        }
        waits.push(now.since(from).as_secs());
        // The call that tries it takes a while to find out, longer than the other tries wait.
        now = now + Duration::from_secs(2);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn it_is_tried_ever_more_rarely_also_if_the_tries_are_soon_over() {
    let list = list([1, 2]);
    let (mut now, mut waits) = (at(0), Vec::new());
    for _ in 0..7 {
        list.on_silent(now, 1);
        let from = now;
        while !list.picks(now, 2).contains(&1) {
            now = now + Duration::from_millis(100);
        }
        waits.push(now.since(from).as_secs());
        now = now + Duration::from_millis(300);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn if_all_are_silent_one_is_called_all_the_same() {
    let list = list([1, 2]);
    list.on_silent(at(0), 1);
    list.on_silent(at(0), 2);
    let picks = list.picks(at(1), 4);
    assert!(picks.contains(&1) && picks.contains(&2), "{picks:?}");
}

#[test]
fn those_that_are_well_come_first_then_the_unsure_then_those_that_leave() {
    let suspect = |port| Member { state: MemberState::Suspect, ..member(port, &["a.B"]) };
    let draining = |port| Member { draining: true, ..member(port, &["a.B"]) };
    let light = |port| Member { weight: 0, ..member(port, &["a.B"]) };
    let well = |port| member(port, &["a.B"]);
    let directory = Directory::new(Source::Cluster);
    let caller = Caller::new(&directory, PowerOfTwoChoices::new());
    let goes_to = |members: Vec<Member>| {
        directory.update(Time::ZERO, members);
        let mut ports = caller.picks(at(0), 100);
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    assert_eq!(goes_to(vec![draining(1), suspect(2), light(3), well(4), well(5)]), [4, 5]);
    assert_eq!(goes_to(vec![draining(1), suspect(2), light(3)]), [3]);
    assert_eq!(goes_to(vec![draining(1), suspect(2), suspect(3)]), [2, 3]);
    assert_eq!(goes_to(vec![draining(1), draining(2)]), [1, 2]);
    assert_eq!(goes_to(vec![light(1)]), [1]);
    target(&directory, 1).on_leaving(at(0));
    assert_eq!(goes_to(vec![light(1), suspect(2)]), [2]);
}

#[test]
fn it_is_known_whether_a_call_has_somewhere_else_to_go() {
    for (members, alone) in [(1, true), (2, false), (3, false)] {
        let caller = Caller::new(&cluster(members), PowerOfTwoChoices::new());
        let chosen = caller.choose(at(0), &[]).unwrap().unwrap();
        assert_eq!(chosen.alone, alone, "one of {members}");
    }
}

#[test]
fn a_silent_member_is_passed_over_by_whatever_picker() {
    let directory = cluster(3);
    let caller = Caller::new(&directory, PowerOfTwoChoices::new());
    target(&directory, 2).live.standing.on_silent(at(0));
    assert_eq!(tally::<3>(&caller.picks(at(500), 1_000))[1], 0);
    assert_eq!(tally::<3>(&caller.picks(at(4_900), 1_000))[1], 0);
    assert_eq!(tally::<3>(&caller.picks(at(5_000), 1_000))[1], 1);
    // Another life begins with a clean slate.
    let mut members: Vec<Member> = directory.snapshot().iter().cloned().collect();
    members[1].instance = Some(crate::ids::Instance(2));
    directory.update(Time::ZERO, members);
    assert!(200 < tally::<3>(&caller.picks(at(5_100), 1_000))[1]);
    assert!(directory.is_sound(), "nothing is left of the life before");
}

#[test]
fn turns_of_two_services_do_not_meet() {
    let directory = Directory::new(Source::Cluster);
    directory.update(Time::ZERO, (1..=2).map(|port| member(port, &["a.B", "c.D"])).collect());
    let caller = Caller::new(&directory, RoundRobin::new());
    let mut seen = [0; 2];
    for _ in 0..10 {
        seen[usize::from(caller.picks(at(0), 1)[0]) - 1] += 1;
        let method = crate::method::MethodSpec::named("c.D/E").unwrap();
        let picking = Picking::new(&method, 1, caller.dice.throw(), &caller.selection);
        let _ = directory.choose(at(0), &caller.picker, &picking, &[]).unwrap();
    }
    assert_eq!(seen, [5, 5]);
}

/// Does what it is told, which may be wrong.
#[derive(Debug)]
struct Wrong(fn(usize) -> Option<usize>);

impl Picker for Wrong {
    fn pick(&self, candidates: &Candidates<'_>, _: &Picking<'_>) -> Option<usize> {
        (self.0)(candidates.len())
    }
}

#[test]
fn a_picker_that_is_wrong_gives_an_error_that_says_so() {
    let directory = cluster(3);
    let error = |wrong| {
        let status = Caller::new(&directory, Wrong(wrong)).choose(at(0), &[]).unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::NotExecuted));
        status.message().to_owned()
    };
    assert_eq!(error(Some), "the picker chose candidate 3 of 3, counted from 0");
    assert!(error(|_| Some(usize::MAX)).contains("of 3"));
    assert_eq!(error(|_| panic!("out of luck")), "the picker panicked: out of luck");
    assert!(Caller::new(&directory, Wrong(|_| None)).choose(at(0), &[]).unwrap().is_none());
    let first = target(&directory, 1);
    assert_eq!(first.live.in_flight.load(std::sync::atomic::Ordering::Relaxed), 0);
}
