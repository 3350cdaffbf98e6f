//! Sockets that carry datagrams within the process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;

use crate::deadline::{Clock, Sleep, Time};
use crate::ecn::Ecn;
use crate::net::socket::{Datagram, DatagramSocket, Datagrams};

/// Decides what becomes of each datagram: when which copies of it arrive.
pub(crate) trait Carrier: Send {
    /// What arrives of a datagram that is sent now.
    fn carry(
        &mut self,
        now: Time,
        from: SocketAddr,
        to: SocketAddr,
        datagram: Carried,
    ) -> Vec<(Time, Carried)>;
}

/// A datagram as the network sees it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Carried {
    pub(crate) ecn: Ecn,
    pub(crate) bytes: Bytes,
}

/// What the sockets of one network share.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Mutex<Inner>>);

struct Inner {
    clock: Arc<dyn Clock>,
    carrier: Box<dyn Carrier>,
    mailboxes: BTreeMap<SocketAddr, Mailbox>,
    next: u64,
    /// How many datagrams that have arrived a socket holds until they are read.
    receive_buffer: usize,
    /// How many have found no room there.
    unread: u64,
}

/// What is on its way to a socket, in the order of arrival, and what has arrived.
#[derive(Default)]
struct Mailbox {
    datagrams: BTreeMap<(Time, u64), (SocketAddr, Carried)>,
    arrived: VecDeque<(Time, SocketAddr, Carried)>,
    waker: Option<Waker>,
    /// Nobody reads: datagrams stay where they are.
    stopped: bool,
}

impl Hub {
    pub(crate) fn new(clock: Arc<dyn Clock>, carrier: Box<dyn Carrier>) -> Self {
        let mailboxes = BTreeMap::new();
        let (receive_buffer, unread) = (usize::MAX, 0);
        let inner = Inner { clock, carrier, mailboxes, next: 0, receive_buffer, unread };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// A socket with this address.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] if another one has it.
    pub(crate) fn bind(&self, addr: SocketAddr) -> io::Result<MemorySocket> {
        let mut inner = self.lock();
        if inner.mailboxes.contains_key(&addr) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        inner.mailboxes.insert(addr, Mailbox::default());
        let clock = Arc::clone(&inner.clock);
        Ok(MemorySocket { hub: self.clone(), addr, clock, sleep: Mutex::new(None) })
    }

    /// Stops the reading at an address, as when a process is stopped, or lets it go on.
    pub(crate) fn set_stopped(&self, addr: SocketAddr, stopped: bool) {
        if let Some(mailbox) = self.lock().mailboxes.get_mut(&addr) {
            mailbox.stopped = stopped;
            mailbox.waker.take().iter().for_each(Waker::wake_by_ref);
        }
    }

    /// From now on every socket holds so many datagrams that have arrived and have not been read;
    /// more are lost.
    pub(crate) fn set_receive_buffer(&self, datagrams: usize) {
        let mut inner = self.lock();
        inner.arrive();
        inner.receive_buffer = datagrams;
    }

    /// How many datagrams have been lost so far because nobody read them.
    pub(crate) fn unread(&self) -> u64 {
        let mut inner = self.lock();
        inner.arrive();
        inner.unread
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Puts what has reached a socket by now where it can be read, as far as there is room.
    ///
    /// Nothing is read in between, so that it may be done late.
    fn arrive(&mut self) {
        let now = self.clock.now();
        for mailbox in self.mailboxes.values_mut() {
            self.unread += mailbox.arrive(now, self.receive_buffer);
        }
    }
}

impl Mailbox {
    /// The same for one socket; returns how many datagrams found no room.
    fn arrive(&mut self, now: Time, room: usize) -> u64 {
        let mut lost = 0;
        while let Some(entry) = self.datagrams.first_entry()
            && entry.key().0 <= now
        {
            let ((time, _), (from, datagram)) = entry.remove_entry();
            if self.arrived.len() < room {
                self.arrived.push_back((time, from, datagram));
            } else {
                lost += 1;
            }
        }
        lost
    }
}

/// A socket of a [`Hub`]. Its address is free again when it is dropped, and what is on its way to
/// it is lost.
pub(crate) struct MemorySocket {
    hub: Hub,
    addr: SocketAddr,
    clock: Arc<dyn Clock>,
    /// Until when the reader waits for what is on its way.
    sleep: Mutex<Option<(Time, Sleep)>>,
}

impl DatagramSocket for MemorySocket {
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        received: &mut Vec<Datagram>,
    ) -> Poll<io::Result<()>> {
        let now = self.clock.now();
        let mut inner = self.hub.lock();
        let Inner { mailboxes, receive_buffer, unread, .. } = &mut *inner;
        let Some(mailbox) = mailboxes.get_mut(&self.addr) else {
            return Poll::Pending;
        };
        mailbox.waker = Some(cx.waker().clone());
        if mailbox.stopped {
            return Poll::Pending;
        }
        *unread += mailbox.arrive(now, *receive_buffer);
        let batch = mailbox.arrived.len().min(BATCH);
        received.extend(mailbox.arrived.drain(..batch).map(|(arrived, from, datagram)| {
            let (waited, Carried { ecn, bytes }) = (now.since(arrived), datagram);
            Datagram { from, local_ip: None, waited, ecn, bytes }
        }));
        if 0 < batch {
            return Poll::Ready(Ok(()));
        }
        let next = mailbox.datagrams.first_key_value().map(|(&(time, _), _)| time);
        drop(inner);
        let Some(next) = next else {
            return Poll::Pending;
        };
        let mut sleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = match &mut *sleep {
            Some(waits) if waits.0 == next => waits,
            _ => sleep.insert((next, self.clock.sleep_until(next))),
        };
        if waits.1.poll_unpin(cx).is_ready() {
            *sleep = None;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn try_send(&self, datagrams: &Datagrams<'_>) -> io::Result<()> {
        let now = self.clock.now();
        let mut inner = self.hub.lock();
        for contents in datagrams.contents.chunks(datagrams.size) {
            let bytes = Bytes::copy_from_slice(contents);
            let datagram = Carried { ecn: datagrams.ecn, bytes };
            for (time, datagram) in inner.carrier.carry(now, self.addr, datagrams.to, datagram) {
                let number = inner.next;
                inner.next += 1;
                // To an address that nobody has, datagrams vanish without a word.
                let Some(mailbox) = inner.mailboxes.get_mut(&datagrams.to) else {
                    break;
                };
                mailbox.datagrams.insert((time, number), (self.addr, datagram));
                mailbox.waker.take().iter().for_each(Waker::wake_by_ref);
            }
        }
        Ok(())
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }

    /// The network's own age: the same in every run.
    fn unix_time(&self) -> Duration {
        EPOCH + self.clock.now().since(Time::ZERO)
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.hub.lock().mailboxes.remove(&self.addr);
    }
}

impl fmt::Debug for MemorySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySocket").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// So many datagrams are received at once.
const BATCH: usize = 32;

/// When a network within the process begins, by its own calendar.
const EPOCH: Duration = Duration::from_secs(1_000_000_000);
