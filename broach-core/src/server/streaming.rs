//! The work on a call that streams, and came over the network.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::Stream;

use crate::config::SizeLimits;
use crate::exchange::{
    self, Body, Outlet, Sink, code_of, metadata_record, status_bytes, status_record,
};
use crate::metadata::Metadata;
use crate::method::Method;
use crate::net::{Closed, Reader, Writer};
use crate::observe::HandlerScope;
use crate::proto::CallBytes;
use crate::server::serve::{CALLER, SERVING, Work, check_reply, reply_bytes};
use crate::status::Status;
use crate::wire::RecordKind;

/// The work on one call, whose replies go out through a flow if there are many of them.
pub(super) struct Streaming {
    pub(super) work: Work,
    pub(super) replies: Arc<Replies>,
    /// Whether there are many replies.
    pub(super) many: bool,
    /// The handler's replies come out of a layer, and the first of them is on its way.
    pub(super) layered: bool,
}

/// Where the replies go.
pub(super) struct Replies {
    writer: Writer,
    method: Method,
    limits: [(SizeLimits, &'static str); 2],
    /// Why the call has failed, if it was for what was to be sent, or whoever sends said so.
    failed: OnceLock<Status>,
}

impl Replies {
    pub(super) const fn new(
        writer: Writer,
        method: Method,
        serving: SizeLimits,
        caller: SizeLimits,
    ) -> Self {
        Self {
            writer,
            method,
            limits: [(serving, SERVING), (caller, CALLER)],
            failed: OnceLock::new(),
        }
    }

    /// Puts what comes before the first reply, unless that is done.
    fn begin_with(&self, metadata: impl FnOnce() -> Metadata) -> Result<(), Status> {
        self.writer.begin(|| {
            let metadata = metadata();
            let checked = check_reply(0, &metadata, self.method.full_name(), &self.limits);
            checked.inspect_err(|status| self.note(status))?;
            Ok(metadata_record(&metadata, None))
        })
    }

    /// Ends the call: in the flow if the replies have begun, and otherwise with what it gives.
    fn end(&self, scope: &mut HandlerScope, result: Result<(), Status>) -> Option<CallBytes> {
        // Before anybody is told: the handler may have given its sender to another task, which must
        // not begin to reply now.
        let closed = self.writer.close();
        if closed == Closed::Before {
            // Whoever ended the call knows why; the handler is told by being dropped.
            return None;
        }
        scope.end(code_of(&result));
        let records = match (closed, result) {
            (Closed::NotBegun, Err(status)) => return Some(status_bytes(status, self.limits)),
            (Closed::NotBegun, Ok(())) => metadata_record(&Metadata::new(), None),
            (_, Err(status)) => status_record(status, self.limits),
            (_, Ok(())) => Vec::new(),
        };
        self.writer.end(records.into());
        None
    }

    /// Notes why the call has failed. The first failure is what the caller is told.
    fn note(&self, status: &Status) {
        let _ = self.failed.set(status.clone());
    }
}

impl Future for Streaming {
    type Output = Option<CallBytes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { work, replies, many, layered } = &mut *self;
        if !*layered {
            let result = ready!(work.poll_result(cx));
            if !*many {
                return Poll::Ready(Some(reply_bytes(work, result, replies.limits)));
            }
            let body = match result {
                Ok(reply) if !replies.writer.has_begun() => {
                    replies.begin_with(|| reply.metadata).map(|()| reply.body)
                }
                // The handler has sent its replies itself.
                result => return Poll::Ready(replies.end(&mut work.scope, result.map(drop))),
            };
            match body {
                Ok(body) => work.go_on_with(body),
                Err(status) => return Poll::Ready(replies.end(&mut work.scope, Err(status))),
            }
            *layered = true;
        }
        let result = ready!(work.poll_messages(cx, &mut &**replies));
        Poll::Ready(replies.end(&mut work.scope, result))
    }
}

impl Sink for Replies {
    fn begin(&self, cx: &exchange::Context) -> Result<(), Status> {
        self.begin_with(|| cx.take_reply_metadata()).inspect_err(|_| self.writer.wake())
    }

    fn tell(&self) {
        self.writer.tell();
    }

    fn fail(&self, status: Status) {
        self.note(&status);
        self.writer.wake();
    }

    fn close(&self) -> bool {
        self.writer.close() == Closed::Begun
    }

    fn poll_put(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        encode: &mut dyn FnMut(&mut BytesMut),
    ) -> Poll<Result<(), Status>> {
        if let Err(status) = check_one_of_many(len, self.method.full_name(), &self.limits) {
            self.note(&status);
            // Whoever sends may be in another task than the handler.
            self.writer.wake();
            return Poll::Ready(Err(status));
        }
        self.writer.poll_put(cx, len, encode)
    }

    fn flush(&self, cx: &mut Context<'_>) -> Result<(), Status> {
        self.writer.flush(cx)
    }

    fn failed(&self) -> Option<Status> {
        self.failed.get().cloned()
    }
}

/// For messages that come out of a layer.
impl Outlet for &Replies {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.writer.poll_room(cx).map_ok(drop)
    }

    fn put(&mut self, message: Bytes) -> Result<(), Status> {
        check_one_of_many(message.len(), self.method.full_name(), &self.limits)?;
        self.writer.put_message(&message);
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        self.writer.flush(cx)
    }
}

/// Checks one of many replies.
///
/// # Errors
///
/// `RESOURCE_EXHAUSTED` if it exceeds one of these limits.
pub(super) fn check_one_of_many(
    bytes: usize,
    method: &str,
    limits: &[(SizeLimits, &str)],
) -> Result<(), Status> {
    let what = format_args!("a reply of {method}");
    let exceeded = limits.iter().find_map(|(limits, whose)| limits.exceeded(bytes, 0, what, whose));
    exceeded.map_or(Ok(()), |text| Err(Status::resource_exhausted(text)))
}

/// The requests of a call, as they come in.
pub(super) struct Requests {
    reader: Reader,
}

impl Requests {
    pub(super) fn body(reader: Reader) -> Body {
        Body::Stream(Box::pin(Self { reader }))
    }
}

impl Stream for Requests {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.reader.poll_record(cx)) {
            Some(record) if record.kind == RecordKind::Message => Some(Ok(record.bytes)),
            Some(_) => {
                let text = "the stream of requests holds something that is no message";
                Some(Err(Status::invalid_argument(text)))
            }
            None => self.reader.end().and_then(|ended| ended.result.err()).map(Err),
        })
    }
}
