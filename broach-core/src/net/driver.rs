//! The driver: the one task that owns a node's socket and all its protocol state.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::deadline::{Clock, Time};
use crate::net::flow::Flow;
use crate::net::gossiper::Gossiper;
use crate::net::handle::{Handle, Shared};
use crate::net::handlers::Handlers;
use crate::net::inbox::{Command, Ended, Inbox};
use crate::net::outbox::Outbox;
use crate::net::socket::{Datagram, DatagramSocket};
use crate::net::streams::{Streams, over};
use crate::net::timer::Timer;
use crate::net::waiters::Waiters;
use crate::net::work::Handler;
use crate::observe::{Event as Seen, Held, Observe};
use crate::proto::{Endpoint, Event, Identity, Received, StreamKey};
use crate::rng::Rng;
use crate::status::Status;

/// What a node's driver is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) socket: Arc<dyn DatagramSocket>,
    pub(crate) identity: Identity,
    pub(crate) shared: Shared,
    pub(crate) rng: Rng,
    /// Absent in a node that serves nothing.
    pub(crate) handler: Option<Arc<dyn Handler>>,
    /// Absent if it belongs to no cluster.
    pub(crate) gossiper: Option<Gossiper>,
}

/// Starts a driver, as a task of the tokio runtime that this is called in.
///
/// # Panics
///
/// If there is no tokio runtime, or it has no timers.
pub(crate) fn start(parts: Parts) -> Handle {
    // Without timers the driver would panic when it first has to wait, and with it goes the node.
    drop(parts.shared.clock.sleep_until(Time::ZERO));
    let inbox = Arc::new(Inbox::default());
    let handle = Handle::new(Arc::clone(&inbox), parts.shared.clone());
    tokio::spawn(Driver::new(parts, inbox).run());
    handle
}

/// See the [module](self).
#[derive(Debug)]
struct Driver {
    endpoint: Endpoint,
    socket: Arc<dyn DatagramSocket>,
    inbox: Arc<Inbox>,
    outbox: Outbox,
    clock: Arc<dyn Clock>,
    observe: Observe,
    handlers: Option<Handlers>,
    gossiper: Option<Gossiper>,
    waiters: Waiters,
    streams: Streams,
    drained: Option<oneshot::Sender<()>>,
    timer: Timer,
    received: Vec<Datagram>,
    commands: Vec<Command>,
    /// When the socket was last found empty: nothing in it can be older.
    emptied_at: Time,
    /// How many turns have found something to receive, one after the other.
    busy_turns: u32,
    /// Receiving has failed: how long to wait before trying again, and until when.
    receive_pause: Option<(Duration, Time)>,
    stopping: bool,
    /// Who waits for the end.
    stopped: Option<oneshot::Sender<()>>,
}

/// What a turn begins with.
#[derive(Clone, Copy, Debug, Default)]
struct Woken {
    by_inbox: bool,
    by_timer: bool,
}

impl Driver {
    fn new(parts: Parts, inbox: Arc<Inbox>) -> Self {
        let Parts { socket, identity, shared, rng, handler, gossiper } = parts;
        let Shared { config, clock, observe, .. } = shared;
        let now = clock.now();
        let receive_buffer = socket.receive_buffer();
        if let Some(given) = receive_buffer {
            let asked = config.receive_buffer_bytes;
            observe.emit(Seen::ReceiveBuffer { given, asked });
        }
        let mut endpoint = Endpoint::new(now, Arc::clone(&config), identity, observe.clone(), rng);
        if let Some(given) = receive_buffer {
            endpoint.set_receive_buffer(given);
        }
        if handler.is_none() {
            // Only the caller knows the method's name; it says the rest.
            endpoint.refuse_calls(Status::unimplemented(""));
        }
        let handlers =
            handler.map(|handler| Handlers::new(handler, Arc::clone(&clock), Arc::clone(&inbox)));
        let streams = Streams::new(Arc::clone(&inbox), Arc::clone(&config));
        Self {
            endpoint,
            outbox: Outbox::new(Arc::clone(&socket), observe.clone()),
            socket,
            inbox,
            timer: Timer::new(Arc::clone(&clock)),
            clock,
            observe,
            handlers,
            gossiper,
            waiters: Waiters::default(),
            streams,
            drained: None,
            received: Vec::new(),
            commands: Vec::new(),
            emptied_at: now,
            busy_turns: 0,
            receive_pause: None,
            stopping: false,
            stopped: None,
        }
    }

