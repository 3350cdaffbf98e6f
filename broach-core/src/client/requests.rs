//! [`Requests`]: the requests of a call that streams them, which can be sent again at first.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;

use crate::code::Outcome;
use crate::config::SizeLimits;
use crate::exchange::{Filled, Source};
use crate::method::Method;
use crate::status::Status;
use crate::wire::Record;

/// The requests of a call, which come as the user makes them.
///
/// Each attempt reads them from the beginning. For that, those that have been read are kept until
/// the call is answered, or they are too many.
#[derive(Clone)]
pub(super) struct Requests(Arc<Mutex<State>>);

struct State {
    /// `None` once they have ended.
    source: Option<Box<dyn Source>>,
    method: Method,
    limits: SizeLimits,
    buffer: BytesMut,
    /// Whole records, some in each element.
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    /// Of those that are kept, the one that comes next.
    next: usize,
    /// What keeps the call from being made again, if anything does.
    bound: Option<Bound>,
    /// Which attempt may read.
    attempt: usize,
}

/// Why a call cannot be made again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bound {
    /// It has been answered.
    Answered,
    /// The requests have failed by themselves.
    Failed,
    /// More have been sent than are kept.
    TooMuch,
}

impl Requests {
    /// The requests of a call of this method, each within these limits of this node.
    pub(super) fn new(source: Box<dyn Source>, method: Method, limits: SizeLimits) -> Self {
        Self(Arc::new(Mutex::new(State {
            source: Some(source),
            method,
            limits,
            buffer: BytesMut::new(),
            kept: VecDeque::new(),
            kept_bytes: 0,
            next: 0,
            bound: None,
            attempt: 0,
        })))
    }

    /// The requests for one more attempt. The one before gets no more of them.
    pub(super) fn begin_attempt(&self) -> Again {
        let mut state = self.lock();
        (state.attempt, state.next) = (state.attempt + 1, 0);
        Again { requests: self.clone(), attempt: state.attempt, read: Bytes::new() }
    }

    /// The call is answered, and so will not be made again.
    pub(super) fn on_answer(&self) {
        self.lock().bind(Bound::Answered);
    }

    /// What keeps the call from being made again, if anything does.
    pub(super) fn bound(&self) -> Option<Bound> {
        self.lock().bound
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bind(&mut self, bound: Bound) {
        if self.bound.is_none() {
            self.bound = Some(bound);
            // Those that have not been sent again yet still have to be.
            self.kept.drain(..self.next);
            self.next = 0;
        }
    }

    /// The next records that have been read before.
    fn next_kept(&mut self) -> Option<Bytes> {
        if self.bound.is_some() {
            return self.kept.pop_front();
        }
        let records = self.kept.get(self.next)?.clone();
        self.next += 1;
        Some(records)
    }

    /// The next records that have not been read before, about so many bytes, and why there are no
    /// more.
    fn next_new(&mut self, cx: &mut Context<'_>, bytes: usize) -> (Bytes, Filled) {
        let Self { source: Some(source), buffer, limits, method, .. } = self else {
            return (Bytes::new(), Filled::Ended);
        };
        let filled = match source.poll_fill(cx, buffer, bytes, limits.message) {
            Filled::TooLarge(bytes) => {
                let what = format_args!("a request of {}", method.full_name());
                let text = limits.exceeded(bytes, 0, what, "this node").unwrap_or_default();
                Filled::Failed(Status::resource_exhausted(text))
            }
            filled => filled,
        };
        let records = buffer.split().freeze();
        if self.bound.is_none() && !records.is_empty() {
            self.kept_bytes += records.len() + size_of::<Bytes>();
            self.kept.push_back(records.clone());
            self.next += 1;
            if KEPT_BYTES_MAX < self.kept_bytes {
                self.bind(Bound::TooMuch);
            }
        }
        match filled {
            Filled::Ended => self.source = None,
            Filled::Failed(_) => self.bind(Bound::Failed),
            Filled::Full | Filled::Waits | Filled::TooLarge(_) => {}
        }
        (records, filled)
    }
}

/// The requests as one attempt reads them.
pub(super) struct Again {
    requests: Requests,
    attempt: usize,
    /// Records that were read one by one, and are still to be given away.
    read: Bytes,
}

impl Again {
    /// The next records, of about so many bytes, and why there are no more of them. They come
    /// before the end or the failure that they come with.
    pub(super) fn poll_records(&mut self, cx: &mut Context<'_>, bytes: usize) -> (Bytes, Filled) {
        let mut state = self.requests.lock();
        if state.attempt != self.attempt {
            let status = Status::cancelled("the call is being made elsewhere");
            return (Bytes::new(), Filled::Failed(status));
        }
        if let Some(records) = state.next_kept() {
            return (records, Filled::Full);
        }
        let (records, filled) = state.next_new(cx, bytes);
        // What was sent before it says nothing of what became of the call.
        let unknown = |status: Status| status.with_outcome(Outcome::Unknown);
        let filled = match filled {
            Filled::Failed(status) => Filled::Failed(unknown(status)),
            filled => filled,
        };
        (records, filled)
    }
}

/// One by one, for a handler that reads them where they are made.
impl Stream for Again {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.read.is_empty() {
            let (records, filled) = this.poll_records(cx, 1);
            this.read = records;
            if this.read.is_empty() {
                return match filled {
                    Filled::Ended => Poll::Ready(None),
                    Filled::Failed(status) => Poll::Ready(Some(Err(status))),
                    Filled::Full | Filled::Waits | Filled::TooLarge(_) => Poll::Pending,
                };
            }
        }
        let record = Record::take(&mut this.read);
        let odd = |_| Status::internal("a record of a request was cut in two");
        Poll::Ready(Some(record.map(|record| record.bytes).map_err(odd)))
    }
}

