//! [`Streams`]: the ends of streaming calls that a driver has under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::code::Outcome;
use crate::config::Transport;
use crate::deadline::Time;
use crate::ids::SessionId;
use crate::net::flow::Flow;
use crate::net::inbox::{Ended, Inbox, stopped};
use crate::net::reader::Reader;
use crate::net::writer::Writer;
use crate::peer::Peer;
use crate::proto::{CallBytes, Endpoint, Failed, NewCall, Serving, StreamKey};
use crate::status::Status;

/// The flows between a driver and the users of streams.
///
/// What happens to them in one turn is collected: records of one stream that come one after the
/// other are handed over together, and users are woken at the end.
#[derive(Debug)]
pub(super) struct Streams {
    inbox: Arc<Inbox>,
    config: Arc<Transport>,
    flows: FxHashMap<StreamKey, Arc<Flow>>,
    /// The stream whose records came last, and those of them that are still to be handed over.
    last: Option<Last>,
    records: Vec<Bytes>,
    wakers: Vec<Waker>,
}

#[derive(Debug)]
struct Last {
    key: StreamKey,
    flow: Arc<Flow>,
    /// Whom they come from, if they are replies.
    peer: Option<Peer>,
}

impl Streams {
    pub(super) fn new(inbox: Arc<Inbox>, config: Arc<Transport>) -> Self {
        let (flows, last) = (FxHashMap::default(), None);
        Self { inbox, config, flows, last, records: Vec::new(), wakers: Vec::new() }
    }

    /// A call is to be served: the ends of it for its handler.
    pub(super) fn serve(&mut self, serving: Serving) -> (Reader, Writer) {
        let flow = Flow::new(Arc::clone(&self.inbox), &self.config);
        let (reader, writer) = ends(flow);
        let key = StreamKey::Served(serving);
        reader.flow.begin(key);
        // Nobody is about to look at it, as with a call that is made.
        reader.flow.exchange(&mut self.wakers, |_, _| self.config.stream_send_bytes);
        self.flows.insert(key, Arc::clone(&reader.flow));
        (reader, writer)
    }

    /// Begins a call; tells the session that it is made in. If it cannot be begun, the user is
    /// told.
    pub(super) fn open(
        &mut self,
        now: Time,
        to: SocketAddr,
        mut call: NewCall,
        flow: &Arc<Flow>,
        endpoint: &mut Endpoint,
    ) -> Option<SessionId> {
        let ticket = call.call.ticket;
        if call.call.streams.requests {
            call.bytes = CallBytes::records(flow.take_first());
        }
        match endpoint.open(now, to, call) {
            Ok(session) => {
                let key = StreamKey::Made { session, ticket };
                flow.begin(key);
                self.flows.insert(key, Arc::clone(flow));
                // More may be in it already.
                self.exchange(now, flow, endpoint);
                Some(session)
            }
            Err(Failed { status, condition, bytes }) => {
                let request = Some(bytes);
                flow.end(Ended { condition, request, ..Ended::without_reply(status) });
                None
            }
        }
    }

    /// Records have come in.
    pub(super) fn on_records(&mut self, key: StreamKey, records: Bytes, endpoint: &Endpoint) {
        if self.last.as_ref().is_none_or(|last| last.key != key) {
            self.hand_over();
            let peer = match key {
                StreamKey::Made { session, .. } => endpoint.peer(session),
                StreamKey::Served(_) => None,
            };
            let flow = self.flows.get(&key).map(Arc::clone);
            self.last = flow.map(|flow| Last { key, flow, peer });
        }
        if self.last.is_some() {
            self.records.push(records);
        }
    }

    /// The other side has sent all its requests.
    pub(super) fn on_fin(&mut self, key: StreamKey) {
        self.hand_over();
        if let Some(flow) = self.flows.get(&key) {
            flow.on_fin(&mut self.wakers);
        }
    }

    /// A large record comes, which is let in as soon as the user waits for it.
    pub(super) fn on_large(&mut self, key: StreamKey, endpoint: &mut Endpoint) {
        self.hand_over();
        if let Some(flow) = self.flows.get(&key)
            && flow.on_large()
        {
            endpoint.set_awaited(key);
        }
    }

    /// There is room for more in a stream.
    pub(super) fn on_room(&mut self, key: StreamKey, endpoint: &Endpoint) {
        if let Some(flow) = self.flows.get(&key) {
            flow.on_room(endpoint.room(key), &mut self.wakers);
        }
    }

    /// A call has ended, both ways.
    pub(super) fn on_end(&mut self, key: StreamKey, ended: Ended) {
        self.hand_over();
        if let Some(flow) = self.remove(key) {
            flow.on_end(ended, &mut self.wakers);
        }
    }

    /// A user has put something into a flow. Tells of a call whose last bytes these were.
    pub(super) fn exchange(
        &mut self,
        now: Time,
        flow: &Flow,
        endpoint: &mut Endpoint,
    ) -> Option<StreamKey> {
        let mut ended = None;
        flow.exchange(&mut self.wakers, |key, taken| {
            if 0 < taken.consumed {
                endpoint.consumed(now, key, taken.consumed);
            }
            if taken.awaits {
                endpoint.set_awaited(key);
            }
            let chunks = taken.chunks.len();
            for (at, records) in taken.chunks.into_iter().enumerate() {
                endpoint.send(key, records, taken.last && at + 1 == chunks);
            }
            if taken.last && chunks == 0 {
                endpoint.send(key, Bytes::new(), true);
            }
            ended = taken.last.then_some(key);
            endpoint.room(key)
        });
        ended
    }

    /// Takes out a call that is not under way any more.
    pub(super) fn remove(&mut self, key: StreamKey) -> Option<Arc<Flow>> {
        self.last.take_if(|last| last.key == key);
        self.flows.remove(&key)
    }

    /// Wakes those for whom there is something.
    pub(super) fn wake(&mut self) {
        self.hand_over();
        self.last = None;
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn hand_over(&mut self) {
        if let Some(Last { flow, peer, .. }) = &self.last
            && !self.records.is_empty()
        {
            flow.on_records(*peer, &mut self.records, &mut self.wakers);
        }
    }
}

impl Drop for Streams {
    /// The driver goes: nothing comes of any of them any more.
    fn drop(&mut self) {
        for (key, flow) in self.flows.drain() {
            flow.end(Ended::without_reply(match key {
                StreamKey::Made { .. } => stopped().with_outcome(Outcome::Unknown),
                StreamKey::Served(_) => over(),
            }));
        }
    }
}

/// The user's ends of a flow.
pub(super) fn ends(flow: Flow) -> (Reader, Writer) {
    let flow = Arc::new(flow);
    (Reader::new(Arc::clone(&flow)), Writer::new(flow))
}

/// What those get who still hold an end of a served call that has ended.
pub(super) fn over() -> Status {
    let text = "the call is over: its handler has ended, its caller has given it up or is gone, or \
                its time is over";
    Status::over(text)
}
