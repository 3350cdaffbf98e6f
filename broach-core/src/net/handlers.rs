//! Handlers at work: begun in the driver's own task if they are quick, and in tasks of their own if
//! they are not.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;

use crate::deadline::{Clock, Time};
use crate::ids::MethodId;
use crate::net::inbox::{Command, Inbox};
use crate::net::pace::Pace;
use crate::net::reader::Reader;
use crate::net::starts::Starts;
use crate::net::work::{Begun, Handler};
use crate::net::writer::Writer;
use crate::proto::{Arrived, CallBytes, Serving};

/// The bytes of a reply, and how long the handler's first poll took, if that was measured.
type Reply = (CallBytes, Option<(MethodId, Duration)>);

/// Starts handlers, and stops those that are not needed any more.
///
/// Most handlers answer without waiting for anything. To give each of them a task would cost more
/// than the handler itself, so a handler is polled once where it is, and gets a task only if it has
/// to wait; but only once its method has proved quick, because a slow one would hold up everybody
/// else.
#[derive(Debug)]
pub(super) struct Handlers {
    handler: Arc<dyn Handler>,
    clock: Arc<dyn Clock>,
    inbox: Arc<Inbox>,
    starts: Starts,
    running: FxHashMap<Serving, AbortHandle>,
    /// The ends of those calls that stream, until their handlers are started.
    streams: FxHashMap<Serving, (Reader, Writer)>,
    /// Of the methods that the node serves, which is as many as it can become.
    paces: FxHashMap<MethodId, Pace>,
    /// How long handlers may still be polled in place in this turn.
    left: Duration,
    /// When the clock was last looked at in this turn.
    now: Time,
}

impl Handlers {
    pub(super) fn new(handler: Arc<dyn Handler>, clock: Arc<dyn Clock>, inbox: Arc<Inbox>) -> Self {
        let (starts, now) = (Starts::new(), clock.now());
        Self {
            handler,
            clock,
            inbox,
            starts,
            running: FxHashMap::default(),
            streams: FxHashMap::default(),
            paces: FxHashMap::default(),
            left: TURN_MAX,
            now,
        }
    }

    /// A call has arrived, whose handler is to be started; with the ends of its streams, if it has
    /// any.
    pub(super) fn on_call(&mut self, call: Arrived, ends: Option<(Reader, Writer)>) {
        if let Some(ends) = ends {
            self.streams.insert(call.serving, ends);
        }
        self.starts.push(call);
    }

    /// Whether calls wait for their handlers to be started.
    pub(super) fn wait(&self) -> bool {
        !self.starts.is_empty()
    }

    /// Starts handlers, as many as there is time for in one turn of the driver; gives the replies
    /// that are there at once.
    pub(super) fn start(&mut self, mut reply: impl FnMut(Serving, CallBytes)) {
        if self.starts.is_empty() {
            return;
        }
        // What the turn has done until now is not the handlers' fault.
        (self.left, self.now) = (TURN_MAX, self.clock.now());
        while !self.left.is_zero()
            && let Some(call) = self.starts.pop()
        {
            let serving = call.serving;
            let pace = self.paces.get(&call.method);
            let quick = pace.is_some_and(|pace| pace.is_quick(self.now));
            if call.streams.any() {
                self.start_stream(call);
                self.look_at_clock();
            } else if quick || !self.handler.serves(call.method) {
                if let Some(bytes) = self.start_here(call) {
                    reply(serving, bytes);
                }
            } else {
                self.start_in_task(call);
                self.look_at_clock();
            }
        }
        self.starts.let_wait();
    }