    async fn run(mut self) {
        while !self.stopping {
            let woken = std::future::poll_fn(|cx| self.poll_woken(cx)).await;
            // Whoever makes a call beside others is about to be joined by them: what they all send
            // then shares datagrams. A single caller does not wait.
            if woken.by_inbox && 1 < self.waiters.len() + self.inbox.len() {
                yield_now().await;
            }
            let now = self.clock.now();
            self.handle_received(now);
            if woken.by_timer {
                self.endpoint.handle_timeout(now);
                if let Some(gossiper) = &mut self.gossiper {
                    gossiper.membership.handle_timeout(now);
                }
            }
            let ended = self.handle_events(now);
            if let Some(handlers) = &mut self.handlers {
                handlers.start(|serving, bytes| self.endpoint.reply(serving, bytes));
            }
            // Callers whose calls have ended together make their next ones together.
            if 1 < ended {
                yield_now().await;
            }
            let now = self.clock.now();
            self.handle_commands(now);
            self.flush(now);
            // What is known of the members now may have ended calls, whose callers have waited for
            // long enough.
            self.handle_events(now);
            let due = self.poll_timeout(now);
            self.timer.set(due);
            self.check_drained();
            // Handlers that are still to be started must not keep everybody else from their turn.
            if self.handlers_wait() {
                yield_now().await;
            }
        }
        let now = self.clock.now();
        self.endpoint.close_all(now);
        self.handle_events(now);
        if let Some(gossiper) = &mut self.gossiper {
            // Once must do. Others find out by themselves if it is lost.
            gossiper.membership.leave(now);
        }
        self.flush(now);
    }

    /// Sends what there is to send, the membership's first: whether others take this node for dead
    /// depends on it, and it is little.
    fn flush(&mut self, now: Time) {
        if let Some(gossiper) = &mut self.gossiper {
            self.outbox.flush_gossip(&mut gossiper.membership, now);
            gossiper.report(now, &mut self.endpoint);
        }
        self.outbox.flush(&mut self.endpoint, now);
        let (incoming, replies) = self.endpoint.bytes_held();
        let [incoming_bytes, reply_bytes] = [incoming, replies].map(|bytes| bytes as u64);
        self.observe.hold(Held { incoming_bytes, reply_bytes });
    }

