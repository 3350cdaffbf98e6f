//! The run: a fixed number of workers call the nodes, chunk by chunk, while one node is killed and
//! another one joins.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::Error;
use crate::caller::Caller;
use crate::processes::{Killed, Nodes, Noticed};
use crate::progress::{Progress, say};
use crate::queue::Queue;
use crate::results::{Answer, CallEnd, Newcomer, Results};
use crate::wordcount::v1::{CountRequest, WordCountClient};
use crate::words::Tally;

/// What is done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) in_flight: usize,
    /// How long new passes over the text are begun.
    pub(crate) time: Duration,
    /// The node that is killed after a third of the time.
    pub(crate) victim: Option<usize>,
    /// Whether another node is started after two thirds.
    pub(crate) newcomer: bool,
    pub(crate) text: String,
    /// The chunks that the text is sent in.
    pub(crate) chunks: Vec<Range<usize>>,
}

/// What the workers share.
#[derive(Debug)]
struct Shared {
    plan: Arc<Plan>,
    queue: Queue,
    /// What was counted, in as many parts as there are processors: one for all would be a place to
    /// wait at, one for each worker would hold nearly every word so many times.
    tallies: Vec<Mutex<Tally>>,
}

/// What happens while the run lasts.
#[derive(Debug)]
enum Event {
    Ended(CallEnd),
    Killed(Killed),
    Joined(Newcomer, SocketAddr),
}

impl Plan {
    /// Has the text counted, over and over again. Ends with the pass that is under way when the
    /// time is over, or after a call that failed.
    ///
    /// # Errors
    ///
    /// If the one to be killed is dead already, or the one to be started does not start.
    pub(crate) async fn run(
        self: &Arc<Self>,
        nodes: &mut Nodes,
        caller: &Caller,
    ) -> Result<Results, Error> {
        let client = caller.client();
        let parts = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let shared = Arc::new(Shared {
            plan: Arc::clone(self),
            queue: Queue::new(self.chunks.len()),
            tallies: (0..parts).map(|_| Mutex::default()).collect(),
        });
        let (events, incoming) = mpsc::channel(self.in_flight);
        let mut results = Results::new(nodes.addrs(), self.time);
        let mut workers = JoinSet::new();
        for number in 0..self.in_flight {
            workers.spawn(work(number, client.clone(), Arc::clone(&shared), events.clone()));
        }
        tokio::select! {
            () = self.collect(&mut results, &shared.queue, incoming) => {}
            error = self.direct(nodes, &shared.queue, events) => return Err(error),
        }
        while let Some(joined) = workers.join_next().await {
            joined?;
        }
        if let Some(killed) = results.killed {
            results.last_sent = caller.last_attempt(nodes.addr(killed.index));
            results.noticed = notice(nodes, caller, killed).await;
        }
        results.passes = shared.queue.passes();
        for tally in &shared.tallies {
            let part = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
            results.tally.add_all(part.into_counts());
        }
        Ok(results)
    }

    /// Kills a node, starts another, and ends the run when its time is over. Only returns if it
    /// cannot.
    async fn direct(&self, nodes: &mut Nodes, queue: &Queue, events: mpsc::Sender<Event>) -> Error {
        let started = tokio::time::Instant::now();
        let over = async {
            sleep_until(started + self.time).await;
            queue.close();
            std::future::pending().await
        };
        tokio::select! {
            Err(error) = self.change(nodes, started, events) => error,
            never = over => never,
        }
    }

    /// Changes who is there.
    async fn change(
        &self,
        nodes: &mut Nodes,
        started: tokio::time::Instant,
        // The events end with those of the workers.
        events: mpsc::Sender<Event>,
    ) -> Result<(), Error> {
        if let Some(index) = self.victim {
            sleep_until(started + self.time / 3).await;
            let killed = nodes.kill(index).await?;
            // If nobody listens the run is over.
            let _ = events.send(Event::Killed(killed)).await;
        }
        if self.newcomer {
            sleep_until(started + self.time * 2 / 3).await;
            let at = Instant::now();
            let index = nodes.add().await?;
            let _ = events.send(Event::Joined(Newcomer { index, at }, nodes.addr(index))).await;
        }
        Ok(())
    }

    /// Takes in what happens until all workers have ended, and shows how far it is.
    async fn collect(
        &self,
        results: &mut Results,
        queue: &Queue,
        mut events: mpsc::Receiver<Event>,
    ) {
        let mut progress = Progress::new(self.time, self.chunks.len());
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
                        // The totals cannot come out right any more.
                        queue.stop();
                    }
                    results.add(end);
                }
                Some(Event::Killed(killed)) => {
                    results.killed = Some(killed);
                    progress.announce_kill(results, killed);
                }
                Some(Event::Joined(newcomer, addr)) => {
                    results.newcomer = Some(newcomer);
                    results.add_node(addr);
                    progress.announce_start(results, newcomer);
                }
                None => break,
            }
        }
        progress.clear();
    }
}

/// Waits until everybody calls a node dead, which most have done long ago unless the run was short.
async fn notice(nodes: &mut Nodes, caller: &Caller, killed: Killed) -> Vec<Noticed> {
    let by_caller = caller.notices(nodes.addr(killed.index), killed, NOTICE_PATIENCE);
    let mut noticing = pin!(join(nodes.notice(killed, NOTICE_PATIENCE), by_caller));
    let (mut noticed, by_caller) = match noticing.as_mut().now_or_never() {
        Some(noticed) => noticed,
        None => {
            say(&format!("waiting until all call node {} dead", killed.index + 1));
            noticing.await
        }
    };
    noticed.push(by_caller);
    noticed
}

/// Has one chunk after the other counted, until there is none left.
async fn work(
    number: usize,
    client: WordCountClient,
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
) {
    let Shared { plan, queue, tallies } = &*shared;
    let tally = &tallies[number % tallies.len()];
    while let Some(chunk) = queue.next() {
        let text = plan.text[plan.chunks[chunk].clone()].to_owned();
        let started = Instant::now();
        let result = client.count(CountRequest { text }).timeout(CALL_TIMEOUT).response().await;
        let ended = Instant::now();
        let result = result.map(|response| {
            let peer = response.peer.map(|peer| peer.addr);
            let answer = Answer { peer, attempts: response.attempts.len() };
            // However often the call was tried, it has this one reply.
            tally.lock().unwrap_or_else(PoisonError::into_inner).add_all(response.message.counts);
            answer
        });
        if events.send(Event::Ended(CallEnd { started, ended, result })).await.is_err() {
            return;
        }
    }
}

/// How long a call may take. Long, because with large chunks, many calls in flight and a slow
/// machine a call waits for others: that is no failure of the cluster.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// How long it is waited for, once the calls have ended, that the nodes call the killed one dead.
const NOTICE_PATIENCE: Duration = Duration::from_secs(15);
