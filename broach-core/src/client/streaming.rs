//! A call at another node that streams: how its requests go out, and how its reply begins.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{FutureExt, Stream};

use crate::client::remote::Inner;
use crate::client::requests::Again;
use crate::client::trial::Trial;
use crate::client::underway::End;
use crate::code::Outcome;
use crate::config::SizeLimits;
use crate::deadline::{Clock, Time};
use crate::exchange::{
    Body, Filled, Reply, metadata_record, read_reply, read_reply_metadata, read_status,
};
use crate::method::Method;
use crate::net::{self, Ended, Outbound, Writer};
use crate::observe::TraceContext;
use crate::proto::Condition;
use crate::routing::Target;
use crate::status::Status;
use crate::wire::{Record, RecordKind};

impl Inner {
    /// Makes an attempt of a call that streams at another node. Its requests flow whether or not
    /// the call is polled; those that are there already go along with its beginning.
    pub(super) fn stream(
        &self,
        now: Time,
        trial: &Trial,
        outbound: Outbound,
        target: Arc<Target>,
        trace: Option<TraceContext>,
        cx: &mut Context<'_>,
    ) -> Box<Streaming> {
        let limits = self.handle.shared().config.size_limits();
        let many = outbound.streams.replies;
        let (reader, writer) = self.handle.flow();
        let mut sending = trial.requests.as_ref().map(|requests| {
            writer.put_records(metadata_record(&trial.metadata, trace).into());
            let method = trial.scope.method().clone();
            Sending { requests: requests.begin_attempt(), writer, method, open: false }
        });
        sending.take_if(|sending| sending.poll_unpin(cx).is_ready());
        let stream = self.handle.open(now, outbound, reader);
        if let Some(sending) = sending {
            self.handle.spawn(Sending { open: true, ..sending });
        }
        let clock = Arc::clone(&self.handle.shared().clock);
        Box::new(Streaming::new(stream, target, clock, limits, many))
    }
}

/// A call under way, up to its reply. Dropping it cancels the call.
pub(super) struct Streaming {
    /// `None` once the reply has begun.
    stream: Option<net::Stream>,
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
    limits: SizeLimits,
    /// Whether there are many replies.
    many: bool,
    /// The other side has answered with it, and the end of the call is about to follow.
    status: Option<Status>,
}

impl Streaming {
    pub(super) const fn new(
        stream: net::Stream,
        target: Arc<Target>,
        clock: Arc<dyn Clock>,
        limits: SizeLimits,
        many: bool,
    ) -> Self {
        Self { stream: Some(stream), target, clock, limits, many, status: None }
    }

    /// Waits until the reply has begun, or the call has ended.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let Some(stream) = &mut self.stream else { return Poll::Pending };
            let Some(record) = ready!(stream.reader.poll_record(cx)) else {
                let ended = stream.reader.end();
                let ended = ended.unwrap_or_else(|| Ended::without_reply(odd()));
                return Poll::Ready(self.ended(ended));
            };
            match record.kind {
                RecordKind::Status => self.status = Some(read_status(record.bytes)),
                RecordKind::Metadata if self.many => return Poll::Ready(self.begin(record)),
                RecordKind::Metadata | RecordKind::Message => {
                    return Poll::Ready(self.ended(Ended::without_reply(odd())));
                }
            }
        }
    }

    /// The reply has begun.
    fn begin(&mut self, metadata: Record) -> End {
        let peer = self.stream.as_ref().and_then(|stream| stream.reader.peer());
        let stream = self.stream.take();
        let result = read_reply_metadata(metadata.bytes, self.limits).map(|metadata| {
            let target = Arc::clone(&self.target);
            let clock = Arc::clone(&self.clock);
            let body = Body::Stream(Box::pin(Replies { stream, target, clock }));
            Reply { metadata, ..Reply::new(body) }
        });
        let condition = Condition::Well;
        End { peer, condition, answered: true, rtt: None, request: None, result }
    }

    /// The call has ended before that.
    fn ended(&mut self, ended: Ended) -> End {
        let Ended { peer, condition, rtt, request, result } = ended;
        let answered = result.is_ok();
        let result = match (self.status.take(), result) {
            (Some(status), _) => Err(status),
            (None, Ok(bytes)) if !self.many => read_reply(bytes, self.limits),
            (None, result) => result.and_then(|_| Err(odd())),
        };
        End { peer, condition, answered, rtt, request, result }
    }
}

fn odd() -> Status {
    Status::internal("the reply is not made of the records that make a stream")
}

/// The replies, as they come in.
struct Replies {
    /// `None` once they have ended.
    stream: Option<net::Stream>,
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
}

impl Stream for Replies {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        let record = ready!(stream.reader.poll_record(cx));
        let end = match record {
            Some(Record { kind: RecordKind::Message, bytes }) => {
                return Poll::Ready(Some(Ok(bytes)));
            }
            Some(Record { kind: RecordKind::Status, bytes }) => Some(Err(read_status(bytes))),
            Some(Record { kind: RecordKind::Metadata, .. }) => Some(Err(odd())),
            None => {
                let ended = stream.reader.end();
                if let Some(rtt) = ended.as_ref().and_then(|ended| ended.rtt) {
                    self.target.live.rtt.set(rtt);
                }
                match ended.as_ref().map(|ended| ended.condition) {
                    Some(Condition::Silent) => {
                        self.target.live.standing.on_silent(self.clock.now());
                    }
                    Some(Condition::Leaving) => self.target.on_leaving(self.clock.now()),
                    Some(Condition::Well) | None => {}
                }
                ended.and_then(|ended| ended.result.err()).map(Err)
            }
        };
        self.stream = None;
        Poll::Ready(end)
    }
}

/// The requests of one attempt, on their way to the driver. A future that ends with them, or with
/// the call.
pub(super) struct Sending {
    requests: Again,
    writer: Writer,
    method: Method,
    /// The call has been made, and so its handler may have begun.
    open: bool,
}

impl Sending {
    /// What is known of the call if its requests fail now.
    const fn outcome(&self) -> Outcome {
        if self.open { Outcome::Unknown } else { Outcome::NotExecuted }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        for _ in 0..FILLS_MAX {
            let room = ready!(self.writer.poll_room(cx))?;
            let (records, filled) = self.requests.poll_records(cx, room.min(FILL_BYTES));
            self.writer.put_records(records);
            match filled {
                Filled::Full | Filled::TooLarge(_) => {}
                Filled::Ended => return Poll::Ready(Ok(())),
                Filled::Failed(status) => {
                    let status = status.with_outcome(self.outcome());
                    self.writer.fail(status.clone());
                    return Poll::Ready(Err(status));
                }
                Filled::Waits => {
                    self.writer.flush(cx)?;
                    return Poll::Pending;
                }
            }
        }
        // Others have their turn.
        self.writer.flush(cx)?;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Future for Sending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // What makes the requests is the user's.
        let polled = catch_unwind(AssertUnwindSafe(|| self.poll_send(cx)));
        let result = polled.unwrap_or_else(|_| {
            let text = format!("the requests of {} panicked", self.method.full_name());
            self.writer.fail(Status::internal(text).with_outcome(self.outcome()));
            Poll::Ready(Ok(()))
        });
        if let Ok(()) = ready!(result) {
            self.writer.finish();
        }
        Poll::Ready(())
    }
}

/// So many bytes of requests are made in one go.
const FILL_BYTES: usize = 16 << 10;

/// So often in a row.
const FILLS_MAX: usize = 16;
