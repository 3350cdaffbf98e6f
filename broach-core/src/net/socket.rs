//! [`DatagramSocket`]: what the driver needs of a socket.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// A socket that carries datagrams.
///
/// Datagrams may be lost, repeated and reordered; what arrives has the contents of something that
/// was sent, or is recognised as damaged. All methods may be called from any task, but only one
/// task at a time receives, and one sends.
pub trait DatagramSocket: fmt::Debug + Send + Sync + 'static {
    /// Adds the datagrams that have arrived to `received`; waits if there are none. Adds no more
    /// than some dozens at once, so that the caller can do other work in between.
    ///
    /// # Errors
    ///
    /// If the operating system reports one. The socket stays usable, and nothing was received.
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        received: &mut Vec<Datagram>,
    ) -> Poll<io::Result<()>>;

    /// Sends datagrams to one address.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if there is no room now: then none of them went out, and
    /// [`poll_writable`](Self::poll_writable) tells when to try again. With any other error they
    /// count as lost on the way.
    fn try_send(&self, datagrams: &Datagrams<'_>) -> io::Result<()>;

    /// Waits until there is room again.
    ///
    /// # Errors
    ///
    /// If the operating system reports one.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// If the operating system reports one.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// How long ago 1970 began, in UTC. It is looked at once, when a node starts: of two lives of
    /// a node at one address the one that started later counts. A simulated network has a time of
    /// its own.
    fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Bytes of its receive buffer, as the operating system counts them; `None` if it has no such
    /// limit, or it is not known.
    fn receive_buffer_bytes(&self) -> Option<usize> {
        None
    }

    /// How many datagrams of one size [`try_send`](Self::try_send) takes at once.
    fn max_segments(&self) -> usize {
        1
    }
}

/// A datagram that has arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// Where it comes from. An IPv4 address is given as one, also by a socket that speaks IPv6.
    pub from: SocketAddr,
    /// The address of this machine that it was sent to, if that is known.
    pub local_ip: Option<IpAddr>,
    /// How long ago it arrived, as far as is known.
    pub waited: Duration,
    /// What it holds.
    pub bytes: Bytes,
}

/// Datagrams to be sent to one address: all of the same size, but for the last, which may be
/// smaller.
#[derive(Clone, Copy, Debug)]
pub struct Datagrams<'a> {
    /// Where they go.
    pub to: SocketAddr,
    /// The address of this machine to send from, if it matters.
    pub local_ip: Option<IpAddr>,
    /// One after the other.
    pub contents: &'a [u8],
    /// Their size; not 0.
    pub size: usize,
}
