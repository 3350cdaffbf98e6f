//! What becomes of a stream when the way between its ends becomes another one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use broach_core::{Code, Datagram, DatagramSocket, Datagrams, Outcome, Receiver, Sender, stream};
use broach_tests::broach::testing::v1::{DialogClient, Item};
use broach_tests::{Dialog, World, faults, for_seeds, millis, secs};

use crate::stage::{Stage, all, echo, item, large};

/// A socket whose address becomes another one, as behind a router that forgets.
#[derive(Clone, Debug)]
struct Moving {
    sockets: Arc<[Box<dyn DatagramSocket>; 2]>,
    moved: Arc<AtomicBool>,
}

impl Moving {
    fn new(from: impl DatagramSocket, to: impl DatagramSocket) -> Self {
        Self { sockets: Arc::new([Box::new(from), Box::new(to)]), moved: Arc::default() }
    }

    fn now(&self) -> &dyn DatagramSocket {
        &*self.sockets[usize::from(self.moved.load(SeqCst))]
    }
}

impl DatagramSocket for Moving {
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        received: &mut Vec<Datagram>,
    ) -> Poll<io::Result<()>> {
        // Nothing comes to an address that it does not have any more, or not yet; but it is woken.
        let mut elsewhere = Vec::new();
        let now = usize::from(self.moved.load(SeqCst));
        while self.sockets[1 - now].poll_receive(cx, &mut elsewhere).is_ready() {}
        self.sockets[now].poll_receive(cx, received)
    }

    fn try_send(&self, datagrams: &Datagrams<'_>) -> io::Result<()> {
        self.now().try_send(datagrams)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.now().poll_writable(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    fn unix_time(&self) -> Duration {
        self.now().unix_time()
    }
}

/// A conversation that goes on.
async fn begun(client: &DialogClient) -> (Sender<Item>, Receiver<Item>) {
    let (mut requests, fed) = stream::channel(1);
    requests.send(item(0)).await.unwrap();
    let mut replies = client.talk(fed).await.unwrap();
    assert_eq!(replies.message().await.unwrap(), Some(item(0)));
    (requests, replies)
}

#[test]
fn a_caller_whose_address_changes_learns_it_with_the_next_datagram() {
    for_seeds(0..4, async |world: World| {
        let dialog = echo();
        let node = world.node(1).serve(dialog.server()).start().await.unwrap();
        let socket = Moving::new(world.socket(2), world.socket(3));
        let channel = world.caller_on(2, socket.clone());
        let channel = channel.connect(World::addr(1)).await.unwrap();
        let client = DialogClient::new(channel.clone());
        let (requests, mut replies) = begun(&client).await;
        socket.moved.store(true, SeqCst);
        let moved = world.elapsed();
        // Nobody says anything, but the caller asks every second whether the other node is there.
        let status = replies.message().await.unwrap_err();
        let expected = (Code::Unavailable, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
        assert!(status.to_string().contains("from another address"), "{status}");
        assert!(world.elapsed() - moved <= millis(1_100), "{:?}", world.elapsed() - moved);
        // From there it can call like anybody else.
        assert_eq!(all(client.tell(item(2)).await.unwrap()).await, [Ok(0), Ok(1)]);
        // The handler is stopped once nothing has been heard from the old address for long.
        dialog.until(|dialog| dialog.stopped() == 1).await;
        assert!(world.elapsed() - moved <= secs(12), "{:?}", world.elapsed() - moved);
        drop((requests, replies));
        world.end((node, channel, client)).await;
    });
}

#[test]
fn a_server_whose_address_changes_is_dead_at_the_old_one() {
    for_seeds(0..4, async |world: World| {
        let dialog = echo();
        let socket = Moving::new(world.socket(1), world.socket(3));
        let node = world.node_on(1, socket.clone()).serve(dialog.server()).start().await.unwrap();
        let channel = world.list(2, &[1, 3]).await;
        let client = DialogClient::new(channel.clone());
        let (requests, mut replies) = begun(&client).await;
        socket.moved.store(true, SeqCst);
        let moved = world.elapsed();
        let status = replies.message().await.unwrap_err();
        let expected = (Code::Unavailable, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
        let took = world.elapsed() - moved;
        assert!(secs(9) <= took && took <= secs(12), "{took:?}");
        assert_eq!(all(client.tell(item(2)).await.unwrap()).await, [Ok(0), Ok(1)]);
        dialog.until(|dialog| dialog.stopped() == 1).await;
        drop((requests, replies));
        world.end((node, channel, client)).await;
    });
}

/// What gets through a path of 576 bytes.
const NARROW: usize = 576 - 28;

#[test]
fn a_path_of_576_bytes_ends_what_does_not_get_through_and_leaves_the_rest() {
    for_seeds(0..4, async |world: World| {
        let dialog = echo().ask(|_, requests| async move {
            let _ = all(requests).await;
            Ok(item(0))
        });
        let stage = Stage::within(world, dialog).await;
        let (mut requests, mut replies) = begun(&stage.client).await;
        stage.world.network.set_faults(faults(|faults| faults.mtu = NARROW));
        // What is small goes on.
        for number in 1..20 {
            requests.send(item(number)).await.unwrap();
            assert_eq!(replies.message().await.unwrap(), Some(item(number)));
            tokio::time::sleep(secs(1)).await;
        }
        let narrow = stage.world.elapsed();
        requests.send(large(20, 5_000)).await.unwrap();
        let status = replies.message().await.unwrap_err();
        let expected = (Code::Unavailable, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
        let took = stage.world.elapsed() - narrow;
        assert!(took <= secs(12), "{took:?}");
        stage.dialog.until(|dialog| dialog.stopped() == 1).await;
        stage.world.network.set_faults(faults(|_| {}));
        assert_eq!(all(stage.client.tell(item(2)).await.unwrap()).await, [Ok(0), Ok(1)]);
        drop((requests, replies));
        stage.end().await;
    });
}

#[test]
fn what_comes_from_a_node_that_hears_nothing_does_not_keep_calls_to_it_alive() {
    for_seeds(0..4, async |world: World| {
        // It says something small all the time.
        let dialog = Dialog::new().talk(|_, mut requests, mut replies| async move {
            let _ = requests.message().await;
            for number in 0.. {
                replies.send(item(number)).await?;
                tokio::time::sleep(millis(50)).await;
            }
            Ok(())
        });
        let stage = Stage::within(world, dialog).await;
        let (mut requests, mut replies) = begun(&stage.client).await;
        stage.world.network.set_faults(faults(|faults| faults.mtu = NARROW));
        let narrow = stage.world.elapsed();
        requests.send(large(1, 5_000)).await.unwrap();
        let status = loop {
            assert!(stage.world.elapsed() - narrow <= secs(22), "it goes on for ever");
            match replies.message().await {
                Ok(message) => assert!(message.is_some()),
                Err(status) => break status,
            }
        };
        let expected = (Code::Unavailable, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{status}");
        stage.dialog.until(|dialog| dialog.stopped() == 1).await;
        stage.world.network.set_faults(faults(|_| {}));
        drop((requests, replies));
        stage.end().await;
    });
}

#[test]
fn what_is_small_does_not_keep_a_call_waiting_that_cannot_get_through() {
    for_seeds(0..4, async |world: World| {
        let stage = Stage::within(world, echo()).await;
        let (mut requests, mut replies) = begun(&stage.client).await;
        let (mut others, mut answers) = begun(&stage.client).await;
        stage.world.network.set_faults(faults(|faults| faults.mtu = NARROW));
        let narrow = stage.world.elapsed();
        let swallowed = async {
            // Not in one datagram with something small.
            tokio::time::sleep(millis(25)).await;
            others.send(large(1, 5_000)).await.unwrap();
            answers.message().await
        };
        let goes_on = async {
            for number in 1.. {
                // How the call has ended is told with the replies.
                let _ = requests.send(item(number)).await;
                assert_eq!(replies.message().await?, Some(item(number)));
                assert!(stage.world.elapsed() - narrow <= secs(12), "the other one waits for ever");
                tokio::time::sleep(millis(50)).await;
            }
            Ok::<_, broach_core::Status>(())
        };
        let (other, status) = tokio::join!(swallowed, goes_on);
        for status in [other.unwrap_err(), status.unwrap_err()] {
            let expected = (Code::Unavailable, Outcome::Unknown);
            assert_eq!((status.code(), status.outcome()), expected, "{status}");
            assert!(status.to_string().contains("must carry 1200 bytes"), "{status}");
        }
        let took = stage.world.elapsed() - narrow;
        assert!(secs(9) <= took && took <= secs(12), "{took:?}");
        stage.dialog.until(|dialog| dialog.stopped() == 2).await;
        stage.world.network.set_faults(faults(|_| {}));
        drop((requests, replies, others, answers));
        stage.end().await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_path_that_becomes_narrower_and_wider_again_costs_time_and_nothing_else() {
    let stage = Stage::new(echo()).await;
    let (mut requests, mut replies) = begun(&stage.client).await;
    let mut number = 0;
    for mtu in [8_952, 1_232, 65_507, NARROW, 1_452, 1_232] {
        stage.world.network.set_faults(faults(|faults| faults.mtu = mtu));
        if mtu == NARROW {
            // Not for as long as would be death.
            requests.send(large(-1, 50_000)).await.unwrap();
            tokio::time::sleep(secs(5)).await;
            continue;
        }
        for _ in 0..20 {
            requests.send(large(number, 50_000)).await.unwrap();
            let mut reply = replies.message().await.unwrap().unwrap();
            if reply.number == -1 {
                reply = replies.message().await.unwrap().unwrap();
            }
            assert_eq!(reply, large(number, 50_000), "{mtu}");
            number += 1;
        }
    }
    drop(requests);
    assert_eq!(replies.message().await.unwrap(), None);
    drop(replies);
    stage.end().await;
}
