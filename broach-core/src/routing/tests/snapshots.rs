//! What outlives a snapshot, and what is new in the next.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures::FutureExt;
use futures::task::noop_waker_ref;

use super::{addr, at, cluster, member};
use crate::deadline::Time;
use crate::ids::Instance;
use crate::routing::{Directory, InFlight, Member, MemberState, Offers, Source};

fn ports(directory: &Directory, service: &str) -> Vec<u16> {
    let members = directory.snapshot();
    let list = members.candidates(service);
    list.targets.iter().map(|target| target.member.addr.port()).collect()
}

#[test]
fn a_service_has_those_that_offer_it() {
    let directory = Directory::new(Source::Cluster);
    let unknown = Member { offers: Offers::Unknown, ..member(4, &[]) };
    directory.update(
        Time::ZERO,
        vec![member(1, &["a.B"]), member(2, &["a.B", "c.D"]), Member::named(addr(3)), unknown],
    );
    assert_eq!(ports(&directory, "a.B"), [1, 2, 3]);
    assert_eq!(ports(&directory, "c.D"), [2, 3]);
    assert_eq!(ports(&directory, "e.F"), [3]);
    let members = directory.snapshot();
    assert_eq!((members.version(), members.len(), members.is_empty()), (1, 4, false));
    assert_eq!(members.get(addr(2)).unwrap().services().unwrap().len(), 2);
    assert!(members.get(addr(9)).is_none());
    let all: Vec<u16> = members.iter().map(|member| member.addr().port()).collect();
    assert_eq!(all, [1, 2, 3, 4]);
}

#[test]
fn what_changes_nothing_is_no_change() {
    let directory = cluster(3);
    assert_eq!(directory.snapshot().version(), 1);
    let backwards = [3, 1, 2, 3].map(|port| member(port, &["a.B"]));
    assert!(!directory.update(Time::ZERO, backwards.to_vec()));
    assert_eq!(directory.snapshot().version(), 1);
    assert!(directory.update(Time::ZERO, backwards[..1].to_vec()));
    assert_eq!((directory.snapshot().version(), ports(&directory, "a.B")), (2, vec![3]));
    assert!(directory.update(Time::ZERO, backwards.to_vec()));
    assert_eq!(ports(&directory, "a.B"), [3, 1, 2]);
    assert!(directory.update(Time::ZERO, Vec::new()));
    assert!(!directory.update(Time::ZERO, Vec::new()));
}

#[test]
fn what_calls_have_shown_stays_with_a_life() {
    let directory = cluster(2);
    let first = Arc::clone(&directory.snapshot().targets()[0]);
    let under_way = InFlight::new(Arc::clone(&first));
    under_way.on_reply(at(0), Duration::from_millis(3));
    let changed = Member { state: MemberState::Suspect, weight: 7, ..member(1, &["c.D"]) };
    directory.update(Time::ZERO, vec![changed.clone(), member(2, &["a.B"])]);
    let later = Arc::clone(&directory.snapshot().targets()[0]);
    assert!(later.is(&first) && later.member == changed);
    assert_eq!(later.live.in_flight.load(Relaxed), 1);
    assert_eq!(later.live.latency.get(at(0)), Some(Duration::from_millis(3)));
    drop(under_way);
    assert_eq!(later.live.in_flight.load(Relaxed), 0);
    let another = Member { instance: Some(Instance(2)), ..changed };
    directory.update(Time::ZERO, vec![another, member(2, &["a.B"])]);
    let reborn = Arc::clone(&directory.snapshot().targets()[0]);
    assert!(!reborn.is(&first));
    assert_eq!(reborn.live.latency.get(at(0)), None);
}

#[test]
fn whoever_waits_for_a_change_is_told_once_there_is_one() {
    let directory = cluster(1);
    let mut cx = std::task::Context::from_waker(noop_waker_ref());
    assert!(directory.changed(0).poll_unpin(&mut cx).is_ready());
    let mut waits = [directory.changed(1), directory.changed(1), directory.changed(2)];
    for wait in &mut waits {
        assert!(wait.poll_unpin(&mut cx).is_pending() && wait.poll_unpin(&mut cx).is_pending());
    }
    assert_eq!(directory.waiting(), 3);
    directory.update(Time::ZERO, vec![member(1, &["a.B"])]);
    assert!(waits[0].poll_unpin(&mut cx).is_pending(), "nothing has changed");
    directory.update(Time::ZERO, Vec::new());
    let [one, two, mut three] = waits;
    drop(one);
    assert_eq!(two.now_or_never(), Some(2));
    assert!(three.poll_unpin(&mut cx).is_pending());
    directory.update(Time::ZERO, vec![member(1, &["a.B"])]);
    assert_eq!(three.now_or_never(), Some(3));
    assert_eq!(directory.waiting(), 0);
}
