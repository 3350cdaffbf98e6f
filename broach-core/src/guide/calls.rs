//! What happens to a call, what a failed one says, and what can be relied upon.
//!
//! # What can be relied upon
//!
//! * **Every call ends**, with a reply or with a [`Status`]. A unary call has a deadline: the one
//!   that is set with [`Call::timeout`], or what is left of that of the handler that makes the
//!   call, or 10 s. A call that streams has one only if it is set or inherited; without, it ends
//!   with its handler, when its caller drops it, or when the other node has been silent for 10 s.
//! * **A handler runs at most once** for a call that is not marked idempotent: under loss,
//!   duplication, reordering and retransmission, when nodes restart, and however late a copy of a
//!   datagram turns up.
//! * **A failed call says what is known of it**, its [`Outcome`], and what it says is true.
//! * **A lost datagram costs milliseconds** and concerns only the calls that were in it.
//! * **Memory is bounded**: calls, bytes of unfinished requests and of unacknowledged replies,
//!   sessions, retries. Whoever meets a limit is told which.
//!
//! What cannot be had: that a handler runs *exactly* once. If a node dies while a handler is at
//! work, nobody can tell from outside how far it came. [`Context::key`] names a call uniquely among
//! all calls ever made, so that an effect can be stored together with it and not be applied twice.
//!
//! # Outcomes
//!
//! | [`Outcome`] | means | example |
//! |---|---|---|
//! | `NotExecuted` | the handler was not started, and never will be | nobody at the address, and the call is not idempotent; a limit was reached; the deadline had passed on arrival |
//! | `Unknown` | it may have run | the node died, or the deadline passed, with the request on its way; nobody answers an idempotent call |
//! | `Executed` | it ran, and this is its answer | the handler returned this status, or panicked |
//!
//! `NotExecuted` can be relied upon: making the call once more cannot make it run twice. Calls that
//! are [dropped](crate::Call) report nothing, and may have run.
//!
//! An idempotent call goes out with the first datagram to a node and may be started at once, so
//! that a node that never answers may have run it. Any other call is not started before the node
//! has answered once: if nobody ever does, it was surely not.
//!
//! A handler that panics fails its own call alone, with `INTERNAL`. Over the network the text of
//! the panic goes to the caller with it, so it must not hold what the caller should not see; within
//! the process the panic itself does.
//!
//! Where Broach says `RESOURCE_EXHAUSTED` it is a limit, and the message names it: a message or
//! metadata that is too large, on either side; more calls than may
//! [wait](crate::config::Transport::calls_waiting_max); a node that holds too many unfinished
//! requests, or replies that have not arrived. It is `Executed` if it is the reply that is too
//! large, and `NotExecuted` otherwise; but `Unknown` for one of a stream of requests that comes
//! when the call has begun. (One of those that are there when it is made keeps it from being made.)
//! The limits are fields of [`config::Transport`](crate::config::Transport).
//!
//! # Another try
//!
//! A call is tried again by itself
//!
//! * after `NotExecuted` with `UNAVAILABLE`;
//! * if another node of the [list](crate::Channel::list) may do better, also after `NotExecuted`
//!   with `UNIMPLEMENTED`, `FAILED_PRECONDITION` or a `RESOURCE_EXHAUSTED` that came from the node;
//! * after any `UNAVAILABLE`, or at another node if the first is of another wire version, if it may
//!   run twice: its method says `option idempotency_level =
//!   NO_SIDE_EFFECTS` or `IDEMPOTENT` in the `.proto`, or the call is marked with
//!   [`Call::idempotent`];
//!
//! as long as all of these hold: there is time left until the deadline; there have been fewer than
//! four attempts (`client.attempts_max`); the retry budget pays for it; and the call is not made by
//! a handler whose own call is a retry already, because otherwise each level of callers would
//! multiply the load on what is struggling. The budget is a tenth of a retry for each call made,
//! and ten a second besides (Finagle's scheme).
//!
//! On another node a call is tried at once; on the same node the first time at once, and then after
//! a random wait of up to 10 ms, 20 ms, and so on up to 1 s. All attempts are in
//! [`Status::attempts`] and [`Response::attempts`](crate::Response::attempts).
//!
//! That a node is shutting down is no failure of it: the refusal carries a mark
//! ([wire format](super::wire)), the node gets no new calls from then on, and in a
//! cluster the attempt counts neither against the number of attempts nor against the budget. If all
//! who offer the service are about to leave, the call waits for others, as it does if nobody offers
//! it.
//!
//! A call that streams is tried again by the same rules until its reply begins: with its first
//! message, or its end if it has none. Requests that were sent by then are sent again. For that up
//! to 32 KiB of them are kept; when more have been sent the call is not tried again, and its status
//! says so.
//!
//! # Streams
//!
//! A method of the `.proto` with `stream` before its request, its reply or both carries any number
//! of messages in that direction. What the program has of them are a [`Receiver`] and a [`Sender`]:
//!
//! | | caller | handler |
//! |---|---|---|
//! | requests | any `Stream`, such as the [`Feed`] of [`channel`] | a [`Receiver`] |
//! | replies | a [`Receiver`], which the call gives | a [`Sender`] |
//!
//! * **Messages arrive once and in order**, and before the error that ends their stream, if one
//!   does. Zero messages are a stream too.
//! * **The reply begins** with the handler's first message, with its end, or when it calls
//!   [`Sender::begin`]. Until then the call is not done; [`Context::set_reply_metadata`] counts
//!   until then. What an error carries along besides is its own metadata.
//! * **A caller that awaits the call before it sends the first request waits for ever** if the
//!   handler reads a request before it begins its reply: `let mut replies = chat.talk(fed).await?;
//!   requests.send(..)` is such a caller, and nothing ends it, because a stream has no deadline of
//!   its own. Either the requests are made by another task (or in the same one with `join!`), or
//!   some are in the [`Feed`] beforehand, or the handler begins with [`Sender::begin`].
//! * **Requests flow** from when the call is first polled, whatever the program does with the call
//!   then. They end with their `Stream`. The replies may go on after that, and the requests after
//!   the last reply.
//! * **Requests that stop are complete requests** to the service, also if whoever makes them has
//!   dropped its [`Sender`] because something went wrong. [`Sender::fail`] fails the call instead;
//!   a panic that drops the [`Sender`] does so by itself. Another `Stream` than a [`Feed`] can end
//!   a call with an error only by panicking.
//! * **The call ends when the handler returns**: it need not read all requests, and whoever makes
//!   them is told (the stream is dropped, and [`Sender::send`] gives `CANCELLED`). If it panics,
//!   the caller gets what was sent before, and then `INTERNAL`.
//! * **A slow reader holds up its sender**, and nobody else. Per stream, [`stream_window_bytes`]
//!   may be on their way to a program that does not read, and [`stream_send_bytes`] wait at the
//!   sender, a message more each; then [`Sender::send`] waits, or the caller's stream is not
//!   polled. A handler whose `send` waits can do something else meanwhile, or give up.
//!   [`credit`](super::credit) says more of the memory for that.
//! * **Dropping cancels**: the [`Call`] before its reply has begun, the [`Receiver`] after. The
//!   handler is dropped where it waits. If it has handed its ends of the stream to another task,
//!   they give `CANCELLED` there, as they do once it has returned. What that task sends before goes
//!   out at once, whatever the handler waits for.
//! * **When a node vanishes** the [`Receiver`] gives `UNAVAILABLE` after what had arrived, and the
//!   handler is dropped. A stream on which nothing is said is kept alive, for as long as it lasts.
//! * **When an address changes** (a router has forgotten the way, say) the call ends: at once with
//!   the caller's next datagram if the address was the caller's, which may call again from the new
//!   one; if it was the server's, like with a node that vanishes.
//! * **A path that comes to carry less** than before costs a few round trips. If it does not even
//!   carry 1200 bytes any more, what fits into less goes on, and all calls of the session end with
//!   `UNAVAILABLE` once something larger was in vain for [`dead_after`], or twice that if the other
//!   node says something all the time and acknowledges nothing.
//! * **A deadline covers the whole stream.** Nothing limits one that has none, so give it one if it
//!   should end.
//! * **Limits** are those of unary calls, for each message. One that is larger ends the call with
//!   `RESOURCE_EXHAUSTED`. A stream is one of the calls that may be under way in a session.
//!
//! [`Channel::call`](crate::Channel::call), which calls by name, makes unary calls only. Whoever
//! calls a method in another shape than it is served in gets `UNIMPLEMENTED`, as `NotExecuted`.
//!
//! A node's calls to itself, and those of a channel [in the
//! process](crate::Channel::in_process), stream in the same way. Only their requests do not flow by
//! themselves: the handler takes them from the caller's stream as it reads. Once its reply has
//! begun the handler is a task of its own.
//!
//! A shutdown waits for streams like for other calls, up to
//! [`drain_timeout`](crate::NodeBuilder::drain_timeout). Those that have not ended then, or when
//! the program is told a second time to end
//! ([`shutdown_or_stop`](crate::Node::shutdown_or_stop)), end at once with `UNAVAILABLE`, as
//! `Unknown`.
//!
//! # Which node is called
//!
//! Of the nodes that offer the service and are what the call wishes
//! ([`balancing`](super::balancing)), a [`Picker`](crate::picker::Picker) chooses among those
//! that are alive, answer, and are not about to leave; if there are none, among those that are
//! silent or suspected to be dead; and if there are none, among those that are about to leave.
//! Among equals, nodes of weight 0 come last. One round of attempts goes to no node twice.
//!
//! If nobody is known who offers the service and is what is wished, the call waits until its
//! deadline for somebody to turn up, and then fails with `UNAVAILABLE`, as `NotExecuted`, and tells
//! what is known of the members. At most `client.calls_waiting_max` calls of a channel wait so.
//!
//! What a node serves itself it calls without the socket, but with everything else: layers, limits,
//! spans, counters, deadline and cancellation are the same as over the network.
//!
//! A node of a list that falls silent is passed over. That is after 300 ms, or four times the time
//! after which a datagram is sent again if that is longer, but not above 1 s on a network whose
//! round trips can be as short as 125 ms; calls to it that may go elsewhere then do. After a second
//! it is tried again with a single call, and then at growing intervals up to half a minute.
//!
//! # Deadlines
//!
//! What travels is the time that is left, so clocks need not agree. The time that a request waits
//! in a socket's buffer counts as well. A call whose time is over is not started; a handler whose
//! time is over is stopped at the next point where it waits, and its place is free at once. Calls
//! that a handler makes get what is left of its own time, unless they ask for less.
//!
//! All of what is left is too much if the first caller is to see how the inner call failed: both
//! are over in the same moment, and then it sees its own `DEADLINE_EXCEEDED`. So give the inner
//! call a little less, say nine tenths of [`Context::time_left`], with [`Call::timeout`].
//!
//! # Handlers must not block
//!
//! A handler that computes for long, or waits otherwise than with `.await` (for a file, a lock, a
//! database without async), holds up the thread it is on. `tokio::task::spawn_blocking` is for
//! such work.
//!
//! What happens if one blocks all the same: a method's handlers begin in tasks of their own until
//! their first polls have proved quick; there, one that blocks holds up one thread of the runtime
//! (on a current-thread runtime that is all there is). Once they have proved quick, handlers begin
//! in the task that does the node's whole work, and the first of them to block holds up the node
//! until it lets go. If that was for 20 ms or more, its method is back in tasks for a minute.
//!
//! # What travels along
//!
//! [`Metadata`] of the call, of the reply and of a status; the trace that the call belongs to. An
//! entry added with [`Call::persistent_metadata`] is handed on by the calls that the handler makes.
//! Work that a handler gives to another task inherits nothing by itself: the task passes
//! a clone of its [`Context`] to [`Call::inherit`].
//!
//! # Dropping a call
//!
//! To drop a [`Call`] is to cancel it. If nothing of it has been sent, nothing is; otherwise the
//! other side is told, and its handler is dropped at the point where it waits. `select!`,
//! `timeout` and the end of a task do the right thing thereby.
//!
//! # Calls at many nodes at once
//!
//! [`Call::fan_out`] makes a call at every node that offers the service and is what the call
//! wishes, and is not about to leave. `each` waits for every answer and is content with any (a
//! poll); `all` needs every node to succeed (a broadcast, such as clearing caches); `first` takes
//! the first success and cancels the rest (the quickest of equals); `quorum(n)` does so once `n`
//! have succeeded, or gives up once they cannot. Each of them gives what came of the call at each
//! node. Every node has the whole timeout, and where a call is tried again it is at the same node.
//! One that has died and is still known as a member fails on its own, at the deadline at the
//! latest.
//!
//! # Calls whose reply nobody waits for
//!
//! [`Call::one_way`] ends as soon as a handler has begun, so within a round trip as a rule. Until
//! then the call is sent again, refused and tried elsewhere like any other, so `Ok` says that it
//! was not lost on the way. The handler then goes on by itself: it is not stopped when the caller
//! goes away, but when the deadline passes or its node ends. A node that shuts down waits for it.
//! Nobody is told what came of it, unless it was done without having to wait. At most
//! [`one_way_calls_max`] of them are at work in a node.
//!
//! [`channel`]: crate::stream::channel
//! [`dead_after`]: crate::config::Transport::dead_after
//! [`one_way_calls_max`]: crate::config::Transport::one_way_calls_max
//! [`stream_send_bytes`]: crate::config::Transport::stream_send_bytes
//! [`stream_window_bytes`]: crate::config::Transport::stream_window_bytes
//! [`Call`]: crate::Call
//! [`Call::fan_out`]: crate::Call::fan_out
//! [`Call::idempotent`]: crate::Call::idempotent
//! [`Call::inherit`]: crate::Call::inherit
//! [`Call::one_way`]: crate::Call::one_way
//! [`Call::persistent_metadata`]: crate::Call::persistent_metadata
//! [`Call::timeout`]: crate::Call::timeout
//! [`Context`]: crate::Context
//! [`Context::key`]: crate::Context::key
//! [`Context::set_reply_metadata`]: crate::Context::set_reply_metadata
//! [`Context::time_left`]: crate::Context::time_left
//! [`Feed`]: crate::stream::Feed
//! [`Metadata`]: crate::Metadata
//! [`Outcome`]: crate::Outcome
//! [`Receiver`]: crate::Receiver
//! [`Sender`]: crate::Sender
//! [`Sender::begin`]: crate::Sender::begin
//! [`Sender::fail`]: crate::Sender::fail
//! [`Sender::send`]: crate::Sender::send
//! [`Status`]: crate::Status
//! [`Status::attempts`]: crate::Status::attempts
