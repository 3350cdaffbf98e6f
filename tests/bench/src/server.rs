//! The service that is measured, and the calls to it.

use std::sync::Arc;
use std::time::Instant;

use broach_core::{Channel, Context, Node, Status};
use bytes::Bytes;

use crate::broach::bench::v1::{Bench, BenchClient, BenchServer, Payload};
use crate::meter::Meter;
use crate::{Common, Error, harness};

struct Echo;

#[broach_core::async_trait]
impl Bench for Echo {
    async fn echo(&self, _: Context, request: Payload) -> Result<Payload, Status> {
        Ok(request)
    }
}

/// Serves until the parent process goes.
pub(crate) fn serve(common: &Common) -> Result<(), Error> {
    harness::pin(common.pin)?;
    harness::exit_with_parent();
    let runtime = harness::runtime(common.workers)?;
    runtime.block_on(async {
        let node = Node::builder()
            .transport(common.transport())
            .serve(BenchServer::new(Echo))
            .start()
            .await?;
        println!("READY {}", node.local_addr());
        std::future::pending::<()>().await;
        Ok(())
    })
}

/// Calls, one time after the other, until the measurement is over.
pub(crate) async fn call(channel: Channel, payload: Bytes, meter: Arc<Meter>) {
    let client = BenchClient::new(channel);
    while !meter.stopped() {
        let started = Instant::now();
        let request = Payload { data: payload.clone() };
        match client.echo(request).await {
            Ok(reply) if reply.data.len() == payload.len() => meter.record(started),
            Ok(_) => meter.fail(),
            // What ends with the program is no failure.
            Err(_) if meter.stopped() => {}
            Err(status) => {
                eprintln!("broach-bench: {status:#}");
                meter.fail();
            }
        }
    }
}
