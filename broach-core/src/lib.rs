//! Broach.

mod client;
mod code;
pub mod codegen;
pub mod config;
mod deadline;
mod exchange;
pub mod guide;
mod ids;
mod metadata;
mod method;
mod net;
pub mod observe;
mod proto;
mod rng;
mod status;
mod wire;

pub use async_trait::async_trait;
pub use client::{Call, Channel, RequestStream, Response, ResponseFuture};
pub use code::{Code, Outcome};
pub use exchange::{Body, Context, Messages, Peer, Receiver, Reply, Request, Sender};
/// Streams that are fed by hand.
pub mod stream {
    pub use crate::exchange::{Feed, channel};
}

pub use ids::{CallId, CallKey, Instance, SessionId};
pub use metadata::{Metadata, MetadataError};
pub use status::{Attempt, Detail, Status};
