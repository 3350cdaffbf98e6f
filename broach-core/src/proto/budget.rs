//! What a node holds for others, over all sessions.

use crate::config::Transport;
use crate::ids::{CallId, SessionId};
use crate::proto::grants::Grants;
use crate::proto::incoming_stream::call_bytes_max;
use crate::proto::pool::Pool;

/// Bytes held for calls, against their limits, and who may send how much more.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Memory for what comes in.
    pub(crate) pool: Pool,
    pub(crate) grants: Grants,
    /// Streams in which a record comes that needs more than the window, until it is reported.
    pub(crate) large: Vec<(SessionId, CallId)>,
    /// Of replies, and of streams of them.
    replies: [usize; 2],
    replies_max: usize,
    /// How many calls are served that have not begun to reply.
    running: usize,
    /// How many sessions there are.
    sessions: usize,
    /// Bytes of a call that are taken unasked, at most.
    allowance_max: u64,
}

/// What others may send unasked in a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Told {
    /// Bytes of each call.
    pub(crate) allowance: u64,
    /// Bytes of all calls together.
    pub(crate) unfinished: u64,
}

impl Budget {
    pub(crate) fn new(config: &Transport) -> Self {
        let window = config.stream_window_bytes as u64;
        Self {
            pool: Pool::new(config.reassembly_bytes_max, call_bytes_max(config), usize::MAX),
            grants: Grants::new(incoming_max(config.receive_buffer_bytes)),
            large: Vec::new(),
            replies: [0; 2],
            replies_max: config.reply_bytes_max,
            running: 0,
            sessions: 0,
            allowance_max: ALLOWANCE_MAX.min(window).max(ALLOWANCE_MIN),
        }
    }

    /// The socket has a receive buffer of so many bytes.
    pub(crate) const fn set_receive_buffer(&mut self, bytes: usize) {
        self.grants.set_incoming_max(incoming_max(bytes));
    }

    /// There are so many sessions.
    pub(crate) const fn set_sessions(&mut self, sessions: usize) {
        self.sessions = sessions;
    }

    /// What others may send unasked in a session that may take up so much for that.
    pub(crate) fn told(&self, session_max: usize) -> Told {
        let sessions = self.sessions.max(1) as u64;
        // All at once may send it: so it has to fit into the buffer of the socket.
        let share = self.grants.incoming_max() / sessions;
        let allowance = share.clamp(ALLOWANCE_MIN, self.allowance_max);
        let unfinished = (self.pool.for_unasked() as u64 / sessions).min(session_max as u64);
        Told { allowance, unfinished: unfinished.max(allowance) }
    }

    /// A call has come, and a reply to it will.
    pub(crate) const fn admit(&mut self) {
        self.running += 1;
    }

    /// A call has a reply now, or will not have one.
    pub(crate) const fn on_reply(&mut self) {
        self.running -= 1;
    }

    /// Counts a reply, or some of a stream of them. Its handler has run, so it is held even beyond
    /// the limit; it is new calls that are refused then.
    pub(crate) const fn take_replies(&mut self, bytes: usize, is_stream: bool) {
        self.replies[is_stream as usize] += bytes;
    }

    pub(crate) const fn release_replies(&mut self, bytes: usize, is_stream: bool) {
        self.replies[is_stream as usize] -= bytes;
    }

    /// Whether there is no room for the reply to one more call, or for one more stream of replies.
    /// These are counted apart, so that whoever does not read streams is in nobody's way who makes
    /// other calls.
    pub(crate) const fn replies_are_full(&self, is_stream: bool) -> bool {
        let running = if is_stream { 0 } else { self.running * REPLY_BYTES };
        self.replies_max <= self.replies[is_stream as usize] + running
    }

    /// Bytes of replies that have not arrived.
    pub(crate) const fn replies(&self) -> usize {
        self.replies[0] + self.replies[1]
    }
}

/// How many bytes may be under way to a socket with such a receive buffer.
///
/// The operating system counts more than a datagram's bytes, and other things come too.
const fn incoming_max(receive_buffer: usize) -> u64 {
    let third = receive_buffer as u64 / 3;
    if third < INCOMING_MIN {
        INCOMING_MIN
    } else if INCOMING_MAX < third {
        INCOMING_MAX
    } else {
        third
    }
}

pub(super) const INCOMING_MIN: u64 = 128 << 10;
pub(super) const INCOMING_MAX: u64 = 4 << 20;

/// Bytes of a call that may be sent before the other side has said anything, and no more later
/// without credit.
pub(super) const ALLOWANCE_MAX: u64 = 32 << 10;

/// What fits into the smallest datagram beside the rest that is in it is always taken.
pub(super) const ALLOWANCE_MIN: u64 = 1024;

/// Bytes that may come unasked in one session. Large messages go out in turns; to have more of them
/// under way makes none arrive earlier.
pub(super) const UNFINISHED_MAX: usize = 8 << 20;

/// So much is reckoned for a reply that is not known yet.
pub(super) const REPLY_BYTES: usize = 4096;
