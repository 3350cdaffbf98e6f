//! [`OneWay`]: the work on a call that is answered as soon as it has begun.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::FutureExt;

use crate::code::Outcome;
use crate::config::SizeLimits;
use crate::deadline::{Deadline, Sleep};
use crate::exchange::{code_of, message_bytes, status_bytes};
use crate::metadata::Metadata;
use crate::proto::CallBytes;
use crate::server::Serve;
use crate::server::local::{Running, Stop};
use crate::server::serve::{Inner, Work};
use crate::status::Status;

/// The work on a one-way call until it is answered: with what came of it, if that is known at
/// once; otherwise the handler goes on in a task of its own.
pub(super) struct OneWay {
    /// Until it is answered.
    work: Option<(Work, Running)>,
    deadline: Option<Deadline>,
}

/// A handler that goes on by itself.
struct GoingOn {
    work: Work,
    sleep: Option<Sleep>,
    stop: Stop,
    _counted: Counted,
    _running: Running,
}

/// Counts a handler that goes on by itself.
struct Counted(Arc<Inner>);

impl OneWay {
    pub(super) fn new(serve: &Serve, work: Work, deadline: Option<Deadline>) -> Self {
        Self::counted(work, Running::begin(serve), deadline)
    }

    /// The same for work that is counted already.
    pub(super) const fn counted(work: Work, running: Running, deadline: Option<Deadline>) -> Self {
        Self { work: Some((work, running)), deadline }
    }

    /// What the caller is told.
    pub(super) async fn answer(self, limits: [(SizeLimits, &str); 2]) -> CallBytes {
        match self.await {
            Ok(()) => message_bytes(&Metadata::new(), None, Bytes::new()),
            Err(status) => status_bytes(status, limits),
        }
    }
}

impl Future for OneWay {
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((mut work, running)) = self.work.take() else {
            return Poll::Pending;
        };
        // Before it begins: what begins must be allowed to end.
        let counted = match Counted::one_more(&work.inner) {
            Ok(counted) => counted,
            Err(status) => {
                work.scope.end(status.code());
                return Poll::Ready(Err(status));
            }
        };
        if let Poll::Ready(result) = work.poll_result(cx) {
            work.scope.end(code_of(&result));
            return Poll::Ready(result.map(drop));
        }
        let clock = work.inner.observe.clock();
        let sleep = self.deadline.map(|deadline| clock.sleep_until(deadline.time()));
        let stop = Stop::default();
        tokio::spawn(GoingOn { work, sleep, stop, _counted: counted, _running: running });
        Poll::Ready(Ok(()))
    }
}

impl Future for GoingOn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { work, sleep, stop, .. } = &mut *self;
        let code = match work.poll_result(cx) {
            Poll::Ready(result) => code_of(&result),
            // Dropping it stops the handler.
            Poll::Pending => match (stop.poll(&work.inner.locals, cx), sleep) {
                (Poll::Ready(_), _) => return Poll::Ready(()),
                (Poll::Pending, Some(sleep)) => {
                    ready!(sleep.poll_unpin(cx));
                    return Poll::Ready(());
                }
                (Poll::Pending, None) => return Poll::Pending,
            },
        };
        work.scope.end(code);
        Poll::Ready(())
    }
}

impl Counted {
    fn one_more(inner: &Arc<Inner>) -> Result<Self, Status> {
        let counted = Self(Arc::clone(inner));
        let max = inner.config.one_way_calls_max;
        if inner.locals.one_way.fetch_add(1, Relaxed) < max {
            return Ok(counted);
        }
        let text = format!(
            "{max} handlers of one-way calls are at work already (transport.one_way_calls_max)"
        );
        Err(Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.locals.one_way.fetch_sub(1, Relaxed);
    }
}
