//! The wire format of gossip and of adverts: the last two sections of
//! [`guide::wire`](super::wire), which has the others.
//!
//! # 10. Gossip
//!
//! [`guide::membership`](super::membership) says what gossip is for; here is what two nodes must
//! agree upon. A GOSSIP datagram belongs to no session, is not acknowledged, and has at most 1200
//! bytes. Its header carries the sender's instance in place of a session id, and a packet number
//! that counts the sender's GOSSIP datagrams. Nothing follows from that number in datagrams in the
//! clear.
//!
//! **Refused**, without any effect: instance 0, or the receiver's own; another cluster (which is
//! answered with `refused`, unless it is that itself); a body that is no protobuf; a record that is
//! longer than 256 bytes, has an address that no single node can have or an IPv4 address written as
//! IPv6, instance 0, an epoch or incarnation of 2^62 or more, or a zone of more than 32 bytes; a
//! state that is not known.
//!
//! **Updates** are taken in if one of these holds: the sender's instance is that of a known member,
//! dead or alive; it shows a good cookie; the datagram answers a probe that is under way; it comes
//! from an address that gave a cookie or is asked for a Page. Those of an observer never are. Of
//! two of one address the one with the higher (epoch, instance, incarnation, state) counts. A
//! suspicion that is known already counts once more if its accuser is another. A death that comes
//! with `copy` or in a Page counts as a suspicion by the sender, if the member is believed to live.
//!
//! **Size of answers.** A sender is *known* if there is a live member with its address and its
//! instance. Whatever goes to another address in answer to a datagram has no more bytes than that
//! datagram. So a Knock is padded to 63 or 64 bytes, a Probe has 10 spare bytes, and a Pull, and a
//! Summary or a Fetch for a node that has asked for a cookie, is padded to 1199 or 1200.
//!
//! | to | answer |
//! |---|---|
//! | Knock | `new_cookie`. Also to a Summary, a Fetch or a Pull of a sender that is not known and shows no good cookie |
//! | Probe | ProbeAnswer, at once; with the node's own update if another life of it was meant |
//! | Relay | a Probe to the member, if it is known to live; a ProbeAnswer once that is answered; RelayFailed if it is not within 160 ms. Only for known senders |
//! | Summary | Listings of the ranges of positions that differ; nothing if none does. To a known sender at most 8 datagrams, to others one |
//! | Listing | `updates` with `copy` of all members in its range that are newer here, or missing in it and alive; a Fetch of those that are older here, or missing here and alive |
//! | Fetch | `updates` with `copy`: at most 8 datagrams for a known sender, one for others |
//! | Pull | a Page with the live members from its first position on |
//!
//! An observer answers none of them.
//!
//! A **cookie** is a number that the node can check without having kept it, made of the address and
//! the instance that asked. It is good for at least a minute.
//!
//! A member's **position** is the first 8 bytes (big-endian) of the SHA-256 of its address as in
//! its record. Its **digest** is the first 4 bytes of the SHA-256 of that address, its epoch and
//! its incarnation (8 bytes each), and its state (1 byte).
//!
//! # 11. Adverts
//!
//! What a member offers and says of itself, its services, tags, group and place, is in its
//! **advert**: an `Advert` of
//! `proto/broach/cluster/v1/directory.proto`, of at most 262144 bytes. Gossip carries the advert's
//! **hash** only: the first 8 bytes (big-endian) of the SHA-256 of its bytes, or 0 for an advert
//! in which there is nothing. That one is empty and is never sent.
//!
//! Members that offer the same must have the same hash. So an advert is encoded with its fields in
//! the order of their numbers, without those that are empty, and with services and tags sorted by
//! the bytes of their names. For example: service `a.One` in version `1.4.0`, `a.Two` in none, and
//! the tag `gpu` with the value `no` are these bytes, of the hash `caba994b6704461f`:
//!
//! ```text
//! 0a 0e 0a 05 61 2e 4f 6e 65 12 05 31 2e 34 2e 30
//! 0a 07 0a 05 61 2e 54 77 6f
//! 12 09 0a 03 67 70 75 12 02 6e 6f
//! ```
//!
//! A group `blue`, and a place 52.52 degrees north and 13.405 degrees west, come after that as:
//!
//! ```text
//! 1a 04 62 6c 75 65
//! 22 0b 08 80 aa ef f4 03 10 9f c3 eb 7f
//! ```
//!
//! An advert is asked for by an ordinary call of `broach.cluster.v1.Directory/GetAdvert`. Every
//! member serves it, and answers with its own adverts, the last few before them included, and with
//! those of others that it has: **byte for byte** as it got them. It answers NOT_FOUND to a hash
//! that it does not have, and to 0.
//!
//! **Refused**, as if nothing had been answered: bytes of another hash than the one asked for; more
//! than 262144 of them; what is no `Advert`; services or tags that are not sorted, or with a name
//! twice; an empty name; more than 4096 services or 1024 tags; names and versions of more than 512
//! bytes, a group of more than 512, values of more than 4096; a place that there is not. A service whose name begins with `broach.cluster.` is not
//! offered: every member has it. A version is one of Semantic Versioning 2.0.0; who reads one that
//! is not takes it for none.
