//! One node's end of all its sessions.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::code::Outcome;
use crate::config::Transport;
use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::ids::{PacketNumber, SessionId};
use crate::observe::{Event as Seen, Observe, Role};
use crate::peer::Peer;
use crate::proto::budget::Budget;
use crate::proto::caller::{Caller, earlier};
use crate::proto::closed::{CallerKey, Closed};
use crate::proto::credit::session_pool;
use crate::proto::incoming_stream::RecordLimits;
use crate::proto::peers::Peers;
use crate::proto::session::Session;
use crate::proto::side::{Client, Opening, Side};
use crate::proto::stateless::{Answer, Answers};
use crate::proto::streams::Sending;
use crate::proto::timers::Timers;
use crate::proto::token::Tokens;
use crate::proto::{
    CallBytes, Condition, Event, Failed, Identity, NewCall, Serving, Ticket, Transmit,
};
use crate::rng::Rng;
use crate::status::Status;
use crate::wire::Frame;

/// One node's end of all its sessions; see the [module](super) for how to use it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(super) shared: Shared,
    pub(super) started: Time,
    rng: Rng,
    pub(super) sessions: Slab<Session>,
    pub(super) by_id: FxHashMap<SessionId, usize>,
    /// Sessions served. Callers choose these numbers, so the map must not degrade whatever they
    /// are.
    pub(super) by_caller: BTreeMap<CallerKey, usize>,
    /// Sessions by the other side's number, for when it says that it knows none of that number.
    pub(super) by_peer_id: BTreeMap<(SocketAddr, SessionId), usize>,
    pub(super) peers: Peers,
    pub(super) closed: Closed,
    pub(super) answers: Answers,
    pub(super) timers: Timers,
    /// Sessions that have changed, and whose timer and place among the next ones are to be settled.
    changed: Vec<usize>,
    /// Sessions that have something to send.
    pub(super) ready: VecDeque<usize>,
    /// Of the datagram that is being handled.
    pub(super) frames: Vec<Frame>,
    /// Sessions served whose caller has not proved its address.
    pub(super) half_open: usize,
}

/// What all sessions of an endpoint share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Transport>,
    pub(crate) identity: Identity,
    pub(crate) observe: Observe,
    pub(crate) tokens: Tokens,
    pub(crate) budget: Budget,
    pub(crate) events: VecDeque<Event>,
    /// Of the piece of a stream that is being handled.
    pub(crate) records: Vec<Bytes>,
    /// What new calls are answered with, when none are taken any more.
    pub(crate) refusal: Option<Status>,
    /// Callers are asked to make new calls elsewhere.
    pub(super) leaving: bool,
}

impl Endpoint {
    /// An endpoint without sessions. `now` must be when the socket was bound, or later.
    pub(crate) fn new(
        now: Time,
        config: Arc<Transport>,
        identity: Identity,
        observe: Observe,
        mut rng: Rng,
    ) -> Self {
        let tokens = Tokens::new(&mut rng, config.token_lifetime);
        let closed = Closed::new(config.closed_max);
        let budget = Budget::new(&config);
        let (events, records) = (VecDeque::new(), Vec::new());
        let shared = Shared {
            config,
            identity,
            observe,
            tokens,
            budget,
            events,
            records,
            refusal: None,
            leaving: false,
        };
        Self {
            shared,
            started: now,
            rng,
            sessions: Slab::new(),
            by_id: FxHashMap::default(),
            by_caller: BTreeMap::new(),
            by_peer_id: BTreeMap::new(),
            peers: Peers::new(),
            closed,
            answers: Answers::new(now),
            timers: Timers::new(),
            changed: Vec::new(),
            ready: VecDeque::new(),
            frames: Vec::new(),
            half_open: 0,
        }
    }

