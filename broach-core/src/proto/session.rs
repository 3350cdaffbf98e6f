//! A session: what one side knows of calls from one instance to another, and what comes of the
//! datagrams that belong to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{BASE_DATAGRAM_BYTES, SizeLimits, Transport};
use crate::deadline::Time;
use crate::ids::{CallId, CallKey, Instance, PacketNumber, SessionId};
use crate::observe::{CloseReason, DropReason, Event as Seen, Role};
use crate::peer::Peer;
use crate::proto::callee::{Callee, Limits, Step};
use crate::proto::caller::{Caller, Ended, earlier};
use crate::proto::endpoint::Shared;
use crate::proto::link::Link;
use crate::proto::sent::SentFrame;
use crate::proto::{Arrived, Event, Serving};
use crate::status::Status;
use crate::wire::{Frame, Header, Init, Token, schema};

/// One side of a session.
#[derive(Debug)]
pub(crate) struct Session {
    /// What the other side puts into its datagrams to this one.
    pub(crate) id: SessionId,
    /// What this side puts into its datagrams, once it knows.
    pub(crate) peer_id: Option<SessionId>,
    pub(crate) peer: SocketAddr,
    /// The life of the other side, once it is known.
    pub(crate) peer_instance: Option<Instance>,
    /// The address of this node that the other side sees.
    pub(crate) local_ip: Option<IpAddr>,
    pub(crate) side: Side,
    pub(crate) link: Link,
    pub(super) peer_limits: PeerLimits,
    pub(super) hello_due: bool,
    pub(super) ping_due: bool,
    /// When the session was last of use.
    used_at: Time,
    /// Where its entry among the timers is.
    pub(crate) armed: Option<Time>,
    /// Whether it is among the sessions that have something to send.
    pub(crate) queued: bool,
    /// Whether it is among the sessions that have changed.
    pub(crate) changed: bool,
}

/// What is different between the one who calls and the one who serves.
#[derive(Debug)]
pub(crate) enum Side {
    Client(Client),
    Server(Server),
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) calls: Caller,
    /// Until the other side has answered.
    pub(crate) opening: Option<Opening>,
    /// Calls had better go elsewhere, since then.
    silent: Option<Time>,
}

/// How a session is opened. Once a token has been shown it is never changed: that every INIT of a
/// session shows the same one, or none, is what lets the other side forget the session one day.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) meant: Option<Instance>,
    pub(crate) token: Option<Token>,
    /// The first datagram that shows the token.
    pub(crate) shown_from: PacketNumber,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) calls: Callee,
    pub(crate) caller: Instance,
    /// The caller's address is its own.
    pub(crate) validated: bool,
    /// The caller knows this side's id: an INIT is not needed any more.
    pub(crate) answered: bool,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// What the other side takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerLimits {
    pub(crate) datagram_bytes: usize,
    pub(crate) sizes: SizeLimits,
    /// How long it keeps a session that is not used.
    idle: Option<Duration>,
}

/// What else a datagram led to.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// A token for the next session with the other side.
    pub(crate) token: Option<Token>,
    /// The session has ended, and why.
    pub(crate) closed: Option<(CloseReason, String)>,
    /// So has this life of the other side.
    pub(crate) life_over: bool,
}

impl Session {
    pub(crate) fn new(
        now: Time,
        id: SessionId,
        peer: SocketAddr,
        side: Side,
        config: &Arc<Transport>,
        rtt: Option<Duration>,
    ) -> Self {
        Self {
            id,
            peer_id: None,
            peer,
            peer_instance: None,
            local_ip: None,
            side,
            link: Link::new(Arc::clone(config), now, rtt),
            peer_limits: PeerLimits::unknown(),
            hello_due: true,
            ping_due: false,
            used_at: now,
            armed: None,
            queued: false,
            changed: false,
        }
    }

    pub(crate) const fn role(&self) -> Role {
        match self.side {
            Side::Client(_) => Role::Client,
            Side::Server(_) => Role::Server,
        }
    }

