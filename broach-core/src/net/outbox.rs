//! What goes out: datagrams from the endpoint to the socket, as many at once as the socket takes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;

use crate::config::BASE_DATAGRAM_BYTES;
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
            && !self.send(endpoint, now, transmit, start)
        {
            return;
        }
        for _ in 0..TRANSMITS_MAX {
            self.buffer.clear();
            let Some(transmit) = endpoint.poll_transmit(now, &mut self.buffer) else {
                return;
            };
            if !self.send(endpoint, now, transmit, 0) {
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
    fn send(
        &mut self,
        endpoint: &mut Endpoint,
        now: Time,
        transmit: Transmit,
        start: usize,
    ) -> bool {
        let Transmit { to, local_ip, ecn, sizes } = transmit;
        let (mut done, mut start) = (0, start);
        // So many go one by one.
        let mut divided = 0;
        while let Some(&size) = sizes.get(done) {
            let most = if 0 < divided { 1 } else { self.socket.max_segments() };
            let (count, bytes) = run(&sizes[done..], most);
            let contents = &self.buffer[start..start + bytes];
            match self.socket.try_send(&Datagrams { to, local_ip, ecn, contents, size }) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let sizes = sizes[done..].to_vec();
                    self.blocked = Some((Transmit { to, local_ip, ecn, sizes }, start));
                    return false;
                }
                // A network card may refuse many at once that it takes one by one; there is no
                // need to wait until they are missed.
                Err(error) if 1 < count => {
                    let errno = errno(&error);
                    self.observe.emit(Event::SendDivided { to, datagrams: count, errno });
                    divided = count;
                    continue;
                }
                Err(error) => {
                    let errno = errno(&error);
                    self.observe.emit(Event::SendFailed { to, errno });
                    if quinn_udp::is_msg_size_err(&error) && BASE_DATAGRAM_BYTES < size {
                        endpoint.on_too_large(now, to, size);
                    } else {
                        endpoint.on_send_failed(to, errno);
                    }
                }
            }
            for &bytes in &sizes[done..done + count] {
                self.observe.emit(Event::DatagramSent { to, bytes });
            }
            divided = usize::saturating_sub(divided, 1);
            done += count;
            start += bytes;
        }
        true
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

    use std::net::SocketAddr;
    use std::sync::Mutex;
    use std::task::Poll;

    use crate::config::Transport;
    use crate::deadline::Stopped;
    use crate::ecn::Ecn;
    use crate::ids::{ClusterHash, Instance};
    use crate::net::socket::Datagram;
    use crate::proto::Identity;
    use crate::rng::Rng;

    /// Takes datagrams one by one only, after it has said so.
    #[derive(Debug, Default)]
    struct Card {
        /// What was sent, and what was tried.
        sizes: Mutex<(Vec<usize>, usize)>,
        /// There is no room for the one after so many.
        full_after: Option<usize>,
    }

    impl DatagramSocket for Arc<Card> {
        fn poll_receive(&self, _: &mut Context<'_>, _: &mut Vec<Datagram>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn try_send(&self, datagrams: &Datagrams<'_>) -> io::Result<()> {
            let mut sizes = self.sizes.lock().unwrap();
            sizes.1 += 1;
            if datagrams.size < datagrams.contents.len() {
                return Err(io::Error::from_raw_os_error(EIO));
            }
            if self.full_after == Some(sizes.0.len()) && sizes.1 <= sizes.0.len() + 2 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            sizes.0.push(datagrams.contents.len());
            Ok(())
        }

        fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 1).into())
        }

        fn max_segments(&self) -> usize {
            64
        }
    }

    const EIO: i32 = 5;

    #[test]
    fn what_a_card_does_not_take_at_once_goes_out_one_by_one_and_none_of_it_twice() {
        for full_after in [None, Some(0), Some(3)] {
            let observe = Observe::new(Vec::new(), None, Stopped::shared(), Rng::from_seed(1));
            let identity = Identity { instance: Instance(1), cluster: ClusterHash(1) };
            let config = Arc::new(Transport::default());
            let now = Time::ZERO;
            let mut endpoint =
                Endpoint::new(now, config, identity, observe.clone(), Rng::from_seed(2));
            let card = Arc::new(Card { full_after, ..Card::default() });
            let mut outbox = Outbox::new(Arc::new(Arc::clone(&card)), observe.clone());
            let sizes = vec![1_200, 1_200, 1_200, 1_200, 700];
            outbox.buffer = vec![0; sizes.iter().sum()];
            let to = SocketAddr::from(([127, 0, 0, 1], 2));
            let ecn = Ecn::Ect0;
            let transmit = Transmit { to, local_ip: None, ecn, sizes: sizes.clone() };
            let done = outbox.send(&mut endpoint, now, transmit, 0);
            assert_eq!(done, full_after.is_none());
            outbox.flush(&mut endpoint, now);
            assert_eq!(card.sizes.lock().unwrap().0, sizes);
            let counters = observe.counters();
            assert_eq!(counters.datagrams_sent, 5);
            // What was left when there was no room is tried in one piece again.
            let divided = 1 + u64::from(full_after.is_some());
            assert_eq!(counters.sends_divided, divided, "{full_after:?}");
            assert!(counters.send_errors.is_empty());
        }
    }

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
