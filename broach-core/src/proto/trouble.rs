//! [`Trouble`]: what callers are told of a node that does not answer, beyond that it does not.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::deadline::Time;
use crate::proto::endpoint::Endpoint;
use crate::proto::session::Session;
use crate::proto::side::Side;

/// Why nothing gets through, as far as this side knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Trouble {
    /// The operating system's number for the error of sending there.
    pub(crate) errno: Option<i32>,
}

impl Endpoint {
    /// The operating system did not take a datagram because it is too large for the interface, or
    /// for the path as far as it knows. It counts as sent, and is lost; smaller ones follow.
    pub(crate) fn on_too_large(&mut self, now: Time, to: SocketAddr, bytes: usize) {
        let there = self.sessions.iter_mut().filter(|(_, session)| session.peer == to);
        there.for_each(|(_, session)| session.link.path.on_too_large(now, bytes));
    }

    /// The operating system did not take a datagram. It counts as sent, and is lost; those who wait
    /// for what it was to bring are told why if nothing else comes.
    pub(crate) fn on_send_failed(&mut self, to: SocketAddr, errno: i32) {
        let session = self.peers.get(to).session.and_then(|index| self.sessions.get_mut(index));
        if let Some(Session { side: Side::Client(client), .. }) = session {
            client.trouble = Trouble { errno: (errno != 0).then_some(errno) };
        }
    }
}

impl fmt::Display for Trouble {
    /// The end of a sentence; nothing if nothing is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            None => Ok(()),
            Some(errno) => {
                write!(f, ": to send there fails, {}", io::Error::from_raw_os_error(errno))
            }
        }
    }
}
