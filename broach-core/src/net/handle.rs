//! [`Handle`]: how the rest of a node talks to its driver.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime;
use tokio::sync::oneshot;

use crate::code::Outcome;
use crate::config::Transport;
use crate::deadline::{Clock, Time};
use crate::ids::MethodId;
use crate::net::flow::Flow;
use crate::net::gossiper::Update;
use crate::net::inbox::{Command, Ended, Inbox, NotTaken, stopped};
use crate::net::reader::Reader;
use crate::net::streams::ends;
use crate::net::writer::Writer;
use crate::observe::Observe;
use crate::proto::{Call, CallBytes, NewCall, Streams, Ticket};
use crate::rng::Rng;
use crate::status::Status;

/// A node's driver, as seen by those who make calls. When the last clone is dropped the driver ends
/// all sessions and stops.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    inbox: Arc<Inbox>,
    next_ticket: AtomicU64,
    shared: Shared,
    /// Where the driver runs, and what works for calls beside it.
    runtime: runtime::Handle,
}

/// What a handle knows of its node.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) local_addr: SocketAddr,
    pub(crate) config: Arc<Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observe: Observe,
    pub(super) for_channels: Arc<Mutex<Rng>>,
}

impl Shared {
    /// A generator for one more channel.
    pub(crate) fn fork_rng(&self) -> Rng {
        self.for_channels.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }
}

/// A call to a node, as far as the transport is concerned.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) to: SocketAddr,
    pub(crate) method: MethodId,
    /// Of [`Open`](crate::wire::Open).
    pub(crate) flags: u32,
    pub(crate) deadline: Option<Time>,
    pub(crate) streams: Streams,
    /// Of the request; nothing if the requests are streamed.
    pub(crate) bytes: CallBytes,
    /// The caller has somewhere else to go if the node falls silent.
    pub(crate) yields: bool,
}

impl Handle {
    pub(super) fn new(inbox: Arc<Inbox>, shared: Shared) -> Self {
        let runtime = runtime::Handle::current();
        Self(Arc::new(Inner { inbox, next_ticket: AtomicU64::new(0), shared, runtime }))
    }

    /// Makes a unary call. It runs whether or not the future is polled; dropping the future cancels
    /// it.
    pub(crate) fn call(&self, now: Time, outbound: Outbound) -> Sent {
        let (waiter, ended) = oneshot::channel();
        let (to, call) = self.new_call(now, outbound);
        let ticket = call.call.ticket;
        match self.push(Command::Open { to, call, waiter }) {
            Ok(()) => {
                let inbox = Some(Arc::clone(&self.0.inbox));
                Sent { ended: Ok(ended), ticket, inbox }
            }
            Err(refused) => Sent { ended: Err(Some(refused)), ticket, inbox: None },
        }
    }

    /// The two ends of a call that streams, which is still to be [made](Self::open).
    pub(crate) fn flow(&self) -> (Reader, Writer) {
        ends(Flow::new(Arc::clone(&self.0.inbox), &self.0.shared.config))
    }

    /// Makes a call that streams, whose replies come to this reader. It runs until all has been
    /// read, or [`Stream`] is dropped, which cancels it. The first requests may be in the flow
    /// already; or they have failed, and then it is not made.
    pub(crate) fn open(&self, now: Time, outbound: Outbound, reader: Reader) -> Stream {
        let (to, call) = self.new_call(now, outbound);
        let (ticket, flow) = (call.call.ticket, Arc::clone(&reader.flow));
        if !flow.withdraw_if_over()
            && let Err(refused) = self.push(Command::OpenStream { to, call, flow })
        {
            reader.flow.end(Ended::without_reply(refused));
        }
        Stream { reader, ticket, handle: self.clone() }
    }

