//! [`Tap`]: a socket whose datagrams a test can see, hold back, and add to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use broach_core::{Datagram, DatagramSocket, Datagrams, Ecn};

/// A socket around another one. Clones are the same socket: a node gets one, and the test keeps
/// another to see what goes through.
#[derive(Clone)]
pub struct Tap(Arc<Inner>);

struct Inner {
    socket: Box<dyn DatagramSocket>,
    log: Mutex<Vec<Tapped>>,
    /// Whether a datagram that is sent really goes out.
    passes: Mutex<Box<Passes>>,
}

type Passes = dyn FnMut(&Tapped) -> bool + Send;

/// A datagram that went through a [`Tap`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tapped {
    /// It was sent; otherwise it was received.
    pub sent: bool,
    /// The other end.
    pub peer: SocketAddr,
    /// What it held.
    pub bytes: Vec<u8>,
}

impl Tap {
    /// A tap on this socket.
    pub fn new(socket: impl DatagramSocket) -> Self {
        let passes: Mutex<Box<Passes>> = Mutex::new(Box::new(|_| true));
        Self(Arc::new(Inner { socket: Box::new(socket), log: Mutex::default(), passes }))
    }

    /// All that has gone through, in order.
    pub fn log(&self) -> Vec<Tapped> {
        self.0.log().clone()
    }

    /// All that was sent, in order.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.0.log().iter().filter(|one| one.sent).map(|one| one.bytes.clone()).collect()
    }

    /// All that was received, in order.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.0.log().iter().filter(|one| !one.sent).map(|one| one.bytes.clone()).collect()
    }

    /// Waits for what comes to a socket that no node has: from where, and what.
    ///
    /// # Panics
    ///
    /// If the socket fails.
    pub async fn receive(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut received = Vec::new();
        let polled = std::future::poll_fn(|cx| self.poll_receive(cx, &mut received)).await;
        polled.expect("sockets of tests do not fail");
        received.into_iter().map(|one| (one.from, one.bytes.to_vec())).collect()
    }

    /// From now on only those datagrams go out for which this is true; the others are lost.
    pub fn let_pass(&self, passes: impl FnMut(&Tapped) -> bool + Send + 'static) {
        *self.0.passes.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(passes);
    }

    /// Sends a datagram from the socket's address, without the node's knowledge.
    ///
    /// # Panics
    ///
    /// If the socket does not take it.
    pub fn inject(&self, to: SocketAddr, bytes: &[u8]) {
        let one = Datagrams {
            to,
            local_ip: None,
            ecn: Ecn::NotCapable,
            contents: bytes,
            size: bytes.len().max(1),
        };
        self.0.socket.try_send(&one).expect("sockets of tests have room");
    }
}

impl Inner {
    fn log(&self) -> MutexGuard<'_, Vec<Tapped>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DatagramSocket for Tap {
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        received: &mut Vec<Datagram>,
    ) -> Poll<io::Result<()>> {
        let before = received.len();
        let polled = self.0.socket.poll_receive(cx, received);
        let new = received[before..].iter();
        let new = new.map(|one| Tapped { sent: false, peer: one.from, bytes: one.bytes.to_vec() });
        self.0.log().extend(new);
        polled
    }

    fn try_send(&self, datagrams: &Datagrams<'_>) -> io::Result<()> {
        let Datagrams { to, local_ip, ecn, contents, size } = *datagrams;
        for contents in contents.chunks(size) {
            let tapped = Tapped { sent: true, peer: to, bytes: contents.to_vec() };
            let mut passes = self.0.passes.lock().unwrap_or_else(PoisonError::into_inner);
            if passes(&tapped) {
                self.0.socket.try_send(&Datagrams { to, local_ip, ecn, contents, size })?;
            }
            self.0.log().push(tapped);
        }
        Ok(())
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.socket.poll_writable(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.socket.local_addr()
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("socket", &self.0.socket).finish_non_exhaustive()
    }
}
