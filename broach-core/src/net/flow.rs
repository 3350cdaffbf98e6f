//! [`Flow`]: what goes between a user's task and the driver for one end of a call that streams.
//!
//! ```text
//!   user's task                        driver
//!
//!   Writer --- records, encoded ---->  Endpoint::send
//!             <--- how much room ----  Endpoint::room
//!   Reader <-- records, whole -------  Event::Records
//!             --- bytes consumed --->  Endpoint::consumed
//! ```
//!
//! Each side takes all that the other has put there at once, and is told of it only if it does not
//! know already that there is something.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};

use crate::config::Transport;
use crate::exchange::put_message_record;
use crate::net::inbox::{Command, Ended, Inbox};
use crate::peer::Peer;
use crate::proto::StreamKey;
use crate::status::Status;

/// One end of a call that streams.
pub(crate) struct Flow {
    inbox: Arc<Inbox>,
    /// The driver is told of so many bytes that were consumed at once.
    pub(super) consumed_step: usize,
    pub(super) state: Mutex<State>,
}

/// What both sides see.
pub(super) struct State {
    /// What the endpoint knows it by; `None` until the driver has begun the call.
    pub(super) key: Option<StreamKey>,
    /// The other side, once it is known.
    pub(super) peer: Option<Peer>,
    /// Whole records that the driver has not taken: these first, of which each element is one or
    /// several.
    pub(super) chunks: Vec<Bytes>,
    /// And then these.
    pub(super) out: BytesMut,
    /// How many bytes both are.
    pub(super) queued: usize,
    /// What comes before the first message is there, or has been.
    pub(super) begun: bool,
    /// Nothing comes after them.
    pub(super) last: bool,
    /// Why nothing goes out any more.
    pub(super) over: Option<Status>,
    /// How many bytes may be queued before the user had better wait.
    pub(super) room: usize,
    /// Whole records that the user has not taken, one or several in each element.
    pub(super) records: VecDeque<Bytes>,
    /// Nothing comes in after them.
    pub(super) closed: bool,
    /// How the call ended, until somebody asks.
    pub(super) ended: Option<Ended>,
    /// The driver knows nothing of the call any more.
    pub(super) forgotten: bool,
    /// Bytes that the user has consumed and the driver does not know of.
    pub(super) consumed: usize,
    /// The driver wants to know when the user waits for records.
    pub(super) large: bool,
    /// The user does.
    pub(super) awaits: bool,
    /// The driver knows that there is something to look at here.
    pub(super) told: bool,
    /// Waits for room.
    pub(super) writer: Option<Waker>,
    /// Waits for something to write, or the end of the call.
    pub(super) idle_writer: Option<Waker>,
    pub(super) reader: Option<Waker>,
}

/// What the driver takes from a flow.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) chunks: Vec<Bytes>,
    pub(super) last: bool,
    pub(super) consumed: usize,
    /// The user waits for a large record.
    pub(super) awaits: bool,
}

impl Flow {
    /// A flow to and from a driver.
    pub(super) fn new(inbox: Arc<Inbox>, config: &Transport) -> Self {
        let consumed_step = CONSUMED_STEP.min(config.stream_window_bytes / 4);
        let state = State {
            key: None,
            peer: None,
            chunks: Vec::new(),
            out: BytesMut::new(),
            queued: 0,
            begun: false,
            last: false,
            over: None,
            room: config.stream_send_bytes,
            records: VecDeque::new(),
            closed: false,
            ended: None,
            forgotten: false,
            consumed: 0,
            large: false,
            awaits: false,
            // As long as the driver has not begun, it is about to look.
            told: true,
            writer: None,
            idle_writer: None,
            reader: None,
        };
        Self { inbox, consumed_step, state: Mutex::new(state) }
    }

    /// The driver has begun the call.
    pub(super) fn begin(&self, key: StreamKey) {
        self.lock().key = Some(key);
    }

    /// Hands what the user has put there to the driver, which tells how much room there is then.
    pub(super) fn exchange(
        &self,
        wakers: &mut Vec<Waker>,
        send: impl FnOnce(StreamKey, Taken) -> usize,
    ) {
        let mut state = self.lock();
        let Some(key) = state.key else { return };
        let taken = state.take();
        state.set_room(send(key, taken), wakers);
    }

    /// What the user has put there before the driver has begun the call.
    pub(super) fn take_first(&self) -> Bytes {
        match &self.lock().take_queued()[..] {
            [chunk] => chunk.clone(),
            chunks => chunks.concat().into(),
        }
    }

    /// There is so much room again.
    pub(super) fn on_room(&self, room: usize, wakers: &mut Vec<Waker>) {
        self.lock().set_room(room, wakers);
    }

