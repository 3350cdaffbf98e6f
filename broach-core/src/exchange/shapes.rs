//! Between the shape of a method and the directions of its calls that are streams.

use crate::code::Outcome;
use crate::method::{MethodSpec, Shape};
use crate::proto::Streams;
use crate::status::Status;

/// Which directions of a call stream.
pub(crate) const fn streams_of(shape: Shape) -> Streams {
    match shape {
        Shape::Unary => Streams { requests: false, replies: false },
        Shape::ServerStreaming => Streams { requests: false, replies: true },
        Shape::ClientStreaming => Streams { requests: true, replies: false },
        Shape::Bidirectional => Streams { requests: true, replies: true },
    }
}

/// Checks that a method is called in its own shape.
///
/// # Errors
///
/// `UNIMPLEMENTED` if it is not: the two sides do not share one `.proto`.
pub(crate) fn check_shape(method: &MethodSpec, called: Streams) -> Result<(), Status> {
    if streams_of(method.shape()) == called {
        return Ok(());
    }
    let called = match (called.requests, called.replies) {
        (false, false) => Shape::Unary,
        (false, true) => Shape::ServerStreaming,
        (true, false) => Shape::ClientStreaming,
        (true, true) => Shape::Bidirectional,
    };
    let text = format!(
        "{} is {}: it was called as if it were {called}; perhaps the two sides do not share one \
         .proto",
        method.full_name(),
        method.shape(),
    );
    Err(Status::unimplemented(text).with_outcome(Outcome::NotExecuted))
}
