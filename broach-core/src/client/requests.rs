//! [`Requests`]: the requests of a call that streams them, which can be sent again at first.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

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
pub(super) struct Requests(Arc<Inner>);

struct Inner {
    method: Method,
    limits: SizeLimits,
    state: Mutex<State>,
}

struct State {
    supply: Supply,
    /// Whole records, some in each element.
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    /// Of those that are kept, the one that comes next.
    next: usize,
    /// What keeps the call from being made again, if anything does.
    bound: Option<Bound>,
    /// Which attempt may read.
    attempt: usize,
    /// Of the attempt that waits until another has put the source back.
    waiting: Option<Waker>,
}

/// Where requests come from that nobody has read.
enum Supply {
    Here(Reading),
    /// An attempt polls it. What the user's stream does meanwhile is its own business, and it may
    /// take its time: so that is not done under the lock.
    Taken,
    Ended,
    Failed(Status),
}

struct Reading {
    source: Box<dyn Source>,
    buffer: BytesMut,
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
        let state = State {
            supply: Supply::Here(Reading { source, buffer: BytesMut::new() }),
            kept: VecDeque::new(),
            kept_bytes: 0,
            next: 0,
            bound: None,
            attempt: 0,
            waiting: None,
        };
        Self(Arc::new(Inner { method, limits, state: Mutex::new(state) }))
    }

    /// The requests for one more attempt. The one before gets no more of them.
    pub(super) fn begin_attempt(&self) -> Again {
        let attempt = self.lock().take_away();
        Again { requests: self.clone(), attempt, read: Bytes::new() }
    }

    /// The call is to be made again: the attempt that has ended gets no more requests, lest it read
    /// more than are kept.
    ///
    /// # Errors
    ///
    /// What keeps it from being made again.
    pub(super) fn try_again(&self) -> Result<(), Bound> {
        let mut state = self.lock();
        match state.bound {
            Some(bound) => Err(bound),
            None => {
                state.take_away();
                Ok(())
            }
        }
    }

    /// The call is answered, and so will not be made again.
    pub(super) fn on_answer(&self) {
        self.lock().bind(Bound::Answered);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the requests away from the present attempt; gives the number of the next.
    const fn take_away(&mut self) -> usize {
        (self.attempt, self.next) = (self.attempt + 1, 0);
        self.attempt
    }

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

    /// Takes out the source; if it is not there, tells why.
    fn take_source(&mut self, cx: &Context<'_>) -> Result<Reading, Filled> {
        match std::mem::replace(&mut self.supply, Supply::Taken) {
            Supply::Here(reading) => Ok(reading),
            Supply::Taken => {
                self.waiting = Some(cx.waker().clone());
                Err(Filled::Waits)
            }
            Supply::Ended => {
                self.supply = Supply::Ended;
                Err(Filled::Ended)
            }
            Supply::Failed(status) => {
                self.supply = Supply::Failed(status.clone());
                Err(Filled::Failed(status))
            }
        }
    }

    /// Keeps records that an attempt has read, which may not be the present one any more.
    fn keep(&mut self, records: &Bytes, present: bool) {
        if records.is_empty() || present && self.bound.is_some() {
            return;
        }
        self.kept_bytes += records.len() + size_of::<Bytes>();
        self.kept.push_back(records.clone());
        self.next += usize::from(present);
        if KEPT_BYTES_MAX < self.kept_bytes {
            self.bind(Bound::TooMuch);
        }
    }
}

/// A source that was taken out. Whatever becomes of it, the others are told.
struct Taken<'a> {
    requests: &'a Requests,
    /// Nothing if the user's stream has panicked.
    put_back: Option<Supply>,
}

