//! [`Relay`]: an address from which datagrams are carried to another one, and back.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use broach_core::testing::{Faults, Struck, Way};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::Error;
use crate::post::{Letter, Post};

/// Carries datagrams until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    shared: Arc<Shared>,
    addr: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// Where clients send to.
    outside: Arc<UdpSocket>,
    target: OnceLock<SocketAddr>,
    faults: Faults,
    began: Instant,
    there: Mutex<Direction>,
    back: Mutex<Direction>,
    post: Post,
}

#[derive(Debug)]
struct Direction {
    way: Way,
    struck: Struck,
    bytes: u64,
}

/// What became of datagrams, each way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) there: Struck,
    pub(crate) back: Struck,
    pub(crate) there_bytes: u64,
    pub(crate) back_bytes: u64,
}

impl Relay {
    /// Takes datagrams at an address, port 0 being any. They are dropped until there is a target.
    ///
    /// # Errors
    ///
    /// If the address cannot be had.
    pub(crate) async fn bind(addr: SocketAddr, faults: Faults, seed: u64) -> io::Result<Self> {
        let outside = Arc::new(UdpSocket::bind(addr).await?);
        let addr = outside.local_addr()?;
        let way =
            |seed| Direction { way: Way::from_seed(seed), struck: Struck::default(), bytes: 0 };
        let shared = Arc::new(Shared {
            outside,
            target: OnceLock::new(),
            faults,
            began: Instant::now(),
            there: Mutex::new(way(seed)),
            back: Mutex::new(way(!seed)),
            post: Post::start(),
        });
        let task = tokio::spawn(take(Arc::clone(&shared), addr));
        Ok(Self { shared, addr, task })
    }

    /// Where clients send to.
    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on datagrams go there.
    ///
    /// # Errors
    ///
    /// If they go somewhere already.
    pub(crate) fn carry_to(&self, target: SocketAddr) -> Result<(), Error> {
        self.shared.target.set(target).map_err(|_| "the relay has a target already".into())
    }

    /// What has become of datagrams so far.
    pub(crate) fn figures(&self) -> Figures {
        let (there, back) = (lock(&self.shared.there), lock(&self.shared.back));
        Figures {
            there: there.struck,
            back: back.struck,
            there_bytes: there.bytes,
            back_bytes: back.bytes,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Figures {
    pub(crate) fn to_json(self) -> Value {
        let way = |struck: Struck, bytes: u64| {
            json!({
                "datagrams": struck.sent,
                "bytes": bytes,
                "lost": struck.lost,
                "duplicated": struck.duplicated,
                "oversized": struck.oversized,
                "queued": struck.queued,
                "overflowed": struck.overflowed,
            })
        };
        let Self { there, back, there_bytes, back_bytes } = self;
        json!({ "there": way(there, there_bytes), "back": way(back, back_bytes) })
    }
}

/// Takes what clients send, each of whom has a socket of its own on the other side.
async fn take(shared: Arc<Shared>, addr: SocketAddr) {
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    // With it those end that bring back the answers.
    let mut answers = tokio::task::JoinSet::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        // Errors are those of datagrams sent before, which are lost.
        let Ok((len, client)) = shared.outside.recv_from(&mut buffer).await else {
            continue;
        };
        let Some(&target) = shared.target.get() else {
            continue;
        };
        let inside = match clients.get(&client) {
            Some(inside) => Arc::clone(inside),
            None if clients.len() < CLIENTS_MAX => {
                // From the same address as the relay has, so that the way there is the same.
                let Ok(socket) = UdpSocket::bind(SocketAddr::new(addr.ip(), 0)).await else {
                    continue;
                };
                let socket = Arc::new(socket);
                clients.insert(client, Arc::clone(&socket));
                answers.spawn(answer(Arc::clone(&shared), Arc::clone(&socket), client));
                socket
            }
            None => continue,
        };
        let bytes = Bytes::copy_from_slice(&buffer[..len]);
        shared.carry(&shared.there, &inside, target, bytes);
    }
}

/// Takes to a client what comes back for it.
async fn answer(shared: Arc<Shared>, inside: Arc<UdpSocket>, client: SocketAddr) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Ok((len, from)) = inside.recv_from(&mut buffer).await else {
            continue;
        };
        // Strangers are not passed on.
        if shared.target.get() == Some(&from) {
            let bytes = Bytes::copy_from_slice(&buffer[..len]);
            shared.carry(&shared.back, &shared.outside, client, bytes);
        }
    }
}