    /// The other side, once its life is known.
    pub(crate) fn peer_node(&self) -> Option<Peer> {
        self.peer_instance.map(|instance| Peer { addr: self.peer, instance })
    }

    /// Takes in a datagram that belongs here. `frames` is emptied.
    ///
    /// # Errors
    ///
    /// If the datagram is not to be acknowledged. Nothing has changed then, except that calls that
    /// came with it may have been taken in, which does no harm when they come again.
    pub(crate) fn handle(
        &mut self,
        now: Time,
        arrived: Time,
        header: &Header,
        frames: &mut Vec<Frame>,
        shared: &mut Shared,
    ) -> Result<Effects, DropReason> {
        if self.link.is_duplicate(header.number) {
            return Err(DropReason::Duplicate);
        }
        if !frames.iter().all(|frame| self.expects(frame)) {
            return Err(DropReason::Malformed);
        }
        let mut effects = Effects::default();
        let mut eliciting = false;
        for frame in frames.drain(..) {
            eliciting |= !matches!(frame, Frame::Ack(_) | Frame::Close(_));
            self.handle_frame(now, arrived, frame, shared, &mut effects)?;
        }
        self.link.on_datagram(now, header.number, eliciting, header.ack_now);
        if eliciting {
            self.used_at = now;
        }
        if !self.leaves_unanswered(now, &shared.config)
            && let Side::Client(client) = &mut self.side
            && client.silent.take().is_some()
        {
            shared.observe.emit(Seen::SessionHeard { peer: self.peer });
        }
        Ok(effects)
    }

    /// Whether a frame makes sense on this side.
    const fn expects(&self, frame: &Frame) -> bool {
        match frame {
            Frame::Request(_) | Frame::Cancel(_) => matches!(self.side, Side::Server(_)),
            Frame::Reply(_) => matches!(self.side, Side::Client(_)),
            Frame::Ack(_) | Frame::Hello(_) | Frame::Close(_) | Frame::Ping => true,
        }
    }

    fn handle_frame(
        &mut self,
        now: Time,
        arrived: Time,
        frame: Frame,
        shared: &mut Shared,
        effects: &mut Effects,
    ) -> Result<(), DropReason> {
        match frame {
            Frame::Ack(ack) => self.on_ack(now, &ack, shared, effects),
            Frame::Request(request) => return self.on_request(now, arrived, request, shared),
            Frame::Reply(reply) => self.on_reply(reply, shared),
            Frame::Cancel(cancel) => {
                if let Side::Server(server) = &mut self.side {
                    let call = CallId(cancel.call);
                    let stop = server.calls.on_cancel(call, &mut shared.budget);
                    if stop.map_err(|_| DropReason::Malformed)? {
                        let serving = Serving { session: self.id, call };
                        shared.events.push_back(Event::Stop(serving));
                    }
                }
            }
            Frame::Hello(hello) => self.on_hello(&hello, effects),
            Frame::Close(close) => {
                let why = match close.code() {
                    schema::CloseCode::Unspecified => "",
                    schema::CloseCode::Idle => "it was not used",
                    schema::CloseCode::Shutdown => "it is shutting down",
                    schema::CloseCode::Protocol => "the specification was broken: ",
                };
                // It comes from another node: only so much of it is shown.
                let said: String = close.reason.chars().take(200).collect();
                effects.closed = Some((CloseReason::Remote, format!("{why}{said}")));
                effects.life_over = close.code() == schema::CloseCode::Shutdown;
            }
            Frame::Ping => {}
        }
        Ok(())
    }

