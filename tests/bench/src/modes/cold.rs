//! First calls: what it costs to meet a server.

use std::time::Instant;

use broach_core::Channel;
use bytes::Bytes;
use hdrhistogram::Histogram;
use serde_json::Value;

use crate::Error;
use crate::broach::bench::v1::{BenchClient, Payload};
use crate::cli::Bench;
use crate::client::{Setup, line};

/// Each call is the first one of a new client, whose socket is opened before the clock starts, as
/// a node has one open all the time.
pub(crate) fn run(bench: &Bench) -> Result<Value, Error> {
    let setup = Setup::start(bench)?;
    let mut all = Histogram::<u64>::new(3)?;
    let mut errors = 0_u64;
    setup.runtime.block_on(async {
        for _ in 0..CALLS {
            let builder = Channel::builder().transport(bench.common.transport());
            let client = BenchClient::new(builder.connect(setup.server.addr()).await?);
            let data = Bytes::from(vec![0xa5; bench.payload as usize]);
            let started = Instant::now();
            match client.echo(Payload { data }).await {
                Ok(_) => all.record(u64::try_from(started.elapsed().as_nanos())?)?,
                Err(status) => {
                    eprintln!("broach-bench: {status:#}");
                    errors += 1;
                }
            }
        }
        Ok::<_, Error>(())
    })?;
    setup.end();
    let mut line = line(bench);
    for (name, quantile) in [("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99), ("p999_us", 0.999)]
    {
        line.insert(name.into(), (all.value_at_quantile(quantile) as f64 / 1e3).into());
    }
    line.insert("calls".into(), all.len().into());
    line.insert("errors".into(), errors.into());
    Ok(line.into())
}

const CALLS: usize = 300;
