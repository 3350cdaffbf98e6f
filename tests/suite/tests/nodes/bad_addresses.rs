//! Addresses that are taken, are none, cannot be used, or have nobody there.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};

use broach_core::{
    AddressError, Channel, Code, ConnectError, Datagram, DatagramSocket, Datagrams, Node, Outcome,
    Security, StartError, Status,
};
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::requests::{echo, good_call};
use broach_tests::{Probe, World, millis, secs, transport};

#[tokio::test]
async fn an_address_that_is_taken_is_named_loopback() {
    let node = Node::builder().serve(Probe::new().server()).start().await.unwrap();
    let addr = node.local_addr();
    let error = Node::builder().serve(Probe::new().server()).bind(addr).start().await.unwrap_err();
    let StartError::Bind(bind) = &error else { panic!("{error:?}") };
    assert_eq!((bind.addr(), bind.kind()), (addr, ErrorKind::AddrInUse));
    let text = format!(
        "cannot bind {addr}: another socket has this address; stop the program that owns it, \
         choose another port, or port 0 for any that is free"
    );
    assert_eq!(error.to_string(), text);
    // Who has it does not notice, and it is free again after.
    good_call(&Channel::connect(addr).await.unwrap()).await;
    node.shutdown().await.unwrap();
    let next = Node::builder().serve(Probe::new().server()).bind(addr).start().await.unwrap();
    good_call(&Channel::connect(next.local_addr()).await.unwrap()).await;
}

