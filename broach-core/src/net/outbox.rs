//! What goes out: datagrams from the endpoint to the socket, as many at once as the socket takes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;

use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::gossip::Membership;
use crate::net::driver::errno;
use crate::net::socket::{DatagramSocket, Datagrams};
use crate::observe::{Event, Observe};
use crate::proto::{Endpoint, Transmit};

/// Sends what the endpoint has to send.
pub(super) struct Outbox {
    socket: Arc<dyn DatagramSocket>,
    observe: Observe,
    buffer: Vec<u8>,
    /// What there was no room for, and where in the buffer it begins.
    blocked: Option<(Transmit, usize)>,
    /// The membership's datagram that there was no room for.
    blocked_gossip: Option<(SocketAddr, Vec<u8>)>,
    /// There is more to send than one turn allows.
    unfinished: bool,
}

impl Outbox {
    pub(super) fn new(socket: Arc<dyn DatagramSocket>, observe: Observe) -> Self {
        Self {
            socket,
            observe,
            buffer: Vec::new(),
            blocked: None,
            blocked_gossip: None,
            unfinished: false,
        }
    }

    /// Sends what the membership has to send, of which there is never much, until there is no room.
    pub(super) fn flush_gossip(&mut self, membership: &mut Membership, now: Time) {
        let mut next = self.blocked_gossip.take();
        loop {
            let (to, bytes) = match next.take() {
                Some(blocked) => blocked,
                None => {
                    let mut bytes = Vec::new();
                    let Some(to) = membership.poll_transmit(now, &mut bytes) else { return };
                    (to, bytes)
                }
            };
            let datagram = Datagrams {
                to,
                local_ip: None,
                ecn: Ecn::NotCapable,
                contents: &bytes,
                size: bytes.len(),
            };
            match self.socket.try_send(&datagram) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked_gossip = Some((to, bytes));
                    return;
                }
                Err(error) => {
                    self.observe.emit(Event::SendFailed { to, errno: errno(&error) });
                }
                Ok(()) => {}
            }
            self.observe.emit(Event::DatagramSent { to, bytes: bytes.len() });
        }
    }

    /// Sends until there is nothing left, no room, or the turn is over.
    pub(super) fn flush(&mut self, endpoint: &mut Endpoint, now: Time) {
        self.unfinished = false;
        if let Some((transmit, start)) = self.blocked.take()
            && !self.send(endpoint, transmit, start)
        {
            return;
        }
        for _ in 0..TRANSMITS_MAX {
            self.buffer.clear();
            let Some(transmit) = endpoint.poll_transmit(now, &mut self.buffer) else {
                return;
            };
            if !self.send(endpoint, transmit, 0) {
                return;
            }
        }
        self.unfinished = true;
    }

    /// Whether there is more to send, and room for it. If there is no room the task is woken when
    /// there is.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> bool {
        if self.blocked.is_none() && self.blocked_gossip.is_none() {
            return self.unfinished;
        }
        // An error shows up again when something is sent.
        self.socket.poll_writable(cx).is_ready()
    }

    /// Sends datagrams that begin at `start` of the buffer; tells whether there was room.
    fn send(&mut self, endpoint: &mut Endpoint, transmit: Transmit, start: usize) -> bool {
        let Transmit { to, local_ip, ecn, sizes } = transmit;
        let (mut done, mut start) = (0, start);
        while let Some(&size) = sizes.get(done) {
            let (count, bytes) = run(&sizes[done..], self.socket.max_segments());
            let contents = &self.buffer[start..start + bytes];
            match self.socket.try_send(&Datagrams { to, local_ip, ecn, contents, size }) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let sizes = sizes[done..].to_vec();
                    self.blocked = Some((Transmit { to, local_ip, ecn, sizes }, start));
                    return false;
                }
                // A network card may refuse many at once that it takes one by one.
                Err(_) if 1 < count => {
                    for contents in contents.chunks(size) {
                        let one = Datagrams { to, local_ip, ecn, contents, size: contents.len() };
                        if let Err(error) = self.socket.try_send(&one) {
                            self.on_failed(endpoint, to, &error);
                        }
                    }
                }
                Err(error) => self.on_failed(endpoint, to, &error),
            }
            for &bytes in &sizes[done..done + count] {
                self.observe.emit(Event::DatagramSent { to, bytes });
            }
            done += count;
            start += bytes;
        }
        true
    }

    fn on_failed(&self, endpoint: &mut Endpoint, to: SocketAddr, error: &io::Error) {
        let errno = errno(error);
        self.observe.emit(Event::SendFailed { to, errno });
        endpoint.on_send_failed(to, errno);
    }
}

/// How many datagrams can go out at once, and their bytes: those of the size of the first, and one
/// more that is smaller.
fn run(sizes: &[usize], max: usize) -> (usize, usize) {
    let size = sizes[0];
    let most = max.min(RUN_BYTES_MAX / size).max(1);
    let same = sizes.iter().take(most).take_while(|&&other| other == size).count();
    let tail = sizes.get(same).filter(|&&next| same < most && next < size);
    (same + usize::from(tail.is_some()), same * size + tail.copied().unwrap_or(0))
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("blocked", &self.blocked).finish_non_exhaustive()
    }
}

/// So many transmissions go out before what has come in is looked at.
const TRANSMITS_MAX: usize = 64;

/// What the operating system takes at once is less than a datagram of the largest size.
const RUN_BYTES_MAX: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_datagrams_go_out_together_with_one_smaller() {
        assert_eq!(run(&[1200, 1200, 700, 1200], 64), (3, 3100));
        assert_eq!(run(&[1200, 1200, 1200], 2), (2, 2400));
        assert_eq!(run(&[700, 1200], 64), (1, 700));
        assert_eq!(run(&[1200, 1200, 700], 1), (1, 1200));
        assert_eq!(run(&[16_384; 8], 64), (3, 49_152));
        assert_eq!(run(&[65_500], 64), (1, 65_500));
    }
}
