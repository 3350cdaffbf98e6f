//! The events: one variant for each thing that can happen, with what is known of it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::code::{Code, Outcome};
use crate::ids::{ClusterHash, Instance};
use crate::peer::Peer;

/// Something that happened in a node.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A datagram came in. Exactly one of the next two follows.
    DatagramReceived {
        /// Where it came from.
        from: SocketAddr,
        /// Its size, without the headers of UDP and IP.
        bytes: usize,
    },
    /// A datagram was processed.
    DatagramAccepted {
        /// Where it came from.
        from: SocketAddr,
    },
    /// A datagram was thrown away.
    DatagramDropped {
        /// Where it came from.
        from: SocketAddr,
        /// Why.
        reason: DropReason,
    },
    /// A datagram was handed to the operating system.
    DatagramSent {
        /// Where it goes.
        to: SocketAddr,
        /// Its size, without the headers of UDP and IP.
        bytes: usize,
    },
    /// The operating system refused to send; the datagram counts as lost on the way.
    SendFailed {
        /// Where it should have gone.
        to: SocketAddr,
        /// The system's error number, 0 if it gave none.
        errno: i32,
    },
    /// The operating system, or a network card, did not take several datagrams in one piece. They
    /// go out one by one.
    SendDivided {
        /// Where they go.
        to: SocketAddr,
        /// How many there are.
        datagrams: usize,
        /// The system's error number, 0 if it gave none.
        errno: i32,
    },
    /// The network is asked for more than it carries, so that less is sent to a node from now on.
    /// At most once per round trip.
    Congested {
        /// Where it goes.
        to: SocketAddr,
        /// A router has said so with a mark, instead of dropping anything.
        marked: bool,
    },
    /// Datagrams to a node have another size from now on.
    DatagramSize {
        /// Where they go.
        to: SocketAddr,
        /// How large they are at the most, without the headers of UDP and IP.
        bytes: usize,
    },
    /// The socket is there, with a receive buffer. What comes while it is full is lost. Said once.
    ReceiveBuffer {
        /// How many bytes the operating system gave.
        given: usize,
        /// How many it was asked for.
        asked: usize,
    },
    /// The operating system reported an error on receiving; nothing is lost by it.
    ReceiveFailed {
        /// The system's error number, 0 if it gave none.
        errno: i32,
    },
    /// A datagram was given up as lost, and what it carried goes out again.
    DatagramLost {
        /// Where it went.
        to: SocketAddr,
    },
    /// Nothing came back for a whole probe time-out, so something is sent again to provoke an
    /// answer.
    ProbeSent {
        /// Where it goes.
        to: SocketAddr,
    },
    /// A session began.
    SessionOpened {
        /// The node at the other end.
        peer: SocketAddr,
        /// What this node is in it.
        role: Role,
    },
    /// A session ended.
    SessionClosed {
        /// The node at the other end.
        peer: SocketAddr,
        /// What this node was in it.
        role: Role,
        /// Why.
        reason: CloseReason,
    },
    /// Nothing has been heard from a node for so long that calls had better go elsewhere.
    SessionSilent {
        /// The node at the other end.
        peer: SocketAddr,
    },
    /// A silent node has been heard of again.
    SessionHeard {
        /// The node at the other end.
        peer: SocketAddr,
    },
    /// A call was begun here.
    CallStarted {
        /// Its method, as `package.Service/Method`.
        method: &'a str,
    },
    /// A call that was begun here ended.
    CallEnded {
        /// Its method, as `package.Service/Method`.
        method: &'a str,
        /// How it ended; [`Code::Cancelled`] if it was dropped.
        code: Code,
        /// Whether its handler ran.
        outcome: Outcome,
        /// From its beginning, over all attempts.
        elapsed: Duration,
        /// How many attempts were made.
        attempts: usize,
    },
    /// A call was handed to a node.
    AttemptStarted {
        /// Its method, as `package.Service/Method`.
        method: &'a str,
        /// The node; `None` within the process.
        peer: Option<SocketAddr>,
    },
    /// An attempt ended.
    AttemptEnded {
        /// Its method, as `package.Service/Method`.
        method: &'a str,
        /// The node; `None` within the process.
        peer: Option<SocketAddr>,
        /// How it ended; [`Code::Cancelled`] if it was dropped.
        code: Code,
        /// Whether its handler ran.
        outcome: Outcome,
        /// From its beginning.
        elapsed: Duration,
    },
    /// A handler was started here.
    HandlerStarted {
        /// Its method, as `package.Service/Method`.
        method: &'a str,
        /// The node that made the call.
        peer: SocketAddr,
    },
    /// A handler that was started here ended.
    HandlerEnded {
        /// Its method, as `package.Service/Method`.
        method: &'a str,
        /// The node that made the call.
        peer: SocketAddr,
        /// How it ended: [`Code::Cancelled`] if the caller gave up, [`Code::DeadlineExceeded`] if
        /// it was stopped at its deadline.
        code: Code,
        /// From its beginning.
        elapsed: Duration,
    },
    /// A call that came in was answered without starting a handler.
    CallRefused {
        /// The node that made the call.
        peer: SocketAddr,
        /// With what.
        code: Code,
    },
    /// A member was heard of for the first time, or after it had been dead or gone.
    MemberUp {
        /// The member.
        peer: Peer,
    },
    /// A member has changed what it says of itself: what it offers, its weight, its zone, whether
    /// it is draining.
    MemberChanged {
        /// The member.
        peer: Peer,
    },
    /// A member does not answer, or others say so.
    MemberSuspected {
        /// The member.
        peer: Peer,
    },
    /// A member that was suspected has shown that it lives.
    MemberCleared {
        /// The member.
        peer: Peer,
    },
    /// A member counts as dead.
    MemberDied {
        /// The member.
        peer: Peer,
    },
    /// A member has left.
    MemberLeft {
        /// The member.
        peer: Peer,
    },
    /// This node was suspected or called dead, and has contradicted.
    SuspicionRefuted,
    /// Another node that lives has the same advertised address as this one. Calls to the address
    /// reach one of them at random until one is given another address.
    AddressClaimed {
        /// The address.
        addr: SocketAddr,
        /// This node.
        own: Instance,
        /// The other one.
        other: Instance,
    },
    /// A node of another cluster was heard of. Said once for each address.
    ClusterDiffers {
        /// Where it is.
        from: SocketAddr,
        /// Its cluster.
        cluster: ClusterHash,
    },
    /// A node that speaks none of this node's wire versions was heard of. Said once for each
    /// address.
    VersionDiffers {
        /// Where it is.
        from: SocketAddr,
    },
    /// A new member was not taken in, because as many are known as may be. Said once.
    MembersFull {
        /// How many are known.
        members: usize,
    },
    /// A seed cannot be used: it is no address of one node, or its name is not known at present.
    /// Said at once, and once a minute for as long as it lasts.
    SeedUnusable {
        /// The seed, as it was given.
        seed: &'a str,
        /// Why, in words.
        problem: &'a str,
    },
    /// No member has been found, although there are seeds. Said after ten seconds and then once a
    /// minute.
    NobodyAnswers {
        /// The seeds' addresses, without this node's own.
        seeds: &'a [SocketAddr],
    },
    /// A member gave something else than the advert that it was asked for. Somebody else is asked.
    AdvertRefused {
        /// Where it is.
        from: SocketAddr,
    },
    /// What members offer takes as much memory as it may. Said once, until there is room again.
    AdvertsFull {
        /// How many adverts are wanted and are not fetched.
        wanted: usize,
    },
}

