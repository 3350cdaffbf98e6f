//! What generated code refers to. Not for use by hand: it changes with the generator.

pub use async_trait::async_trait;
pub use futures::Stream;
pub use prost;
pub use prost_types;

pub use crate::client::{Call, Channel};
pub use crate::exchange::{
    Context, Dispatch, Handling, Inbound, Receiver, RequestStream, Sender, unimplemented,
};
pub use crate::method::{Idempotency, MethodSpec, ServiceSpec, Shape};
pub use crate::status::Status;
