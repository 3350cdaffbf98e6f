//! [`Live`]: a node and a caller in the middle of a call, for tests that disturb them.

use broach_core::{Channel, Node, Status};
use broach_tests::broach::testing::v1::{Nothing, ProbeClient};
use broach_tests::forge::{DATA, Forged, INIT, Init, RETRY};
use broach_tests::requests::{echo_bytes, good_call, wait};
use broach_tests::{Probe, Tap, World, millis, secs};
use tokio::task::JoinHandle;

/// A node and a caller that are in the middle of a call, with everything between them in sight.
pub(crate) struct Live {
    pub(crate) world: World,
    pub(crate) probe: Probe,
    pub(crate) node: Node,
    pub(crate) channel: Channel,
    pub(crate) server: Tap,
    pub(crate) client: Tap,
    pub(crate) under_way: JoinHandle<Result<Nothing, Status>>,
}

/// A datagram that was really sent, and to which node.
pub(crate) struct Real {
    pub(crate) to: u8,
    pub(crate) bytes: Vec<u8>,
}

impl Live {
    pub(crate) async fn new() -> Self {
        let (world, probe) = (World::new(1), Probe::new());
        let (server, client) = (Tap::new(world.socket(1)), Tap::new(world.socket(2)));
        let node = world.node_on(1, server.clone()).serve(probe.server()).start().await.unwrap();
        let caller = world.caller_on(2, client.clone());
        let channel = caller.connect(World::addr(1)).await.unwrap();
        let call = ProbeClient::new(channel.clone()).echo(echo_bytes(1, 1_500));
        call.await.unwrap();
        let call = ProbeClient::new(channel.clone()).wait(wait(77)).timeout(secs(600));
        let under_way = tokio::spawn(call);
        probe.until(|probe| probe.running() == 1).await;
        // So that nothing is waiting to be sent any more.
        tokio::time::sleep(millis(100)).await;
        Self { world, probe, node, channel, server, client, under_way }
    }

    /// All that has been sent, each kind from each side: two INITs, RETRY, their answer, and DATA.
    pub(crate) fn real(&self) -> Vec<Real> {
        let to_server = self.client.sent().into_iter().map(|bytes| Real { to: 1, bytes });
        let to_client = self.server.sent().into_iter().map(|bytes| Real { to: 2, bytes });
        let all: Vec<Real> = to_server.chain(to_client).collect();
        for (to, kind) in [(1, INIT), (1, DATA), (2, RETRY), (2, INIT), (2, DATA)] {
            let fits = |real: &&Real| real.to == to && real.bytes[1] >> 4 == kind;
            assert!(all.iter().any(|real| fits(&real)), "none of kind {kind} to {to}");
        }
        all
    }

    /// How many datagrams the server and the caller have sent.
    pub(crate) fn sent(&self) -> [u64; 2] {
        [1, 2].map(|node| self.world.watch(node).counters().datagrams_sent)
    }

    /// Sends a datagram to one of the two, from the address of the other.
    pub(crate) fn inject(&self, to: u8, bytes: &[u8]) {
        let from = if to == 1 { &self.client } else { &self.server };
        from.inject(World::addr(to), bytes);
    }

    /// The number of the session, as one of the two gave it.
    pub(crate) fn session_at(&self, node: u8) -> u64 {
        let sent = if node == 1 { self.client.sent() } else { self.server.sent() };
        let data = sent.iter().rev().find(|bytes| bytes[1] >> 4 == DATA);
        Forged::read(data.expect("a session is open")).unwrap().to
    }

    /// What the caller put into its INITs.
    pub(crate) fn init(&self) -> Init {
        let sent = self.client.sent();
        let init = sent.first().and_then(|bytes| Forged::read(bytes)?.init);
        init.expect("a session begins with an INIT")
    }

    /// The call that is under way gets its reply, and the node answers the next one.
    pub(crate) async fn end(self) {
        self.probe.release(1);
        self.under_way.await.unwrap().expect("the call has not noticed");
        good_call(&self.channel).await;
        assert_eq!(self.world.watch(1).counters().handlers_running(), 0);
        self.world.end((self.node, self.channel)).await;
    }
}
