//! Making calls: from a typed request to an attempt at a node, and back.

mod call;
mod channel;
mod local;
mod reply;

pub use call::{Call, RequestStream, Response, ResponseFuture};
pub use channel::Channel;