impl Taken<'_> {
    /// The next records that have not been read before, about so many bytes, and why there are no
    /// more.
    fn fill(
        &mut self,
        cx: &mut Context<'_>,
        mut reading: Reading,
        bytes: usize,
    ) -> (Bytes, Filled) {
        let Inner { limits, method, .. } = &*self.requests.0;
        let Reading { source, buffer } = &mut reading;
        let filled = match source.poll_fill(cx, buffer, bytes, limits.message) {
            Filled::TooLarge(bytes) => {
                let what = format_args!("a request of {}", method.full_name());
                let text = limits.exceeded(bytes, 0, what, "this node").unwrap_or_default();
                Filled::Failed(Status::resource_exhausted(text))
            }
            filled => filled,
        };
        let records = buffer.split().freeze();
        self.put_back = Some(match &filled {
            Filled::Ended => Supply::Ended,
            Filled::Failed(status) => Supply::Failed(status.clone()),
            Filled::Full | Filled::Waits | Filled::TooLarge(_) => Supply::Here(reading),
        });
        (records, filled)
    }

    /// Puts the source back, and keeps what was read. Tells whether that is for this attempt.
    fn put_back(mut self, attempt: usize, records: &Bytes) -> bool {
        let mut state = self.requests.lock();
        let present = state.attempt == attempt;
        state.keep(records, present);
        self.end(state);
        present
    }

    fn end(&mut self, mut state: MutexGuard<'_, State>) {
        let panicked = || Supply::Failed(Status::internal("the stream of requests has panicked"));
        state.supply = self.put_back.take().unwrap_or_else(panicked);
        if let Supply::Failed(_) = state.supply {
            state.bind(Bound::Failed);
        }
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let state = self.requests.lock();
        if let Supply::Taken = state.supply {
            self.end(state);
        }
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
            return (Bytes::new(), Filled::Failed(elsewhere()));
        }
        if let Some(records) = state.next_kept() {
            return (records, Filled::Full);
        }
        let reading = match state.take_source(cx) {
            Ok(reading) => reading,
            Err(why) => return (Bytes::new(), why),
        };
        drop(state);
        let mut taken = Taken { requests: &self.requests, put_back: None };
        let (records, filled) = taken.fill(cx, reading, bytes);
        if taken.put_back(self.attempt, &records) {
            (records, filled)
        } else {
            (Bytes::new(), Filled::Failed(elsewhere()))
        }
    }
}

