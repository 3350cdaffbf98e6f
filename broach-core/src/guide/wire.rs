//! The wire format, version 1.
//!
//! This page and the files in `proto/broach` are the specification. Whoever has them can write a
//! peer in any language. *Must* and *may* are meant as in RFC 2119.
//!
//! # 1. Words
//!
//! A **node** is a process with one UDP address. Its **instance** is a random number, not 0, that
//! it draws when it starts: a node that was started again on the same address is another instance.
//! A **session** is what two nodes know of the calls that one of them, the **client**, makes to the
//! other, the **server**. Two nodes that call each other have two sessions. Each side numbers a
//! session with a random 64-bit number that is not 0, its **session id**; the low byte is 0 in this
//! version. A **call** belongs to one session and is numbered by the client from 0 up, without
//! gaps; no number is used twice.
//!
//! # 2. Datagrams
//!
//! ```text
//!  byte 0 .. 19    header
//!       20 ..      the part of an INIT, in an INIT
//!       ..         body: protobuf
//!       last 4     CRC32C (Castagnoli) of everything before, big-endian
//! ```
//!
//! All numbers outside of protobuf are big-endian.
//!
//! | header byte | content |
//! |---|---|
//! | 0 | high 4 bits: `0xb`; low 4 bits: the version, 1 |
//! | 1 | high 4 bits: the type; bit 0: *acknowledge at once*; other bits: sent as 0 and ignored |
//! | 2 | key id: 0, which stands for datagrams in the clear. Others are refused |
//! | 3 | sent as 0 and ignored |
//! | 4 to 11 | session id that the **receiver** gave; 0 if the sender does not know it; in a GOSSIP the sender's instance |
//! | 12 to 19 | packet number: each side counts its datagrams in a session from 0; 2^62 and above are refused |
//!
//! | type | name | body | belongs to |
//! |---|---|---|---|
//! | 0 | DATA | `Packet` | a session that both sides know |
//! | 1 | INIT | `Packet` | a session that the receiver may not know yet |
//! | 2 | RETRY | `Retry` | no session: answers a client's INIT |
//! | 3 | RESET | `Reset` | no session: answers a DATA or an INIT |
//! | 4 | VERSIONS | `Versions` | no session: answers an INIT of another version |
//! | 5 | GOSSIP | `Gossip` | the cluster (section 10) |
//!
//! An INIT has this part between the header and the body:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | session id that the **sender** gave |
//! | 8 | instance of the sender |
//! | 8 | instance of the receiver that the sender means; 0 if it knows none |
//! | 8 | cluster: the first 8 bytes of the SHA-256 of its name, which is `default` unless it is set |
//! | 1 | length of the token, at most 48 |
//! | so many | the token |
//!
//! A datagram has at most 65507 bytes, and 1200 unless both the path is known to carry more and the
//! other side's Hello allows more. A datagram is never fragmented by IP. **An INIT that a client
//! sends is padded** with the field `padding` to 1199 or 1200 bytes (one byte can be too few for a
//! field).
//!
//! ## What is refused unread
//!
//! In this order: fewer than 24 bytes; another magic; another version (section 8); a key id other
//! than 0; an unknown type; a wrong checksum; an INIT whose part is cut short, or whose session id
//! or instance of the sender is 0. Then frames that are no protobuf, and frames that the other side
//! has no business to send (a server gets Request and Cancel, a client Reply). A datagram that is
//! refused changes nothing and is not acknowledged; pieces of calls in it may have been taken in,
//! which does no harm when they come again.
//!
//! The body is one `Packet`. A receiver acts upon its fields in the order in which they come, and
//! skips those that it does not know.
//!
//! # 3. Opening a session
//!
//! The client draws its session id and sends INIT datagrams with receiver session id 0 until the
//! server has answered. They carry requests like any DATA. The first datagram of a session that
//! wants an acknowledgement has a Hello, on both sides.
//!
//! **Every INIT of one session shows the same token, or none.** The one exception: a client that
//! has shown none and gets a RETRY shows its token from then on. Without a token no more than one
//! datagram is in flight.
//!
//! The server handles an INIT with receiver session id 0 thus; one that is smaller than a client's
//! may be, or that would open a session only to close it, is dropped:
//!
//! 1. Another cluster: RESET (`CLUSTER`). Not the instance that is meant: RESET (`INSTANCE`).
//! 2. The client (by instance and session id) has a session here from another address: RESET
//!    (`ADDRESS`). It had one that has ended: RESET (`UNKNOWN_SESSION`).
//! 3. It shows a token that this server did not make for its address and instance, or one that is
//!    below the floor (section 4): RETRY.
//! 4. It shows none, and there is a Request in it whose call must not run twice, or of which that
//!    cannot be seen because the Open is not in it; or too many clients are half open: RETRY.
//! 5. There is no session yet and no room for one: RESET (`LIMIT`). If a good token was shown, the
//!    session is remembered as if it had ended now, so that no copy of the INIT opens it later;
//!    otherwise `dead_for_us` is 0.
//! 6. Otherwise the session is there from now on, and the frames are handled.
//!
//! The server answers with INIT datagrams, with its own session id, the client's instance as the
//! one that is meant, and no token, until it gets a DATA in the session. They need no padding. The
//! client takes one only if it comes from the address that it called, is of its own cluster, and
//! means its own instance; it then knows the server's session id and sends DATA.
//!
//! A session is tied to the two addresses. A datagram of it from another one gets RESET
//! (`ADDRESS`).
//!
//! Until the client has shown a good token or sent a DATA, the server sends at most three bytes for
//! each that it got in the session (RFC 9000 §8.1).
//!
//! # 4. Tokens
//!
//! A token proves two things: whoever shows it received what was sent to its address, and it began
//! to open its session after this life of the server began. What is in it is the server's business.
//! Here it is the time at which it was made, and SipHash-2-4-128 of that time, the client's address
//! and the client's instance, under a key drawn at the server's start.
//!
//! A server gives tokens in RETRY and in Hello. It refuses tokens made before its **floor**: ten
//! minutes ago, or later if it had to forget ended sessions early.
//!
//! A server remembers a session that has ended (client instance and session id, and when) until its
//! floor has passed the moment at which it ended. Every INIT of the session that could run a call
//! shows a token from before that moment. So an INIT that arrives later, by however much, is
//! refused by the token, and one that arrives earlier by the memory: no call runs a second time.
//!
//! A RETRY says for how long the token that was shown has been refused (`refused_for_us`; 0 if the
//! server did not make it for this address and instance: copies from another address may be taken).
//! A client that had shown none goes on under the new token, in the same session, and sends
//! everything again. A client that had shown one ends its session: its calls ended as section 7
//! says, and later ones open a new session under the new token.
//!
//! # 5. Acknowledgement and loss
//!
//! As in QUIC (RFC 9000 §13, RFC 9002), with one space of packet numbers per session and direction.
//!
//! A datagram **wants an acknowledgement** if it has any frame other than Ack and Close. `Ack`
//! names ranges of numbers that have arrived, from the newest down. An acknowledgement goes out
//! with the next datagram there is, and on its own once one of these holds: the sender asked for it
//! (bit 0 of byte 1; every INIT asks); a number is missing below, or a hole was filled; the
//! datagram came with a mark of congestion; ten datagrams wait for one; the oldest has waited for
//! `max_ack_delay` (5 ms; told in Hello).
//!
//! Who receives a number twice drops the datagram, and also if it cannot tell any more, because it
//! keeps no more than 32 ranges and forgets what the other side knows it to know.
//!
//! A datagram is **lost** when one that was sent three or more numbers later has arrived (that
//! number doubles, up to 64, whenever one that was given up arrives after all), or when any later
//! one has arrived and 9/8 of the round-trip time, at least 5 ms, have passed since it was sent.
//! What it carried that still matters goes out again in a new datagram under a new number: pieces
//! of calls, cancellations, Credit, Hello, Goaway.
//!
//! While anything is in flight there is one **probe** timer for the session: the smoothed
//! round-trip time, four times its variation (at least 1 ms), and the other side's `max_ack_delay`;
//! at least 10 ms, doubled each time up to 250 ms. When it runs out, what the oldest datagram
//! carried goes out once more, asking for an acknowledgement at once. The first round-trip time is
//! taken to be 20 ms.
//!
//! ## Congestion
//!
//! The bytes in flight that want an acknowledgement, apart from probes, stay within a **window**,
//! which is the sender's own business as long as it shrinks when datagrams are lost or marked. Here
//! it is that of CUBIC (RFC 9438) with HyStart++ (RFC 9406), by the rules of RFC 9002 §7: one event
//! per round trip; nothing grows that was not full. On a local network it begins with 32 datagrams
//! and never falls below 16; if it is set to be another, it begins with 10 and never falls below 2.
//! Datagrams count here with at most 1472 bytes.
//!
//! **Marks** (RFC 3168). Every DATA and INIT goes out as ECT(0). `Ack` says how many datagrams of
//! the session have arrived marked as CE so far (`ce`), and how many as Not-ECT (`bare`); a node
//! that cannot see the mark counts all of them as Not-ECT. One that arrives as CE is acknowledged
//! at once. More marks than before are congestion like a loss, except that nothing goes out again.
//! If more have arrived as Not-ECT than were sent so, or more as CE than were sent as ECT(0), the
//! path or the other side does not carry marks: from then on the session's datagrams go out as
//! Not-ECT. So they do if three probes have gone out before anything was acknowledged.
//!
//! ## Size
//!
//! Whether the path carries larger datagrams is tried with a DATA that has a Ping and `padding`,
//! one at a time, after both sides know the session. It is sent once: if it is lost, that is no
//! congestion. Here the sizes 1232, 1400, 1432, 1452, 1472, 8872 and 8952 are tried one after the
//! other, three times each, then again after 10 minutes. When larger datagrams than 1200 bytes are
//! lost three times running while later and smaller ones arrive, the size is 1200 again, for 60 s
//! at least. A probe for what is missing has at most 1200 bytes.
//!
//! # 6. Calls
//!
//! Each direction of a call is a row of bytes. A piece of it is a Request (from the client) or a
//! Reply (from the server), with its offset; the last one has `fin`. Pieces may come in any order
//! and overlap; where they do they must agree. The bytes are **records**:
//!
//! ```text
//! varint (length * 4 + kind), then so many bytes
//! ```
//!
//! | kind | bytes |
//! |---|---|
//! | 0 | a message of the method's type |
//! | 1 | `Metadata`; at most one, before everything else |
//! | 2 | `Status`; in replies only, at the end, if the call did not end well |
//!
//! A unary request is Metadata (optional) and one message. A unary reply is Metadata (optional) and
//! one message, or one Status. A direction that is a stream, as bits 2 and 3 of the Open's flags
//! say, always begins with Metadata, which may be empty; then come any number of messages, and, of
//! replies, a Status if the call did not end well. A call that is refused may be answered with a
//! Status alone. The stream ends with `fin`, perhaps in a piece without bytes. A message larger
//! than a side takes ends the call, as soon as its head is read.
//!
//! A unary call that is **one-way**, as bit 4 says, is answered with one empty message as soon as
//! its handler has begun and has to wait, and with what came of it if it has not. The handler then
//! goes on by itself, up to the deadline, whatever becomes of the call and its session. In a call
//! that streams the bit says nothing.
//!
//! A server starts a call whose requests are a stream once it has their Metadata, and one whose
//! replies only are a stream as a unary one. The replies may end before the requests do; what is
//! left of the requests is then of no use, and is not sent.
//!
//! The Request with offset 0 carries an Open, in every transmission. Its `timeout_us` is what is
//! left until the deadline when the datagram is sent. The server starts a call once it has all
//! bytes of its request, unless
//!
//! * it has been started, refused or cancelled before. To know that, a server keeps apart all
//!   numbers up to 65536 above the lowest that it has not seen; a datagram with one beyond is not
//!   acknowledged, and a client does not go that far;
//! * the deadline has passed, counted from the arrival of the Open: Status `DEADLINE_EXCEEDED`;
//! * more calls are under way than its Hello allows, or another limit is reached: Status
//!   `RESOURCE_EXHAUSTED`;
//! * it knows no such method: Status `UNIMPLEMENTED`.
//!
//! Statuses that were given instead of running the call have the outcome `NOT_EXECUTED`. One that
//! is given because the node is shutting down is `UNAVAILABLE` and has a detail of the type
//! `type.googleapis.com/broach.wire.v1.ShuttingDown`, which is empty: callers then need not come
//! back to this life of the node.
//!
//! The arrival of any part of the reply tells the client that the whole request has arrived.
//!
//! A client that gives up a call sends a Cancel for it, until that is acknowledged; also for a call
//! of which it does not know that any piece has arrived. So the server learns of every number. The
//! server stops the call and owes no reply. It stops a call by itself at the deadline, and owes no
//! reply then either.
//!
//! ## Credit
//!
//! Whoever receives bytes of calls sets memory aside for what may come, and says how much that is.
//! Both directions of all calls are held to it, streams or not.
//!
//! * **Unasked**, the first `allowance` bytes of each direction of a call may be sent. Hello tells
//!   how many that are; before a Hello has come they are 32768, and there are never more. All the
//!   calls together that have not arrived whole may take up `unfinished_bytes` of Hello, and 65536
//!   before it has come; one may go out in any case. Calls of at most 1024 bytes do not count. A
//!   stream counts with the whole allowance until the first Credit for it has come. Allowance tells
//!   of other numbers than those of Hello; they hold for what has not been begun.
//! * **Size**: where a direction is no stream, the piece at offset 0 says how many bytes there are
//!   in all, if it does not have them all itself.
//! * **Credit** names a call and the offset below which its bytes are taken. It is raised, never
//!   lowered; of two the higher counts. A Credit that is lost goes out again with the latest
//!   offset; one for a call that has ended is ignored. Each stream is given one as soon as its
//!   first piece has come, be it for nothing more than the allowance.
//!
//! A side that gets bytes of a call beyond what it gave credit for and beyond 32768 ends the
//! session: Close (`PROTOCOL`). Only a call that comes whole in one piece may have more. Bytes
//! within 32768 for which there is no memory end their call: a request with the Status
//! `RESOURCE_EXHAUSTED`, a reply at the client.
//!
//! How credit is given is the receiver's business. Here, messages wait for it in one line per node:
//! those with the least left first, at most eight at a time and one of each session before two of
//! any, and every sixteenth time the oldest. A message gets its first credit when there is memory
//! for all of it, and is then never kept waiting for memory; smaller ones that are younger pass one
//! that needs more memory than there is at most sixteen times. What is under way stays within a
//! third of the socket's receive buffer, 128 KiB at least and 4 MiB at most, where bytes on a path
//! with a round-trip time of more than 5 ms count less by that factor, and credit that is not used
//! for 100 ms does not count. The allowance is that bound divided by the number of sessions, from
//! 1024 to 32768 bytes. A stream may send a window beyond what was read: at first the allowance,
//! and twice as much each time that it has used half and more than half was read, up to 256 KiB.
//! For a record that is larger it waits in line like a message, once its reader waits for it; or
//! before, if there is room among the windows of streams.
//!
//! What is sent goes out in this order: acknowledgements, cancellations, Credit; then what fits
//! into one datagram; then, in turns, large messages and streams: of messages those with the least
//! left, and every sixteenth time the one that has waited longest; of streams each in its turn.
//!
//! ## Limits
//!
//! Once a side knows the other's Hello, it sends no message and no metadata larger than that allows
//! (0: not said). Of a Status it leaves out what is larger; text and details together may have the
//! size of a message, and 32768 bytes in any case.
//!
//! # 7. The end of a session, and what is known of its calls
//!
//! The client ends a session without calls 45 s after it was last used, or after three quarters of
//! the time that the server's Hello names, if that is less. The server does after 60 s. A node that
//! stops ends all its sessions. Whoever ends a session sends one Close; it is not acknowledged. A
//! server says in it which calls have not reached it (`calls_below`), and executes none of them. An
//! idempotent call that went out in an INIT without a token stays in doubt all the same: a copy of
//! it may reach the next life of the node. With a call under way and nothing else to send, the
//! client sends a Ping after 1 s in which it has heard nothing. A session whose other side has left
//! something unacknowledged and said nothing at all for 10 s is dead; no Close is sent then. To a
//! server it is also dead if it leaves something unacknowledged for 10 s whatever else it says,
//! and, while calls of it are served or unfinished, if nothing is heard of it for 60 s, or for 10 s
//! if there is a stream in one of them.
//!
//! A server that is about to end sends a Goaway in each of its sessions, until that is
//! acknowledged, and in sessions that are opened later with its first datagrams. It serves what
//! comes to it all the same, for a while; then it refuses new calls (`NOT_EXECUTED`). A client that
//! gets it makes calls elsewhere if it can, those that it has not begun to send among them.
//!
//! A server that owes a client more than 1024 replies beyond the calls that its Hello allows takes
//! no further ones: such datagrams are not acknowledged.
//!
//! A node that gets a DATA for a session it does not know answers RESET. RESET and RETRY repeat the
//! packet number of what they answer (`echo`), and count only if that number has been sent in the
//! session, and if they come from its address. RESET carries in the header the session id that the
//! *sender of the refused datagram* put in it as the receiver's, or, in answer to an INIT, the
//! INIT's own session id.
//!
//! `dead_for_us` in a RESET says for how long, at least, the server has not taken anything of the
//! session: since it ended; since it began to refuse tokens of the session's age; or since it
//! started. It is a length of time, so no two clocks are compared.
//!
//! What a client then knows of a call without a reply is its **outcome**:
//!
//! * `NOT_EXECUTED`, if the call was never sent whole; or was only sent in INITs without a token
//!   and must not run twice; or nothing of it was acknowledged and either a Close says that it had
//!   not reached the server, or its first transmission that could have started it is more recent
//!   than `dead_for_us` or `refused_for_us` (less a sixteenth, as clocks differ in speed);
//! * `UNKNOWN` otherwise.
//!
//! # 8. Versions
//!
//! All versions have in common: the header; that an INIT has its sender's session id right behind
//! it; that a client's INIT has at least 1199 bytes; and the VERSIONS datagram. A node that gets
//! such an INIT of another version answers VERSIONS, of its own version in byte 0, to the session
//! id of the INIT's sender. A GOSSIP of another version that has at least 63 bytes is answered with
//! VERSIONS too, to its sender's instance: all versions have that in the header of a GOSSIP. Other
//! datagrams of another version get no answer. A client that gets VERSIONS without its own version
//! in it ends the session. What was sent may have been executed by a life before that spoke this
//! version: the outcome is as if `dead_for_us` were 0. There is no negotiation.
//!
//! Within a version, fields and frames may be added: what is not known is skipped. A frame that
//! must not be skipped is only sent to a node whose Hello lists its number in `features`.
//!
//! # 9. Answers without a session
//!
//! RETRY, RESET and VERSIONS cost their sender no memory. They are at most three times as large as
//! what they answer, and a node sends at most 10000 of them per second, after a burst of 10000.
//! Their packet numbers mean nothing.
//!
//! Sections 10 and 11, gossip and adverts, are on a page of their own:
//! [`guide::wire_gossip`](super::wire_gossip).
