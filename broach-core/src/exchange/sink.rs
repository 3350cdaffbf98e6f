//! [`Sink`]: where a handler's replies go if nothing is between it and the network.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::exchange;
use crate::status::Status;

/// Takes the replies of a handler one by one, as it sends them: no layer is to see them.
pub(crate) trait Sink: Send + Sync {
    /// Sends what comes before the first reply, unless somebody has done so: the metadata that the
    /// handler has set.
    ///
    /// # Errors
    ///
    /// If it must not be sent, and then the call has failed; or if the call has ended.
    fn begin(&self, cx: &exchange::Context) -> Result<(), Status>;

    /// Lets that go out by itself.
    fn tell(&self);

    /// Ends the call with this, after what was sent before. The handler is dropped.
    fn fail(&self, status: Status);

    /// Takes nothing more, whoever has the sender now. Tells whether the replies have begun; if
    /// not, they never do.
    fn close(&self) -> bool;

    /// Takes a message of `len` bytes, which `encode` appends, once there is room.
    ///
    /// # Errors
    ///
    /// If it must not be sent, and then the call has failed; or if the call has ended.
    fn poll_put(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        encode: &mut dyn FnMut(&mut BytesMut),
    ) -> Poll<Result<(), Status>>;

    /// No more come for now: what is there goes on, and the task is woken when the call ends.
    ///
    /// # Errors
    ///
    /// If it has ended.
    fn flush(&self, cx: &mut Context<'_>) -> Result<(), Status>;

    /// Why the call has failed, if it has because of what was to be sent, or was made to.
    fn failed(&self) -> Option<Status>;
}

/// A sink that goes along with a request.
pub(crate) type SharedSink = Arc<dyn Sink>;
