//! What memory it takes to know many nodes, with which nothing is being done.

use std::net::SocketAddr;

use broach_core::{Channel, Node};
use bytes::Bytes;
use serde_json::Value;

use crate::Error;
use crate::broach::bench::v1::{BenchClient, Payload};
use crate::cli::Bench;
use crate::client::line;
use crate::harness::{self, Server, resident_kib};

/// One client that has called many servers, and then many clients that have called one server.
pub(crate) fn run(bench: &Bench) -> Result<Value, Error> {
    harness::allow_many_files()?;
    let mut line = line(bench);
    let peers = bench.peers.get();
    line.insert("peers".into(), peers.into());
    line.insert("client_kib_per_peer".into(), one_client(bench, peers)?.into());
    line.insert("server_kib_per_peer".into(), one_server(bench, peers)?.into());
    line.insert("errors".into(), 0.into());
    Ok(line.into())
}

/// How much a client grows for each server that it has called.
fn one_client(bench: &Bench, peers: usize) -> Result<Option<f64>, Error> {
    // The first is called before, so that what all have in common is not counted.
    let server = Server::start(&bench.common, 1 + peers)?;
    let runtime = harness::runtime(bench.common.workers)?;
    runtime.block_on(async {
        let transport = bench.common.transport();
        let node = Node::builder().client_only().transport(transport).start().await?;
        call(&node.connect(server.addr()).await?).await?;
        let before = resident_kib(std::process::id())?;
        let mut channels = Vec::new();
        for &addr in &server.addrs[1..] {
            let channel = node.connect(addr).await?;
            call(&channel).await?;
            channels.push(channel);
        }
        let after = resident_kib(std::process::id())?;
        Ok(grown(before, after, peers))
    })
}

/// How much a server grows for each client that has called it.
fn one_server(bench: &Bench, peers: usize) -> Result<Option<f64>, Error> {
    let server = Server::start(&bench.common, 1)?;
    let runtime = harness::runtime(bench.common.workers)?;
    runtime.block_on(async {
        let client = |addr: SocketAddr| async move {
            let transport = bench.common.transport();
            let channel = Channel::builder().transport(transport).connect(addr).await?;
            call(&channel).await?;
            Ok::<_, Error>(channel)
        };
        let mut channels = vec![client(server.addr()).await?];
        let before = resident_kib(server.pid())?;
        for _ in 0..peers {
            channels.push(client(server.addr()).await?);
        }
        let after = resident_kib(server.pid())?;
        Ok(grown(before, after, peers))
    })
}

async fn call(channel: &Channel) -> Result<(), Error> {
    let data = Bytes::from_static(&[0xa5; 32]);
    BenchClient::new(channel.clone()).echo(Payload { data }).await?;
    Ok(())
}

fn grown(before: Option<f64>, after: Option<f64>, peers: usize) -> Option<f64> {
    Some((after? - before?) / peers as f64)
}