    /// Starts a handler where this is; gives the reply if it is there at once.
    fn start_here(&mut self, call: Arrived) -> Option<CallBytes> {
        let (serving, method) = (call.serving, call.method);
        let mut work = match self.handler.handle(self.now, call) {
            Begun::Work(work) => work,
            Begun::Refused(reply) => {
                self.look_at_clock();
                return Some(reply);
            }
        };
        // If it has to wait it is polled again by its own task, which then is what it wakes.
        let polled = work.poll_unpin(&mut Context::from_waker(Waker::noop()));
        let took = self.look_at_clock();
        if let Some(pace) = self.paces.get_mut(&method) {
            pace.on_first_poll(self.now, took);
        }
        match polled {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => {
                self.spawn(serving, async { Some((work.await, None)) });
                None
            }
        }
    }

    /// Starts a handler in a task of its own, where its first poll is measured. It may be long
    /// until the task runs: only then is it known whether the call still has time.
    fn start_in_task(&mut self, call: Arrived) {
        let (serving, method) = (call.serving, call.method);
        let (handler, clock) = (Arc::clone(&self.handler), Arc::clone(&self.clock));
        self.spawn(serving, async move {
            let before = clock.now();
            let mut work = match handler.handle(before, call) {
                Begun::Work(work) => work,
                Begun::Refused(reply) => return Some((reply, None)),
            };
            let mut took = None;
            let reply = poll_fn(|cx| {
                let polled = work.poll_unpin(cx);
                took.get_or_insert_with(|| clock.now().since(before));
                polled
            });
            Some((reply.await, took.map(|took| (method, took))))
        });
    }

    /// Starts the handler of a call that streams: it will have to wait, so it gets a task.
    fn start_stream(&mut self, call: Arrived) {
        let serving = call.serving;
        let Some((requests, replies)) = self.streams.remove(&serving) else { return };
        let (handler, clock) = (Arc::clone(&self.handler), Arc::clone(&self.clock));
        self.spawn(serving, async move {
            match handler.handle_stream(clock.now(), call, requests, replies) {
                Begun::Work(work) => work.await.map(|reply| (reply, None)),
                Begun::Refused(reply) => Some((reply, None)),
            }
        });
    }

    /// Takes note of the time; tells how long it is since the last time, which the turn has less
    /// of now.
    fn look_at_clock(&mut self) -> Duration {
        let before = std::mem::replace(&mut self.now, self.clock.now());
        let took = self.now.since(before);
        self.left = self.left.saturating_sub(took);
        took
    }

    /// Gives a handler a task, whose end is the reply, or that of the call's stream.
    fn spawn(
        &mut self,
        serving: Serving,
        work: impl Future<Output = Option<Reply>> + Send + 'static,
    ) {
        let inbox = Arc::clone(&self.inbox);
        let task = tokio::spawn(async move {
            // The handler's panics are caught where its name is known; this is about the rest.
            if let Ok(Some((bytes, first_poll))) = AssertUnwindSafe(work).catch_unwind().await {
                inbox.push(Command::Reply { serving, bytes, first_poll });
            }
        });
        self.running.insert(serving, task.abort_handle());
    }

    /// A handler that had a task has ended; its first poll may have been measured.
    pub(super) fn on_reply(
        &mut self,
        now: Time,
        serving: Serving,
        first_poll: Option<(MethodId, Duration)>,
    ) {
        self.running.remove(&serving);
        if let Some((method, took)) = first_poll {
            self.paces.entry(method).or_insert_with(Pace::new).on_first_poll(now, took);
        }
    }

    /// Stops the handler of a call that has ended without it, or sees to it that it is never
    /// started.
    pub(super) fn stop(&mut self, serving: Serving) {
        if self.starts.remove(serving) {
            self.streams.remove(&serving);
            return;
        }
        if let Some(task) = self.running.remove(&serving) {
            task.abort();
        }
    }

    /// How many handlers have tasks.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        self.running.values().for_each(AbortHandle::abort);
    }
}

/// So long are handlers polled in place in one turn of the driver; the others wait for the next.
/// (To give them tasks instead would cost more than they do: measured with 512 calls under way,
/// twice the processor time per call.)
const TURN_MAX: Duration = Duration::from_micros(100);
