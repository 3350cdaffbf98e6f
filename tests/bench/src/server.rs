//! The service that is measured, and the calls to it.

use std::sync::Arc;
use std::time::Instant;

use broach_core::codegen::{
    Dispatch, Handling, Idempotency, Inbound, MethodSpec, ServiceSpec, Shape,
};
use broach_core::{Channel, Node, Status};
use bytes::Bytes;

use crate::meter::Meter;
use crate::{Common, Error, harness};

#[derive(Clone, PartialEq, ::broach_core::codegen::prost::Message)]
#[prost(prost_path = "::broach_core::codegen::prost")]
struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
}

static ECHO: ServiceSpec = ServiceSpec {
    name: "broach.bench.v1.Bench",
    methods: &[MethodSpec::new("broach.bench.v1.Bench/Echo", 1, Shape::Unary, Idempotency::None)],
};

struct Echo;

impl Dispatch for Echo {
    fn spec(&self) -> &'static ServiceSpec {
        &ECHO
    }

    fn dispatch(&self, call: Inbound) -> Handling {
        call.unary(|_, request: Payload| async move { Ok::<_, Status>(request) })
    }
}

/// Serves until the parent process goes.
pub(crate) fn serve(common: &Common) -> Result<(), Error> {
    harness::pin(common.pin)?;
    harness::exit_with_parent();
    let runtime = harness::runtime(common.workers)?;
    runtime.block_on(async {
        let node = Node::builder().transport(common.transport()).serve(Echo).start().await?;
        println!("READY {}", node.local_addr());
        std::future::pending::<()>().await;
        Ok(())
    })
}

/// Calls, one time after the other, until the measurement is over.
pub(crate) async fn call(channel: Channel, payload: Bytes, meter: Arc<Meter>) {
    while !meter.stopped() {
        let started = Instant::now();
        let request = Payload { data: payload.clone() };
        match channel.unary::<_, Payload>(&ECHO.methods[0], request).await {
            Ok(reply) if reply.data.len() == payload.len() => meter.record(started),
            Ok(_) => meter.fail(),
            Err(status) => {
                eprintln!("broach-bench: {status:#}");
                meter.fail();
            }
        }
    }
}
