//! [`UdpSocket`]: datagrams over UDP, with what the operating system offers to make it fast.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Transport;
use crate::net::readiness::Watched;
use crate::net::socket::{Datagram, DatagramSocket, Datagrams};

/// A UDP socket that receives and sends many datagrams with one system call.
pub(crate) struct UdpSocket {
    io: Watched,
    state: UdpSocketState,
    local: SocketAddr,
    receive_buffer: Option<usize>,
    ring: Mutex<Ring>,
}

/// Where the operating system puts what it has received. Only the pages that are ever written take
/// memory.
struct Ring {
    buffers: Vec<u8>,
    metas: [RecvMeta; BUFFERS],
}

impl UdpSocket {
    /// Binds a socket. Port 0 lets the operating system choose one.
    ///
    /// # Errors
    ///
    /// If the operating system does not give the address.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime.
    pub(crate) fn bind(addr: SocketAddr, config: &Transport) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            // `[::]` serves both versions of IP.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        // The system gives what it allows; smaller buffers cost speed, not correctness.
        let _ = socket.set_recv_buffer_size(config.receive_buffer_bytes);
        let _ = socket.set_send_buffer_size(config.send_buffer_bytes);
        let receive_buffer = socket.recv_buffer_size().ok();
        let state = UdpSocketState::new((&socket).into())?;
        let io = Watched::new(socket.into())?;
        let local = io.socket().local_addr()?;
        let buffers = vec![0; BUFFERS * BUFFER_BYTES];
        let ring = Mutex::new(Ring { buffers, metas: [RecvMeta::default(); BUFFERS] });
        Ok(Self { io, state, local, receive_buffer, ring })
    }

    /// The address as the socket has to be given it.
    fn mapped(&self, addr: SocketAddr) -> SocketAddr {
        match addr.ip() {
            IpAddr::V4(ip) if self.local.is_ipv6() => (ip.to_ipv6_mapped(), addr.port()).into(),
            _ => addr,
        }
    }
}

impl DatagramSocket for UdpSocket {
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        received: &mut Vec<Datagram>,
    ) -> Poll<io::Result<()>> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let Ring { buffers, metas } = &mut *ring;
        let read = self.io.poll_read(cx, |socket| {
            let mut parts = buffers.chunks_mut(BUFFER_BYTES);
            let mut slices: [IoSliceMut<'_>; BUFFERS] =
                std::array::from_fn(|_| IoSliceMut::new(parts.next().unwrap_or_default()));
            let count = self.state.recv(socket.into(), &mut slices, metas)?;
            // With room left in the ring there is nothing left in the socket.
            Ok((count, count < BUFFERS))
        });
        let count = futures::ready!(read)?;
        let filled = buffers.chunks(BUFFER_BYTES).zip(&*metas).take(count);
        filled.for_each(|(buffer, meta)| split(buffer, meta, received));
        Poll::Ready(Ok(()))
    }

    fn try_send(&self, datagrams: &Datagrams<'_>) -> io::Result<()> {
        let Datagrams { to, local_ip, contents, size } = *datagrams;
        // A socket that is bound to one address sends from that one anyway.
        let src_ip = local_ip.filter(|_| self.local.ip().is_unspecified());
        let transmit = Transmit {
            destination: self.mapped(to),
            ecn: None,
            contents,
            segment_size: (size < contents.len()).then_some(size),
            src_ip: src_ip.map(|ip| self.mapped((ip, 0).into()).ip()),
        };
        self.io.try_write(|socket| self.state.try_send(socket.into(), &transmit))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_writable(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn receive_buffer_bytes(&self) -> Option<usize> {
        self.receive_buffer
    }

    fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket").field("local", &self.local).finish_non_exhaustive()
    }
}

/// Takes apart what the operating system has put into one buffer: datagrams of one size from one
/// sender, the last of which may be smaller.
fn split(buffer: &[u8], meta: &RecvMeta, received: &mut Vec<Datagram>) {
    let from = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
    let local_ip = meta.dst_ip.map(|ip| ip.to_canonical());
    let waited = meta.timestamp.map_or(Duration::ZERO, since);
    // A copy of its own: a slice of the ring could not outlive the next turn.
    let all = Bytes::copy_from_slice(&buffer[..meta.len]);
    if meta.len <= meta.stride {
        received.push(Datagram { from, local_ip, waited, bytes: all });
        return;
    }
    for start in (0..meta.len).step_by(meta.stride.max(1)) {
        let bytes = all.slice(start..meta.len.min(start + meta.stride));
        received.push(Datagram { from, local_ip, waited, bytes });
    }
}

/// How long ago a moment of the wall clock was. If the clock has been set back since, not at all;
/// the driver keeps a jump forward from doing harm.
fn since(timestamp: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(timestamp)
}

const _: () = assert!(BUFFERS <= quinn_udp::BATCH_SIZE);

/// How many buffers are filled with one system call.
const BUFFERS: usize = 8;

/// The kernel joins datagrams up to this size; a smaller buffer would cut them.
const BUFFER_BYTES: usize = 65_536;
