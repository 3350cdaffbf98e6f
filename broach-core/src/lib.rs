//! Calls between services over UDP, without servers beside one's own.
//!
//! Services are declared in `.proto` files; [`broach_build`] turns them into traits and clients in
//! a build script, with nothing to install. This crate carries the calls: it repeats what is lost,
//! runs no call twice, and lets each failed call say whether its handler ran.
//!
//! ```ignore
//! broach_core::include_protos!();
//!
//! use broach_core::{Channel, Context, Node, Status};
//! use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};
//!
//! struct Hello;
//!
//! #[broach_core::async_trait]
//! impl Greeter for Hello {
//!     async fn say_hello(&self, _: Context, request: HelloRequest) -> Result<HelloReply, Status> {
//!         Ok(HelloReply { message: format!("Hello {}!", request.name) })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let node = Node::builder().serve(GreeterServer::new(Hello)).start().await?;
//!
//!     let greeter = GreeterClient::new(Channel::connect(node.local_addr()).await?);
//!     let reply = greeter.say_hello(HelloRequest { name: "Ada".into() }).await?;
//!     println!("{}", reply.message);
//!     Ok(())
//! }
//! ```
//!
//! # Where to find what
//!
//! | to | see |
//! |---|---|
//! | serve calls | [`Node`], [`Context`], [`Status`] |
//! | make calls | [`Channel`], [`Call`], [`Response`] |
//! | find other nodes, and be found | [`guide::cluster`], [`NodeBuilder::join`], [`Node::channel`], [`Node::members`] |
//! | choose which node is called | [`picker`], [`Channel::picker`], [`Call::version`], [`Call::key`] |
//! | stream | [`Sender`], [`Receiver`], [`stream`] |
//! | put something around all calls | [`guide::layers`], [`NodeBuilder::layer`], [`Channel::layer`] |
//! | change a limit or a time | [`config`] |
//! | see what happens | [`observe`], [`guide::observing`] |
//! | test | [`Channel::in_process`], [`guide::testing`] |
//! | know what can be relied upon | [`guide::calls`] |
//! | know how it works | [`guide`] |
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | node | a running process with one UDP address; it can serve calls and make them |
//! | instance | a number that a node draws when it starts: tells it from the one before on its address |
//! | session | what two nodes know of the calls that one of them makes to the other |
//! | call | a request and its reply, or streams of them |
//! | attempt | one try of a call, at one node |
//! | channel | what calls are made through: which nodes, and with which settings |
//! | member | a node that the others of its cluster know |
//! | advert | what a member offers: services and their versions, tags |
//! | directory | what a node knows of the members and of what they offer |
//! | seed | an address at which a node looks for others |
//! | outcome | what is known of a failed call: whether its handler ran |
//!
//! # Features
//!
//! `testing`, off unless asked for: simulated networks, see [`guide::testing`].
//!
//! [`broach_build`]: https://docs.rs/broach-build

mod advert;
mod client;
mod code;
pub mod codegen;
pub mod config;
mod deadline;
mod ecn;
mod errors;
mod exchange;
mod gossip;
pub mod guide;
mod ids;
pub mod metadata;
pub mod method;
mod net;
mod node;
pub mod observe;
mod peer;
mod proto;
mod rng;
mod routing;
mod server;
mod status;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod wire;

pub use advert::{AdvertError, Location, OfferedService};
pub use async_trait::async_trait;
pub use client::{
    Answer, Answers, Call, Channel, ChannelBuilder, ConnectError, FanOut, FanOutError, OneWay,
    Response, ResponseFuture,
};
pub use code::{Code, Outcome};
pub use exchange::{Body, Context, Messages, Receiver, Reply, Request, RequestStream, Sender};
/// Streams that are fed by hand.
pub mod stream {
    pub use crate::exchange::{Feed, channel};
}

/// How a channel chooses among the nodes that offer what is called.
///
/// A node's channels use [`PowerOfTwoChoices`](picker::PowerOfTwoChoices), and channels to a list
/// of nodes [`RoundRobin`](picker::RoundRobin); both call by
/// [`ConsistentHash`](picker::ConsistentHash) what has a [key](Call::key). [`Channel::picker`]
/// makes a channel with another one, which may be the program's own; [`guide::balancing`] says
/// which one is for what.
///
/// A picker chooses among nodes that may be called. Which ones may is what a call and its channel
/// [wish](picker::Selection) of them.
pub mod picker {
    pub use crate::routing::{
        Candidate, Candidates, ConsistentHash, Key, LeastInFlight, Nearest, NetworkQuality, NodeId,
        Picker, Picking, PowerOfTwoChoices, Random, RoundRobin, Selection, Sticky,
        WeightedRoundRobin, ZoneFirst,
    };
}

pub use config::Security;
pub use ecn::Ecn;
pub use ids::{CallId, CallKey, ClusterHash, Instance, MethodId, PacketNumber, SessionId};
pub use metadata::{Metadata, MetadataError};
pub use net::{AddressError, AdvertiseError, BindError, Datagram, DatagramSocket, Datagrams};
pub use node::{MemberEvent, MemberEvents, Node, NodeBuilder, StartError, Unfinished};
pub use peer::Peer;
pub use routing::{Member, MemberState, Members};
pub use server::{RegisterError, Routes};
pub use status::{Attempt, Detail, Status};

/// Brings in what `broach_build` generated in the build script: one module for each package,
/// nested as in the `.proto` files.
///
/// Written once, usually in `src/lib.rs` or `src/main.rs`. `package greeter.v1` becomes
/// `greeter::v1` beside it. A file without a package has no module; its types land where the macro
/// stands.
///
/// ```ignore
/// broach_core::include_protos!();
///
/// use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};
/// ```
///
/// It is an `include!` of a file in `OUT_DIR` and nothing else, so editors can follow it.
#[macro_export]
macro_rules! include_protos {
    () => {
        include!(concat!(
            env!(
                "OUT_DIR",
                "include_protos!() needs a build.rs that calls broach_build::compile(..)"
            ),
            "/broach/mod.rs"
        ));
    };
}
