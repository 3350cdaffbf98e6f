//! The driver's inbox: what callers and handlers want of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use futures::task::AtomicWaker;
use tokio::sync::oneshot;

use crate::code::Outcome;
use crate::ids::MethodId;
use crate::net::flow::Flow;
use crate::net::gossiper::Update;
use crate::peer::Peer;
use crate::proto::{CallBytes, Condition, NewCall, Serving, Ticket};
use crate::status::Status;

/// How a call ended: with the bytes of its reply, or without; and the node that it was made to, if
/// that is known.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) peer: Option<Peer>,
    /// Whether other calls had better go elsewhere.
    pub(crate) condition: Condition,
    /// How long the network takes to the node and back, if that has been measured.
    pub(crate) rtt: Option<Duration>,
    /// The bytes of its request, for another try; absent if the driver has gone with them.
    pub(crate) request: Option<CallBytes>,
    pub(crate) result: Result<Bytes, Status>,
}

impl Ended {
    /// The end of a call that no node says anything of.
    pub(crate) const fn without_reply(status: Status) -> Self {
        let condition = Condition::Well;
        Self { peer: None, condition, rtt: None, request: None, result: Err(status) }
    }

    /// The end of a call that came when the driver had stopped, or was about to.
    pub(super) fn never_begun() -> Self {
        Self::without_reply(stopped().with_outcome(Outcome::NotExecuted))
    }
}

pub(super) fn stopped() -> Status {
    Status::unavailable("this node has stopped")
}

/// Something that the driver is to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Make a call.
    Open { to: SocketAddr, call: NewCall, waiter: oneshot::Sender<Ended> },
    /// Make a call that streams. If it streams its requests, the first are in the flow.
    OpenStream { to: SocketAddr, call: NewCall, flow: Arc<Flow> },
    /// Look at this flow: there is something in it.
    Flow(Arc<Flow>),
    /// Nobody waits for this call any more.
    Cancel(Ticket),
    /// A handler has ended. How long its first poll took, if that was measured.
    Reply { serving: Serving, bytes: CallBytes, first_poll: Option<(MethodId, Duration)> },
    /// For the membership.
    Cluster(Update),
    /// Ask callers to make new calls elsewhere.
    GoAway,
    /// Take no more calls; tell when all that were taken have ended.
    Drain { refusal: Status, drained: oneshot::Sender<()> },
    /// End everything; what is given is dropped when that is done.
    Stop(Option<oneshot::Sender<()>>),
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotTaken {
    /// The driver has gone.
    Closed,
    /// The driver is too far behind.
    Full,
}

/// Commands for one driver.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    commands: Mutex<Vec<Command>>,
    /// There may be something in it. Keeps many senders from waking the driver as many times.
    pending: AtomicBool,
    driver: AtomicWaker,
    /// The driver has gone: nobody reads commands any more.
    closed: AtomicBool,
}

impl Inbox {
    /// Adds a command; tells whether it will be read.
    pub(super) fn push(&self, command: Command) -> bool {
        self.push_below(usize::MAX, command).is_ok()
    }

    fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.driver.wake();
        }
    }

    /// Has the driver woken by the next command. Tells whether there is one already.
    pub(super) fn register(&self, waker: &Waker) -> bool {
        self.driver.register(waker);
        self.pending.load(Ordering::Acquire)
    }

    /// Adds a command unless there are `max` already.
    pub(super) fn push_below(&self, max: usize, command: Command) -> Result<(), NotTaken> {
        {
            let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
            if self.closed.load(Ordering::Relaxed) {
                return Err(NotTaken::Closed);
            }
            if max <= commands.len() {
                return Err(NotTaken::Full);
            }
            commands.push(command);
        }
        self.wake();
        Ok(())
    }

    /// Takes out all commands; `taken` is emptied and its room is used for the next ones.
    pub(super) fn take(&self, taken: &mut Vec<Command>) {
        taken.clear();
        self.pending.store(false, Ordering::Release);
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *commands, taken);
    }

    /// How many commands are waiting.
    pub(super) fn len(&self) -> usize {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The driver goes: commands that are there and all later ones are not carried out. Whoever
    /// waits for one of them is told, if only because its other end is dropped.
    pub(super) fn close(&self) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Relaxed);
        let left = std::mem::take(&mut *commands);
        // To tell somebody may wake tasks that come back here.
        drop(commands);
        for command in left {
            match command {
                Command::Open { waiter, .. } => {
                    let _ = waiter.send(Ended::never_begun());
                }
                Command::OpenStream { flow, .. } => flow.end(Ended::never_begun()),
                _ => {}
            }
        }
    }
}
