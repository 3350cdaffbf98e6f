//! What a node holds in memory for calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many bytes a node holds at a moment for calls.
///
/// Not part of the [`Counters`](super::Counters): those are sums of events.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Held {
    /// Set aside for requests and replies that have not come whole, and for streams that have not
    /// been read; see [`reassembly_bytes_max`](crate::config::Transport::reassembly_bytes_max).
    pub incoming_bytes: u64,
    /// Of replies that have not arrived; see
    /// [`reply_bytes_max`](crate::config::Transport::reply_bytes_max).
    pub reply_bytes: u64,
}

/// What is held, as it was last told.
#[derive(Default)]
pub(super) struct LiveHeld {
    incoming_bytes: AtomicU64,
    reply_bytes: AtomicU64,
}

impl LiveHeld {
    pub(super) fn set(&self, held: Held) {
        self.incoming_bytes.store(held.incoming_bytes, Relaxed);
        self.reply_bytes.store(held.reply_bytes, Relaxed);
    }

    pub(super) fn read(&self) -> Held {
        Held {
            incoming_bytes: self.incoming_bytes.load(Relaxed),
            reply_bytes: self.reply_bytes.load(Relaxed),
        }
    }
}
