//! Which nodes a call may go to, by what it wishes, and what is said if there is none.

use std::sync::Arc;

use super::{Caller, addr, at, member};
use crate::advert::{Advert, OfferedService};
use crate::code::{Code, Outcome};
use crate::deadline::Time;
use crate::ids::Instance;
use crate::peer::Peer;
use crate::routing::{Directory, Member, Offers, RoundRobin, Selection, Source};

/// A member that offers `a.B` in a version, with a group and a tag.
fn made(port: u16, version: &str, group: &str, gpu: Option<&str>) -> Member {
    let services = vec![OfferedService::new("a.B".into(), version.into())];
    let tags = gpu.map(|value| ("gpu".to_owned(), value.to_owned())).into_iter().collect();
    let advert = Advert { services, tags, group: group.into(), location: None };
    let zone = if port.is_multiple_of(2) { "even" } else { "odd" };
    let offers = Offers::Only(Arc::new(advert));
    Member { offers, zone: zone.into(), ..member(port, &[]) }
}

fn members() -> Vec<Member> {
    vec![
        made(1, "1.4.0", "", Some("no")),
        made(2, "1.4.2", "blue", Some("yes")),
        made(3, "1.5.0", "blue", None),
        made(4, "2.0.0-rc.1", "green", None),
        made(5, "", "", Some("yes")),
    ]
}

fn caller(selection: Selection) -> Caller<RoundRobin> {
    let directory = Directory::new(Source::Cluster);
    directory.update(Time::ZERO, members());
    Caller { selection, ..Caller::new(&directory, RoundRobin::new()) }
}

/// The ports of those that a call may go to.
fn fit(selection: Selection) -> Vec<u16> {
    let caller = caller(selection);
    let mut ports = Vec::new();
    let mut tried = Vec::new();
    while let Some(chosen) = caller.choose(at(0), &tried).unwrap() {
        ports.push(chosen.target.member.addr.port());
        tried.push(Arc::clone(&chosen.target));
    }
    ports.sort_unstable();
    ports
}

fn wish() -> Selection {
    Selection::new()
}

#[test]
fn requirements_are_read_as_cargo_reads_them() {
    for (requirement, ports) in [
        (">=1.0, <2", &[1, 2, 3][..]),
        ("1.4", &[1, 2, 3]),
        ("^1.4.1", &[2, 3]),
        ("~1.4", &[1, 2]),
        ("=1.4.2", &[2]),
        ("1.5.*", &[3]),
        (">=2.0", &[]),
        (">=2.0.0-rc.1", &[4]),
        ("*", &[1, 2, 3]),
    ] {
        assert_eq!(fit(wish().version(requirement)), ports, "{requirement}");
    }
}

#[test]
fn each_wish_has_to_be_fulfilled() {
    assert_eq!(fit(wish()), [1, 2, 3, 4, 5]);
    assert_eq!(fit(wish().key("ada")), [1, 2, 3, 4, 5]);
    assert_eq!(fit(wish().tag("gpu", "yes")), [2, 5]);
    assert_eq!(fit(wish().tag("gpu", "yes").version("1")), [2]);
    assert_eq!(fit(wish().tag("gpu", "yes").tag("gpu", "no")), [1]);
    assert_eq!(fit(wish().zone("odd")), [1, 3, 5]);
    assert_eq!(fit(wish().group("blue")), [2, 3]);
    assert_eq!(fit(wish().group("blue").zone("odd")), [3]);
    assert_eq!(fit(wish().node(addr(4))), [4]);
    assert_eq!(fit(wish().except(addr(4)).except(addr(1))), [2, 3, 5]);
    let peer = |port, instance| Peer { addr: addr(port), instance: Instance(instance) };
    assert_eq!(fit(wish().node(peer(4, 1))), [4]);
    assert_eq!(fit(wish().node(peer(4, 2))), []);
    assert_eq!(fit(wish().except(Instance(1))), []);
    let mapped: std::net::SocketAddr = "[::ffff:127.0.0.1]:3".parse().unwrap();
    assert_eq!(fit(wish().node(mapped)), [3]);
}

