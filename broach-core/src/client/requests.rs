//! [`Requests`]: the requests of a call that streams them, which can be sent again at first.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Stream, StreamExt};

use crate::code::Outcome;
use crate::exchange::Messages;
use crate::status::Status;

/// The requests of a call, which come as the user makes them.
///
/// Each attempt reads them from the beginning. For that, those that have been read are kept until
/// the call is answered, or they are too many.
#[derive(Clone)]
pub(super) struct Requests(Arc<Mutex<State>>);

struct State {
    /// `None` once they have ended.
    source: Option<Messages>,
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
    pub(super) fn new(source: Messages) -> Self {
        Self(Arc::new(Mutex::new(State {
            source: Some(source),
            kept: VecDeque::new(),
            kept_bytes: 0,
            next: 0,
            bound: None,
            attempt: 0,
        })))
    }

    /// The requests for one more attempt. The one before gets no more of them.
    pub(super) fn begin_attempt(&self) -> Messages {
        let mut state = self.lock();
        (state.attempt, state.next) = (state.attempt + 1, 0);
        Box::pin(Again { requests: self.clone(), attempt: state.attempt })
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

    /// The next one that has been read before.
    fn next_kept(&mut self) -> Option<Bytes> {
        if self.bound.is_some() {
            return self.kept.pop_front();
        }
        let message = self.kept.get(self.next)?.clone();
        self.next += 1;
        Some(message)
    }

    fn keep(&mut self, message: &Bytes) {
        if self.bound.is_some() {
            return;
        }
        self.kept_bytes += message.len() + size_of::<Bytes>();
        if KEPT_BYTES_MAX < self.kept_bytes {
            self.bind(Bound::TooMuch);
        } else {
            self.kept.push_back(message.clone());
            self.next += 1;
        }
    }
}

/// The requests as one attempt reads them.
struct Again {
    requests: Requests,
    attempt: usize,
}

impl Stream for Again {
    type Item = Result<Bytes, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.requests.lock();
        if state.attempt != self.attempt {
            let status = Status::cancelled("the call is being made elsewhere");
            return Poll::Ready(Some(Err(status)));
        }
        if let Some(message) = state.next_kept() {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(source) = &mut state.source else {
            return Poll::Ready(None);
        };
        let next = ready!(source.poll_next_unpin(cx));
        match &next {
            Some(Ok(message)) => state.keep(message),
            Some(Err(_)) => state.bind(Bound::Failed),
            None => state.source = None,
        }
        // What was sent before it says nothing of what became of the call.
        Poll::Ready(next.map(|next| next.map_err(|status| status.with_outcome(Outcome::Unknown))))
    }
}

/// So many bytes of requests are kept for another attempt, with some for each of them: enough for
/// what is sent until a node that is about to shut down has said so.
const KEPT_BYTES_MAX: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn requests(count: u8, bytes: usize) -> Requests {
        let all = (0..count).map(move |number| Ok(Bytes::from(vec![number; bytes])));
        Requests::new(Box::pin(futures::stream::iter(all)))
    }

    /// The numbers of so many requests that one attempt reads.
    fn read(attempt: &mut Messages, count: usize) -> Vec<u8> {
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
        let requests = requests_without_end();
        let mut attempt = requests.begin_attempt();
        for _ in 0..2_000 {
            attempt.next().now_or_never().unwrap().unwrap().unwrap();
        }
        assert_eq!(requests.bound(), Some(Bound::TooMuch));
    }

    fn requests_without_end() -> Requests {
        Requests::new(Box::pin(futures::stream::repeat_with(|| Ok(Bytes::new()))))
    }

    #[test]
    fn requests_that_fail_are_not_made_again() {
        let failed = Err(Status::unavailable("no more").with_outcome(Outcome::NotExecuted));
        let requests = Requests::new(Box::pin(futures::stream::iter([Ok(Bytes::new()), failed])));
        let mut attempt = requests.begin_attempt();
        assert!(attempt.next().now_or_never().unwrap().unwrap().is_ok());
        let status = attempt.next().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.outcome(), Outcome::Unknown, "the call has begun");
        assert_eq!(requests.bound(), Some(Bound::Failed));
    }
}
