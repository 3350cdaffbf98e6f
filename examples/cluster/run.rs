//! The run: a fixed number of workers call the nodes, piece by piece, while one node is killed.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broach_core::{Channel, Response, Status};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::Error;
use crate::processes::Nodes;
use crate::progress::Progress;
use crate::queue::Queue;
use crate::results::Results;
use crate::wordcount::v1::{CountReply, CountRequest, WordCountClient};

/// What is done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) in_flight: usize,
    /// How long new passes over the text are begun.
    pub(crate) time: Duration,
    /// The node that is killed half-way.
    pub(crate) victim: Option<usize>,
    pub(crate) text: String,
    /// The pieces that the text is sent in.
    pub(crate) pieces: Vec<Range<usize>>,
}

/// What happens while the run lasts.
#[derive(Debug)]
pub(crate) enum Event {
    Ended(CallEnd),
    Killed(Killed),
}

/// A call that has ended.
#[derive(Debug)]
pub(crate) struct CallEnd {
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    pub(crate) result: Result<Response<CountReply>, Status>,
}

/// Which node was killed when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Killed {
    pub(crate) index: usize,
    pub(crate) at: Instant,
}

impl Plan {
    /// Has the text counted, over and over again. Ends with the pass that is under way when the
    /// time is over, or after a call that failed.
    ///
    /// # Errors
    ///
    /// If the nodes cannot be called at all, or the one to be killed is dead already.
    pub(crate) async fn run(self: &Arc<Self>, nodes: &mut Nodes) -> Result<Results, Error> {
        let channel = Channel::list(nodes.addrs()).await?;
        let queue = Arc::new(Queue::new(self.pieces.len()));
        let (events, incoming) = mpsc::channel(self.in_flight);
        let mut results = Results::new(nodes.addrs());
        let mut workers = JoinSet::new();
        for _ in 0..self.in_flight {
            let client = WordCountClient::new(channel.clone());
            workers.spawn(work(client, Arc::clone(self), Arc::clone(&queue), events.clone()));
        }
        tokio::select! {
            () = self.collect(&mut results, &queue, incoming) => {}
            error = self.direct(nodes, &queue, events) => return Err(error),
        }
        while let Some(joined) = workers.join_next().await {
            joined?;
        }
        results.passes = queue.passes();
        Ok(results)
    }

    /// Kills a node half-way, and ends the run when its time is over. Only returns if it cannot.
    async fn direct(&self, nodes: &mut Nodes, queue: &Queue, events: mpsc::Sender<Event>) -> Error {
        let started = tokio::time::Instant::now();
        if let Some(index) = self.victim {
            sleep_until(started + self.time / 2).await;
            match nodes.kill(index).await {
                Ok(at) => {
                    // If nobody listens the run is over.
                    let _ = events.send(Event::Killed(Killed { index, at })).await;
                }
                Err(error) => return error,
            }
        }
        // The events end with those of the workers.
        drop(events);
        sleep_until(started + self.time).await;
        queue.close();
        std::future::pending().await
    }

    /// Takes in what happens until all workers have ended, and shows how far it is.
    async fn collect(
        &self,
        results: &mut Results,
        queue: &Queue,
        mut events: mpsc::Receiver<Event>,
    ) {
        let mut progress = Progress::new(self.time, self.pieces.len());
        let mut ticks = interval(progress.period());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                // First, because there is nearly always another event.
                biased;
                _ = ticks.tick() => {
                    progress.show(results, queue.passes());
                    continue;
                }
                event = events.recv() => event,
            };
            match event {
                Some(Event::Ended(end)) => {
                    if end.result.is_err() {
                        queue.stop();
                    }
                    results.add(end);
                }
                Some(Event::Killed(killed)) => {
                    results.killed = Some(killed);
                    progress.announce(results, killed);
                }
                None => break,
            }
        }
        progress.clear();
    }
}

/// Has one piece after the other counted, until there is none left.
async fn work(
    client: WordCountClient,
    plan: Arc<Plan>,
    queue: Arc<Queue>,
    events: mpsc::Sender<Event>,
) {
    while let Some(piece) = queue.next() {
        let text = plan.text[plan.pieces[piece].clone()].to_owned();
        let started = Instant::now();
        let result = client.count(CountRequest { text }).timeout(CALL_TIMEOUT).response().await;
        let end = CallEnd { started, ended: Instant::now(), result };
        if events.send(Event::Ended(end)).await.is_err() {
            return;
        }
    }
}

/// How long a call may take. Long, because with large pieces, many calls in flight and a slow
/// machine a call waits for others: that is no failure of the cluster.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