#[test]
fn a_node_that_is_asked_for_is_called_whether_or_not_it_is_well() {
    let caller = caller(wish().node(addr(2)));
    caller.directory.look().targets()[1].live.standing.on_silent(at(0));
    assert_eq!(caller.picks(at(1), 3), [2, 2, 2]);
    let chosen = caller.choose(at(1), &[]).unwrap().unwrap();
    assert!(chosen.alone, "there is nobody else");
    let members = caller.directory.look();
    let tried = [Arc::clone(&chosen.target)];
    assert!(!members.has_others("a.B", &caller.selection, &tried));
    assert!(members.has_others("a.B", &wish(), &tried));
}

#[test]
fn it_is_nobody_elses_turn_to_be_tried() {
    // A silent node that may be called again now is not what this call wishes for.
    let caller = caller(wish().zone("odd"));
    caller.directory.look().targets()[1].live.standing.on_silent(at(0));
    assert!(caller.picks(at(60_000), 9).iter().all(|port| port % 2 == 1));
}

#[test]
fn what_there_is_instead_is_said() {
    let said = |selection: Selection| {
        let text = caller(wish()).directory.explain("a.B", &selection);
        let start = "no node that offers a.B is what the call asks for: ";
        text.strip_prefix(start).unwrap_or(&text).to_owned()
    };
    for (selection, text) in [
        (
            wish().version(">=2.0").group("green"),
            "5 nodes offer it, 1 in group \"green\", none at >=2.0: 2.0.0-rc.1",
        ),
        (
            wish().version(">=2.0"),
            "5 nodes offer it, none at >=2.0: none, 1.4.0, 1.4.2, 1.5.0, 2.0.0-rc.1",
        ),
        (
            wish().tag("gpu", "maybe").zone("odd"),
            "5 nodes offer it, 3 in zone \"odd\", none with tag \"gpu\" = \"maybe\": \"no\", \
             \"yes\", none",
        ),
        (wish().zone("x"), "5 nodes offer it, none in zone \"x\": \"even\", \"odd\""),
        (wish().group("x"), "5 nodes offer it, none in group \"x\": \"blue\", \"green\", none"),
        (
            wish().node(addr(9)),
            "5 nodes offer it, none is 127.0.0.1:9: 127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3, \
             127.0.0.1:4, 127.0.0.1:5",
        ),
        (
            wish().node(addr(1)).except(addr(1)),
            "5 nodes offer it, 1 is 127.0.0.1:1, none other than 127.0.0.1:1: 127.0.0.1:1",
        ),
        (
            wish().node(Peer { addr: addr(1), instance: Instance(2) }).except(addr(2)),
            "5 nodes offer it, none is 127.0.0.1:1 (instance 0000000000000002): 127.0.0.1:1 \
             (instance 0000000000000001), 127.0.0.1:2 (instance 0000000000000001), 127.0.0.1:3 \
             (instance 0000000000000001), 127.0.0.1:4 (instance 0000000000000001), 127.0.0.1:5 \
             (instance 0000000000000001)",
        ),
    ] {
        assert_eq!(said(selection), text);
    }
    let nobody = caller(wish()).directory.explain("c.D", &wish().version("1"));
    assert_eq!(nobody, "no node offers c.D: 5 members known, none advertises it");
    let directory = Directory::new(Source::Cluster);
    let many = (1..=40).map(|port| made(port, &format!("1.{port}.0"), "", None));
    directory.update(Time::ZERO, many.collect());
    let text = directory.explain("a.B", &wish().version("2"));
    assert!(text.ends_with("1.9.0, 1.10.0, and 30 more"), "{text}");
}

#[test]
fn of_named_nodes_no_more_is_known_than_their_addresses() {
    let list = |selection| {
        let directory = Directory::list([1, 2, 3].map(addr));
        Caller { selection, ..Caller::new(&directory, RoundRobin::new()) }
    };
    assert_eq!(list(wish().node(addr(2))).picks(at(0), 3), [2, 2, 2]);
    assert_eq!(list(wish().except(addr(2))).picks(at(0), 4), [1, 3, 1, 3]);
    for (selection, what) in [
        (wish().version("1"), "the version of its service"),
        (wish().tag("gpu", "yes"), "its tags"),
        (wish().zone("x"), "its zone"),
        (wish().group("x"), "its group"),
        (wish().node(Instance(1)), "which of its lives it is"),
    ] {
        let status = list(selection).choose(at(0), &[]).unwrap_err();
        let known = (status.code(), status.outcome());
        assert_eq!(known, (Code::FailedPrecondition, Outcome::NotExecuted));
        assert!(status.message().contains(what), "{status:?}");
    }
}
