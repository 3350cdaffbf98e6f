//! [`Local`]: the services of the node that makes a call.

use std::fmt;

use futures::future::BoxFuture;

use crate::exchange::{Reply, Request};
use crate::peer::Peer;
use crate::status::Status;

/// The services of a node, as its own channels call them: without the socket, but otherwise as if
/// the call had come over the network. Layers apply, and limits; the handler is counted and has its
/// span; a panic becomes `INTERNAL`.
pub(crate) trait Local: fmt::Debug + Send + Sync {
    /// Makes a call; `own` is the node itself. Dropping the future stops the handler, and so does
    /// dropping the messages of a reply that streams. Up to its reply the handler is not stopped at
    /// the call's deadline; that is up to the caller.
    fn call(&self, own: Peer, request: Request) -> BoxFuture<'static, Result<Reply, Status>>;
}
