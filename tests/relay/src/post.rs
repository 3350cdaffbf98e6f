//! [`Post`]: sends datagrams when their time has come.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

/// Takes datagrams that are to be sent later.
#[derive(Clone, Debug)]
pub(crate) struct Post(UnboundedSender<Letter>);

/// A datagram, and when and from where it is sent.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) due: Instant,
    pub(crate) from: Arc<UdpSocket>,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Bytes,
}

impl Post {
    /// One that works as long as there is anyone to give it datagrams.
    pub(crate) fn start() -> Self {
        let (sender, receiver) = unbounded_channel();
        tokio::spawn(deliver(receiver));
        Self(sender)
    }

    /// Sends a datagram when it is due.
    pub(crate) fn send(&self, letter: Letter) {
        // Nobody takes it only when the program ends.
        let _ = self.0.send(letter);
    }
}

async fn deliver(mut letters: UnboundedReceiver<Letter>) {
    // By their times; those of one moment as they came.
    let mut waiting: BTreeMap<(Instant, u64), Letter> = BTreeMap::new();
    let mut number = 0;
    loop {
        let due = waiting.first_key_value().map(|(&(due, _), _)| due);
        tokio::select! {
            biased;
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            letter = letters.recv() => match letter {
                Some(letter) => {
                    waiting.insert((letter.due, number), letter);
                    number += 1;
                }
                None => return,
            },
        }
        let now = Instant::now();
        while let Some(entry) = waiting.first_entry()
            && entry.key().0 <= now
        {
            let Letter { from, to, bytes, .. } = entry.remove();
            // What cannot be sent is lost, as on any network.
            let _ = from.try_send_to(&bytes, to);
        }
    }
}