/// So many bytes of requests are kept for another attempt, and some more for each time that some
/// were read: enough for what is sent until a node that is about to shut down has said so.
const KEPT_BYTES_MAX: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures::{FutureExt, StreamExt};

    use super::*;
    use crate::exchange::Messages;
    use crate::method::MethodSpec;

    const LIMITS: SizeLimits = SizeLimits { message: 1_000, metadata: 0 };

    fn requests_of(source: impl Stream<Item = Result<Bytes, Status>> + Send + 'static) -> Requests {
        let source: Messages = Box::pin(source);
        let method = MethodSpec::named("test.v1.Test/Test").unwrap();
        Requests::new(Box::new(source), method.into(), LIMITS)
    }

    fn requests(count: u8, bytes: usize) -> Requests {
        let all = (0..count).map(move |number| Ok(Bytes::from(vec![number; bytes])));
        requests_of(futures::stream::iter(all))
    }

    /// The numbers of so many requests that one attempt reads one by one.
    fn read(attempt: &mut Again, count: usize) -> Vec<u8> {
        let next = || attempt.next().now_or_never().flatten().map(|next| next.unwrap()[0]);
        std::iter::repeat_with(next).take(count).flatten().collect()
    }

    #[test]
    fn each_attempt_reads_from_the_beginning() {
        let requests = requests(5, 10);
        let mut first = requests.begin_attempt();
        assert_eq!(read(&mut first, 2), [0, 1]);
        let mut second = requests.begin_attempt();
        assert_eq!(read(&mut second, 3), [0, 1, 2]);
        assert!(first.next().now_or_never().flatten().unwrap().is_err(), "its time is over");
        let mut third = requests.begin_attempt();
        assert_eq!(read(&mut third, 9), [0, 1, 2, 3, 4]);
        assert_eq!(read(&mut requests.begin_attempt(), 9), [0, 1, 2, 3, 4]);
        assert_eq!(requests.bound(), None);
    }

    #[test]
    fn an_answer_keeps_what_is_still_to_be_sent_again() {
        let requests = requests(5, 10);
        assert_eq!(read(&mut requests.begin_attempt(), 3), [0, 1, 2]);
        let mut second = requests.begin_attempt();
        assert_eq!(read(&mut second, 1), [0]);
        requests.on_answer();
        assert_eq!(requests.bound(), Some(Bound::Answered));
        assert_eq!(read(&mut second, 9), [1, 2, 3, 4]);
        assert_eq!(requests.lock().kept.len(), 0);
    }

    #[test]
    fn more_than_is_kept_cannot_be_sent_again_but_goes_on() {
        let requests = requests(100, 1_000);
        let mut attempt = requests.begin_attempt();
        assert_eq!(read(&mut attempt, 31).len(), 31);
        assert_eq!(requests.bound(), None);
        assert_eq!(read(&mut attempt, 1), [31]);
        assert_eq!(requests.bound(), Some(Bound::TooMuch));
        assert_eq!(read(&mut attempt, 99), (32..100).collect::<Vec<u8>>());
        // Messages of no bytes are not kept without end either.
        let requests = requests_of(futures::stream::repeat_with(|| Ok(Bytes::new())));
        let mut attempt = requests.begin_attempt();
        for _ in 0..40_000 {
            attempt.next().now_or_never().unwrap().unwrap().unwrap();
        }
        assert_eq!(requests.bound(), Some(Bound::TooMuch));
    }

    #[test]
    fn many_come_at_once_and_no_more_than_asked_for() {
        let cx = &mut Context::from_waker(Waker::noop());
        let requests = requests(100, 99);
        let mut attempt = requests.begin_attempt();
        let (records, filled) = attempt.poll_records(cx, 1_000);
        assert_eq!((records.len(), matches!(filled, Filled::Full)), (10 * 101, true));
        let (records, filled) = attempt.poll_records(cx, 1 << 20);
        assert_eq!((records.len(), matches!(filled, Filled::Ended)), (90 * 101, true));
        let mut again = requests.begin_attempt();
        assert_eq!(read(&mut again, 1_000), (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn requests_that_fail_are_not_made_again() {
        let failed = Err(Status::unavailable("no more").with_outcome(Outcome::NotExecuted));
        let requests = requests_of(futures::stream::iter([Ok(Bytes::new()), failed]));
        let mut attempt = requests.begin_attempt();
        assert!(attempt.next().now_or_never().unwrap().unwrap().is_ok());
        let status = attempt.next().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.outcome(), Outcome::Unknown, "the call has begun");
        assert_eq!(requests.bound(), Some(Bound::Failed));
        let requests = requests_of(futures::stream::iter([Ok(Bytes::from(vec![0; 1_001]))]));
        let status = read_error(&requests);
        assert_eq!(
            status.message(),
            "a request of test.v1.Test/Test has 1001 bytes, and this node takes 1000 \
             (transport.message_bytes_max)"
        );
        assert_eq!(requests.bound(), Some(Bound::Failed));
    }

    fn read_error(requests: &Requests) -> Status {
        requests.begin_attempt().next().now_or_never().unwrap().unwrap().unwrap_err()
    }
}
