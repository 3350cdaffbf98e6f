//! The work on a call that streams, and came over the network.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::Stream;

use crate::config::SizeLimits;
use crate::exchange::{Body, Outlet, Sink, code_of, metadata_record, status_bytes, status_record};
use crate::metadata::Metadata;
use crate::method::Method;
use crate::net::{Reader, Writer};
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
    /// What comes before the first has been sent.
    begun: AtomicBool,
    /// Why the call has failed, if it was for what was to be sent.
    failed: OnceLock<Status>,
    /// The call has ended without the handler.
    gone: AtomicBool,
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
            begun: AtomicBool::new(false),
            failed: OnceLock::new(),
            gone: AtomicBool::new(false),
        }
    }

    /// Ends the call in the flow.
    fn finish(&self, result: Result<(), Status>) {
        if let Err(status) = result {
            self.writer.put_records(status_record(status, self.limits).into());
        }
        self.writer.finish();
    }

    /// Notes whether the call has ended.
    fn watched<T>(&self, result: Result<T, Status>) -> Result<T, Status> {
        if result.is_err() {
            self.gone.store(true, Relaxed);
        }
        result
    }

    /// Notes why the call has failed, if it has.
    fn checked(&self, result: Result<(), Status>) -> Result<(), Status> {
        result.inspect_err(|status| {
            // The first failure is what the caller is told.
            let _ = self.failed.set(status.clone());
        })
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
            if replies.gone.load(Relaxed) {
                // Whoever ended the call knows why; the handler is told by being dropped.
                return Poll::Ready(None);
            }
            if replies.has_begun() {
                // The handler has sent its replies itself.
                work.scope.end(code_of(&result));
                replies.finish(result.map(drop));
                return Poll::Ready(None);
            }
            let body = match result.and_then(|reply| {
                replies.begin(reply.metadata)?;
                Ok(reply.body)
            }) {
                Ok(body) => body,
                Err(status) => {
                    work.scope.end(status.code());
                    return Poll::Ready(Some(status_bytes(status, replies.limits)));
                }
            };
            work.go_on_with(body);
            *layered = true;
        }
        let result = ready!(work.poll_messages(cx, &mut &**replies));
        if !replies.gone.load(Relaxed) {
            work.scope.end(code_of(&result));
            replies.finish(result);
        }
        Poll::Ready(None)
    }
}

impl Sink for Replies {
    fn begin(&self, metadata: Metadata) -> Result<(), Status> {
        self.checked(check_reply(0, &metadata, self.method.full_name(), &self.limits))?;
        self.writer.put_records(metadata_record(&metadata, None).into());
        self.begun.store(true, Relaxed);
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }

    fn poll_put(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        encode: &mut dyn FnMut(&mut BytesMut),
    ) -> Poll<Result<(), Status>> {
        self.checked(check_one_of_many(len, self.method.full_name(), &self.limits))?;
        let put = ready!(self.writer.poll_put(cx, len, encode));
        Poll::Ready(self.watched(put))
    }

    fn flush(&self, cx: &mut Context<'_>) -> Result<(), Status> {
        self.watched(self.writer.flush(cx))
    }

    fn failed(&self) -> Option<Status> {
        self.failed.get().cloned()
    }
}

/// For messages that come out of a layer.
impl Outlet for &Replies {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let room = ready!(self.writer.poll_room(cx));
        Poll::Ready(self.watched(room).map(drop))
    }

    fn put(&mut self, message: Bytes) -> Result<(), Status> {
        check_one_of_many(message.len(), self.method.full_name(), &self.limits)?;
        self.writer.put_message(&message);
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        Sink::flush(*self, cx)
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
