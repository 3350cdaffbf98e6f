//! The work on a call that streams, and came over the network.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;

use crate::config::SizeLimits;
use crate::exchange::{Body, Outlet, Reply, code_of, metadata_record, status_bytes, status_record};
use crate::method::Method;
use crate::net::{Reader, Writer};
use crate::proto::CallBytes;
use crate::server::serve::{CALLER, SERVING, Work, check_reply, reply_bytes};
use crate::status::Status;
use crate::wire::RecordKind;

/// The work on one call, whose replies go out through a flow if there are many of them.
pub(super) struct Streaming {
    pub(super) work: Work,
    pub(super) replies: Replies,
    /// Whether there are many replies.
    pub(super) many: bool,
    /// The first of them is on its way.
    pub(super) begun: bool,
}

/// Where the replies go.
pub(super) struct Replies {
    pub(super) writer: Writer,
    pub(super) method: Method,
    pub(super) limits: [(SizeLimits, &'static str); 2],
    /// The call has ended without the handler.
    gone: bool,
}

impl Replies {
    pub(super) const fn new(
        writer: Writer,
        method: Method,
        serving: SizeLimits,
        caller: SizeLimits,
    ) -> Self {
        Self { writer, method, limits: [(serving, SERVING), (caller, CALLER)], gone: false }
    }
}

impl Streaming {
    /// Sends what comes before the messages, and makes them what the work goes on with.
    fn begin(&mut self, reply: Reply) -> Result<(), Status> {
        let Replies { writer, method, limits, .. } = &self.replies;
        check_reply(0, &reply.metadata, method.full_name(), limits)?;
        writer.put_records(&metadata_record(&reply.metadata, None));
        self.begun = true;
        self.work.go_on_with(reply.body);
        Ok(())
    }
}

impl Future for Streaming {
    type Output = Option<CallBytes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.begun {
            let result = ready!(this.work.poll_result(cx));
            let limits = this.replies.limits;
            if !this.many {
                return Poll::Ready(Some(reply_bytes(&mut this.work, result, limits)));
            }
            if let Err(status) = result.and_then(|reply| this.begin(reply)) {
                this.work.scope.end(status.code());
                return Poll::Ready(Some(status_bytes(status, limits)));
            }
        }
        let result = ready!(this.work.poll_messages(cx, &mut this.replies));
        let Replies { writer, limits, gone, .. } = &this.replies;
        if *gone {
            // Whoever ended the call knows why; the handler is told by being dropped.
            return Poll::Ready(None);
        }
        this.work.scope.end(code_of(&result));
        if let Err(status) = result {
            writer.put_records(&status_record(status, *limits));
        }
        writer.finish();
        Poll::Ready(None)
    }
}

impl Outlet for Replies {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let room = self.writer.poll_room(cx);
        self.gone = matches!(room, Poll::Ready(Err(_)));
        room
    }

    fn put(&mut self, message: Bytes) -> Result<(), Status> {
        check_one_of_many(message.len(), self.method.full_name(), &self.limits)?;
        self.writer.put_message(&message);
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        self.writer.flush(cx).inspect_err(|_| self.gone = true)
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
