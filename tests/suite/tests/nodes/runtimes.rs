//! The same conversation wherever tokio lets it take place: on runtimes of each kind, across two of
//! them, from threads with a runtime and without.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use broach_core::testing::Network;
use broach_core::{Channel, Code, Node, Outcome};
use broach_tests::broach::testing::v1::{EchoReply, ProbeClient, ScriptClient};
use broach_tests::layers::refuse;
use broach_tests::requests::{act, echo, echo_bytes, fail, good_call, sleep, wait};
use broach_tests::{Probe, Script, World, millis, secs, transport};
use futures::executor;
use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conversation_on_many_threads_loopback() {
    let node = start().await;
    let channel = Channel::connect(node.local_addr()).await.unwrap();
    let talks = (0..4).map(|_| tokio::spawn(conversation(channel.clone())));
    join_all(talks).await.into_iter().for_each(|talk| talk.unwrap());
    node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_conversation_on_one_thread_loopback() {
    let node = start().await;
    let channel = Channel::connect(node.local_addr()).await.unwrap();
    let talks = (0..4).map(|_| tokio::spawn(conversation(channel.clone())));
    join_all(talks).await.into_iter().for_each(|talk| talk.unwrap());
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_conversation_in_a_local_set_loopback() {
    let local = async {
        let node = spawn_local(start()).await.unwrap();
        let channel = Channel::connect(node.local_addr()).await.unwrap();
        let talks = (0..4).map(|_| spawn_local(conversation(channel.clone())));
        join_all(talks).await.into_iter().for_each(|talk| talk.unwrap());
        node.shutdown().await.unwrap();
    };
    LocalSet::new().run_until(local).await;
}

#[test]
fn a_conversation_between_two_runtimes_loopback() {
    for (server, caller) in [(many(), one()), (one(), many()), (one(), one())] {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = thread::spawn(move || {
            server.block_on(async {
                let node = start().await;
                tell.send(node.local_addr()).unwrap();
                node.run_until(stopped).await
            })
        });
        let addr = told.recv().unwrap();
        caller.block_on(async {
            conversation(Channel::connect(addr).await.unwrap()).await;
        });
        stop.send(()).unwrap();
        server.join().unwrap().unwrap();
    }
}

#[test]
fn a_channel_is_used_by_threads_of_all_kinds_loopback() {
    let home = many();
    let node = home.block_on(start());
    let channel = home.block_on(Channel::connect(node.local_addr())).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            // On a runtime of its own.
            scope.spawn(|| one().block_on(conversation(channel.clone())));
            // On that of the channel.
            scope.spawn(|| home.block_on(conversation(channel.clone())));
            // On none.
            scope.spawn(|| executor::block_on(conversation(channel.clone())));
        }
    });
    let here = home.handle().clone();
    let blocking = home.spawn_blocking(move || here.block_on(conversation(channel)));
    home.block_on(blocking).unwrap();
    home.block_on(node.shutdown()).unwrap();
}

#[test]
fn a_call_is_tried_again_on_a_thread_without_a_runtime_loopback() {
    let home = many();
    let builder = Node::builder().layer(refuse(Code::Unavailable)).serve(Probe::new().server());
    let node = home.block_on(builder.start()).unwrap();
    let channel = home.block_on(Channel::connect(node.local_addr())).unwrap();
    // Between some of the attempts it has to wait.
    let status = executor::block_on(ProbeClient::new(channel).echo(echo(1))).unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(status.attempts().len(), 4, "{status:#}");
}

#[test]
fn calls_end_when_the_runtime_of_their_channel_goes_loopback() {
    let (home, other) = (one(), many());
    let probe = Probe::new();
    let node = other.block_on(Node::builder().serve(probe.server()).start()).unwrap();
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let addr = node.local_addr();
    let running = thread::spawn(move || {
        home.block_on(async {
            tell.send(Channel::connect(addr).await.unwrap()).unwrap();
            let _ = stopped.await;
        });
    });
    let channel = told.recv().unwrap();
    let call = other.spawn(ProbeClient::new(channel.clone()).wait(wait(1)));
    other.block_on(probe.until(|probe| probe.running() == 1));
    stop.send(()).unwrap();
    running.join().unwrap();
    let status = other.block_on(call).unwrap().unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(status.message(), "this node has stopped");
    let status = other.block_on(ProbeClient::new(channel).echo(echo(2))).unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotExecuted));
    let channel = other.block_on(Channel::connect(addr)).unwrap();
    other.block_on(good_call(&channel));
}

