//! [`Reader`]: where the records of a call that streams come in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::coop::poll_proceed;

use crate::net::flow::{Flow, keep};
use crate::net::inbox::Ended;
use crate::peer::Peer;
use crate::wire::Record;

/// Where the records of a call come in.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) flow: Arc<Flow>,
    records: VecDeque<Bytes>,
    /// Those that come first.
    first: Bytes,
    /// Bytes of records that were given away, and that the flow does not know of.
    consumed: usize,
}

impl Reader {
    pub(super) const fn new(flow: Arc<Flow>) -> Self {
        Self { flow, records: VecDeque::new(), first: Bytes::new(), consumed: 0 }
    }

    /// The next record; `None` when there are no more, and [`end`](Self::end) says why.
    pub(crate) fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Option<Record>> {
        if self.first.is_empty() && !ready!(self.poll_more(cx)) {
            return Poll::Ready(None);
        }
        let before = self.first.len();
        let record = Record::take(&mut self.first).ok();
        self.consumed += before - self.first.len();
        if self.flow.consumed_step <= self.consumed {
            let mut state = self.flow.lock();
            state.consumed += std::mem::take(&mut self.consumed);
            self.flow.tell(state);
        }
        Poll::Ready(record)
    }

    /// Waits for records; tells whether there are any.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.records.is_empty() {
            // Otherwise whoever reads a fast stream would never let others run.
            let turn = ready!(poll_proceed(cx));
            let mut state = self.flow.lock();
            state.consumed += std::mem::take(&mut self.consumed);
            if state.records.is_empty() {
                if state.closed {
                    return Poll::Ready(false);
                }
                keep(&mut state.reader, cx);
                // The other side may be waiting for it: its window can be much smaller than this
                // node's largest.
                let worth_it = CONSUMED_MIN <= state.consumed;
                let awaits = std::mem::take(&mut state.large);
                state.awaits |= awaits;
                if worth_it || awaits {
                    self.flow.tell(state);
                }
                return Poll::Pending;
            }
            turn.made_progress();
            std::mem::swap(&mut state.records, &mut self.records);
            if self.flow.consumed_step <= state.consumed {
                self.flow.tell(state);
            }
        }
        self.first = self.records.pop_front().unwrap_or_default();
        Poll::Ready(true)
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

/// Once there is nothing to read, so many are worth telling: a quarter of the smallest window there
/// is. The other side may be waiting for it.
const CONSUMED_MIN: usize = 256;
