//! [`Task`]: work beside a call, which ends with whoever waits for it.

use tokio::task::AbortHandle;

/// A task of the tokio runtime. Dropping this ends it where it waits.
#[derive(Debug)]
#[must_use = "dropping it ends the task"]
pub(crate) struct Task(AbortHandle);

impl Task {
    /// Starts a task in the runtime that this is called in.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime.
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
