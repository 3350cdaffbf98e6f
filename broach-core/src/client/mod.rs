//! Making calls: from a typed request to an attempt at a node, and back.

mod budget;
mod builder;
mod call;
mod channel;
mod local;
mod remote;
mod reply;

pub use builder::{ChannelBuilder, ConnectError};
pub(crate) use builder::{DEFAULT_CLUSTER, remote};
pub use call::{Call, RequestStream, Response, ResponseFuture};
pub use channel::Channel;
