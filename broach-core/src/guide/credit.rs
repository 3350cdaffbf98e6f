//! Who may send how much: memory that is set aside, and the line for it.
//!
//! A node that let others send what they like would have to hold it, or to throw it away. So
//! nothing is sent that the receiver has not set memory aside for ([`wire`](super::wire) says how
//! that is told). What is set aside never exceeds [`reassembly_bytes_per_session_max`] (64 MiB) in
//! a session, and [`reassembly_bytes_max`] (256 MiB) in the node; the tests of the transport count
//! it anew at every step. [`Node::held`] tells how much it is.
//!
//! # Three kinds of bytes
//!
//! **Unasked**: the first bytes of a call go out without asking, so that a call of a few KiB costs
//! no round trip more. All sessions may do so at once, and what they send has to fit into the
//! socket's receive buffer: so this allowance is what may be under way (below) divided by the
//! number of sessions, from 1024 to 32768 bytes for each call. All calls of a session together may
//! have so much unasked: half of the node's memory that is left beside one message of the largest
//! size, divided by the number of sessions; no more than half of what is left of the session's,
//! and 8 MiB at most.
//!
//! **Streams**: the window of a stream begins with the allowance, and is doubled each time that the
//! sender has used half of it and more than half of what came was read, up to
//! [`stream_window_bytes`] (256 KiB). An idle stream takes up little, and a busy one what it needs.
//! All windows together have the rest of that memory: by default 40 MiB in a session, which is
//! enough for the 1024 streams that it may have.
//!
//! **By credit**: a message that is larger than the allowance waits in line until there is memory
//! for all of it, and is then never kept waiting for memory: messages of which each has a part
//! cannot block each other. What unasked bytes and streams may take up leaves room for one message
//! of the largest size at any time, with its metadata and 64 KiB for a status. A record of a stream
//! that is larger than what is left of the window waits in the same line: it gets what there is
//! among the windows at once, and memory of messages once its reader waits for it. What has come
//! whole is its handler's or reader's and does not count any more, except what a stream holds that
//! is not read.
//!
//! So nobody waits for memory that somebody holds who has not got all yet, nor for a reader. The
//! simulator tries that with nodes that have room for one message each and pass streams on to each
//! other: `cargo run --release -p broach-storm -- --tangle --seeds 0..10000`.
//!
//! # What happens when it is used up
//!
//! | what | finds no room | so |
//! |---|---|---|
//! | a message above the allowance, a large record | in the session or the node | it waits, and ends at its deadline like any other call |
//! | a new call that streams | for its first window | it fails with `RESOURCE_EXHAUSTED`, which names the settings; requests as `NotExecuted` |
//! | a window | to be doubled | it stays as it is |
//! | bytes sent unasked | because others were faster | their call fails in the same way |
//! | a new call | for its reply: [`reply_bytes_max`] (256 MiB), 4 KiB for each that is not known yet | it fails with `RESOURCE_EXHAUSTED`, as `NotExecuted` |
//! | a new call that streams its replies | because streams that nobody reads hold as much again | the same; other calls go on |
//!
//! **One peer** cannot take more than its sessions' memory, at the node that it calls and at the
//! one that it is called by. If it claims large messages and sends nothing of them, that memory is
//! free again when their deadlines have passed, or when it has said nothing for
//! [`idle_server`] (60 s). Whoever sends more than it may is cut off (`PROTOCOL`).
//!
//! **A slow reader** holds up its writer and nobody else. For each stream that it does not read,
//! the window is held here, and [`stream_send_bytes`] (256 KiB) at the sender; then the writer
//! waits. Whoever has many slow readers lowers both. A single reader on a fast path with a long
//! round trip needs a window of rate times round trip.
//!
//! **To use less memory**, lower [`message_bytes_max`] first, then the two limits above. A session
//! needs 256 KiB beside the largest message and its metadata; with no more than that, 96 KiB are
//! for windows, which is three streams. **To let more large messages come at once**, raise both
//! limits: by default three of 16 MiB have room in a session beside what is kept for others, one if
//! all windows are in use.
//!
//! # The line
//!
//! There is one for the node, for requests that it serves and for replies to its own calls. After
//! Homa (Montazeri et al., SIGCOMM 2018), those with the least left go first, in classes of powers
//! of two: at most 8 at a time, and one of each session before two of any. One grant in 16 goes to
//! the oldest. A message that needs more memory than there is lets 16 younger ones pass; then none,
//! until it has been given enough.
//!
//! What is under way by credit stays within a third of the socket's receive buffer, as far as the
//! operating system gives it: 128 KiB at least and 4 MiB at most. Bytes on a path with a round-trip
//! time above 5 ms count for less by that factor, since they are in the path and not in the buffer:
//! a long fat path is not starved. Credit of which no use is made for 100 ms does not count, so
//! that those who went away do not keep others waiting.
//!
//! # At the sender
//!
//! Acknowledgements, cancellations and credit go out first, then what fits into one datagram, then
//! the calls with the least left; every 16th turn is for the oldest. A call that waits for credit
//! ends at its deadline like any other, and is not taken for one that nobody answers.
//!
//! [`Node::held`]: crate::Node::held
//! [`idle_server`]: crate::config::Transport::idle_server
//! [`message_bytes_max`]: crate::config::Transport::message_bytes_max
//! [`reassembly_bytes_max`]: crate::config::Transport::reassembly_bytes_max
//! [`reassembly_bytes_per_session_max`]: crate::config::Transport::reassembly_bytes_per_session_max
//! [`reply_bytes_max`]: crate::config::Transport::reply_bytes_max
//! [`stream_send_bytes`]: crate::config::Transport::stream_send_bytes
//! [`stream_window_bytes`]: crate::config::Transport::stream_window_bytes
