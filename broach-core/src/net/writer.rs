//! [`Writer`]: where the records of a call that streams go out.

use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker, ready};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::task::coop::poll_proceed;

use crate::exchange::put_message_record;
use crate::net::flow::{Flow, State, keep};
use crate::net::inbox::Ended;
use crate::status::Status;

/// Where the records of a call go out.
#[derive(Debug)]
pub(crate) struct Writer {
    flow: Arc<Flow>,
}

impl Writer {
    pub(super) const fn new(flow: Arc<Flow>) -> Self {
        Self { flow }
    }

    /// Waits until there is room; tells for how many bytes, though it takes any number.
    ///
    /// # Errors
    ///
    /// If the call has ended: what it ended with.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<usize, Status>> {
        self.poll_lock(cx).map_ok(|state| state.room - state.queued)
    }

    /// Adds a message of `len` bytes, which `encode` appends, once there is room.
    ///
    /// # Errors
    ///
    /// If the call has ended: what it ended with.
    pub(crate) fn poll_put(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        encode: impl FnOnce(&mut BytesMut),
    ) -> Poll<Result<(), Status>> {
        let mut state = ready!(self.poll_lock(cx))?;
        if TELL_BYTES <= state.queued {
            // Otherwise whoever sends much would never let others run, the driver among them.
            ready!(poll_proceed(cx)).made_progress();
        }
        if TELL_BYTES < len {
            // The driver is not to wait for so much.
            drop(state);
            let mut record = BytesMut::new();
            put_message_record(&mut record, len, encode);
            state = self.flow.lock();
            if let Some(status) = &state.over {
                return Poll::Ready(Err(status.clone()));
            }
            state.put(record.freeze());
        } else {
            state.put_message(len, encode);
        }
        // The task that makes the messages says itself when no more come for now. Another knows
        // nothing of that, and the one that does waits for something else.
        let elsewhere = |idle: &Waker| !idle.will_wake(cx.waker());
        if TELL_BYTES <= state.queued || state.idle_writer.as_ref().is_some_and(elsewhere) {
            self.flow.tell(state);
        }
        Poll::Ready(Ok(()))
    }

    /// Puts first what `head` gives, unless somebody has done so.
    ///
    /// # Errors
    ///
    /// If there is no such thing, or the call has ended.
    pub(crate) fn begin(
        &self,
        head: impl FnOnce() -> Result<Vec<u8>, Status>,
    ) -> Result<(), Status> {
        let mut state = self.flow.lock();
        if let Some(status) = &state.over {
            return Err(status.clone());
        }
        if !state.begun {
            state.put(head()?.into());
            state.begun = true;
        }
        Ok(())
    }

    /// Lets go out what is there.
    pub(crate) fn tell(&self) {
        let state = self.flow.lock();
        if 0 < state.queued {
            self.flow.tell(state);
        }
    }

    /// Whether that is done.
    pub(crate) fn has_begun(&self) -> bool {
        self.flow.lock().begun
    }

    /// Adds a message, whatever room there is; without effect if the call has ended.
    pub(crate) fn put_message(&self, message: &[u8]) {
        let mut state = self.flow.lock();
        if state.over.is_some() {
            return;
        }
        state.put_message(message.len(), |out| out.put_slice(message));
        if TELL_BYTES <= state.queued {
            self.flow.tell(state);
        }
    }

    /// Adds whole records, whatever room there is; without effect if the call has ended.
    pub(crate) fn put_records(&self, records: Bytes) {
        let mut state = self.flow.lock();
        if state.over.is_some() {
            return;
        }
        state.put(records);
        if TELL_BYTES <= state.queued {
            self.flow.tell(state);
        }
    }

    /// Lets go out what is there. The task is woken when the call ends.
    ///
    /// # Errors
    ///
    /// If it has ended: what it ended with.
    pub(crate) fn flush(&self, cx: &mut Context<'_>) -> Result<(), Status> {
        let mut state = self.flow.lock();
        if let Some(status) = &state.over {
            return Err(status.clone());
        }
        keep(&mut state.idle_writer, cx);
        if 0 < state.queued {
            self.flow.tell(state);
        }
        Ok(())
    }

    /// Waits until there is room.
    fn poll_lock(&self, cx: &mut Context<'_>) -> Poll<Result<MutexGuard<'_, State>, Status>> {
        let mut state = self.flow.lock();
        if let Some(status) = &state.over {
            return Poll::Ready(Err(status.clone()));
        }
        if state.queued < state.room {
            return Poll::Ready(Ok(state));
        }
        keep(&mut state.writer, cx);
        // What is there has to go out before there is room again.
        if 0 < state.queued {
            self.flow.tell(state);
        }
        Poll::Pending
    }

    /// Nothing comes after what is there.
    pub(crate) fn finish(&self) {
        let mut state = self.flow.lock();
        if state.over.is_none() {
            state.last = true;
            state.over = Some(Status::over("the stream has ended"));
            self.flow.tell(state);
        }
    }

    /// Takes nothing more from anybody, so that what has not begun never does. What is there stays
    /// there until [`end`](Self::end).
    pub(crate) fn close(&self) -> Closed {
        let mut state = self.flow.lock();
        if state.forgotten {
            return Closed::Before;
        }
        state.over.get_or_insert_with(|| Status::over("the stream has ended"));
        if state.begun { Closed::Begun } else { Closed::NotBegun }
    }

    /// After [`close`](Self::close): these records come after what is there, and nothing after
    /// them.
    pub(crate) fn end(&self, records: Bytes) {
        let mut state = self.flow.lock();
        if !state.forgotten {
            state.put(records);
            state.last = true;
            self.flow.tell(state);
        }
    }

    /// Wakes the task that waits for something to write.
    pub(crate) fn wake(&self) {
        let waker = self.flow.lock().idle_writer.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends a call that was made here, with this.
    pub(crate) fn fail(&self, status: Status) {
        let (mut wakers, mut state) = (Vec::new(), self.flow.lock());
        state.end(Ended::without_reply(status), &mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// How far what goes out had come when it was closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Closed {
    NotBegun,
    Begun,
    /// The call had ended before, and whoever ended it knows why.
    Before,
}

/// So many bytes go out at once; whoever makes more does it while the driver sends the first.
const TELL_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::config::Transport;
    use crate::net::inbox::Inbox;
    use crate::net::streams::ends;
    use crate::wire::Record;

    fn writer() -> Writer {
        ends(Flow::new(Arc::default(), &Transport::default())).1
    }

    fn put(writer: &Writer, byte: u8, len: usize) -> Poll<Result<(), Status>> {
        let cx = &mut Context::from_waker(Waker::noop());
        writer.poll_put(cx, len, |out| out.put_bytes(byte, len))
    }

    /// The first byte and the length of each message that is there.
    fn messages(writer: &Writer) -> Vec<(u8, usize)> {
        let mut bytes = writer.flow.take_first();
        let next = || Record::take(&mut bytes).ok().map(|one| (one.bytes[0], one.bytes.len()));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_message_whose_encoding_panics_leaves_nothing_behind() {
        let cx = &mut Context::from_waker(Waker::noop());
        for len in [100, 100_000] {
            let writer = writer();
            assert!(put(&writer, 1, 10).is_ready());
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                writer.poll_put(cx, len, |out| {
                    out.put_bytes(2, len / 2);
                    panic!("as it was asked to");
                })
            }));
            assert!(panicked.is_err());
            assert!(put(&writer, 3, 20).is_ready());
            assert_eq!(messages(&writer), [(1, 10), (3, 20)], "{len}");
        }
    }

    #[test]
    fn a_large_message_is_encoded_while_others_go_on() {
        let (writer, cx) = (writer(), &mut Context::from_waker(Waker::noop()));
        let encode = |out: &mut BytesMut| {
            // Whoever is the driver meanwhile.
            assert!(writer.flow.state.try_lock().is_ok());
            out.put_bytes(1, 100_000);
        };
        assert!(writer.poll_put(cx, 100_000, encode).is_ready());
        assert_eq!(messages(&writer), [(1, 100_000)]);
        let ended = writer.poll_put(cx, 100_000, |out| {
            writer.finish();
            out.put_bytes(2, 100_000);
        });
        assert!(matches!(ended, Poll::Ready(Err(_))));
        assert_eq!(messages(&writer), []);
    }

    #[test]
    fn replies_begin_once_and_never_after_they_were_closed() {
        let head = |byte: u8| {
            let mut record = BytesMut::new();
            put_message_record(&mut record, 1, |out| out.put_u8(byte));
            Ok(record.to_vec())
        };
        let begun = writer();
        begun.begin(|| head(1)).unwrap();
        begun.begin(|| unreachable!("it has begun")).unwrap();
        assert_eq!((begun.close(), begun.close()), (Closed::Begun, Closed::Begun));
        assert!(begun.begin(|| head(2)).is_err() && put(&begun, 2, 1).is_ready());
        begun.end(Bytes::new());
        assert_eq!(messages(&begun), [(1, 1)]);
        let silent = writer();
        assert_eq!(silent.close(), Closed::NotBegun);
        assert!(silent.begin(|| head(1)).is_err());
        assert!(matches!(put(&silent, 1, 1), Poll::Ready(Err(_))));
        assert_eq!(messages(&silent), []);
        // What the driver has ended nobody else ends.
        let gone = writer();
        gone.flow.end(Ended::never_begun());
        assert_eq!(gone.close(), Closed::Before);
    }

    #[test]
    fn what_another_task_writes_goes_out_at_once() {
        let inbox = Arc::new(Inbox::default());
        let (_, writer) = ends(Flow::new(Arc::clone(&inbox), &Transport::default()));
        // As if the driver had just looked.
        let look = || writer.flow.lock().told = false;
        look();
        assert!(put(&writer, 1, 10).is_ready());
        assert_eq!(inbox.len(), 0, "whoever writes will say when no more comes");
        writer.flush(&mut Context::from_waker(Waker::noop())).unwrap();
        assert_eq!(inbox.len(), 1);
        look();
        assert!(put(&writer, 2, 10).is_ready());
        assert_eq!(inbox.len(), 1, "it is the same task");
        let other = futures::task::waker(Arc::new(Other));
        let cx = &mut Context::from_waker(&other);
        assert!(writer.poll_put(cx, 1, |out| out.put_u8(3)).is_ready());
        assert_eq!(inbox.len(), 2);
    }

    struct Other;

    impl futures::task::ArcWake for Other {
        fn wake_by_ref(_: &Arc<Self>) {}
    }
}