#[tokio::test]
async fn an_address_of_another_machine_is_named_loopback() {
    let bind = Node::builder().security(Security::clear()).bind("192.0.2.1:0");
    let error = bind.start().await.unwrap_err();
    let text = "cannot bind 192.0.2.1:0: no interface of this machine has this address";
    assert_eq!(error.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_address_is_named() {
    let (world, node) = start().await;
    for text in ["", "7400", "localhost", "host:", ":7400", "host:65536", "::1:7400", "a b:1"] {
        let expected = format!(
            "{text:?} is no address: it must read host:port, like 10.0.0.7:7400 or [::1]:7400"
        );
        let started = Node::builder().bind(text).start().await;
        assert_eq!(started.unwrap_err().to_string(), expected);
        let errors = [
            Channel::connect(text).await.unwrap_err(),
            Channel::list(["127.0.0.1:1", text]).await.unwrap_err(),
            node.connect(text).await.unwrap_err(),
        ];
        for error in errors {
            let ConnectError::Address(AddressError::Unparsable { text: named }) = &error else {
                panic!("{error:?}")
            };
            assert_eq!((&**named, error.to_string()), (text, expected.clone()));
        }
    }
    let error = Channel::list([] as [&str; 0]).await.unwrap_err();
    let text = "no node is named: a channel needs the address of at least one";
    assert_eq!(error.to_string(), text);
    lives_on(world, node).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_knows_is_named() {
    let (world, node) = start().await;
    // No resolver asks anybody for a name with a part of more than 63 letters.
    let text = format!("{}.invalid:7400", "x".repeat(64));
    // What the resolver says comes after it.
    let expected = format!("the host of {text:?} has no address: ");
    let error = Node::builder().bind(&text).start().await.unwrap_err().to_string();
    assert!(expected.len() < error.len() && error.starts_with(&expected), "{error}");
    for error in [
        Channel::connect(&text).await.unwrap_err(),
        Channel::list(["127.0.0.1:1", &text]).await.unwrap_err(),
        node.connect(&text).await.unwrap_err(),
    ] {
        let ConnectError::Address(AddressError::Unresolvable { source, .. }) = &error else {
            panic!("{error:?}")
        };
        assert!(source.is_some(), "it says what the resolver said");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    lives_on(world, node).await;
}

#[tokio::test(start_paused = true)]
async fn where_datagrams_go_in_the_clear_has_to_be_said() {
    let error = Node::builder().bind("0.0.0.0:0").start().await.unwrap_err().to_string();
    assert!(error.starts_with("0.0.0.0:0 is not a loopback address"), "{error}");
    assert!(error.contains("write .security(Security::clear())"), "{error}");
    for addrs in [&["10.0.0.7:7400"][..], &["127.0.0.1:1", "10.0.0.7:7400"]] {
        let error = Channel::list(addrs).await.unwrap_err().to_string();
        assert!(error.starts_with("10.0.0.7:7400 is not a loopback address"), "{error}");
        assert!(error.contains("write .security(Security::clear())"), "{error}");
    }
}

#[tokio::test]
async fn an_ipv4_node_names_the_address_that_it_cannot_call_loopback() {
    let node = Node::builder().serve(Probe::new().server()).start().await.unwrap();
    let error = node.connect("[::1]:7400").await.unwrap_err();
    let text = format!("[::1]:7400 cannot be called from {}: bind to", node.local_addr());
    assert!(error.to_string().starts_with(&text), "{error}");
    // Errors that `main` returns are shown in this way.
    assert_eq!(format!("{error:?}"), error.to_string());
    for addr in ["0.0.0.0:7400", "127.0.0.1:0"] {
        for error in [
            node.connect(addr).await.unwrap_err(),
            Channel::builder().security(Security::clear()).connect(addr).await.unwrap_err(),
        ] {
            let text = format!("{addr} can be bound to but not called: name the address");
            assert!(error.to_string().starts_with(&text), "{error}");
        }
    }
    good_call(&node.connect(node.local_addr()).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_to_nobody_ends_at_its_deadline_and_was_not_executed() {
    let world = World::new(1);
    let channel = world.channel(2, 1).await;
    for timeout in [millis(1), millis(250), secs(9)] {
        let begun = world.elapsed();
        let call = ProbeClient::new(channel.clone()).echo(echo(1)).timeout(timeout);
        let status = call.await.unwrap_err();
        let late = world.elapsed() - begun - timeout;
        assert!(late <= millis(1), "{late:?} after the deadline");
        assert_nobody(&status, World::addr(1));
        assert_eq!(status.attempts().len(), 1, "{status:#}");
    }
    // Which may have run twice may have run.
    let call = ProbeClient::new(channel.clone()).echo_again(echo(1)).timeout(millis(250));
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
    let node = world.node(1).serve(Probe::new().server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_operating_system_says_of_sending_is_told() {
    let world = World::new(1);
    let channel = world.caller_on(2, Cut(world.socket(2))).connect(World::addr(1)).await.unwrap();
    let client = ProbeClient::new(channel.clone());
    let status = client.echo(echo(1)).timeout(secs(1)).await.unwrap_err();
    assert_nobody(&status, World::addr(1));
    let text = "to send there fails, Network is unreachable (os error 101); the call had 1s";
    assert!(status.message().contains(text), "{status}");
    let status = client.echo(echo(1)).timeout(secs(60)).await.unwrap_err();
    assert!(status.message().contains("to send there fails"), "{status}");
    drop(client);
    world.end(channel).await;
}

/// A socket whose network is gone.
#[derive(Debug)]
struct Cut<S>(S);

impl<S: DatagramSocket> DatagramSocket for Cut<S> {
    fn poll_receive(&self, cx: &mut Context<'_>, to: &mut Vec<Datagram>) -> Poll<io::Result<()>> {
        self.0.poll_receive(cx, to)
    }

    fn try_send(&self, _: &Datagrams<'_>) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(101))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_to_nobody_that_has_time_is_tried_again_until_it_is_given_up() {
    let world = World::new(1);
    let config = transport(|config| config.dead_after = secs(3));
    let channel = world.caller(2).transport(config).connect(World::addr(1)).await.unwrap();
    let begun = world.elapsed();
    let call = ProbeClient::new(channel.clone()).echo(echo(1)).timeout(secs(600));
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    let text = "10.0.0.1:7400 has not answered for 3s (transport.dead_after): is it running";
    assert!(status.message().starts_with(text), "{status}");
    assert_eq!(status.attempts().len(), 4, "{status:#}");
    // Four times what makes a node count as dead, and the waits between, which are short.
    let took = world.elapsed() - begun;
    assert!(secs(12) <= took && took < millis(12_500), "{took:?}");
    let node = world.node(1).serve(Probe::new().server()).start().await.unwrap();
    good_call(&channel).await;
    world.end((node, channel)).await;
}

#[tokio::test]
async fn a_call_to_a_closed_port_ends_at_its_deadline_and_was_not_executed_loopback() {
    // Where there are several loopback addresses, one that no other test has sockets at.
    let free = UdpSocket::bind("127.77.0.1:0").or_else(|_| UdpSocket::bind("127.0.0.1:0"));
    let addr = free.unwrap().local_addr().unwrap();
    let channel = Channel::connect(addr).await.unwrap();
    let node = Node::builder().start().await.unwrap();
    for channel in [channel.clone(), node.connect(addr).await.unwrap()] {
        let call = ProbeClient::new(channel).echo(echo(1)).timeout(millis(200));
        assert_nobody(&call.await.unwrap_err(), addr);
    }
    // Nor has what the system may have said of the closed port hurt the socket.
    let late = Node::builder().serve(Probe::new().server()).bind(addr).start().await.unwrap();
    good_call(&channel).await;
    good_call(&node.connect(late.local_addr()).await.unwrap()).await;
}

fn assert_nobody(status: &Status, addr: SocketAddr) {
    let label = (status.code(), status.outcome());
    assert_eq!(label, (Code::DeadlineExceeded, Outcome::NotExecuted), "{status:#}");
    let text = format!("{addr} did not answer within ");
    assert!(status.message().starts_with(&text), "{status}");
}

async fn start() -> (World, Node) {
    let world = World::new(1);
    let node = world.node(1).serve(Probe::new().server()).start().await.unwrap();
    (world, node)
}

async fn lives_on(world: World, node: Node) {
    let channel = world.channel(2, 1).await;
    good_call(&channel).await;
    world.end((node, channel)).await;
}