    /// Does something beside a call, in the runtime of the driver.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.runtime.spawn(work);
    }

    fn new_call(&self, now: Time, outbound: Outbound) -> (SocketAddr, NewCall) {
        let ticket = Ticket(self.0.next_ticket.fetch_add(1, Ordering::Relaxed));
        let Outbound { to, method, flags, deadline, streams, bytes, yields } = outbound;
        let call = Call { ticket, method, flags, deadline, streams, made_at: now, yields };
        (to, NewCall { call, bytes })
    }

    /// Hands a call to the driver.
    fn push(&self, command: Command) -> Result<(), Status> {
        let max = self.0.shared.config.calls_waiting_max;
        let refused = match self.0.inbox.push_below(max, command) {
            Ok(()) => return Ok(()),
            Err(NotTaken::Closed) => stopped(),
            Err(NotTaken::Full) => Status::resource_exhausted(format!(
                "{max} calls wait for this node's driver already (transport.calls_waiting_max)"
            )),
        };
        Err(refused.with_outcome(Outcome::NotExecuted))
    }

    /// Tells the membership something; ignored if there is none.
    pub(crate) fn update(&self, update: Update) {
        self.0.inbox.push(Command::Cluster(update));
    }

    /// Says goodbye to the cluster, and waits until that is done.
    pub(crate) async fn leave(&self) {
        let (left, done) = oneshot::channel();
        self.update(Update::Leave(left));
        // If there is no membership, or no driver any more, the other end is dropped.
        let _ = done.await;
    }

    /// Asks all callers to make new calls elsewhere; those that come all the same are served.
    pub(crate) fn go_away(&self) {
        self.0.inbox.push(Command::GoAway);
    }

    /// Takes no more calls and waits until all that were taken have ended, or the time is over.
    /// Tells whether they have.
    pub(crate) async fn drain(&self, refusal: Status, timeout: Duration) -> bool {
        let (drained, done) = oneshot::channel();
        if !self.0.inbox.push(Command::Drain { refusal, drained }) {
            return true;
        }
        let clock = &self.0.shared.clock;
        let over = clock.sleep_until(clock.now() + timeout);
        match futures::future::select(done, over).await {
            // The driver tells it, or has stopped by itself.
            futures::future::Either::Left(_) => true,
            futures::future::Either::Right(_) => false,
        }
    }

    /// Ends all sessions and all that is under way, and waits until the driver has stopped.
    pub(crate) async fn stop(&self) {
        let (stopped, done) = oneshot::channel();
        self.0.inbox.push(Command::Stop(Some(stopped)));
        // It is never sent, only dropped: by the driver at its end, or at once if there is none.
        let _ = done.await;
    }

    /// The same without waiting for it.
    pub(crate) fn begin_stop(&self) {
        self.0.inbox.push(Command::Stop(None));
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.inbox.push(Command::Stop(None));
    }
}

/// A call to a node that streams, under way. Dropping it cancels the call.
#[derive(Debug)]
#[must_use = "dropping it cancels the call"]
pub(crate) struct Stream {
    pub(crate) reader: Reader,
    ticket: Ticket,
    /// The driver goes on as long as there are streams, too.
    handle: Handle,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.reader.flow.abandon() {
            self.handle.0.inbox.push(Command::Cancel(self.ticket));
        }
    }
}

/// A unary call under way to a node. Dropping it cancels the call.
#[derive(Debug)]
#[must_use = "dropping it cancels the call"]
pub(crate) struct Sent {
    /// Or why it was never begun.
    ended: Result<oneshot::Receiver<Ended>, Option<Status>>,
    ticket: Ticket,
    /// Where to cancel it, as long as it is under way.
    inbox: Option<Arc<Inbox>>,
}

impl Future for Sent {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        let ended = match &mut this.ended {
            Ok(ended) => futures::ready!(ended.poll_unpin(cx)),
            Err(status) => {
                let status = status.take().unwrap_or_else(stopped);
                return Poll::Ready(Ended::without_reply(status));
            }
        };
        this.inbox = None;
        Poll::Ready(ended.unwrap_or_else(|_| {
            // Its driver had it under way when it went.
            Ended::without_reply(stopped().with_outcome(Outcome::Unknown))
        }))
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(inbox) = &self.inbox {
            // If the driver has stopped the call has ended anyway.
            inbox.push(Command::Cancel(self.ticket));
        }
    }
}
