//! What the modes share: processes, channels, and the line that is printed.

use std::net::SocketAddr;

use broach_core::{Channel, Node};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::Error;
use crate::cli::{Bench, Route};
use crate::harness::{self, Server};

/// A server, and how to call it.
pub(crate) struct Setup {
    pub(crate) runtime: Runtime,
    pub(crate) channel: Channel,
    pub(crate) server: Server,
    /// Its channel ends with the node, which is why both are kept.
    _node: Option<Node>,
}

impl Setup {
    /// Starts a server and a client to it.
    pub(crate) fn start(bench: &Bench) -> Result<Self, Error> {
        let server = Server::start(&bench.common, 1)?;
        let runtime = harness::runtime(bench.common.workers)?;
        let (channel, node) = runtime.block_on(open(bench, server.addr()))?;
        Ok(Self { runtime, channel, server, _node: node })
    }

    /// Ends all that there is; what is still under way is not waited for.
    pub(crate) fn end(self) {
        self.runtime.shutdown_background();
    }
}

/// A channel to the server, and the node that it belongs to if it belongs to one.
async fn open(bench: &Bench, server: SocketAddr) -> Result<(Channel, Option<Node>), Error> {
    let transport = bench.common.transport();
    match bench.channel {
        Route::Direct => Ok((Channel::builder().transport(transport).connect(server).await?, None)),
        Route::Cluster => {
            let builder = Node::builder().transport(transport);
            let node = builder.client_only().join([server]).start().await?;
            Ok((node.channel(), Some(node)))
        }
    }
}

/// What every line begins with.
pub(crate) fn line(bench: &Bench) -> Map<String, Value> {
    let object = json!({
        "impl": "broach",
        "mode": bench.mode.name(),
        "channel": bench.channel.name(),
        "payload": bench.payload,
        "concurrency": bench.concurrency,
    });
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
