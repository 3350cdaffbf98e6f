//! What people are told if there is nobody to call.

use super::{addr, member};
use crate::deadline::Time;
use crate::routing::{Directory, Member, Offers, Selection, Source};

fn said(source: Source, members: Vec<Member>) -> String {
    let directory = Directory::new(source);
    directory.update(Time::ZERO, members);
    directory.explain("greeter.v1.Greeter", &Selection::new())
}

#[test]
fn what_is_known_of_a_cluster_is_said() {
    let other = |port| member(port, &["a.B"]);
    let unknown = |port| Member { offers: Offers::Unknown, ..member(port, &[]) };
    let own = |port| Member { own: true, ..other(port) };
    let leaving = |port| Member { draining: true, ..member(port, &["greeter.v1.Greeter"]) };
    for (members, text) in [
        (
            vec![own(1), other(2), other(3)],
            "no node offers greeter.v1.Greeter: 3 members known, none advertises it",
        ),
        (
            vec![],
            "no node offers greeter.v1.Greeter: no member is known, so perhaps no seed has \
             answered yet",
        ),
        (
            vec![own(1)],
            "no node offers greeter.v1.Greeter: 1 member known, this node itself, which does not \
             serve it, so perhaps no seed has answered yet",
        ),
        (
            vec![own(1), unknown(2), unknown(3)],
            "no node offers greeter.v1.Greeter: 3 members known, of 2 it is not known yet what \
             they offer, and of the others none advertises it",
        ),
        (
            vec![unknown(2), unknown(3)],
            "no node offers greeter.v1.Greeter: 2 members known, it is not known yet what they \
             offer",
        ),
        (
            vec![other(1), leaving(2), leaving(3)],
            "no node that offers greeter.v1.Greeter takes new calls: 3 members known, of which 2 \
             offer it, and all of these are about to leave",
        ),
        (
            vec![other(1), leaving(2)],
            "no node that offers greeter.v1.Greeter takes new calls: 2 members known, of which 1 \
             offers it, and that one is about to leave",
        ),
    ] {
        assert_eq!(said(Source::Cluster, members), text);
    }
}

#[test]
fn a_cluster_that_is_not_found_says_what_is_wrong_with_its_seeds() {
    let directory = Directory::new(Source::Cluster);
    directory.say("the seed \"typo\" cannot be used: it is no address".into());
    assert_eq!(
        directory.explain("a.B", &Selection::new()),
        "no node offers a.B: no member is known, so perhaps no seed has answered yet (the seed \
         \"typo\" cannot be used: it is no address)"
    );
    directory.update(Time::ZERO, vec![member(1, &["c.D"]), member(2, &["c.D"])]);
    assert_eq!(
        directory.explain("a.B", &Selection::new()),
        "no node offers a.B: 2 members known, none advertises it",
        "it was found all the same"
    );
}

#[test]
fn lists_and_names_have_words_of_their_own() {
    let directory = Directory::new(Source::Names);
    directory.say("the host of \"dns://greeter:7400\" has no address".into());
    assert_eq!(
        directory.explain("a.B", &Selection::new()),
        "no node is known to call for a.B: the host of \"dns://greeter:7400\" has no address"
    );
    assert_eq!(
        said(Source::List, vec![Member::named(addr(1))]),
        "no node was chosen for greeter.v1.Greeter: 1 may be called, but the picker takes none of \
         them or they have refused"
    );
}
