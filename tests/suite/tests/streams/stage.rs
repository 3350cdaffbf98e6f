//! [`Stage`]: a node that serves a [`Dialog`], and somebody who calls it.

use broach_core::{Channel, Code, Node, Receiver, Status};
use broach_tests::broach::testing::v1::{DialogClient, Item};
use broach_tests::{Dialog, World};
use futures::StreamExt;

/// A node, and a client of it that is another program.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) dialog: Dialog,
    pub(crate) node: Node,
    pub(crate) channel: Channel,
    pub(crate) client: DialogClient,
}

impl Stage {
    pub(crate) async fn new(dialog: Dialog) -> Self {
        Self::within(World::new(1), dialog).await
    }

    pub(crate) async fn within(world: World, dialog: Dialog) -> Self {
        let node = world.node(1).serve(dialog.server()).start().await.unwrap();
        let channel = world.channel(2, 1).await;
        let client = DialogClient::new(channel.clone());
        Self { world, dialog, node, channel, client }
    }

    /// All ends, and nothing is left.
    pub(crate) async fn end(self) {
        let Self { world, node, channel, client, .. } = self;
        world.end((node, channel, client)).await;
    }
}

/// The three ways to a service: over the network, from a node to itself, within the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Network,
    OwnNode,
    InProcess,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Network, Self::OwnNode, Self::InProcess];

    /// A client that calls the service this way, and what has to live meanwhile.
    pub(crate) async fn client(self, dialog: &Dialog) -> (DialogClient, Option<(World, Node)>) {
        if self == Self::InProcess {
            return (DialogClient::new(Channel::in_process(dialog.server())), None);
        }
        let world = World::new(1);
        let node = world.node(1).serve(dialog.server()).start().await.unwrap();
        let channel = match self {
            Self::OwnNode => node.channel(),
            _ => world.channel(2, 1).await,
        };
        (DialogClient::new(channel), Some((world, node)))
    }
}

pub(crate) const fn item(number: i64) -> Item {
    Item { number, payload: Vec::new() }
}

/// With so many bytes, which depend on the number.
pub(crate) fn large(number: i64, bytes: usize) -> Item {
    let payload = (0..bytes).map(|at| (at as i64 ^ number) as u8).collect();
    Item { number, payload }
}

/// Everything that comes in, to the end.
pub(crate) async fn all(receiver: Receiver<Item>) -> Vec<Result<i64, Code>> {
    receiver
        .map(|item| item.map(|item| item.number).map_err(|status| status.code()))
        .collect()
        .await
}

/// A handler that sends back what it gets.
pub(crate) fn echo() -> Dialog {
    Dialog::new()
        .tell(|_, item, mut replies| async move {
            for number in 0..item.number {
                replies.send(super::stage::item(number)).await?;
            }
            Ok(())
        })
        .ask(|_, mut requests| async move {
            let mut sum = 0;
            while let Some(item) = requests.message().await? {
                sum += item.number;
            }
            Ok(item(sum))
        })
        .talk(|_, mut requests, mut replies| async move {
            while let Some(item) = requests.message().await? {
                replies.send(item).await?;
            }
            Ok(())
        })
}

/// Fails.
pub(crate) fn refuse() -> Status {
    Status::aborted("as it was asked to")
}
