//! When a socket has something to read, or room to write: what tokio's own sockets do, for less.
//!
//! tokio watches a socket for reading and writing at once. A UDP socket becomes writable each time
//! something that it sent has been taken in, and on the loopback interface each of these events
//! wakes the sender for nothing, in the middle of the receiver's work. So it is watched for reading
//! only, and for writing only while it is full, which it hardly ever is. It also saves the system
//! call that would find an emptied socket empty.

#[cfg(not(unix))]
pub(super) use portable::Watched;
#[cfg(unix)]
pub(super) use unix::Watched;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::net::UdpSocket;
    use std::sync::{Mutex, PoisonError};
    use std::task::{Context, Poll};

    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[expect(
        deprecated,
        reason = "its successor is unsafe because some types may change their descriptor while it \
                  is watched; std's UdpSocket never does"
    )]
    fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
        AsyncFd::with_interest(socket, interest)
    }

    /// A socket that does not block, and what it is ready for.
    pub(in crate::net) struct Watched {
        socket: AsyncFd<UdpSocket>,
        /// The same socket, watched for room to write.
        full: Mutex<Option<AsyncFd<UdpSocket>>>,
    }

    impl Watched {
        pub(in crate::net) fn new(socket: UdpSocket) -> io::Result<Self> {
            Ok(Self { socket: watch(socket, Interest::READABLE)?, full: Mutex::new(None) })
        }

        pub(in crate::net) fn socket(&self) -> &UdpSocket {
            self.socket.get_ref()
        }

        /// Reads when there is something. `read` also tells whether it has emptied the socket, so
        /// that it need not be asked once more to find that out.
        pub(in crate::net) fn poll_read<T>(
            &self,
            cx: &mut Context<'_>,
            mut read: impl FnMut(&UdpSocket) -> io::Result<(T, bool)>,
        ) -> Poll<io::Result<T>> {
            loop {
                let mut ready = futures::ready!(self.socket.poll_read_ready(cx))?;
                match read(self.socket.get_ref()) {
                    Ok((value, emptied)) => {
                        if emptied {
                            ready.clear_ready();
                        }
                        return Poll::Ready(Ok(value));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }

        /// Writes if there is room.
        pub(in crate::net) fn try_write<T>(
            &self,
            write: impl FnOnce(&UdpSocket) -> io::Result<T>,
        ) -> io::Result<T> {
            write(self.socket.get_ref()).inspect_err(|error| {
                if error.kind() == io::ErrorKind::WouldBlock {
                    // What was known of its readiness is out of date.
                    *self.full.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
            })
        }

        /// Waits until there is room again.
        pub(in crate::net) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
            let watched = match &mut *full {
                Some(watched) => watched,
                None => {
                    let same = self.socket.get_ref().try_clone()?;
                    full.insert(watch(same, Interest::WRITABLE)?)
                }
            };
            futures::ready!(watched.poll_write_ready(cx))?.retain_ready();
            Poll::Ready(Ok(()))
        }
    }
}

#[cfg(not(unix))]
mod portable {
    use std::io;
    use std::task::{Context, Poll};

    use tokio::io::Interest;
    use tokio::net::UdpSocket;

    /// A socket that does not block, and what it is ready for.
    pub(in crate::net) struct Watched {
        socket: UdpSocket,
    }

    impl Watched {
        pub(in crate::net) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
            Ok(Self { socket: UdpSocket::from_std(socket)? })
        }

        pub(in crate::net) fn socket(&self) -> &UdpSocket {
            &self.socket
        }

        /// Reads when there is something.
        pub(in crate::net) fn poll_read<T>(
            &self,
            cx: &mut Context<'_>,
            mut read: impl FnMut(&UdpSocket) -> io::Result<(T, bool)>,
        ) -> Poll<io::Result<T>> {
            loop {
                futures::ready!(self.socket.poll_recv_ready(cx))?;
                match self.socket.try_io(Interest::READABLE, || read(&self.socket)) {
                    Ok((value, _)) => return Poll::Ready(Ok(value)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }

        /// Writes if there is room.
        pub(in crate::net) fn try_write<T>(
            &self,
            write: impl FnOnce(&UdpSocket) -> io::Result<T>,
        ) -> io::Result<T> {
            self.socket.try_io(Interest::WRITABLE, || write(&self.socket))
        }

        /// Waits until there is room again.
        pub(in crate::net) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.socket.poll_send_ready(cx)
        }
    }
}
