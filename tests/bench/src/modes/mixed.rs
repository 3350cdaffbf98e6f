//! Small calls beside large ones: what a transfer costs those that have nothing to do with it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::Error;
use crate::cli::Bench;
use crate::client::{Setup, line};
use crate::meter::Meter;
use crate::modes::unary::call;

/// The percentiles are those of the small calls.
pub(crate) fn run(bench: &Bench) -> Result<Value, Error> {
    let setup = Setup::start(bench)?;
    let (small, large) = (Meter::shared(), Meter::shared());
    let payload = Bytes::from(vec![0xa5; bench.payload as usize]);
    for _ in 0..bench.concurrency.get() {
        setup.runtime.spawn(call(setup.channel.clone(), payload.clone(), Arc::clone(&small)));
    }
    let payload = Bytes::from(vec![0xa5; LARGE]);
    setup.runtime.spawn(call(setup.channel.clone(), payload, Arc::clone(&large)));
    let times = [bench.warmup, bench.seconds];
    // Both begin and end at once.
    let (spent, transfers) = std::thread::scope(|scope| {
        let others = scope.spawn(|| large.run(setup.server.pid(), times, || Ok(())));
        let spent = small.run(setup.server.pid(), times, || Ok(()))?;
        let transfers = others.join().map_err(|_| "the other thread has panicked")??;
        Ok::<_, Error>((spent.0, transfers.0))
    })?;
    setup.end();
    let figures = small.figures(spent.wall)?;
    let transfers = large.figures(transfers.wall)?;
    let mut line = line(bench);
    figures.write(&mut line);
    spent.write(&mut line, figures.calls);
    line.insert("transfers_per_s".into(), transfers.calls_per_s.into());
    line.insert("transfer_p50_us".into(), transfers.p50_us.into());
    line.insert("errors".into(), (small.errors() + large.errors()).into());
    Ok(line.into())
}

/// Bytes that each of the large calls carries, there and back.
const LARGE: usize = 1 << 20;
