//! [`Flow`]: what goes between a user's task and the driver for one end of a call that streams.
//!
//! ```text
//!   user's task                        driver
//!
//!   Writer --- records, encoded ---->  Endpoint::send
//!             <--- how much room ----  Endpoint::room
//!   Reader <-- records, whole -------  Event::Record
//!             --- bytes consumed --->  Endpoint::consumed
//! ```
//!
//! Each side takes all that the other has put there at once, and is told of it only if it does not
//! know already that there is something.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{BufMut, Bytes, BytesMut};

use crate::config::Transport;
use crate::net::inbox::{Command, Ended, Inbox};
use crate::peer::Peer;
use crate::proto::StreamKey;
use crate::status::Status;
use crate::wire::{Record, RecordKind, record_head};

/// One end of a call that streams.
pub(crate) struct Flow {
    inbox: Arc<Inbox>,
    /// The driver is told of so many bytes that were consumed at once.
    consumed_step: usize,
    state: Mutex<State>,
}

struct State {
    /// What the endpoint knows it by; `None` until the driver has begun the call.
    key: Option<StreamKey>,
    /// The other side, once it is known.
    peer: Option<Peer>,
    /// Whole records that the driver has not taken.
    out: BytesMut,
    /// Nothing comes after them.
    last: bool,
    /// Why nothing goes out any more.
    over: Option<Status>,
    /// How many bytes there may be in `out` before the user had better wait.
    room: usize,
    /// Whole records that the user has not taken.
    records: VecDeque<Record>,
    /// Nothing comes in after them.
    closed: bool,
    /// How the call ended, until somebody asks.
    ended: Option<Ended>,
    /// The driver knows nothing of the call any more.
    forgotten: bool,
    /// Bytes that the user has consumed and the driver does not know of.
    consumed: usize,
    /// The driver knows that there is something to look at here.
    told: bool,
    /// Waits for room.
    writer: Option<Waker>,
    /// Waits for something to write, or the end of the call.
    idle_writer: Option<Waker>,
    reader: Option<Waker>,
}

/// What the driver takes from a flow.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) out: Bytes,
    pub(super) last: bool,
    pub(super) consumed: usize,
}

