//! What a node holds for others, over all sessions.

use crate::config::Transport;

/// Bytes held for calls that are served, against their limits.
#[derive(Debug)]
pub(crate) struct Budget {
    reassembly: usize,
    reassembly_max: usize,
    replies: usize,
    replies_max: usize,
}

impl Budget {
    pub(crate) const fn new(config: &Transport) -> Self {
        Self {
            reassembly: 0,
            reassembly_max: config.reassembly_bytes_max,
            replies: 0,
            replies_max: config.reply_bytes_max,
        }
    }

    /// An unfinished request takes `after` bytes instead of `before`. Tells whether all of them
    /// together are still within the limit.
    pub(crate) const fn change_reassembly(&mut self, before: usize, after: usize) -> bool {
        self.reassembly = self.reassembly + after - before;
        self.reassembly <= self.reassembly_max
    }

    /// Counts a reply. Its handler has run, so it is held even beyond the limit; it is new calls
    /// that are refused then.
    pub(crate) const fn take_replies(&mut self, bytes: usize) {
        self.replies += bytes;
    }

    pub(crate) const fn release_replies(&mut self, bytes: usize) {
        self.replies -= bytes;
    }

    pub(crate) const fn replies_are_full(&self) -> bool {
        self.replies_max <= self.replies
    }

    /// Bytes of unfinished requests.
    pub(crate) const fn reassembly(&self) -> usize {
        self.reassembly
    }

    /// Bytes of replies that have not arrived.
    pub(crate) const fn replies(&self) -> usize {
        self.replies
    }
}
