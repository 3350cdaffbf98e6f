//! Channels to names that are looked up again.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, pending, ready};

use super::{World, addr, method, ms};
use crate::client::{Channel, ChannelBuilder, ConnectError};
use crate::code::{Code, Outcome};
use crate::net::{AddressError, Lookup};
use crate::{Security, Status};

/// A resolver.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Page>>);

#[derive(Default)]
struct Page {
    /// What names stand for.
    addrs: Option<Vec<SocketAddr>>,
    /// How often somebody has asked.
    asked: usize,
    /// Nobody ever answers.
    hangs: bool,
}

impl Book {
    fn set(&self, addrs: Option<Vec<SocketAddr>>) {
        self.0.lock().unwrap().addrs = addrs;
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    fn hang(&self, hangs: bool) {
        self.0.lock().unwrap().hangs = hangs;
    }

    fn builder(&self, world: &World, from: u8) -> ChannelBuilder {
        let socket = world.network.socket(addr(from)).unwrap();
        let mut builder = Channel::builder().socket(socket).danger_seed(5);
        builder.lookup = Arc::new(self.clone());
        builder
    }

    async fn channel(&self, world: &World) -> Channel {
        let builder = self.builder(world, 50).security(Security::clear());
        builder.connect("dns://greeter:7400").await.unwrap()
    }
}

async fn peer(channel: &Channel) -> Result<SocketAddr, Status> {
    let call = channel.unary::<_, String>(method("Echo"), "hello".to_owned());
    Ok(call.timeout(ms(4_000)).idempotent().response().await?.peer.unwrap().addr)
}

impl Lookup for Book {
    fn look_up<'a>(
        &'a self,
        text: &'a str,
    ) -> BoxFuture<'a, Result<Vec<SocketAddr>, AddressError>> {
        let mut book = self.0.lock().unwrap();
        book.asked += 1;
        let (text, source) = (text.to_owned(), Some(io::Error::other("nobody of that name")));
        let found = book.addrs.clone().ok_or(AddressError::Unresolvable { text, source });
        if book.hangs { pending().boxed() } else { ready(found).boxed() }
    }
}

#[tokio::test(start_paused = true)]
async fn all_addresses_of_a_name_are_called_and_changes_are_found_in_time() {
    let (world, book) = (World::new(), Book::default());
    let mut nodes = Vec::new();
    for number in 1..=3 {
        nodes.push(world.node(number).await);
    }
    book.set(Some(vec![addr(2), addr(1)]));
    let channel = book.channel(&world).await;
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.push(peer(&channel).await.unwrap());
    }
    assert_eq!(peers, [1, 2, 1, 2].map(addr));
    book.set(Some(vec![addr(3)]));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!((peer(&channel).await.unwrap(), book.asked()), (addr(3), 2));
    // That the resolver fails takes no node away.
    book.set(None);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((peer(&channel).await.unwrap(), book.asked()), (addr(3), 4));
    // The task goes with the last clone.
    let clone = channel.clone();
    drop(channel);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(book.asked(), 6);
    drop(clone);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(book.asked(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_known_yet_is_waited_for() {
    let (world, book) = (World::new(), Book::default());
    let channel = book.channel(&world).await;
    let status = peer(&channel).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(
        status.message(),
        "no node is known to call for test.v1.Test: the host of \"dns://greeter:7400\" has no \
         address: nobody of that name"
    );
    let (_node, _) = world.node(1).await;
    let waits = tokio::spawn({
        let channel = channel.clone();
        async move { peer(&channel).await }
    });
    book.set(Some(vec![addr(1)]));
    assert_eq!(waits.await.unwrap().unwrap(), addr(1));
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_is_not_waited_for_for_ever() {
    let (world, book) = (World::new(), Book::default());
    book.set(Some(vec![addr(1)]));
    book.hang(true);
    let (_node, _) = world.node(1).await;
    let channel = book.channel(&world).await;
    let status = peer(&channel).await.unwrap_err();
    assert_eq!(
        status.message(),
        "no node is known to call for test.v1.Test: nobody has said within 10 s what \
         dns://greeter:7400 stands for"
    );
    book.hang(false);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(peer(&channel).await.unwrap(), addr(1));
}

#[tokio::test(start_paused = true)]
async fn if_nobody_answers_the_name_is_looked_up_soon() {
    let (world, book) = (World::new(), Book::default());
    let (one, _) = world.node(1).await;
    let (_two, _) = world.node(2).await;
    book.set(Some(vec![addr(1)]));
    let channel = book.channel(&world).await;
    assert_eq!(peer(&channel).await.unwrap(), addr(1));
    world.network.stop(addr(1));
    book.set(Some(vec![addr(2)]));
    let begun = tokio::time::Instant::now();
    while peer(&channel).await.ok() != Some(addr(2)) {}
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    drop(one);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_is_said() {
    let (world, book) = (World::new(), Book::default());
    for text in ["dns://greeter", "dns://", "dns://a b:1"] {
        let error = book.builder(&world, 50).connect(text).await.unwrap_err();
        assert!(matches!(error, ConnectError::Address(AddressError::Unparsable { .. })), "{text}");
    }
    let error = Channel::list(Vec::<String>::new()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Empty));
    book.set(Some(vec![addr(1)]));
    let error = book.builder(&world, 50).connect("dns://greeter:7400").await.unwrap_err();
    assert!(matches!(error, ConnectError::Security { .. }), "{error}");
    // Without a word on security nothing goes to an address that turns up later.
    book.set(None);
    let channel = book.builder(&world, 50).connect("dns://greeter:7400").await.unwrap();
    book.set(Some(vec![addr(1), ([0, 0, 0, 0], 1).into()]));
    tokio::time::sleep(Duration::from_secs(6)).await;
    let status = peer(&channel).await.unwrap_err();
    assert!(status.message().contains("nothing is said of security"), "{status}");
    assert!(status.message().contains("bound to but not called"), "{status}");
}
