//! [`OneWay`]: a call whose reply nobody waits for.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;

use crate::client::Call;
use crate::status::Status;

/// A [`Call`] that ends as soon as a node has begun to work on it.
///
/// That node's handler then goes on by itself, until it has finished or the deadline of the call
/// has passed; nobody is told what came of it. It is not stopped when the caller goes away.
///
/// `Ok` says that a handler has begun, and so that the call was not lost on the way; until then it
/// is sent again, tried elsewhere and refused like any other. If the handler is done without
/// waiting for anything, an error of it is told here as well.
///
/// # Errors
///
/// What a call fails with that no node takes on, and `RESOURCE_EXHAUSTED` from a node at which too
/// many handlers of such calls run
/// ([`one_way_calls_max`](crate::config::Transport::one_way_calls_max)). `INVALID_ARGUMENT` for a
/// method that streams.
///
/// # Cancel safety
///
/// Once it has been polled, dropping it says nothing of whether the handler runs.
#[must_use = "a call is not made until it is awaited or spawned"]
pub struct OneWay<Req, Rep> {
    call: Call<Req, Rep>,
}

impl<Req, Rep> Call<Req, Rep> {
    /// Waits until a node has begun to work on the call, and not for the reply.
    ///
    /// ```no_run
    /// # async fn example(channel: broach_core::Channel) -> Result<(), broach_core::Status> {
    /// channel.call("audit.v1.Audit/Record", "\n\x05login").one_way().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn one_way(self) -> OneWay<Req, Rep> {
        OneWay { call: self.into_one_way() }
    }
}

impl<Req, Rep> Unpin for OneWay<Req, Rep> {}

impl<Req, Rep> Future for OneWay<Req, Rep> {
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.poll_unpin(cx).map_ok(drop)
    }
}

impl<Req, Rep> fmt::Debug for OneWay<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OneWay").field(&self.call).finish()
    }
}