    fn on_ack(&mut self, now: Time, ack: &schema::Ack, shared: &mut Shared, effects: &mut Effects) {
        let (side, budget) = (&mut self.side, &mut shared.budget);
        let arrived = |frame: SentFrame| match side {
            Side::Client(client) => client.calls.on_arrived(&frame),
            Side::Server(server) => {
                if let SentFrame::Piece { call, bytes } = frame {
                    server.calls.on_arrived(call, bytes, budget);
                }
            }
        };
        if self.link.on_ack(now, ack, arrived).is_err() {
            let text = "acknowledged what was never sent".to_owned();
            effects.closed = Some((CloseReason::Protocol, text));
            return;
        }
        let (side, hello_due) = (&mut self.side, &mut self.hello_due);
        let lost = self.link.detect_lost(now, |frame| side.resend(frame, hello_due));
        for _ in 0..lost {
            shared.observe.emit(Seen::DatagramLost { to: self.peer });
        }
    }

    fn on_request(
        &mut self,
        now: Time,
        arrived: Time,
        request: schema::Request,
        shared: &mut Shared,
    ) -> Result<(), DropReason> {
        let Side::Server(server) = &mut self.side else {
            return Err(DropReason::Malformed);
        };
        let config = &shared.config;
        let limits = Limits {
            calls: config.calls_per_session_max,
            request_bytes: call_bytes_max(config),
            held_bytes: config.reassembly_bytes_per_session_max,
        };
        let refusal = shared.refusal.as_ref();
        let budget = &mut shared.budget;
        match server.calls.on_request(now, arrived, request, limits, budget, refusal) {
            Step::None => {}
            Step::Complete(complete) => {
                let instance = server.caller;
                // The caller's own number for the session is what it knows the call by.
                let session = self.peer_id.unwrap_or(self.id);
                shared.events.push_back(Event::Call(Arrived {
                    serving: Serving { session: self.id, call: complete.call },
                    peer: Peer { addr: self.peer, instance },
                    key: CallKey { instance, session, call: complete.call },
                    method: complete.method,
                    flags: complete.flags,
                    deadline: complete.deadline,
                    bytes: complete.bytes,
                    limits: self.peer_limits.sizes,
                }));
            }
            Step::Refused(status) => {
                let (peer, code) = (self.peer, status.code());
                shared.observe.emit(Seen::CallRefused { peer, code });
            }
            Step::TooFarAhead => return Err(DropReason::Malformed),
        }
        Ok(())
    }

    fn on_reply(&mut self, reply: schema::Reply, shared: &mut Shared) {
        let Side::Client(client) = &mut self.side else {
            return;
        };
        let ended = client.calls.on_reply(reply, call_bytes_max(&shared.config));
        if let Some(Ended { ticket, request, result }) = ended {
            let peer = self.peer_node();
            shared.events.push_back(Event::Ended { ticket, peer, silent: false, request, result });
        }
    }

    fn on_hello(&mut self, hello: &schema::Hello, effects: &mut Effects) {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        self.link.set_peer_ack_delay(Duration::from_micros(hello.max_ack_delay_us));
        self.peer_limits.datagram_bytes = bytes(hello.datagram_bytes).max(BASE_DATAGRAM_BYTES);
        // What is not said is not limited.
        let limit = |said: u64| if said == 0 { usize::MAX } else { bytes(said) };
        self.peer_limits.sizes = SizeLimits {
            message: limit(hello.message_bytes),
            metadata: limit(hello.metadata_bytes),
        };
        self.peer_limits.idle = (hello.idle_ms != 0).then(|| Duration::from_millis(hello.idle_ms));
        if let Side::Client(client) = &mut self.side {
            client.calls.set_limit(bytes(hello.calls));
            effects.token = Token::new(&hello.token).filter(|_| !hello.token.is_empty());
        }
    }

    /// Lets time pass. Returns why the session ends, if it does.
    pub(crate) fn handle_timeout(&mut self, now: Time, shared: &mut Shared) -> Option<CloseReason> {
        let (side, hello_due) = (&mut self.side, &mut self.hello_due);
        let elapsed = self.link.on_timeout(now, |frame| side.resend(frame, hello_due));
        for _ in 0..elapsed.lost {
            shared.observe.emit(Seen::DatagramLost { to: self.peer });
        }
        if elapsed.probe {
            shared.observe.emit(Seen::ProbeSent { to: self.peer });
        }
        self.expire(now, shared);
        let quiet_since = self.link.quiet_since();
        if quiet_since.is_some_and(|since| since + shared.config.dead_after <= now) {
            return Some(CloseReason::Dead);
        }
        self.check_silence(now, shared);
        if self.keep_alive_at(&shared.config).is_some_and(|at| at <= now) {
            self.ping_due = true;
        }
        (self.idle_at(&shared.config)? <= now).then_some(CloseReason::Idle)
    }

