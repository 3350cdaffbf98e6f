//! What nodes say of themselves, and how the others come to know it.

use std::collections::BTreeMap;

use broach_core::{MemberEvent, MemberEvents, NodeBuilder};
use broach_tests::{Cluster, Fate, World, faults, for_seeds, millis, secs};

/// As much as a node may say of itself, nearly: tags of 250,000 bytes.
fn many_tags(builder: NodeBuilder) -> NodeBuilder {
    let value = "v".repeat(4_000);
    (0..62).fold(builder, |builder, number| builder.tag(format!("tag-{number}"), value.clone()))
}

/// The next event, which must not be long in coming.
async fn next(events: &mut MemberEvents) -> Option<MemberEvent> {
    let next = tokio::time::timeout(secs(60), events.next()).await;
    next.expect("what the test waits for never happened")
}

/// Whether a node's tag has this value in the eyes of all.
fn all_see_tag(cluster: &Cluster, of: u8, name: &str, value: Option<&str>) -> bool {
    let sees = |number: &u8| {
        let members = cluster.node(*number).members();
        members.get(World::addr(of)).is_some_and(|member| {
            member.tags().is_some_and(|tags| tags.get(name).map(String::as_str) == value)
        })
    };
    cluster.alive().iter().all(sees)
}

#[tokio::test(start_paused = true)]
async fn all_see_what_a_node_says_of_itself() {
    let mut cluster = Cluster::of(World::new(1), 4).await;
    let (probe, numbers) = (cluster.probe(5), broach_tests::Numbers);
    let services = cluster.builder(5).serve(probe.server().version("1.4.0"));
    let services = services.serve(broach_tests::broach::testing::v1::NumbersServer::new(numbers));
    let builder = services.zone("eu-1a").weight(7).tag("gpu", "no").tag("rack", "12");
    cluster.start_with(5, builder).await;
    let took = cluster.full().await;
    assert!(took <= millis(500), "{took:?}");
    for number in 1..=5 {
        let members = cluster.node(number).members();
        let member = members.get(World::addr(5)).unwrap();
        assert_eq!(member.is_self(), number == 5);
        assert_eq!((member.zone(), member.weight(), member.is_draining()), ("eu-1a", 7, false));
        let said = member.services().unwrap().iter();
        let said: Vec<(&str, &str)> = said.map(|one| (&*one.name, &*one.version)).collect();
        assert_eq!(
            said,
            [("broach.testing.v1.Numbers", ""), ("broach.testing.v1.Probe", "1.4.0")],
            "node {number}"
        );
        let tags = [("gpu", "no"), ("rack", "12")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(member.tags().unwrap(), &BTreeMap::from(tags));
        assert_eq!((member.tag("rack"), member.tag("other")), (Some("12"), None));
        let other = members.get(World::addr(if number == 1 { 2 } else { 1 })).unwrap();
        assert_eq!((other.zone(), other.weight()), ("", 100));
    }
    cluster.end().await;
}

#[test]
fn all_see_changes_while_a_node_runs() {
    for loss in [0.0, 0.2] {
        let times = for_seeds(0..10, async |world| {
            world.network.set_faults(faults(|faults| faults.loss = loss));
            let cluster = Cluster::of(world, 5).await;
            let node = cluster.node(2);
            let mut worst = millis(0);
            for round in 0..3 {
                // What was said last is more than a second ago.
                tokio::time::sleep(secs(2)).await;
                let (weight, zone, tag) = (50 + round, format!("zone-{round}"), round.to_string());
                node.set_weight(weight);
                worst = worst.max(cluster.when(|| all(&cluster, |m| m.weight() == weight)).await);
                node.set_zone(&zone).unwrap();
                worst = worst.max(cluster.when(|| all(&cluster, |m| m.zone() == zone)).await);
                node.set_draining(true);
                worst = worst.max(cluster.when(|| all(&cluster, |m| m.is_draining())).await);
                node.set_draining(false);
                worst = worst.max(cluster.when(|| all(&cluster, |m| !m.is_draining())).await);
                node.set_tag("round", &tag).unwrap();
                let seen = || all_see_tag(&cluster, 2, "round", Some(&tag));
                worst = worst.max(cluster.when(seen).await);
            }
            node.remove_tag("round");
            worst = worst.max(cluster.when(|| all_see_tag(&cluster, 2, "round", None)).await);
            cluster.end().await;
            worst
        });
        let worst = times.iter().max().unwrap();
        println!("5 nodes, {loss} lost: all see a change within {worst:?}");
        // One that comes soon after another one is told a second later. What is lost on all ways
        // is found when tables are compared.
        let most = if loss == 0.0 { millis(1_300) } else { secs(12) };
        assert!(*worst <= most, "{worst:?}");
    }

    fn all(cluster: &Cluster, is_so: impl Fn(&broach_core::Member) -> bool) -> bool {
        let sees =
            |number: &u8| cluster.node(*number).members().get(World::addr(2)).is_some_and(&is_so);
        cluster.alive().iter().all(sees)
    }
}

#[tokio::test(start_paused = true)]
async fn several_changes_within_a_second_are_told_as_one() {
    let cluster = Cluster::of(World::new(2), 5).await;
    let instance = cluster.node(2).instance();
    let told = || cluster.notes.times(instance, Fate::Changed).len();
    tokio::time::sleep(secs(2)).await;
    let before = told();
    for weight in 1..=50 {
        cluster.node(2).set_weight(weight);
        cluster.node(2).set_tag("weight", weight.to_string()).unwrap();
        tokio::time::sleep(millis(10)).await;
    }
    tokio::time::sleep(secs(2)).await;
    assert!(all_see_tag(&cluster, 2, "weight", Some("50")));
    for number in 1..=5 {
        let members = cluster.node(number).members();
        assert_eq!(members.get(World::addr(2)).unwrap().weight(), 50);
    }
    // Once at once and once after a second, in the eyes of each of the other four.
    assert_eq!(told() - before, 8, "{}", cluster.story());
    cluster.end().await;
}

#[test]
fn a_node_may_say_a_great_deal() {
    for loss in [0.0, 0.2] {
        let times = for_seeds(0..5, async |world| {
            world.network.set_faults(faults(|faults| faults.loss = loss));
            let mut cluster = Cluster::of(world, 4).await;
            let probe = cluster.probe(5);
            let builder = many_tags(cluster.builder(5)).serve(probe.server());
            cluster.start_with(5, builder).await;
            let took = cluster.full().await;
            for number in 1..=5 {
                let members = cluster.node(number).members();
                let tags = members.get(World::addr(5)).unwrap().tags().unwrap();
                let bytes: usize = tags.values().map(String::len).sum();
                assert_eq!((tags.len(), bytes), (62, 62 * 4_000));
            }
            cluster.end().await;
            took
        });
        let worst = times.iter().max().unwrap();
        println!("5 nodes, {loss} lost: all know an advert of 250 kB within {worst:?}");
        assert!(*worst <= if loss == 0.0 { secs(1) } else { secs(15) }, "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_too_much_does_not_start_and_is_told_so() {
    let mut cluster = Cluster::of(World::new(3), 2).await;
    let value = "v".repeat(4_000);
    let builder = many_tags(cluster.builder(3)).tag("more", &value).tag("most", &value);
    let builder = builder.tag("yet more", &value).tag("and more", &value);
    let error = builder.start().await.unwrap_err().to_string();
    assert!(error.starts_with("what the node offers takes 26"), "{error}");
    assert!(
        error.contains("at most 262144") && error.contains("fewer services or tags"),
        "{error}"
    );
    let error = cluster.builder(3).tag("", "x").start().await.unwrap_err().to_string();
    assert_eq!(error, "the name of a tag is empty");
    let zone = "z".repeat(33);
    let error = cluster.builder(3).zone(&zone).start().await.unwrap_err().to_string();
    assert!(error.contains("zone") && error.contains("at most 32 bytes"), "{error}");
    // While it runs nothing is changed then.
    let builder = many_tags(cluster.builder(3));
    cluster.start_with(3, builder).await;
    cluster.full().await;
    let node = cluster.node(3);
    let mut refused = 0;
    for number in 0..6 {
        if let Err(error) = node.set_tag(format!("more-{number}"), &value) {
            assert!(error.to_string().contains("at most 262144"), "{error}");
            refused += 1;
        }
    }
    assert_eq!(refused, 3, "63, 64 and 65 times 4 kB fit");
    let error = node.set_tag("x", "v".repeat(4_097)).unwrap_err().to_string();
    assert!(error.starts_with("the value of a tag has 4097 bytes, but at most 4096"), "{error}");
    assert!(node.set_zone(zone).unwrap_err().to_string().contains("at most 32 bytes"));
    cluster.when(|| all_see_tag(&cluster, 3, "more-2", Some(&value))).await;
    tokio::time::sleep(secs(3)).await;
    assert!(all_see_tag(&cluster, 3, "more-3", None) && all_see_tag(&cluster, 3, "x", None));
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn nodes_that_offer_the_same_fetch_it_once() {
    let mut cluster = Cluster::of(World::new(4), 5).await;
    let fetched = |cluster: &Cluster, number| cluster.node(number).counters().calls_started;
    assert!((1..=5).all(|number| fetched(&cluster, number) == 0), "all have it themselves");
    let builder = cluster.world.node(9).join([World::addr(1)]).client_only();
    let caller = builder.start().await.unwrap();
    let knows = || caller.members().iter().filter(|one| one.services().is_some()).count() == 5;
    cluster.when(knows).await;
    assert_eq!(caller.counters().calls_started, 1, "five offer the same");
    drop(caller);
    // One that offers something else is asked by each of the five, or one of them by another.
    let probe = cluster.probe(6);
    let builder = cluster.builder(6).serve(probe.server()).tag("other", "yes");
    cluster.start_with(6, builder).await;
    cluster.full().await;
    for number in 1..=6 {
        assert_eq!(fetched(&cluster, number), 1, "node {number}");
    }
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_and_the_table_is_never_behind_them() {
    let mut cluster = Cluster::of(World::new(5), 2).await;
    let mut events = cluster.node(1).events();
    let first = cluster.node(1).members();
    let mut version = first.version();
    let probe = cluster.probe(3);
    let builder = cluster.builder(3).serve(probe.server()).tag("colour", "red");
    cluster.start_with(3, builder).await;
    let peer = broach_core::Peer { addr: World::addr(3), instance: cluster.node(3).instance() };
    let seen = |cluster: &Cluster| {
        let members = cluster.node(1).members();
        let colour = members.get(peer.addr).map(|one| one.tag("colour").map(str::to_owned));
        (members.version(), colour)
    };
    assert_eq!(next(&mut events).await, Some(MemberEvent::Up(peer)));
    let (after, colour) = seen(&cluster);
    assert!(version < after && colour == Some(None), "it is there, but not what it offers");
    version = after;
    assert_eq!(next(&mut events).await, Some(MemberEvent::Changed(peer)));
    let (after, colour) = seen(&cluster);
    assert!(version < after && colour == Some(Some("red".to_owned())), "{colour:?}");
    version = after;
    tokio::time::sleep(secs(2)).await;
    cluster.node(3).set_tag("colour", "blue").unwrap();
    // Told once it is known what it is.
    assert_eq!(next(&mut events).await, Some(MemberEvent::Changed(peer)));
    let (after, colour) = seen(&cluster);
    assert!(version < after && colour == Some(Some("blue".to_owned())), "{colour:?}");
    version = after;
    cluster.take(3).shutdown().await.unwrap();
    // It is draining first.
    assert_eq!(next(&mut events).await, Some(MemberEvent::Changed(peer)));
    assert_eq!(next(&mut events).await, Some(MemberEvent::Left(peer)));
    let (after, colour) = seen(&cluster);
    assert!(version < after && colour.is_none());
    assert_eq!((first.len(), first.version() < after), (2, true), "a table does not change");
    let node = cluster.take(1);
    drop(node);
    assert_eq!(next(&mut events).await, None);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_a_death_and_a_birth_to_those_who_watch() {
    let mut cluster = Cluster::of(World::new(6), 3).await;
    let mut events = cluster.node(1).events();
    let of = |instance| broach_core::Peer { addr: World::addr(3), instance };
    let old = cluster.crash(3).await;
    cluster.start(3).await;
    let new = cluster.node(3).instance();
    assert_eq!(next(&mut events).await, Some(MemberEvent::Died(of(old))));
    assert_eq!(next(&mut events).await, Some(MemberEvent::Up(of(new))));
    cluster.full().await;
    cluster.end().await;
}
