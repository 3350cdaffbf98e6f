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
        let before = state.out.len();
        put_message_record(&mut state.out, len, encode);
        state.queued += state.out.len() - before;
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
        let before = state.out.len();
        put_message_record(&mut state.out, message.len(), |out| out.put_slice(message));
        state.queued += state.out.len() - before;
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
            state.over = Some(Status::cancelled("the stream has ended"));
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
        state.over.get_or_insert_with(|| Status::cancelled("the stream has ended"));
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