    /// Ends the calls whose deadline has passed.
    fn expire(&mut self, now: Time, shared: &mut Shared) {
        match &mut self.side {
            Side::Client(client) => {
                let ended = client.calls.expire(now, self.peer);
                self.report(ended, shared);
            }
            Side::Server(server) => {
                for call in server.calls.expire(now, &mut shared.budget) {
                    let serving = Serving { session: self.id, call };
                    shared.events.push_back(Event::Stop(serving));
                }
            }
        }
    }

    /// Lets calls go elsewhere if the other side answers nothing.
    fn check_silence(&mut self, now: Time, shared: &mut Shared) {
        if !self.leaves_unanswered(now, &shared.config) {
            return;
        }
        let wait = self.silence(&shared.config);
        let Side::Client(client) = &mut self.side else {
            return;
        };
        let before = match client.silent {
            // Whatever is under way has waited long enough by now.
            None => {
                shared.observe.emit(Seen::SessionSilent { peer: self.peer });
                now
            }
            Some(_) => now - wait,
        };
        client.silent = Some(now);
        let ended = client.calls.yield_calls(before, self.peer);
        self.report(ended, shared);
    }

    fn report(&self, ended: Vec<Ended>, shared: &mut Shared) {
        let peer = self.peer_node();
        let silent = matches!(&self.side, Side::Client(client) if client.silent.is_some());
        let events = ended.into_iter();
        shared.events.extend(events.map(|Ended { ticket, request, result }| Event::Ended {
            ticket,
            peer,
            silent,
            request,
            result,
        }));
    }

    /// Ends all that is under way, because the session ends. `dead_for` is for how long the other
    /// side has surely taken nothing of it.
    pub(crate) fn end(
        &mut self,
        now: Time,
        dead_for: Duration,
        status: impl Fn() -> Status,
        shared: &mut Shared,
    ) {
        match &mut self.side {
            Side::Client(client) => {
                let ended = client.calls.end_all(now, dead_for, status);
                self.report(ended, shared);
            }
            Side::Server(server) => {
                for call in server.calls.end_all(&mut shared.budget) {
                    let serving = Serving { session: self.id, call };
                    shared.events.push_back(Event::Stop(serving));
                }
            }
        }
    }

    /// The other side has answered the INIT: its end of the session is known. Tells whether the
    /// answer fits.
    pub(crate) fn on_answer(&mut self, init: &Init) -> bool {
        let Side::Client(client) = &mut self.side else {
            return false;
        };
        if client.opening.take().is_some() {
            (self.peer_id, self.peer_instance) = (Some(init.from), Some(init.instance));
            return true;
        }
        self.peer_id == Some(init.from) && self.peer_instance == Some(init.instance)
    }

