//! Streams: how many messages get through in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use broach_core::Status;
use bytes::Bytes;
use futures::Stream;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Error;
use crate::broach::bench::v1::{BenchClient, Nothing, Payload, Size};
use crate::cli::{Bench, Mode};
use crate::client::{Setup, line};
use crate::meter::Meter;

/// What one stream is to do, and what is counted of it.
#[derive(Clone)]
struct Work {
    client: BenchClient,
    payload: Bytes,
    meter: Arc<Meter>,
    /// Messages that came back, or down, over all streams.
    received: Arc<AtomicU64>,
}

/// Messages are counted where they arrive.
pub(crate) fn run(bench: &Bench) -> Result<Value, Error> {
    let setup = Setup::start(bench)?;
    let meter = Meter::shared();
    let work = Work {
        client: BenchClient::new(setup.channel.clone()),
        payload: Bytes::from(vec![0xa5; bench.payload as usize]),
        meter: Arc::clone(&meter),
        received: Arc::default(),
    };
    let mut streams = JoinSet::new();
    for _ in 0..bench.concurrency.get() {
        let (mode, work) = (bench.mode, work.clone());
        streams.spawn_on(async move { work.run(mode).await }, setup.runtime.handle());
    }
    let began = std::time::Instant::now();
    let arrived = || match bench.mode {
        Mode::Up => {
            let count = setup.runtime.block_on(async { work.client.arrived(Nothing {}).await })?;
            Ok((count.messages, Duration::from_nanos(count.nanos)))
        }
        _ => Ok((work.received.load(Relaxed), began.elapsed())),
    };
    let times = [bench.warmup, bench.seconds];
    let (spent, [(before, from), (after, to)]) = meter.run(setup.server.pid(), times, arrived)?;
    let ended = setup.runtime.block_on(async {
        let all = async {
            while let Some(result) = streams.join_next().await {
                result??;
            }
            Ok::<_, Error>(())
        };
        timeout(END_MAX, all).await
    });
    setup.end();
    ended.map_err(|_| "the streams did not end")??;
    let (messages, seconds) = (after - before, (to - from).as_secs_f64());
    let mut line = line(bench);
    line.insert("messages_per_s".into(), (messages as f64 / seconds).into());
    let bytes = messages * u64::from(bench.payload);
    line.insert("bytes_per_s".into(), (bytes as f64 / seconds).into());
    spent.write(&mut line, messages);
    line.insert("errors".into(), meter.errors().into());
    Ok(line.into())
}

impl Work {
    async fn run(self, mode: Mode) -> Result<(), Status> {
        match mode {
            Mode::Up => self.up().await,
            Mode::Down => self.down().await,
            _ => self.duplex().await,
        }
    }

    async fn up(self) -> Result<(), Status> {
        let sent = Arc::new(AtomicU64::new(0));
        let messages = self.client.up(self.requests(&sent)).await?.messages;
        match sent.load(Relaxed) {
            sent if messages == sent => Ok(()),
            sent => Err(Status::data_loss(format!("{messages} of {sent} messages arrived"))),
        }
    }

    async fn down(self) -> Result<(), Status> {
        let size = Size { bytes: self.payload.len() as u32 };
        let mut replies = self.client.down(size).await?;
        while !self.meter.stopped() {
            let Some(reply) = replies.message().await? else {
                return Err(Status::data_loss("the stream has ended"));
            };
            self.took(&reply)?;
        }
        Ok(())
    }

    async fn duplex(self) -> Result<(), Status> {
        let sent = Arc::new(AtomicU64::new(0));
        let (mut replies, mut came) = (self.client.duplex(self.requests(&sent)).await?, 0_u64);
        while let Some(reply) = replies.message().await? {
            self.took(&reply)?;
            came += 1;
        }
        match sent.load(Relaxed) {
            sent if came == sent => Ok(()),
            sent => Err(Status::data_loss(format!("{came} of {sent} messages came back"))),
        }
    }

    /// Requests without end, until it is time to stop, from an iterator: what is measured is not
    /// how they are made.
    fn requests(&self, sent: &Arc<AtomicU64>) -> impl Stream<Item = Payload> + Send + use<> {
        let (data, meter, sent) = (self.payload.clone(), self.meter.clone(), Arc::clone(sent));
        futures::stream::iter(std::iter::from_fn(move || {
            if meter.stopped() {
                return None;
            }
            sent.fetch_add(1, Relaxed);
            Some(Payload { data: data.clone() })
        }))
    }

    fn took(&self, reply: &Payload) -> Result<(), Status> {
        if reply.data.len() != self.payload.len() {
            return Err(Status::data_loss(format!("{} bytes came", reply.data.len())));
        }
        self.received.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// How long streams may take to end after the window.
const END_MAX: Duration = Duration::from_secs(10);
