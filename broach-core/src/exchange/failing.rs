//! How a stream of requests says that it has failed: its items are messages and nothing else.
//!
//! A [`Feed`](super::Feed) that has failed ends, and leaves word of it for whoever polls the stream
//! that a call was given. Between them there may be anything that a program makes of streams.

use std::cell::RefCell;

use crate::status::Status;

thread_local! {
    static POLLED: RefCell<Polled> = const { RefCell::new(Polled::Unwatched) };
}

/// The stream of requests that is polled now.
enum Polled {
    /// Nobody asks how it ends.
    Unwatched,
    Well,
    Failed(Status),
}

/// Says that the stream that is polled now has failed, if anybody asks.
pub(super) fn fail(status: Status) {
    POLLED.with_borrow_mut(|polled| {
        if let Polled::Well = polled {
            *polled = Polled::Failed(status);
        }
    });
}

/// Polls a stream of requests; tells why it has failed, if it has.
pub(super) fn watch<T>(poll: impl FnOnce() -> T) -> (T, Option<Status>) {
    let mut watching = Watching { before: POLLED.replace(Polled::Well) };
    let polled = poll();
    let failed = match POLLED.replace(std::mem::replace(&mut watching.before, Polled::Unwatched)) {
        Polled::Failed(status) => Some(status),
        Polled::Unwatched | Polled::Well => None,
    };
    std::mem::forget(watching);
    (polled, failed)
}

/// Puts things back if the stream panics.
struct Watching {
    before: Polled,
}

impl Drop for Watching {
    fn drop(&mut self) {
        POLLED.replace(std::mem::replace(&mut self.before, Polled::Unwatched));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn stop() -> Status {
        Status::aborted("stop")
    }

    #[test]
    fn a_failure_reaches_whoever_polls_and_nobody_else() {
        fail(stop());
        assert!(watch(|| {}).1.is_none());
        let ((inner, before), outer) = watch(|| {
            let before = watch(|| {}).1;
            (watch(|| fail(stop())).1, before)
        });
        assert!(inner.is_some() && before.is_none() && outer.is_none());
        let (inner, outer) = watch(|| {
            fail(stop());
            watch(|| {}).1
        });
        assert!(inner.is_none() && outer.is_some());
        let (panicked, outer) = watch(|| {
            catch_unwind(|| {
                watch(|| -> () {
                    fail(stop());
                    panic!("as it was asked to")
                })
            })
            .is_err()
        });
        assert!(panicked && outer.is_none());
        fail(stop());
        assert!(watch(|| {}).1.is_none());
    }
}