    /// Everything that went out was refused for want of a token, which is here now.
    pub(crate) fn on_retry(&mut self, instance: Instance, token: Token) {
        let Side::Client(client) = &mut self.side else {
            return;
        };
        if let Some(opening) = &mut client.opening {
            (opening.token, opening.meant) = (Some(token), Some(instance));
            opening.shown_from = self.link.next_number();
        }
        let (side, hello_due) = (&mut self.side, &mut self.hello_due);
        self.link.lose_all(|frame| side.resend(frame, hello_due));
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, or an acknowledgement is
    /// due.
    pub(crate) fn next_timeout(&self, now: Time, config: &Transport) -> Option<Time> {
        let calls = match &self.side {
            Side::Client(client) => client.calls.next_deadline(),
            Side::Server(server) => server.calls.next_deadline(),
        };
        let quiet = self.link.quiet_since();
        let dead = quiet.map(|since| since + config.dead_after);
        let silent = match &self.side {
            // Checked last then, or not yet; and after a pause of this process it all begins anew.
            Side::Client(client) => self
                .link
                .unanswered_since()
                .map(|since| client.silent.map_or(since, |checked| checked.max(since)))
                .map(|from| from + self.silence(config)),
            Side::Server(_) => None,
        };
        let rest = [dead, silent, self.keep_alive_at(config), self.idle_at(config)];
        rest.into_iter().fold(earlier(self.link.next_timeout(now), calls), earlier)
    }

    /// Whether the other side has acknowledged nothing for so long that calls had better go
    /// elsewhere.
    fn leaves_unanswered(&self, now: Time, config: &Transport) -> bool {
        let since = self.link.unanswered_since();
        since.is_some_and(|since| since + self.silence(config) <= now)
    }

    /// How long the other side may answer nothing before calls go elsewhere.
    fn silence(&self, config: &Transport) -> Duration {
        config.silent_after.max(4 * self.link.probe_timeout())
    }

    /// When the other side is asked for a sign of life, while it works on a call.
    fn keep_alive_at(&self, config: &Transport) -> Option<Time> {
        let Side::Client(client) = &self.side else {
            return None;
        };
        let waits = client.calls.is_busy() && self.link.in_flight() == 0 && !self.ping_due;
        let heard = self.link.heard_at().filter(|_| waits)?;
        Some(heard.max(self.used_at) + config.keep_alive)
    }

    /// When the session has been of no use for long enough.
    fn idle_at(&self, config: &Transport) -> Option<Time> {
        let (busy, idle) = match &self.side {
            Side::Client(client) => {
                // It had better end here first: a call that runs into a session that has just
                // ended over there takes a round trip more.
                let theirs = self.peer_limits.idle.map_or(Duration::MAX, |idle| idle / 4 * 3);
                (client.calls.is_busy(), config.idle_client.min(theirs))
            }
            Side::Server(server) => (server.calls.is_busy(), config.idle_server),
        };
        (!busy).then(|| self.used_at + idle)
    }

    /// Something of use goes out.
    pub(super) const fn on_used(&mut self, now: Time) {
        self.used_at = now;
    }
}

impl Side {
    /// Something that went out must go out again.
    fn resend(&mut self, frame: SentFrame, hello_due: &mut bool) {
        match (self, frame) {
            (Self::Client(client), SentFrame::Piece { call, bytes }) => {
                client.calls.on_lost_piece(call, bytes);
            }
            (Self::Client(client), SentFrame::Cancel(call)) => client.calls.on_lost_cancel(call),
            (Self::Server(server), SentFrame::Piece { call, bytes }) => {
                server.calls.on_lost(call, bytes);
            }
            (_, SentFrame::Hello) => *hello_due = true,
            // A probe goes out with whatever there is; a lost one need not go again.
            (_, SentFrame::Ping) | (Self::Server(_), SentFrame::Cancel(_)) => {}
        }
    }
}

impl PeerLimits {
    /// What may be taken for granted before the other side has said anything.
    const fn unknown() -> Self {
        let sizes = SizeLimits { message: usize::MAX, metadata: usize::MAX };
        Self { datagram_bytes: BASE_DATAGRAM_BYTES, sizes, idle: None }
    }
}

impl Client {
    pub(crate) const fn new(calls: Caller, opening: Opening) -> Self {
        Self { calls, opening: Some(opening), silent: None }
    }
}

/// What one direction of a unary call may take: a message, metadata, and the heads of the records.
pub(crate) const fn call_bytes_max(config: &Transport) -> usize {
    config.message_bytes_max + config.metadata_bytes_max + STATUS_BYTES_MAX
}

/// Room for a status with its details, where there is no message.
const STATUS_BYTES_MAX: usize = 64 << 10;