#[test]
fn a_node_whose_runtime_goes_leaves_its_address_to_the_next_loopback() {
    let (home, caller) = (many(), many());
    let (tell, told) = mpsc::channel();
    let never = Script::new(move |_, _| {
        tell.send(()).unwrap();
        pending()
    });
    let node = home.block_on(Node::builder().serve(never.server()).start()).unwrap();
    let addr = node.local_addr();
    let config = transport(|config| config.keep_alive = millis(50));
    let channel = caller.block_on(Channel::builder().transport(config).connect(addr)).unwrap();
    let call = ScriptClient::new(channel.clone()).act_again(act("")).timeout(secs(60));
    let call = caller.spawn(call.response());
    told.recv().unwrap();
    drop(home);
    // What is left of the node knows that it is over.
    let itself = caller.block_on(node.connect(addr)).unwrap();
    let status = caller.block_on(ProbeClient::new(itself).echo(echo(1))).unwrap_err();
    assert_eq!(status.message(), "this node has stopped");
    let next = Script::new(|_, _| async { Ok("next".to_owned()) });
    let next = Node::builder().bind(addr).serve(next.server()).serve(Probe::new().server());
    let next = caller.block_on(next.start()).unwrap();
    let response = caller.block_on(call).unwrap().unwrap();
    assert_eq!((&*response.message.text, response.attempts.len()), ("next", 2));
    caller.block_on(good_call(&channel));
    caller.block_on(next.shutdown()).unwrap();
}

#[test]
fn what_the_runtime_lacks_is_said_at_the_start() {
    let bare = || Builder::new_current_thread().build().unwrap();
    let timed = || Builder::new_current_thread().enable_time().build().unwrap();
    let io = || Builder::new_current_thread().enable_io().build().unwrap();
    let node = || Node::builder().start();
    let channel = || Channel::connect("127.0.0.1:1");
    let (no_io, no_timers) = ("enable_io", "enable_time");
    assert!(panic_of(|| timed().block_on(node())).contains(no_io));
    assert!(panic_of(|| timed().block_on(channel())).contains(no_io));
    assert!(panic_of(|| io().block_on(node())).contains(no_timers));
    assert!(panic_of(|| io().block_on(channel())).contains(no_timers));
    // With a socket of one's own there is no need for I/O.
    let socket = |runtime: &Runtime| {
        let _inside = runtime.enter();
        Network::new(1).socket(World::addr(1)).unwrap()
    };
    let runtime = bare();
    let builder = Node::builder().socket(socket(&runtime));
    assert!(panic_of(|| runtime.block_on(builder.start())).contains(no_timers));
    let runtime = timed();
    runtime.block_on(Node::builder().socket(socket(&runtime)).start()).unwrap();
    assert!(panic_of(|| executor::block_on(node())).contains("runtime"));
}

/// Small calls one after the other, many at once, a large one, a slow one, and one that fails.
async fn conversation(channel: Channel) {
    let client = ProbeClient::new(channel);
    for token in 1..=20 {
        assert_eq!(client.echo(echo(token)).await.unwrap().token, token);
    }
    let calls = (100..200).map(|token| client.echo(echo_bytes(token, 1_000)));
    for (token, reply) in (100..).zip(join_all(calls).await) {
        let payload = echo_bytes(token, 1_000).payload;
        assert!(reply.unwrap() == EchoReply { token, payload }, "{token} got another reply");
    }
    let large = client.echo_again(echo_bytes(1, 300_000)).await.unwrap();
    assert!(large.payload == echo_bytes(1, 300_000).payload);
    client.sleep(sleep(1, 5)).await.unwrap();
    let status = client.fail(fail(Code::NotFound, "nothing here")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "nothing here"));
    let status = client.wait(wait(1)).timeout(millis(5)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

async fn start() -> Node {
    Node::builder().serve(Probe::new().server()).start().await.unwrap()
}

fn one() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn many() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What is said by the panic that comes of this.
fn panic_of<T>(run: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).err().expect("it cannot work");
    match panic.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}