    /// Begins a call to a node. Returns the session that it is made in; it ends with
    /// [`Event::Ended`].
    ///
    /// # Errors
    ///
    /// If too many calls are waiting to be sent already, or the node is known not to take so much,
    /// or it is silent and the call can go elsewhere.
    pub(crate) fn open(
        &mut self,
        now: Time,
        to: SocketAddr,
        call: NewCall,
    ) -> Result<SessionId, Failed> {
        let index = match self.peers.get(to).session {
            Some(index) => index,
            None => self.connect(now, to),
        };
        let session = &mut self.sessions[index];
        let unanswered = session.leaves_unanswered(now, &self.shared.config);
        let Side::Client(client) = &mut session.side else {
            unreachable!("a peer's session is one that was opened from here");
        };
        // It would only come into doubt there, like those that are under way.
        if call.call.yields && unanswered && client.silent.is_some() {
            let status = Status::unavailable(format!("{to} has fallen silent"));
            let status = status.with_outcome(Outcome::NotExecuted);
            return Err(Failed { status, condition: Condition::Silent, bytes: call.bytes });
        }
        let max = self.shared.config.calls_waiting_max;
        let refused = if max <= client.calls.waiting() {
            Some(format!(
                "{max} calls to {to} are waiting to be sent already (transport.calls_waiting_max)"
            ))
        } else if call.call.streams.requests {
            let message_max = session.peer_limits.sizes.message;
            let sending = Sending { message_max, bytes_max: 0 };
            sending.exceeded(call.bytes.parts(), "the request")
        } else {
            call.bytes.exceed(session.peer_limits.sizes, to)
        };
        if let Some(text) = refused {
            let status = Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted);
            return Err(Failed { status, condition: Condition::Well, bytes: call.bytes });
        }
        client.calls.push(call, self.shared.config.stream_send_bytes);
        let id = session.id;
        self.touch(index);
        Ok(id)
    }

    /// Gives up a call that was made in `session`. No event follows.
    pub(crate) fn cancel(&mut self, session: SessionId, ticket: Ticket) {
        let Some(&index) = self.by_id.get(&session) else {
            return;
        };
        if let Side::Client(client) = &mut self.sessions[index].side {
            client.calls.cancel(ticket, &mut self.shared.budget);
        }
        self.touch(index);
    }

    /// Gives the reply to a call that is served; ignored if the call has ended in the meantime.
    pub(crate) fn reply(&mut self, serving: Serving, bytes: CallBytes) {
        let Some(&index) = self.by_id.get(&serving.session) else {
            return;
        };
        if let Side::Server(server) = &mut self.sessions[index].side {
            server.calls.reply(serving.call, bytes, &mut self.shared.budget);
        }
        self.touch(index);
    }

    /// The node at the other end of a session, if it is known.
    pub(crate) fn peer(&self, session: SessionId) -> Option<Peer> {
        self.sessions[*self.by_id.get(&session)?].peer_node()
    }

    /// A node is known to live from another source. A session that is opened to it from now on
    /// names that life.
    pub(crate) fn know(&mut self, peer: Peer) {
        let known = self.peers.entry(peer.addr);
        if known.instance != Some(peer.instance) {
            (known.instance, known.token) = (Some(peer.instance), None);
        }
    }

    /// Lets time pass. To be called once [`poll_timeout`](Self::poll_timeout) has been reached, and
    /// after all datagrams that have arrived by then have been handled: an acknowledgement may be
    /// among them.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.settle(now);
        let woke = self.timers.next().is_some_and(|due| LATE < now.since(due));
        if woke {
            // The process was held up. What other nodes said in the meantime may not have been read
            // yet, so their silence until now proves nothing.
            self.sessions.iter_mut().for_each(|(_, session)| session.link.on_wake(now));
        }
        // Each session once, whatever it sets its timer to: what is due still may have to go out
        // first.
        let due: Vec<usize> = std::iter::from_fn(|| self.timers.pop(now)).collect();
        for index in due {
            let Some(session) = self.sessions.get_mut(index) else {
                continue;
            };
            session.armed = None;
            match session.handle_timeout(now, &mut self.shared) {
                Some(reason) => self.close(now, index, reason, Duration::ZERO, String::new()),
                None => self.touch(index),
            }
        }
        let floor = self.shared.tokens.floor(now);
        self.closed.forget(floor);
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        self.settle(now);
        earlier(self.timers.next(), self.shared.budget.grants.next_timeout())
    }

    /// What has happened.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.report_large();
        self.shared.events.pop_front()
    }

    /// Writes datagrams for one node to the end of `buffer`, which should be empty.
    pub(crate) fn poll_transmit(&mut self, now: Time, buffer: &mut Vec<u8>) -> Option<Transmit> {
        self.settle(now);
        if let Some(Answer { to, local_ip, bytes }) = self.answers.pop() {
            buffer.extend_from_slice(&bytes);
            return Some(Transmit { to, local_ip, ecn: Ecn::NotCapable, sizes: vec![bytes.len()] });
        }
        while let Some(index) = self.ready.pop_front() {
            let Some(session) = self.sessions.get_mut(index) else {
                continue;
            };
            session.queued = false;
            let (to, local_ip, ecn) = (session.peer, session.local_ip, session.link.path.ecn());
            let mut sizes = Vec::new();
            while sizes.len() < TRANSMIT_DATAGRAMS && buffer.len() < TRANSMIT_BYTES {
                let Some(size) = session.write(now, buffer, &self.shared) else {
                    break;
                };
                sizes.push(size);
            }
            if sizes.is_empty() {
                sizes.extend(session.write_path_probe(now, buffer));
            }
            if sizes.is_empty() {
                // It wanted to send and could not, for want of room or of trust: it is looked at
                // again when something changes.
                continue;
            }
            self.touch(index);
            return Some(Transmit { to, local_ip, ecn, sizes });
        }
        None
    }

    /// Takes no more calls: new ones are answered with `status`, which is labelled as not executed.
    pub(crate) fn refuse_calls(&mut self, status: Status) {
        self.shared.refusal = Some(status);
    }

    /// Whether every call that was served has ended, and its reply has arrived.
    pub(crate) fn has_served_all(&self) -> bool {
        let busy = |session: &Session| match &session.side {
            Side::Client(_) => false,
            Side::Server(server) => server.calls.is_busy(),
        };
        !self.sessions.iter().any(|(_, session)| busy(session))
    }

    /// Opens a session to a node.
    fn connect(&mut self, now: Time, to: SocketAddr) -> usize {
        let known = self.peers.get(to);
        let shown_from = PacketNumber(0);
        let opening = Opening { meant: known.instance, token: known.token, shown_from };
        let config = &self.shared.config;
        let replies = RecordLimits::of_replies(config);
        let calls = Caller::new(config.calls_per_session_max, replies, session_pool(config));
        let side = Side::Client(Client::new(calls, opening));
        let index = self.insert(now, to, side, known.rtt);
        self.peers.entry(to).session = Some(index);
        index
    }

    /// Adds a session.
    pub(super) fn insert(
        &mut self,
        now: Time,
        peer: SocketAddr,
        side: Side,
        rtt: Option<Duration>,
    ) -> usize {
        let id = self.draw_id();
        let session = Session::new(now, id, peer, side, &self.shared.config, rtt);
        self.shared.observe.emit(Seen::SessionOpened { peer, role: session.role() });
        let index = self.sessions.insert(session);
        self.by_id.insert(id, index);
        self.shared.budget.set_sessions(self.sessions.len());
        index
    }

    /// A session id that is not in use. Its low byte names this shard, of which there is one.
    fn draw_id(&mut self) -> SessionId {
        loop {
            let id = SessionId(self.rng.next_u64() & !0xff);
            if id.0 != 0 && !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    /// A session has changed. What that means for its timer, and for its place among those that
    /// have something to send, is settled once for all changes of a turn.
    pub(super) fn touch(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        if !session.changed {
            session.changed = true;
            self.changed.push(index);
        }
    }

    fn settle(&mut self, now: Time) {
        self.give_credit(now);
        while let Some(index) = self.changed.pop() {
            let Some(session) = self.sessions.get_mut(index) else { continue };
            // The place may have been taken by another session since.
            if !std::mem::take(&mut session.changed) {
                continue;
            }
            let due = session.next_timeout(now, &self.shared.config);
            session.armed = self.timers.arm(index, session.armed, due);
            if !session.queued && session.wants_to_send(now) {
                session.queued = true;
                self.ready.push_back(index);
            }
        }
    }

    /// Bytes held for calls: set aside for what comes in, and of replies on their way.
    pub(crate) const fn bytes_held(&self) -> (usize, usize) {
        (self.shared.budget.pool.used(), self.shared.budget.replies())
    }

    /// How many sessions of a role there are.
    pub(super) fn sessions_of(&self, role: Role) -> usize {
        match role {
            Role::Client => self.sessions.len() - self.by_caller.len(),
            Role::Server => self.by_caller.len(),
        }
    }
}

/// A timer that is reached so much too late means that the process was held up.
const LATE: Duration = Duration::from_millis(500);

/// So many datagrams go to one node before others have their turn.
const TRANSMIT_DATAGRAMS: usize = 16;

/// A transmission ends with the datagram that reaches this: more does not go out in one piece.
const TRANSMIT_BYTES: usize = 32 << 10;