impl Flow {
    /// A flow to and from a driver.
    pub(super) fn new(inbox: Arc<Inbox>, config: &Transport) -> Self {
        let consumed_step = config.stream_window_bytes / CONSUMED_STEPS;
        let state = State {
            key: None,
            peer: None,
            out: BytesMut::new(),
            last: false,
            over: None,
            room: config.stream_send_bytes,
            records: VecDeque::new(),
            closed: false,
            ended: None,
            forgotten: false,
            consumed: 0,
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
        self.lock().out.split().freeze()
    }

    /// There is so much room again.
    pub(super) fn on_room(&self, room: usize, wakers: &mut Vec<Waker>) {
        self.lock().set_room(room, wakers);
    }

    /// Records have come in; they are taken out of the list.
    pub(super) fn on_records(
        &self,
        peer: Option<Peer>,
        records: &mut Vec<Record>,
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

    /// The user has no more to do with the call. Tells whether the driver has.
    pub(super) fn abandon(&self) -> bool {
        let (mut wakers, mut state) = (Vec::new(), self.lock());
        let status = Status::cancelled("nobody waits for the call any more");
        state.end(Ended::without_reply(status), &mut wakers);
        let under_way = !state.forgotten;
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        under_way
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the driver look here, unless it is about to.
    fn tell(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
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
        Taken { out: self.out.split().freeze(), last, consumed }
    }

    /// The call has ended, both ways. Only the first end counts.
    fn end(&mut self, ended: Ended, wakers: &mut Vec<Waker>) {
        if self.over.is_none() {
            let status = ended.result.as_ref().err().cloned();
            self.over = status.or_else(|| Some(Status::cancelled("the call has ended")));
        }
        (self.out, self.last) = (BytesMut::new(), false);
        if !std::mem::replace(&mut self.closed, true) {
            self.ended = Some(ended);
        }
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
        wakers.extend(self.idle_writer.take());
    }

    fn set_room(&mut self, room: usize, wakers: &mut Vec<Waker>) {
        self.room = room;
        if self.out.len() < room {
            wakers.extend(self.writer.take());
        }
    }
}

/// The user's ends of a flow.
pub(super) fn ends(flow: Flow) -> (Reader, Writer) {
    let flow = Arc::new(flow);
    let writer = Writer { flow: Arc::clone(&flow) };
    (Reader { flow, records: VecDeque::new(), consumed: 0 }, writer)
}

/// Where the records of a call come in.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) flow: Arc<Flow>,
    records: VecDeque<Record>,
    /// Bytes of records that were given away, and that the flow does not know of.
    consumed: usize,
}

impl Reader {
    /// The next record; `None` when there are no more, and [`end`](Self::end) says why.
    pub(crate) fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Option<Record>> {
        if self.records.is_empty() {
            let mut state = self.flow.lock();
            state.consumed += std::mem::take(&mut self.consumed);
            if state.records.is_empty() {
                if state.closed {
                    return Poll::Ready(None);
                }
                keep(&mut state.reader, cx);
                // The other side may be waiting for it: its window can be much smaller than this
                // node's largest.
                if CONSUMED_MIN <= state.consumed {
                    self.flow.tell(state);
                }
                return Poll::Pending;
            }
            std::mem::swap(&mut state.records, &mut self.records);
        }
        let record = self.records.pop_front();
        self.consumed += record.as_ref().map_or(0, Record::wire_len);
        if self.flow.consumed_step <= self.consumed {
            let mut state = self.flow.lock();
            state.consumed += std::mem::take(&mut self.consumed);
            self.flow.tell(state);
        }
        Poll::Ready(record)
    }

    /// How the call ended, which is told once; `None` if it goes on, and only the other side has
    /// nothing more to say.
    pub(crate) fn end(&self) -> Option<Ended> {
        self.flow.lock().ended.take()
    }

    /// The node at the other end, once something has come from it.
    pub(crate) fn peer(&self) -> Option<Peer> {
        self.flow.lock().peer
    }
}

/// Where the records of a call go out.
#[derive(Debug)]
pub(crate) struct Writer {
    flow: Arc<Flow>,
}

impl Writer {
    /// Waits until there is room for another message.
    ///
    /// # Errors
    ///
    /// If the call has ended: what it ended with.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let mut state = self.flow.lock();
        if let Some(status) = &state.over {
            return Poll::Ready(Err(status.clone()));
        }
        if state.out.len() < state.room {
            return Poll::Ready(Ok(()));
        }
        keep(&mut state.writer, cx);
        // What is there has to go out before there is room again.
        if !state.out.is_empty() {
            self.flow.tell(state);
        }
        Poll::Pending
    }

    /// Adds a message, whatever room there is; without effect if the call has ended.
    pub(crate) fn put_message(&self, message: &[u8]) {
        let mut state = self.flow.lock();
        if state.over.is_some() {
            return;
        }
        let (head, len) = record_head(RecordKind::Message, message.len());
        state.out.reserve(usize::from(len) + message.len());
        state.out.put_slice(&head[..usize::from(len)]);
        state.out.put_slice(message);
        if TELL_BYTES <= state.out.len() {
            self.flow.tell(state);
        }
    }

    /// Adds whole records.
    pub(crate) fn put_records(&self, records: &[u8]) {
        let mut state = self.flow.lock();
        if state.over.is_none() {
            state.out.put_slice(records);
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
        if !state.out.is_empty() {
            self.flow.tell(state);
        }
        Ok(())
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

    /// Ends a call that was made here, with this.
    pub(crate) fn fail(&self, status: Status) {
        let (mut wakers, mut state) = (Vec::new(), self.flow.lock());
        state.end(Ended::without_reply(status), &mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
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

/// A window's bytes are given back in so many steps, as long as there is something to read.
const CONSUMED_STEPS: usize = 4;

/// Once there is nothing, so many are worth telling: a quarter of the smallest window there is.
const CONSUMED_MIN: usize = 256;

/// So many bytes go out at once; whoever makes more does it while the driver sends the first.
const TELL_BYTES: usize = 16 << 10;
