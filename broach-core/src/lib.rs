//! Broach.

mod client;
mod code;
pub mod codegen;
pub mod config;
mod deadline;
mod exchange;
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

pub use async_trait::async_trait;
pub use client::{
    Call, Channel, ChannelBuilder, ConnectError, RequestStream, Response, ResponseFuture,
};
pub use code::{Code, Outcome};
pub use exchange::{Body, Context, Messages, Receiver, Reply, Request, Sender};
/// Streams that are fed by hand.
pub mod stream {
    pub use crate::exchange::{Feed, channel};
}

pub use config::Security;
pub use ids::{CallId, CallKey, ClusterHash, Instance, MethodId, PacketNumber, SessionId};
pub use metadata::{Metadata, MetadataError};
pub use net::{AddressError, BindError, Datagram, DatagramSocket, Datagrams};
pub use node::{Node, NodeBuilder, StartError, Unfinished};
pub use peer::Peer;
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
        include!(concat!(env!("OUT_DIR"), "/broach/mod.rs"));
    };
}
