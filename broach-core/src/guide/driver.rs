//! How datagrams and callers meet, and the measurements that decided it.
//!
//! All of a node's protocol state belongs to one task, the driver. A caller puts its call into an
//! inbox and waits; the driver takes everything there is in the inbox and in the socket, does what
//! is to be done, and sends what has come of it: many calls in one datagram, many datagrams in one
//! system call.
//!
//! ```text
//!   callers, handlers         one task                       the network
//!
//!   call ----\
//!   reply ----> inbox ---> protocol state, one timer ---> UDP socket
//!   drop ----/       <--- replies           ^-----------------/
//! ```
//!
//! # Why one task
//!
//! The alternative is that callers do the work: each locks the session, writes its datagram and
//! sends it. That saves waking another task for a single call. Three programs were written on the
//! wire format's own code to compare the two before the driver was: calls of 32 bytes over the
//! loopback interface, client and server in processes of their own on a machine with two
//! processors, medians of rounds that took turns, in thousands of calls per second.
//!
//! | who sends | 1 call under way | 64 | 512 |
//! |---|---|---|---|
//! | each caller, under the session's lock | 18 | 279 | 260 |
//! | each caller; whoever has the lock also sends for those that wait | 18 | 270 | 345 |
//! | one task for all | 17 | 600 | 1170 |
//! | *both processes on one processor:* each caller | 71 | 202 | |
//! | *both processes on one processor:* one task for all | 71 | 970 | |
//!
//! A single call gains nothing from being sent by its caller, because waking the process at the
//! other end is what takes the time. Many calls gain much from being sent together: a datagram
//! costs the kernel several microseconds whatever is in it. So there is one task.
//!
//! # What else measuring has taught
//!
//! * **The task lets others go first**, once, when it has been woken by a caller while other calls
//!   are under way, or has just ended several: callers that become ready together then share a
//!   datagram. A lone call is not held up.
//! * **Quick handlers begin in the driver.** A handler is polled once where it is. Most are done
//!   then, and cost no task; one that has to wait gets a task of its own. But a slow one holds up
//!   the whole node, so a method has to prove quick first: its handlers begin in tasks until their
//!   first polls, which are measured there, take no more than 20 us as a rule, for which half a
//!   dozen quick ones are enough. A few that take longer bring it back to tasks; so does a single
//!   one that takes 20 ms, because then the handler has blocked, and for a minute at that. (The
//!   operating system may take the processor away for some milliseconds, which is nobody's fault.)
//! * **Handlers have 100 us in one turn** of the driver; then the network has its own again, and
//!   so have the other tasks of the runtime. The handlers that are left begin in the next turns,
//!   sessions taking turns, so that whoever makes many calls holds up nobody else's; a call whose
//!   time is over by then does not begin, nor does one that was given up. To give them tasks
//!   instead doubled the server's time per call under load.
//! * **Timers are allowed to be a little early.** A session's timer moves with every datagram. It
//!   is changed only if it would be reached late, or by more than a millisecond early: to set a
//!   timer that is less than some 4 ms away costs a virtual machine 10 us each time.
//! * **The socket is watched for reading only.** tokio's own watch for reading and writing at once,
//!   and a UDP socket becomes writable whenever the receiver has taken something: on the loopback
//!   interface that woke the sender for nothing at each datagram.
//! * **Timers are looked at once the socket is empty**, because the acknowledgement that a timer
//!   waits for may be in it; unless it never is.
//!
//! # Threads
//!
//! The driver is a task like any other: on a multi-thread runtime it moves between the runtime's
//! threads, on a current-thread runtime it shares the one there is. What it means for handlers, and
//! for those that block, is in [`calls`](super::calls).
