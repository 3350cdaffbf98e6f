//! How much is sent at once, in which size, and the measurements that decided it.
//!
//! # The window
//!
//! Bytes that are on their way in a session stay within its **congestion window**. It grows while
//! all arrives, and shrinks when something is lost or comes with a mark. What is not limited by it
//! does not let it grow, so a session of small calls keeps what it began with: 32 datagrams, or 10
//! if [`transport.network`](crate::config::Transport::network) says that nodes are far apart. On a
//! local network it never falls below 16, because what is missing there was more often held up than
//! dropped.
//!
//! * **One event per round trip** (RFC 9002 §7.3): what was sent before the last event does not
//!   count again.
//! * **An event that was none is undone**: if all that was given up arrives after all, the network
//!   has only changed the order.
//! * **When all was lost for three probe time-outs** (RFC 9002 §7.6) the window begins at its
//!   least.
//! * **After a pause** of four probe time-outs, at least 200 ms, it is no larger than at the
//!   beginning, and doubles up to where it was.
//! * Probes go out whatever the window says, so that a full one does not pass for silence; to a
//!   node that is silent nothing else does.
//!
//! Which rule lets it grow was chosen in the simulator, over a link of 10 Mbit/s that drops what
//! would wait for more than 50 ms. CUBIC (RFC 9438) and NewReno (RFC 9002 §7.3) both begin with
//! HyStart++ (RFC 9406), which sees the queue grow and ends the doubling before it overflows.
//!
//! | path | | CUBIC | NewReno |
//! |---|---|---|---|
//! | 20 ms | share of the rate | 0.94 | 0.95 |
//! | | small calls beside it, median and p99 | 62 ms, 71 ms | 54 ms, 71 ms |
//! | | dropped | 0.14 % | 0.20 % |
//! | 20 ms, two callers | share of the first | 0.48 to 0.50 | 0.48 to 0.50 |
//! | 20 ms, marks above 5 ms | share of the rate | 0.86 | 0.80 |
//! | | small calls, p99 | 27 ms | 28 ms |
//! | 1500 ms | share of the rate, over two minutes | 0.66 | 0.57 |
//! | 1 ms, 5 % lost at random, no limit | bytes per second | 22 MB | 22 MB |
//!
//! They differ where a round trip is long, and there CUBIC is the better one. After a mark it keeps
//! 0.85 of the window (RFC 8511): with the 0.7 of a loss it used 0.63 of the link with marks.
//!
//! # The pace
//!
//! A window does not leave as one burst: datagrams go out at 1.25 times the rate of one window per
//! round trip, or twice it while the window doubles. What may leave at once is 16 datagrams, which
//! the operating system takes in one piece; no more than an eighth of the window, so that a short
//! queue holds it; and at least what the rate gives in 2 ms, because timers go off once in a
//! millisecond. For the same reason paths with a round trip below 4 ms are not paced.
//!
//! # Marks
//!
//! Datagrams say that their sender understands marks (ECN, RFC 3168), so that a congested router
//! can mark them instead of dropping them. What the other side reports is checked: a path that
//! wipes the marks off, or a socket that cannot see them, turns that off for the session, and so do
//! three probes in vain at its beginning, because a few networks drop what is marked.
//!
//! # The size of datagrams
//!
//! Every path carries 1200 bytes. A session whose datagrams are full looks for more (RFC 8899):
//! when all that may go has gone, a datagram of zeros goes out, of the next size that networks are
//! known to have. If it arrives all datagrams may be as large; if three of one size are lost there
//! is no other try for ten minutes. Their loss is no sign of congestion, and no call waits for
//! them. What is lost of a call is cut anew, so it fits whatever the size is by then.
//!
//! When nothing that is larger than 1200 bytes arrives three times in a row, but smaller datagrams
//! do, the path carries less than it did: the size falls back, and is looked for again after a
//! minute. Probes for what is missing have no more than 1200 bytes, so that they get through. In
//! the simulator, over 10 ms at 20 Mbit/s, that takes less than half a second, and no call fails.
//! An error of the operating system (`EMSGSIZE`) leads to the same at once.
//!
//! To a loopback address 16384 bytes are tried first, as that interface carries them; what lies
//! behind a relay or a forwarded port may not, and then the search is like any other.
//!
//! # The socket
//!
//! What arrives while the receive buffer is full is lost, and nobody is told. The system may give
//! less than it is asked for: [`Event::ReceiveBuffer`](crate::observe::Event::ReceiveBuffer) says
//! what it gave, and less than 1 MiB is a warning in the log. When a network card does not take
//! several datagrams in one piece they go out one by one at once
//! ([`Event::SendDivided`](crate::observe::Event::SendDivided)).