fn elsewhere() -> Status {
    Status::cancelled("the call is being made elsewhere")
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
                    // The handler has begun: this says nothing of what became of the call.
                    Filled::Failed(status) => {
                        Poll::Ready(Some(Err(status.with_outcome(Outcome::Unknown))))
                    }
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
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
        assert_eq!(requests.lock().bound, None);
    }

    #[test]
    fn an_answer_keeps_what_is_still_to_be_sent_again() {
        let requests = requests(5, 10);
        assert_eq!(read(&mut requests.begin_attempt(), 3), [0, 1, 2]);
        let mut second = requests.begin_attempt();
        assert_eq!(read(&mut second, 1), [0]);
        requests.on_answer();
        assert_eq!(requests.lock().bound, Some(Bound::Answered));
        assert_eq!(read(&mut second, 9), [1, 2, 3, 4]);
        assert_eq!(requests.lock().kept.len(), 0);
    }

    #[test]
    fn more_than_is_kept_cannot_be_sent_again_but_goes_on() {
        let requests = requests(100, 1_000);
        let mut attempt = requests.begin_attempt();
        assert_eq!(read(&mut attempt, 31).len(), 31);
        assert_eq!(requests.lock().bound, None);
        assert_eq!(read(&mut attempt, 1), [31]);
        assert_eq!(requests.lock().bound, Some(Bound::TooMuch));
        assert_eq!(read(&mut attempt, 99), (32..100).collect::<Vec<u8>>());
        // Messages of no bytes are not kept without end either.
        let requests = requests_of(futures::stream::repeat_with(|| Ok(Bytes::new())));
        let mut attempt = requests.begin_attempt();
        for _ in 0..40_000 {
            attempt.next().now_or_never().unwrap().unwrap().unwrap();
        }
        assert_eq!(requests.lock().bound, Some(Bound::TooMuch));
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
    fn the_attempt_before_reads_nothing_once_the_call_is_to_be_made_again() {
        let cx = &mut Context::from_waker(Waker::noop());
        let requests = requests(100, 1_000);
        let mut first = requests.begin_attempt();
        assert_eq!(read(&mut first, 31).len(), 31);
        assert_eq!(requests.try_again(), Ok(()));
        let (records, filled) = first.poll_records(cx, 16 << 10);
        assert!(records.is_empty() && matches!(filled, Filled::Failed(_)), "its time is over");
        let mut second = requests.begin_attempt();
        assert_eq!(read(&mut second, 3), [0, 1, 2]);
        assert_eq!(read(&mut second, 99), (3..100).collect::<Vec<u8>>());
        assert_eq!(requests.try_again(), Err(Bound::TooMuch));
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl futures::task::ArcWake for Wakes {
        fn wake_by_ref(wakes: &Arc<Self>) {
            wakes.0.fetch_add(1, Relaxed);
        }
    }

    fn counting() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (Arc::clone(&wakes), futures::task::waker(wakes))
    }

    /// Requests that do this, too, when so many have been read.
    fn meddling(at: u8, meddle: impl Fn(&Requests) + Send + 'static) -> Requests {
        let own: Arc<OnceLock<Requests>> = Arc::default();
        let known = Arc::clone(&own);
        let requests = requests_of(futures::stream::iter((0..100).map(move |number| {
            if number == at {
                meddle(known.get().unwrap());
            }
            Ok(Bytes::from(vec![number; 1_000]))
        })));
        own.set(requests.clone()).ok().unwrap();
        requests
    }

    #[test]
    fn the_users_stream_may_do_anything_with_its_call() {
        let cx = &mut Context::from_waker(Waker::noop());
        let requests = meddling(3, Requests::on_answer);
        let mut attempt = requests.begin_attempt();
        assert_eq!(read(&mut attempt, 100), (0..100).collect::<Vec<u8>>());
        assert_eq!(requests.try_again(), Err(Bound::Answered));
        // Also while it is read, and what is being read then is for the next attempt.
        for at in [3, 40] {
            let requests = meddling(at, move |requests| {
                assert_eq!(requests.try_again(), Ok(()));
                let mut next = requests.begin_attempt();
                while !next.requests.lock().kept.is_empty() && next.next().now_or_never().is_some()
                {
                }
            });
            let mut first = requests.begin_attempt();
            let (records, filled) = first.poll_records(cx, 64 << 10);
            assert!(records.is_empty() && matches!(filled, Filled::Failed(_)), "{at}");
            assert_eq!(requests.lock().bound, Some(Bound::TooMuch));
            let mut second = requests.begin_attempt();
            assert_eq!(read(&mut second, 100), (0..100).collect::<Vec<u8>>(), "{at}");
        }
    }

    #[test]
    fn an_attempt_that_finds_the_stream_being_read_is_woken_when_it_is_not() {
        let (wakes, waker) = counting();
        let requests = meddling(3, move |requests| {
            requests.try_again().unwrap();
            let cx = &mut Context::from_waker(&waker);
            let mut next = requests.begin_attempt();
            assert_eq!(read(&mut next, 3), [0, 1, 2]);
            let (records, filled) = next.poll_records(cx, 1);
            assert!(records.is_empty() && matches!(filled, Filled::Waits));
        });
        let mut first = requests.begin_attempt();
        assert_eq!(read(&mut first, 3), [0, 1, 2]);
        assert_eq!(wakes.0.load(Relaxed), 0);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(matches!(first.poll_records(cx, 1).1, Filled::Failed(_)));
        assert_eq!(wakes.0.load(Relaxed), 1);
        assert_eq!(read(&mut requests.begin_attempt(), 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_stream_that_panics_has_failed() {
        let requests = meddling(3, |_| panic!("as it was asked to"));
        let mut attempt = requests.begin_attempt();
        assert_eq!(read(&mut attempt, 3), [0, 1, 2]);
        let cx = &mut Context::from_waker(Waker::noop());
        let panicked = catch_unwind(AssertUnwindSafe(|| attempt.poll_records(cx, 1)));
        assert!(panicked.is_err());
        assert!(matches!(attempt.poll_records(cx, 1).1, Filled::Failed(_)));
        assert_eq!(requests.try_again(), Err(Bound::Failed));
    }

    #[test]
    fn requests_that_fail_are_not_made_again() {
        let failed = Err(Status::unavailable("no more").with_outcome(Outcome::NotExecuted));
        let requests = requests_of(futures::stream::iter([Ok(Bytes::new()), failed]));
        let mut attempt = requests.begin_attempt();
        assert!(attempt.next().now_or_never().unwrap().unwrap().is_ok());
        let status = attempt.next().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.outcome(), Outcome::Unknown, "the call has begun");
        assert_eq!(requests.lock().bound, Some(Bound::Failed));
        let requests = requests_of(futures::stream::iter([Ok(Bytes::from(vec![0; 1_001]))]));
        let status = read_error(&requests);
        assert_eq!(
            status.message(),
            "a request of test.v1.Test/Test has 1001 bytes, and this node takes 1000 \
             (transport.message_bytes_max)"
        );
        assert_eq!(requests.lock().bound, Some(Bound::Failed));
    }

    fn read_error(requests: &Requests) -> Status {
        requests.begin_attempt().next().now_or_never().unwrap().unwrap().unwrap_err()
    }
}
