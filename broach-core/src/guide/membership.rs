//! Who is a member: how nodes find each other and notice that one is gone.
//!
//! Section 10 of [the wire format](super::wire) says what is sent; this page says why, when, and
//! what came of it. The code is in `gossip`. The times named here are the defaults of
//! [`config::Gossip`](crate::config::Gossip).
//!
//! # What is known of a member
//!
//! A member says of itself, in a **record**: its address, when this life of it began (the
//! **epoch**, in milliseconds since 1970), its instance, its advert's version and hash, and its
//! *facts*: weight, zone, whether it is draining. Whatever changes, it counts up its
//! **incarnation** and says all of it again. Others pass the record on as they got it, byte for
//! byte, so that fields that only newer nodes know get through older ones. What the others add is
//! beside it: the **state**, and who accuses. (Of *that* part unknown fields are lost: whoever
//! passes it on writes it anew.)
//!
//! ```text
//!            no answer                  time is over
//!   alive -------------> suspect ---------------------> dead
//!     ^                     |                             |
//!     +---------------------+-----------------------------+    contradiction:
//!     |                                                        a higher incarnation
//!     +---> left    goodbye
//! ```
//!
//! Members are known by their addresses. Of two reports of one address the one with the higher
//! (epoch, instance, incarnation, state) counts, states in the order alive, suspect, dead, left.
//! That order is all that has to be agreed upon: reports may come late, twice, and in any order.
//! It follows that
//!
//! * a member that was taken for dead by mistake comes back under the same instance, by counting up
//!   its incarnation once for each that is accused; calls under way need not notice;
//! * a node that is started again on the same address is another life, and takes the place of the
//!   old one at once, without a death in between;
//! * a node that hears of a later life of its own address, because its clock was set back, begins a
//!   still later one. If that one moves on too, two nodes have one address: both say so, naming
//!   both instances, and go on.
//!
//! Dead members and those who left are remembered for 10 min, so that an old report does not bring
//! them back.
//!
//! # Watching
//!
//! Each node probes one other every 500 ms: all of them in random order, then in another order. Who
//! has acknowledged a datagram of a call within that time need not be probed. Without an answer
//! after 200 ms the node probes again, and three others do for it. Without an answer at the end of
//! the interval, the member is suspect, and everybody hears so.
//!
//! Every node that hears it gives the suspect time: 6 times the least time if nobody else suspects
//! it, ever less the more do, and the least time once three more do. The least time is 1.5 s for
//! each digit of the number of members. Then the member is dead. Probes of a suspect carry the
//! suspicion, and who answers a node that it believes suspect or dead says so in the answer; so the
//! accused hears of it, and contradicts.
//!
//! A node whose probes fail may be the one that is in trouble. It counts signs of that: helpers
//! from which nothing comes back either, and being suspected itself. With each (up to 8) both its
//! times become longer by their own length, and it waits longer for contradictions; with each
//! answered probe they become shorter again. A process that was stopped first reads what has come
//! in, and accuses nobody of its own silence.
//!
//! # Passing on
//!
//! News of a member ride on everything that is sent to members, and as long as there are any, a
//! datagram goes to three members every 100 ms. Each node passes on each piece of news
//! 4 (log10(n + 1) + 1) times, but at least 8 times, in a cluster of n; what was sent least often
//! goes first, and of that what is newest.
//!
//! (A common rule is 4 times the number of digits. At 99 nodes that is 8, and one or two nodes then
//! missed every thirtieth piece of news until tables were compared: leaving took 8 s instead of
//! 0.5 s there.)
//!
//! So that nothing is missed for good, each node compares its table with that of one other every
//! 10 s: 64 sums of hashes, and only where they differ, members. A death that is learnt in this way
//! may be long outdated and counts as a suspicion only. A node that has just joined compares tables
//! after 0.5 s already, then after 1 s, 2 s and so on: when many start at once, it does not know
//! all who tell it something, and does not listen to strangers.
//!
//! # What a member offers
//!
//! A list of services may be larger than a datagram, and hardly ever changes, so it has no place in
//! gossip. A record has the hash of it only, and who sees a hash that it does not know asks a
//! member that has the **advert** for it, by an ordinary call. The advert is what its hash says, so
//! any of them will do, and those who run the same program have the same one: in a cluster of a
//! thousand nodes of one program, nobody fetches anything.
//!
//! When a thousand nodes hear of a new advert at the same time, one node only has it. So each waits
//! before it asks: not at all with up to 10 members, and up to 100 ms at random with 1000. Who has
//! got it hands it on to others. A node asks for at most 8 adverts at once, for each at one node.
//! Without an answer within 0.5 s (twice as long after each failure, up to 3 s) it asks another one
//! after 100 ms, then after twice as long each time, up to 5 s, for as long as a member has that
//! advert; and who has just got it too, at once. Who said that it does not have it, or sent
//! something else, is left alone for 5 s.
//!
//! A node's own earlier adverts can be asked for until it has had 8 newer ones. One that no live
//! member has any more is forgotten after a minute, so that one that comes back need not be asked.
//!
//! # Finding others
//!
//! A lone node tries all its seeds after 0, 0.2, 0.6, 1.4 s and so on, up to every 5 s; after 10
//! minutes, and as soon as it is not alone, every 30 s; for ever, except those that are members.
//! Its own address may be among them. Every 5 s one of the dead is tried as well. That is how
//! partitions heal, and how two nodes meet again. A lone node also asks whoever sends it something
//! meant for an earlier life of its address; so a node that is started again needs no seed that
//! lives.
//!
//! A seed answers with a cookie, and keeps nothing. With the cookie the node asks for the seed's
//! table, page by page, and says what it has to say of itself. To an address that is no member's,
//! never more is sent than came from there.
//!
//! A node of another cluster is told so; both name each other once, in an event. One of another
//! wire version is told which versions are spoken.
//!
//! An **observer** only asks. It compares tables every 2 s with a member at random, soon after it
//! has joined more often, is probed by nobody, and nobody knows of it. A member that does not
//! answer it eight times in 2 s it forgets, until others speak of it again.
//!
//! # Leaving
//!
//! A node that leaves tells everybody directly if there are up to 32, and otherwise three for each
//! binary digit, who pass it on. It goes when it has said so often enough, within half a second.
//!
//! # Limits
//!
//! A node sends at most 64,000 bytes a second, in datagrams of at most 1200; what concerns the life
//! of members goes first. It takes in at most twice as much from each member, and eight times as
//! much from all others together; the rest is dropped as `flood`. It knows at most 8192 members;
//! for a new one it forgets the dead, and otherwise takes in no more and says so, once. A datagram
//! holds fewer than 64 updates. An advert has at most 256 KiB; a node that offers more does not
//! start. All adverts that a node keeps have at most 16 MiB; further ones it does not fetch, and
//! says so, once.
//!
//! What is not protected against: with [`Security::clear`](crate::Security::clear), whoever sees
//! the datagrams can say that anybody is dead. The accused contradicts, time and again.
//!
//! # What was measured
//!
//! In virtual time, with the defaults, over 20 seeds: 0.1 to 1 ms on the way, datagrams lost
//! independently, one seed node, looked at every 10 ms. The middle one of the 20 and the worst, in
//! seconds, until **all** nodes know. `gossip/tests/goals.rs` has the measurements, and how to
//! repeat them at other sizes.
//!
//! | | 10 nodes | 10, 10 % loss | 100 nodes | 100, 10 % loss |
//! |---|---|---|---|---|
//! | a node has joined | 0.01, 0.11 | 0.11, 0.44 | 0.11, 0.21 | 0.31, 0.51 |
//! | it knows everybody | 0.01, 0.01 | 0.01, 0.44 | 0.01, 0.01 | 0.26, 0.51 |
//! | a node has left | 0.01, 0.01 | 0.01, 0.11 | 0.11, 0.21 | 0.11, 0.35 |
//! | a node has another advert | 0.01, 0.13 | 0.01, 0.21 | 0.11, 0.25 | 0.15, 0.33 |
//! | a node has crashed | 2.6, 4.4 | 2.4, 3.9 | 4.1, 6.0 | 3.9, 6.1 |
//! | a node was started again | 0.01, 0.11 | 0.01, 0.23 | 0.11, 0.21 | 0.22, 0.76 |
//! | all have started within 1 s | 1.00, 1.01 | | 1.84, 2.57 | |
//! | a partition of 60 s is over | 1.2, 2.6 | | | |
//!
//! | | 10 nodes | 100 nodes |
//! |---|---|---|
//! | bytes a node sends in a second while nothing happens | 269 | 266 |
//! | datagrams | 4.1 | 4.1 |
//! | nodes taken for dead that live, 5 % loss | 0 in 20 node-hours | 0 in 10 |
//! | 10 % loss | 0 in 20 | 0 in 3 |
//! | 20 % loss | 4 in 20 | |
//!
//! A node that is taken for dead by several others counts several times.
//!
//! What local health is good for: some of 128 nodes are held up, again and again for 2 minutes, so
//! that nothing they send or are sent gets through but for 0.1 s in between. How often a node that
//! was not held up was taken for dead, by others that were not, and by all; one seed.
//!
//! | held up | with local health | without |
//! |---|---|---|
//! | 4 nodes for 4 s | 0, 0 | 0, 1 |
//! | 16 nodes for 4 s | 0, 0 | 56, 156 |
//! | 8 nodes for 16 s | 0, 178 | 8949, 11644 |
