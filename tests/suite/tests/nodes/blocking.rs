//! Handlers that do what they should not, and keep their thread for long.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use broach_core::{Call, Channel, Node};
use broach_tests::broach::testing::v1::{ActReply, ActRequest, ScriptClient};
use broach_tests::requests::{act, good_call};
use broach_tests::{Probe, Script, World, eventually, secs};
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::Notify;
use tokio::task::yield_now;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_holds_up_no_other_call_loopback() {
    static BLOCKED: Notify = Notify::const_new();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let script = Script::new(move |_, _| {
        BLOCKED.notify_one();
        let released = released.lock().unwrap_or_else(PoisonError::into_inner).recv();
        async move { Ok(format!("{released:?}")) }
    });
    let node = Node::builder().serve(script.server()).serve(Probe::new().server());
    let node = node.start().await.unwrap();
    let channel = Channel::connect(node.local_addr()).await.unwrap();
    for _ in 0..100 {
        let blocking = tokio::spawn(ScriptClient::new(channel.clone()).act(act("")));
        BLOCKED.notified().await;
        // If the thread that is blocked were the node's own, nobody would answer.
        good_call(&channel).await;
        release.send(()).unwrap();
        blocking.await.unwrap().unwrap();
    }
    node.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn other_tasks_have_their_turns_while_many_handlers_are_to_be_started() {
    let (world, busy) = (World::new(1), Busy::default());
    let node = world.node(1).serve(busy.script().server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    busy.prove_quick(&channel).await;
    let calls = tokio::spawn(join_all((0..500).map(|_| busy.call(&channel))));
    let proved = busy.started();
    eventually(|| proved < busy.started()).await;
    let (mut before, mut most) = (busy.started(), 0);
    for _ in 0..1_000 {
        yield_now().await;
        let now = busy.started();
        (before, most) = (now, most.max(now - before));
    }
    assert!(calls.await.unwrap().iter().all(Result::is_ok));
    assert!((2..=20).contains(&most), "{most} handlers were started in one go");
    world.end((node, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_nobody_waits_for_any_more_are_not_started() {
    let (world, busy) = (World::new(1), Busy::default());
    let node = world.node(1).serve(busy.script().server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    busy.prove_quick(&channel).await;
    let before = busy.started();
    let calls = tokio::spawn(join_all((0..500).map(|_| busy.call(&channel))));
    eventually(|| before < busy.started()).await;
    calls.abort();
    tokio::time::sleep(secs(1)).await;
    let started = busy.started() - before;
    assert!(started < 450, "{started} handlers were started");
    world.end((node, channel)).await;
}

/// Handlers that keep their thread for a while, though not for long, in virtual time.
#[derive(Clone, Default)]
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn script(&self) -> Script {
        let started = Arc::clone(&self.0);
        Script::new(move |_, request| {
            started.fetch_add(1, Relaxed);
            if request.text == "busy" {
                let _ = tokio::time::advance(Duration::from_micros(15)).now_or_never();
            }
            async { Ok(String::new()) }
        })
    }

    fn started(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// From then on the node starts them in its own task.
    async fn prove_quick(&self, channel: &Channel) {
        for _ in 0..20 {
            ScriptClient::new(channel.clone()).act(act("")).await.unwrap();
        }
    }

    fn call(&self, channel: &Channel) -> Call<ActRequest, ActReply> {
        ScriptClient::new(channel.clone()).act(act("busy"))
    }
}
