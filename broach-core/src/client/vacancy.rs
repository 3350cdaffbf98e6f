//! [`Vacancy`]: a call that waits until there is a node for it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use futures::FutureExt;

use crate::client::remote::Inner;
use crate::code::Outcome;
use crate::deadline::{Deadline, Sleep};
use crate::routing::Changed;
use crate::status::Status;

/// Waits until the directory changes, or the call's time is over.
pub(super) struct Vacancy {
    changed: Changed,
    sleep: Option<Sleep>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waited {
    /// There may be a node now.
    Changed,
    /// There is no more time.
    TimeOver,
}

/// A place among those of a channel's calls that wait.
pub(super) struct WaitingPlace(Arc<AtomicUsize>);

impl Vacancy {
    /// Waits for more than was known in the snapshot of this version.
    pub(super) fn new(inner: &Inner, version: u64, deadline: Option<Deadline>) -> Self {
        let clock = &inner.handle.shared().clock;
        let sleep = deadline.map(|deadline| clock.sleep_until(deadline.time()));
        Self { changed: inner.directory.changed(version), sleep }
    }
}

impl Future for Vacancy {
    type Output = Waited;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited> {
        if self.changed.poll_unpin(cx).is_ready() {
            return Poll::Ready(Waited::Changed);
        }
        match &mut self.sleep {
            Some(sleep) => sleep.poll_unpin(cx).map(|()| Waited::TimeOver),
            None => Poll::Pending,
        }
    }
}

impl WaitingPlace {
    /// One more call waits.
    ///
    /// # Errors
    ///
    /// If too many do already.
    pub(super) fn take(waiting: &Arc<AtomicUsize>, max: usize) -> Result<Self, Status> {
        let more = |count| (count < max).then_some(count + 1);
        match waiting.fetch_update(Relaxed, Relaxed, more) {
            Ok(_) => Ok(Self(Arc::clone(waiting))),
            Err(_) => Err(Status::resource_exhausted(format!(
                "{max} calls wait already until there are nodes for them \
                 (client.calls_waiting_max)"
            ))
            .with_outcome(Outcome::NotExecuted)),
        }
    }
}

impl Drop for WaitingPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