    /// When something is to be done without being asked.
    fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        let gossip = self.gossiper.as_ref().and_then(|one| one.membership.next_timeout());
        [self.endpoint.poll_timeout(now), gossip].into_iter().flatten().min()
    }

    /// Waits for something to do. Datagrams that have arrived are in `received` then.
    fn poll_woken(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        let mut woken = Woken { by_inbox: self.inbox.register(cx.waker()), ..Woken::default() };
        let writable = self.outbox.poll_writable(cx);
        self.poll_receive(cx);
        // What time brings is looked at once the socket is empty: the answer that a timer waits for
        // may be in it. Unless it is never empty.
        let starved = BUSY_TURNS_MAX <= self.busy_turns;
        if (self.received.is_empty() || starved) && self.timer.poll(cx) {
            woken.by_timer = true;
        }
        let nothing = !woken.by_inbox && !woken.by_timer && self.received.is_empty();
        if nothing && !writable && !self.handlers_wait() {
            return Poll::Pending;
        }
        Poll::Ready(woken)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) {
        let now = self.clock.now();
        if let Some((_, until)) = self.receive_pause
            && now < until
        {
            self.timer.set_before(until);
            return;
        }
        match self.socket.poll_receive(cx, &mut self.received) {
            Poll::Pending => {
                self.emptied_at = now;
                self.busy_turns = 0;
            }
            Poll::Ready(Ok(())) => {
                self.receive_pause = None;
                self.busy_turns += 1;
            }
            Poll::Ready(Err(error)) => {
                self.observe.emit(Seen::ReceiveFailed { errno: errno(&error) });
                let pause = self.receive_pause.map_or(RECEIVE_PAUSE_MIN, |(pause, _)| 2 * pause);
                let pause = pause.min(RECEIVE_PAUSE_MAX);
                self.receive_pause = Some((pause, now + pause));
                self.timer.set_before(now + pause);
                // The timer has to be polled again to wake this task.
                cx.waker().wake_by_ref();
            }
        }
    }

    fn handle_received(&mut self, now: Time) {
        for datagram in self.received.drain(..) {
            let Datagram { from, local_ip, waited, ecn, bytes } = datagram;
            let arrived = (now - waited).max(self.emptied_at);
            let received = Received { from, local_ip, arrived, ecn, bytes };
            let left = match &mut self.gossiper {
                Some(gossiper) => gossiper.handle(now, received),
                None => Some(received),
            };
            if let Some(received) = left {
                self.endpoint.handle_datagram(now, received);
            }
        }
    }

    /// Acts upon what has happened; tells how many calls of this node have ended.
    fn handle_events(&mut self, now: Time) -> usize {
        let mut ended = 0;
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Ended { ticket, peer, condition, rtt, request, result } => {
                    let how = Ended { peer, condition, rtt, request: Some(request), result };
                    ended += usize::from(self.waiters.end(ticket, how, &mut self.streams));
                }
                Event::Call(call) => {
                    if let Some(handlers) = &mut self.handlers {
                        let ends = call.streams.any().then(|| self.streams.serve(call.serving));
                        handlers.on_call(call, ends);
                    }
                }
                Event::Records { stream, records } => {
                    self.streams.on_records(stream, records, &self.endpoint);
                }
                Event::Fin(serving) => self.streams.on_fin(StreamKey::Served(serving)),
                Event::Large(stream) => self.streams.on_large(stream, &mut self.endpoint),
                Event::Room(stream) => self.streams.on_room(stream, &self.endpoint),
                Event::Answered(peer) => {
                    if let Some(gossiper) = &mut self.gossiper {
                        gossiper.on_answered(now, peer);
                    }
                }
                Event::Heard(peer) => {
                    if let Some(gossiper) = &self.gossiper {
                        gossiper.on_heard(peer);
                    }
                }
                Event::Stop(serving) => {
                    if let Some(handlers) = &mut self.handlers {
                        handlers.stop(serving);
                    }
                    // The handler may have given its ends of the stream to others.
                    self.streams.on_end(StreamKey::Served(serving), Ended::without_reply(over()));
                }
            }
        }
        self.streams.wake();
        ended
    }

    fn handlers_wait(&self) -> bool {
        self.handlers.as_ref().is_some_and(Handlers::wait)
    }

    fn handle_commands(&mut self, now: Time) {
        let mut commands = std::mem::take(&mut self.commands);
        self.inbox.take(&mut commands);
        for command in commands.drain(..) {
            match command {
                Command::Open { waiter, .. } if self.stopping => {
                    let _ = waiter.send(Ended::never_begun());
                }
                Command::Open { to, call, waiter } => {
                    self.waiters.open(now, to, call, waiter, &mut self.endpoint);
                }
                Command::OpenStream { flow, .. } if self.stopping => {
                    flow.end(Ended::never_begun());
                }
                Command::OpenStream { to, call, flow } => {
                    let ticket = call.call.ticket;
                    let opened = self.streams.open(now, to, call, &flow, &mut self.endpoint);
                    self.waiters.watch(ticket, opened);
                }
                Command::Flow(flow) => self.exchange(now, &flow),
                Command::Cancel(ticket) => {
                    self.waiters.cancel(ticket, &mut self.streams, &mut self.endpoint);
                }
                Command::Reply { serving, bytes, first_poll } => {
                    if let Some(handlers) = &mut self.handlers {
                        handlers.on_reply(now, serving, first_poll);
                    }
                    self.streams.on_end(StreamKey::Served(serving), Ended::without_reply(over()));
                    self.endpoint.reply(serving, bytes);
                }
                Command::Cluster(update) => {
                    if let Some(gossiper) = &mut self.gossiper {
                        gossiper.update(now, update);
                    }
                }
                Command::GoAway => self.endpoint.go_away(),
                Command::Drain { refusal, drained } => {
                    self.endpoint.refuse_calls(refusal);
                    self.drained = Some(drained);
                }
                Command::Stop(stopped) => {
                    self.stopping = true;
                    self.stopped = self.stopped.take().or(stopped);
                }
            }
        }
        self.streams.wake();
        self.commands = commands;
    }

    /// A user of a stream has put something into its flow.
    fn exchange(&mut self, now: Time, flow: &Flow) {
        let ended = self.streams.exchange(now, flow, &mut self.endpoint);
        if let Some(key @ StreamKey::Served(serving)) = ended {
            // The handler may have given its requests to others, who learn that they need not wait.
            self.streams.on_end(key, Ended::without_reply(over()));
            if let Some(handlers) = &mut self.handlers {
                handlers.on_reply(now, serving, None);
            }
        }
    }

    /// Tells whoever waits for it that nothing is under way any more.
    fn check_drained(&mut self) {
        let idle = self.handlers.as_ref().is_none_or(|handlers| handlers.running() == 0);
        if self.drained.is_some() && idle && self.endpoint.has_served_all() {
            let _ = self.drained.take().map(|drained| drained.send(()));
        }
    }
}

impl Drop for Driver {
    /// Also when the runtime drops the task: whoever waits for something is told.
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// The operating system's number for an error, 0 if it has none.
pub(super) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

/// After so many turns that have all found something to receive, timers are looked at anyway.
const BUSY_TURNS_MAX: u32 = 16;

/// How long to wait after an error on receiving. An error that stays must not keep a processor
/// busy.
const RECEIVE_PAUSE_MIN: Duration = Duration::from_millis(1);
const RECEIVE_PAUSE_MAX: Duration = Duration::from_millis(100);