impl Shared {
    fn carry(
        &self,
        direction: &Mutex<Direction>,
        from: &Arc<UdpSocket>,
        to: SocketAddr,
        bytes: Bytes,
    ) {
        let mut direction = lock(direction);
        let Direction { way, struck, bytes: carried } = &mut *direction;
        *carried += bytes.len() as u64;
        for (due, bytes) in way.pass(self.began.elapsed(), bytes, &self.faults, struck) {
            let due = self.began + due;
            self.post.send(Letter { due, from: Arc::clone(from), to, bytes });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// UDP carries no more.
const BUFFER_BYTES: usize = 65_536;

/// More clients of one address are not served.
const CLIENTS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// A server that gives back what it gets, with its sender's port in front.
    async fn echo() -> SocketAddr {
        let socket = UdpSocket::bind(ANY).await.unwrap();
        let addr = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; BUFFER_BYTES];
            while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                let mut reply = from.port().to_be_bytes().to_vec();
                reply.extend(&buffer[..len]);
                socket.send_to(&reply, from).await.unwrap();
            }
        });
        addr
    }

    async fn ask(relay: &Relay, socket: &UdpSocket, request: &[u8]) -> (u16, Vec<u8>) {
        socket.send_to(request, relay.addr()).await.unwrap();
        let mut buffer = [0; 100];
        let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!(from, relay.addr());
        (u16::from_be_bytes([buffer[0], buffer[1]]), buffer[2..len].to_vec())
    }

    #[tokio::test]
    async fn the_server_tells_clients_apart_and_each_gets_its_own_answers() {
        let relay = Relay::bind(ANY, Faults::default(), 1).await.unwrap();
        relay.carry_to(echo().await).unwrap();
        assert!(relay.carry_to(ANY).is_err());
        let (one, two) = (UdpSocket::bind(ANY).await.unwrap(), UdpSocket::bind(ANY).await.unwrap());
        let mut ports = Vec::new();
        for round in 0..3 {
            for (socket, name) in [(&one, 1), (&two, 2)] {
                let (port, echo) = ask(&relay, socket, &[name, round]).await;
                assert_eq!(echo, [name, round]);
                ports.push(port);
            }
        }
        assert_eq!(ports[..2], ports[2..4]);
        assert_eq!(ports[..2], ports[4..]);
        assert_ne!(ports[0], ports[1]);
        let Figures { there, back, there_bytes, back_bytes } = relay.figures();
        assert_eq!((there.sent, back.sent, there_bytes, back_bytes), (6, 6, 12, 24));
    }

    #[tokio::test]
    async fn faults_strike_each_way() {
        let mut faults = Faults::default();
        (faults.mtu, faults.duplicate) = (10, 1.0);
        let relay = Relay::bind(ANY, faults, 1).await.unwrap();
        relay.carry_to(echo().await).unwrap();
        let socket = UdpSocket::bind(ANY).await.unwrap();
        // Too large for the way there, and with the port for the way back.
        socket.send_to(&[7; 11], relay.addr()).await.unwrap();
        socket.send_to(&[7; 9], relay.addr()).await.unwrap();
        socket.send_to(&[7; 8], relay.addr()).await.unwrap();
        let mut buffer = [0; 100];
        // Each way makes two of one.
        for _ in 0..4 {
            assert_eq!(socket.recv(&mut buffer).await.unwrap(), 10);
        }
        let Figures { there, back, .. } = relay.figures();
        assert_eq!((there.sent, there.oversized, there.duplicated), (3, 1, 2));
        assert_eq!((back.sent, back.oversized, back.duplicated), (4, 2, 2));
    }
}
