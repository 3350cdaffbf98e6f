//! [`Handler`]: what serves calls, as the driver sees it.

use std::fmt;
use std::pin::Pin;

use crate::deadline::Time;
use crate::ids::MethodId;
use crate::net::reader::Reader;
use crate::net::writer::Writer;
use crate::proto::{Arrived, CallBytes};

/// What serves the calls that come in.
pub(crate) trait Handler: fmt::Debug + Send + Sync {
    /// Whether there is work to do for calls of this method.
    fn serves(&self, method: MethodId) -> bool;

    /// Begins the work on a unary call, unless its time is over. The work has to be polled right
    /// away.
    fn handle(&self, now: Time, call: Arrived) -> Begun<Work>;

    /// Begins the work on a call that streams, whose requests come in through the reader if they
    /// are what it streams, and whose replies go out through the writer in the other case.
    fn handle_stream(
        &self,
        now: Time,
        call: Arrived,
        requests: Reader,
        replies: Writer,
    ) -> Begun<StreamWork>;
}

/// What comes of a call at first.
pub(crate) enum Begun<W> {
    /// It is answered with these bytes, without any work.
    Refused(CallBytes),
    /// The work on a call of a method that this node serves.
    Work(W),
}

/// A future that begins when it is polled, does not panic, and gives the bytes of the reply.
pub(crate) type Work = Pin<Box<dyn Future<Output = CallBytes> + Send>>;

/// The same for a call that streams. If nothing has been written into the flow the call ends with
/// the bytes that this gives; otherwise with the end of the flow.
pub(crate) type StreamWork = Pin<Box<dyn Future<Output = Option<CallBytes>> + Send>>;
