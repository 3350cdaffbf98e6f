//! Handlers that do what they should not, and keep their thread for long.

use std::sync::{Mutex, PoisonError, mpsc};

use broach_core::{Channel, Node};
use broach_tests::broach::testing::v1::ScriptClient;
use broach_tests::requests::{act, good_call};
use broach_tests::{Probe, Script};
use tokio::sync::Notify;

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
