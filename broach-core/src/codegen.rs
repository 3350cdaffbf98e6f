//! What generated code refers to. Not for use by hand: it changes with the generator.

pub use async_trait::async_trait;
pub use futures::Stream;
pub use prost;
pub use prost_types;

pub use super::file_descriptor_set;
pub use crate::client::{Call, Channel};
pub use crate::exchange::{Context, Dispatch, Handling, Inbound, Receiver, RequestStream, Sender};
pub use crate::method::{Idempotency, MethodSpec, ServiceSpec, Shape};
pub use crate::status::Status;

use crate::exchange::unimplemented;

/// A method with one request and one reply.
pub const fn unary(full_name: &'static str, id: u64) -> MethodSpec {
    MethodSpec::new(full_name, id, Shape::Unary, Idempotency::None)
}

/// A method with one request and a stream of replies.
pub const fn server_streaming(full_name: &'static str, id: u64) -> MethodSpec {
    MethodSpec::new(full_name, id, Shape::ServerStreaming, Idempotency::None)
}

/// A method with a stream of requests and one reply.
pub const fn client_streaming(full_name: &'static str, id: u64) -> MethodSpec {
    MethodSpec::new(full_name, id, Shape::ClientStreaming, Idempotency::None)
}

/// A method with streams both ways.
pub const fn bidirectional(full_name: &'static str, id: u64) -> MethodSpec {
    MethodSpec::new(full_name, id, Shape::Bidirectional, Idempotency::None)
}

/// The answer of a method that an implementation of its service leaves out.
///
/// # Errors
///
/// Always.
pub fn left_out<Reply, Arguments>(method: &MethodSpec, _: Arguments) -> Result<Reply, Status> {
    Err(unimplemented(method))
}

/// The contents of a file beside the generated code with the descriptors of all services, or
/// nothing without the feature `descriptors`.
#[cfg(feature = "descriptors")]
#[doc(hidden)]
#[macro_export]
macro_rules! file_descriptor_set {
    ($file:literal) => {
        ::core::include_bytes!($file)
    };
}

/// The contents of a file beside the generated code with the descriptors of all services, or
/// nothing without the feature `descriptors`.
#[cfg(not(feature = "descriptors"))]
#[doc(hidden)]
#[macro_export]
macro_rules! file_descriptor_set {
    ($file:literal) => {
        &[]
    };
}