    /// Records have come in; they are taken out of the list.
    pub(super) fn on_records(
        &self,
        peer: Option<Peer>,
        records: &mut Vec<Bytes>,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        state.peer = state.peer.or(peer);
        if !state.closed {
            state.records.extend(records.drain(..));
            wakers.extend(state.reader.take());
        }
        records.clear();
    }

    /// A large record is about to come. Tells whether the user waits for it; if not yet, the user's
    /// side tells as soon as it is so.
    pub(super) fn on_large(&self) -> bool {
        let mut state = self.lock();
        let awaits = state.reader.is_some() && state.records.is_empty();
        state.large = !awaits;
        awaits
    }

    /// Nothing more comes in; but what is still to go out goes out.
    pub(super) fn on_fin(&self, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.closed = true;
        wakers.extend(state.reader.take());
    }

    /// The driver knows nothing of the call any more.
    pub(super) fn on_end(&self, ended: Ended, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.forgotten = true;
        state.peer = state.peer.or(ended.peer);
        state.end(ended, wakers);
    }

    /// The same, from elsewhere than the driver's turns.
    pub(super) fn end(&self, ended: Ended) {
        let mut wakers = Vec::new();
        self.on_end(ended, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// If the call has ended before it was made, the driver need not know of it. Tells whether that
    /// is so.
    pub(super) fn withdraw_if_over(&self) -> bool {
        let mut state = self.lock();
        state.forgotten |= state.closed;
        state.forgotten
    }

    /// The user has no more to do with the call. Tells whether the driver has.
    pub(super) fn abandon(&self) -> bool {
        let (mut wakers, mut state) = (Vec::new(), self.lock());
        let status = Status::over("nobody waits for the call any more");
        state.end(Ended::without_reply(status), &mut wakers);
        let under_way = !state.forgotten;
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        under_way
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the driver look here, unless it is about to.
    pub(super) fn tell(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if std::mem::replace(&mut state.told, true) {
            return;
        }
        drop(state);
        // If the driver has gone, it has ended the flow.
        self.inbox.push(Command::Flow(Arc::clone(self)));
    }
}

impl State {
    fn take(&mut self) -> Taken {
        self.told = false;
        let (last, consumed) = (std::mem::take(&mut self.last), std::mem::take(&mut self.consumed));
        let awaits = std::mem::take(&mut self.awaits);
        Taken { chunks: self.take_queued(), last, consumed, awaits }
    }

    fn take_queued(&mut self) -> Vec<Bytes> {
        self.cut();
        self.queued = 0;
        std::mem::take(&mut self.chunks)
    }

    /// Adds whole records.
    pub(super) fn put(&mut self, records: Bytes) {
        if !records.is_empty() {
            self.cut();
            self.queued += records.len();
            self.chunks.push(records);
        }
    }

    /// Adds a message of `len` bytes; nothing if `encode` panics.
    pub(super) fn put_message(&mut self, len: usize, encode: impl FnOnce(&mut BytesMut)) {
        let before = self.out.len();
        let part = Part { out: &mut self.out, before };
        put_message_record(part.out, len, encode);
        std::mem::forget(part);
        self.queued += self.out.len() - before;
    }

    /// What comes from now on comes after what is there.
    fn cut(&mut self) {
        if !self.out.is_empty() {
            self.chunks.push(self.out.split().freeze());
        }
    }

    /// The call has ended, both ways. Only the first end counts.
    pub(super) fn end(&mut self, ended: Ended, wakers: &mut Vec<Waker>) {
        if self.over.is_none() {
            let status = ended.result.as_ref().err().cloned();
            self.over = status.or_else(|| Some(Status::over("the call has ended")));
        }
        (self.chunks, self.out, self.queued) = (Vec::new(), BytesMut::new(), 0);
        self.last = false;
        if !std::mem::replace(&mut self.closed, true) {
            self.ended = Some(ended);
        }
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
        wakers.extend(self.idle_writer.take());
    }

    fn set_room(&mut self, room: usize, wakers: &mut Vec<Waker>) {
        self.room = room;
        if self.queued < room {
            wakers.extend(self.writer.take());
        }
    }
}

/// Part of a record. It is taken out again if it does not become a whole one.
struct Part<'a> {
    out: &'a mut BytesMut,
    before: usize,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.before);
    }
}

/// Has the task woken that polls now.
pub(super) fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").finish_non_exhaustive()
    }
}

/// The driver is told of so many consumed bytes at once, if that is not much of the window.
const CONSUMED_STEP: usize = 16 << 10;
