//! Channels that choose in a way of their own.

use super::{World, addr, member_of};
use crate::code::{Code, Outcome};
use crate::exchange::Request;
use crate::routing::{Candidates, Picker, Picking, Selection};

/// Always the node of this number.
#[derive(Debug)]
struct Only(u8);

impl Picker for Only {
    fn pick(&self, candidates: &Candidates<'_>, _: &Picking<'_>) -> Option<usize> {
        candidates.iter().position(|candidate| candidate.member().addr() == addr(self.0))
    }
}

#[derive(Debug)]
struct Panics;

impl Picker for Panics {
    fn pick(&self, _: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        panic!("no idea about {}", picking.method().name())
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_with_another_picker_shares_everything_else() {
    let world = World::new();
    let (mut nodes, mut tests) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        let (node, test) = world.node(number).await;
        nodes.push(node);
        tests.push(test);
    }
    world.update((1..).zip(&nodes).map(|(number, node)| member_of(number, node)));
    let layered = world.channel.layer(tower::layer::layer_fn(|channel| {
        tower::util::MapRequest::new(channel, |mut request: Request| {
            request.metadata.insert("seen", "yes").unwrap();
            request
        })
    }));
    let calls = [
        (world.channel.picker(Only(2)), 2),
        (layered.picker(Only(3)), 3),
        (world.channel.picker(Only(1)).layer(tower::layer::util::Identity::new()), 1),
        (world.channel.picker(Only(1)).picker(Only(2)), 2),
        (
            world
                .channel
                .picker(Only(1))
                .layer(tower::layer::util::Identity::new())
                .picker(Only(3)),
            3,
        ),
    ];
    for (channel, number) in calls {
        for _ in 0..5 {
            let call = channel.unary::<_, String>(super::method("Echo"), "hello".to_owned());
            assert_eq!(call.response().await.unwrap().peer.unwrap().addr, addr(number));
        }
    }
    assert_eq!(tests.iter().map(super::Test::started).sum::<usize>(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_picker_that_panics_or_takes_none_fails_the_call_alone() {
    let world = World::new();
    let (node, test) = world.node(1).await;
    world.update([member_of(1, &node)]);
    let echo = |picker: fn(&crate::Channel) -> crate::Channel| {
        let channel = picker(&world.channel);
        channel.unary::<_, String>(super::method("Echo"), "hello".to_owned())
    };
    let status = echo(|channel| channel.picker(Panics)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::NotExecuted));
    assert_eq!(status.message(), "the picker panicked: no idea about Echo");
    let call = echo(|channel| channel.picker(Only(9)));
    let status = call.timeout(super::ms(100)).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert!(status.message().contains("the picker takes none of them"), "{status}");
    world.echo().await.unwrap();
    assert_eq!(test.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_wish_for_a_node_and_what_a_call_wishes_goes_first() {
    let world = World::new();
    let mut nodes = Vec::new();
    for number in 1..=3 {
        nodes.push(world.node(number).await.0);
    }
    world.update((1..).zip(&nodes).map(|(number, node)| member_of(number, node)));
    let echo = |channel: &crate::Channel| {
        channel.unary::<_, String>(super::method("Echo"), "hello".to_owned())
    };
    let called =
        async |call: crate::Call<String, String>| call.response().await.unwrap().peer.unwrap().addr;
    let layered = world.channel.layer(tower::layer::layer_fn(|channel| {
        tower::util::MapRequest::new(channel, |mut request: Request| {
            request.selection = request.selection.node(addr(2));
            request
        })
    }));
    let first = world.channel.select(Selection::new().node(addr(1)));
    for _ in 0..5 {
        assert_eq!(called(echo(&layered)).await, addr(2));
        assert_eq!(called(echo(&first)).await, addr(1));
        assert_eq!(called(echo(&first).node(addr(3))).await, addr(3));
        let inside = first.layer(tower::layer::util::Identity::new());
        assert_eq!(called(echo(&inside)).await, addr(1));
        assert_eq!(called(echo(&inside.select(Selection::new().node(addr(2))))).await, addr(2));
    }
    let none = echo(&first.select(Selection::new().except(addr(1)))).timeout(super::ms(100));
    let status = none.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert!(status.message().contains("none other than 10.0.0.1:7400"), "{status}");
    // Whoever has no nodes to choose from takes no notice.
    let service = crate::Channel::in_process(super::Test::new()).select(Selection::new().zone("x"));
    assert_eq!(echo(&service).version("1").await.unwrap(), "hello");
}
