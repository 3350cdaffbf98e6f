//! Calls that echo their payload.

use std::sync::Arc;
use std::time::Instant;

use broach_core::Channel;
use bytes::Bytes;
use serde_json::Value;

use crate::Error;
use crate::broach::bench::v1::{BenchClient, Payload};
use crate::cli::Bench;
use crate::client::{Setup, line};
use crate::meter::Meter;

pub(crate) fn run(bench: &Bench) -> Result<Value, Error> {
    let setup = Setup::start(bench)?;
    let meter = Meter::shared();
    let payload = Bytes::from(vec![0xa5; bench.payload as usize]);
    for _ in 0..bench.concurrency.get() {
        setup.runtime.spawn(call(setup.channel.clone(), payload.clone(), Arc::clone(&meter)));
    }
    let (spent, _) = meter.run(setup.server.pid(), [bench.warmup, bench.seconds], || Ok(()))?;
    setup.end();
    let figures = meter.figures(spent.wall)?;
    let mut line = line(bench);
    figures.write(&mut line);
    spent.write(&mut line, figures.calls);
    line.insert("errors".into(), meter.errors().into());
    Ok(line.into())
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
