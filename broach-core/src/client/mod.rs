//! Making calls: from a typed request to an attempt at a node, and back.

mod attempted;
mod budget;
mod builder;
mod call;
mod channel;
mod fan_out;
mod in_process;
mod lookup;
mod one_way;
mod remote;
mod remote_call;
mod reply;
mod requests;
mod selecting;
mod streaming;
#[cfg(test)]
mod tests;
mod trial;
mod trying;
mod underway;
mod vacancy;

pub(crate) use builder::DEFAULT_CLUSTER;
pub use builder::{ChannelBuilder, ConnectError};
pub use call::{Call, Response, ResponseFuture};
pub use channel::Channel;
pub(crate) use channel::cluster;
pub use fan_out::{Answer, Answers, FanOut, FanOutError};
pub use one_way::OneWay;