/// Receives every event of a node.
///
/// Called from the middle of the work, on whichever thread does it: an observer must be quick and
/// must not block. If it panics, that is caught; nothing else is affected, and it gets the next
/// event all the same.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// What a node is in a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It makes the calls.
    Client,
    /// It serves them.
    Server,
}

/// Declares an enum whose variants are counted one by one and have names.
macro_rules! reasons {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])+ $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])+ $variant,)+
        }

        impl $name {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name, in lower case with underscores, as statistics show it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

reasons! {
    /// Why a datagram was thrown away.
    DropReason {
        /// Shorter than the shortest datagram of its kind, or than its own header says.
        Truncated = "truncated",
        /// Does not begin with Broach's magic number.
        Magic = "magic",
        /// Of a wire version that this node does not speak.
        Version = "version",
        /// Of a type that this version does not know, or one that makes no sense here.
        Type = "type",
        /// Sealed with a key that this node does not have.
        Key = "key",
        /// The checksum is wrong: damaged on the way.
        Checksum = "checksum",
        /// The checksum is right but the contents break the specification, or are more than is kept
        /// for one session.
        Malformed = "malformed",
        /// For a session that this node does not have (any more).
        UnknownSession = "unknown_session",
        /// For a session, but from another address than its own.
        Address = "address",
        /// Seen before, or so old that nobody can tell.
        Duplicate = "duplicate",
        /// From a node of another cluster.
        Cluster = "cluster",
        /// Meant for an earlier life of this node.
        Instance = "instance",
        /// A call that must not run twice came without a token that proves it fresh; the sender is
        /// told how to get one.
        Token = "token",
        /// Would have opened a session beyond the limit.
        SessionLimit = "session_limit",
        /// An answer to something that was not asked.
        Stray = "stray",
        /// For the membership, which this node does not take part in, or not in this way.
        Gossip = "gossip",
        /// For the membership, from a node that sends far more than it may.
        Flood = "flood",
    }
}

reasons! {
    /// Why a session ended.
    CloseReason {
        /// Unused for long enough.
        Idle = "idle",
        /// This node said goodbye.
        Local = "local",
        /// The other node said goodbye.
        Remote = "remote",
        /// The other node does not know the session: it has restarted or forgotten it.
        Reset = "reset",
        /// Nothing was heard for so long that the other node counts as dead.
        Dead = "dead",
        /// The other node belongs to another cluster.
        Cluster = "cluster",
        /// The other node speaks other wire versions only.
        Version = "version",
        /// The other node broke the specification.
        Protocol = "protocol",
        /// The token with which the session was to be opened has been refused.
        Token = "token",
    }
}
