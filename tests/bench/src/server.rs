//! The service that is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use broach_core::{Context, Node, Receiver, Sender, Status};
use bytes::Bytes;

use crate::broach::bench::v1::{Bench, BenchServer, Count, Nothing, Payload, Size};
use crate::cli::Serve;
use crate::{Error, harness};

/// What all nodes of the process share.
struct Service {
    began: Instant,
    arrived: AtomicU64,
}

#[broach_core::async_trait]
impl Bench for Service {
    async fn echo(&self, _: Context, request: Payload) -> Result<Payload, Status> {
        Ok(request)
    }

    async fn up(&self, _: Context, mut requests: Receiver<Payload>) -> Result<Count, Status> {
        let mut messages = 0;
        while requests.message().await?.is_some() {
            messages += 1;
            self.arrived.fetch_add(1, Relaxed);
        }
        Ok(self.count(messages))
    }

    async fn down(
        &self,
        _: Context,
        size: Size,
        mut replies: Sender<Payload>,
    ) -> Result<(), Status> {
        let data = Bytes::from(vec![0xa5; size.bytes as usize]);
        // Ends with an error when the caller has gone.
        loop {
            replies.send(Payload { data: data.clone() }).await?;
        }
    }

    async fn duplex(
        &self,
        _: Context,
        mut requests: Receiver<Payload>,
        mut replies: Sender<Payload>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            replies.send(request).await?;
        }
        Ok(())
    }

    async fn arrived(&self, _: Context, _: Nothing) -> Result<Count, Status> {
        Ok(self.count(self.arrived.load(Relaxed)))
    }
}

impl Service {
    fn count(&self, messages: u64) -> Count {
        let nanos = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Count { messages, nanos }
    }
}

/// Serves until the parent process goes.
pub(crate) fn serve(options: &Serve) -> Result<(), Error> {
    let common = &options.common;
    harness::pin(common.pin)?;
    harness::exit_with_parent();
    let runtime = harness::runtime(common.workers)?;
    runtime.block_on(async {
        let service = Arc::new(Service { began: Instant::now(), arrived: AtomicU64::new(0) });
        let mut nodes = Vec::new();
        for _ in 0..options.nodes {
            let service = BenchServer::from(Arc::clone(&service));
            let node = Node::builder().transport(common.transport()).serve(service);
            nodes.push(node.start().await?);
        }
        let addrs: Vec<String> = nodes.iter().map(|node| node.local_addr().to_string()).collect();
        println!("READY {}", addrs.join(" "));
        std::future::pending::<()>().await;
        Ok(())
    })
}
