//! The server: from the command line to the exit code.

mod limit;
mod members;
mod service;
mod stats;

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use broach_core::{Channel, MemberEvents, Node, Security};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use crate::broach::testing::v1::TestServiceServer;
use crate::cli::ServerOptions;
use crate::clock::WallClock;
use crate::server::limit::Limit;
use crate::server::members::View;
pub(crate) use crate::server::service::{ECHO_BYTES, ECHO_TEXT, Service};
use crate::server::stats::StatsFile;
use crate::{Error, FAIL, PASS, say};

/// Serves until SIGTERM.
///
/// # Errors
///
/// If it cannot begin.
pub(crate) async fn run(options: ServerOptions, clock: WallClock) -> Result<u8, Error> {
    let terminate = signal(SignalKind::terminate())?;
    let service = Arc::new(Service::new(&options, clock)?);
    let view = View::new(options.members.as_deref(), clock)?;
    let stats = options.stats.clone().map(StatsFile::new);
    let drain = Duration::from_millis(options.drain_ms);
    let mut builder = Node::builder()
        .cluster(&options.cluster)
        .security(Security::clear())
        .bind(options.listen)
        .join(&options.join)
        .drain_timeout(drain)
        .serve(TestServiceServer::from(Arc::clone(&service)));
    if let Some(addr) = &options.advertise {
        builder = builder.advertise(addr);
    }
    if let Some(max) = options.max_concurrency {
        builder = builder.layer(Limit::new(max));
    }
    let node = builder.start().await?;
    service.set_instance(node.instance());
    let watch = Watch::new(&node, view, stats);
    watch.write_stats()?;
    say(&format!("READY {}", node.local_addr()))?;
    Ok(serve(node, watch, terminate, drain).await)
}

/// Serves until the first SIGTERM, and ends as it is to end.
async fn serve(node: Node, mut watch: Watch, mut terminate: Signal, drain: Duration) -> u8 {
    tokio::select! {
        _ = terminate.recv() => {}
        never = watch.run(Some(&node)) => match never {},
    }
    let (channel, again) = (node.channel(), Cell::new(false));
    let hurry = async {
        tokio::select! {
            _ = terminate.recv() => again.set(true),
            () = too_long(&channel, drain) => {}
        }
    };
    let result = tokio::select! {
        result = node.shutdown_or_stop(hurry) => result,
        never = watch.run(None) => match never {},
    };
    watch.end();
    match result {
        Ok(()) if !again.get() => PASS,
        Ok(()) => FAIL,
        Err(unfinished) => {
            eprintln!("broach-interop: {unfinished}");
            FAIL
        }
    }
}

/// Ends when a server that was asked to end must not take longer. Who has nothing to finish has
/// only to say goodbye.
async fn too_long(channel: &Channel, drain: Duration) {
    let is_idle = || channel.counters().handlers_running() == 0 && channel.held().reply_bytes == 0;
    let was_idle = is_idle();
    let last = drain + GOODBYE;
    let first = last.min(IDLE_MAX);
    sleep(first).await;
    if !(was_idle && is_idle()) {
        sleep(last - first).await;
    }
}

/// What is written down beside the calls.
struct Watch {
    /// Outlives its node, for the counters.
    channel: Channel,
    own: broach_core::Peer,
    events: MemberEvents,
    view: View,
    stats: Option<StatsFile>,
    each_second: Interval,
}

impl Watch {
    fn new(node: &Node, mut view: View, stats: Option<StatsFile>) -> Self {
        // Before looking, so that nothing is missed.
        let events = node.events();
        let own = broach_core::Peer { addr: node.advertised_addr(), instance: node.instance() };
        view.on_alive(own);
        view.look(&node.members());
        let mut each_second = interval(Duration::from_secs(1));
        each_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { channel: node.channel(), own, events, view, stats, each_second }
    }

    /// Goes on for as long as it is polled; nothing is lost when it is dropped.
    async fn run(&mut self, node: Option<&Node>) -> Infallible {
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => self.view.on_event(event, node),
                    // The node has ended; whoever polls this is about to hear of it.
                    None => std::future::pending().await,
                },
                _ = self.each_second.tick() => self.try_write_stats(),
            }
        }
    }

    /// The node has ended.
    fn end(mut self) {
        self.view.on_left(self.own);
        self.try_write_stats();
    }

    fn try_write_stats(&self) {
        if let Err(error) = self.write_stats() {
            crate::complain(&error);
        }
    }

    fn write_stats(&self) -> Result<(), crate::lines::FileError> {
        let Some(stats) = &self.stats else { return Ok(()) };
        stats.write(&self.channel, &self.view)
    }
}

/// A server with nothing to finish has ended by then, and a little before a second is over.
const IDLE_MAX: Duration = Duration::from_millis(750);

/// How long a server may take that did not finish in time, and a little before a second is over.
const GOODBYE: Duration = Duration::from_millis(700);
