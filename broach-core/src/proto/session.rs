//! A session: what one side knows of calls from one instance to another, and what comes of the
//! datagrams that belong to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Transport;
use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::ids::{CallId, Instance, SessionId};
use crate::observe::{CloseReason, DropReason, Event as Seen, Role};
use crate::peer::Peer;
use crate::proto::budget::Told;
use crate::proto::ending::SHUTTING_DOWN;
use crate::proto::endpoint::Shared;
use crate::proto::hello::PeerLimits;
use crate::proto::link::Link;
use crate::proto::sent::SentFrame;
use crate::proto::side::Side;
use crate::proto::streams::StreamKey;
use crate::proto::trouble::Trouble;
use crate::proto::{Event, Serving};
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
    /// What the other side was last told that it may send unasked.
    pub(super) told: Option<Told>,
    pub(super) ping_due: bool,
    /// When the session was last of use.
    pub(super) used_at: Time,
    /// When it is to be reported again that the other side answers.
    evidence_due: Time,
    /// Where its entry among the timers is.
    pub(crate) armed: Option<Time>,
    /// Whether it is among the sessions that have something to send.
    pub(crate) queued: bool,
    /// Whether it is among the sessions that have changed.
    pub(crate) changed: bool,
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
            link: Link::new(Arc::clone(config), now, rtt, peer.ip().is_loopback()),
            peer_limits: PeerLimits::unknown(),
            hello_due: true,
            told: None,
            ping_due: false,
            used_at: now,
            evidence_due: now,
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

    /// Takes in a datagram of so many bytes that belongs here. `frames` is emptied.
    ///
    /// # Errors
    ///
    /// If the datagram is not to be acknowledged. Nothing has changed then, except that calls that
    /// came with it may have been taken in, which does no harm when they come again.
    pub(crate) fn handle(
        &mut self,
        now: Time,
        arrived: Time,
        (header, ecn, bytes): (&Header, Ecn, usize),
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
            self.handle_frame((now, arrived), frame, bytes, shared, &mut effects)?;
        }
        self.link.on_datagram(now, header.number, ecn, eliciting, header.ack_now);
        if eliciting {
            self.used_at = now;
        }
        let silent = self.leaves_unanswered(now, &shared.config);
        let peer = self.peer_node();
        if let Side::Client(client) = &mut self.side {
            client.trouble = Trouble::default();
            if !silent && client.silent.take().is_some() {
                shared.observe.emit(Seen::SessionHeard { peer: self.peer });
                shared.events.extend(peer.map(Event::Heard));
            }
        }
        Ok(effects)
    }

    /// Whether a frame makes sense on this side.
    const fn expects(&self, frame: &Frame) -> bool {
        match frame {
            Frame::Request(_) | Frame::Cancel(_) => matches!(self.side, Side::Server(_)),
            Frame::Reply(_) | Frame::Goaway => matches!(self.side, Side::Client(_)),
            _ => true,
        }
    }

    fn handle_frame(
        &mut self,
        (now, arrived): (Time, Time),
        frame: Frame,
        bytes: usize,
        shared: &mut Shared,
        effects: &mut Effects,
    ) -> Result<(), DropReason> {
        match frame {
            Frame::Ack(ack) => self.on_ack(now, &ack, shared, effects),
            Frame::Request(request) => {
                return self.on_request((now, arrived), request, bytes, shared, effects);
            }
            Frame::Reply(reply) => return self.on_reply(now, reply, bytes, shared, effects),
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
                    schema::CloseCode::Shutdown => SHUTTING_DOWN,
                    schema::CloseCode::Protocol => "the specification was broken: ",
                };
                if let (Side::Client(client), 1..) = (&mut self.side, close.calls_below) {
                    client.calls.on_goodbye(CallId(close.calls_below));
                }
                // It comes from another node: only so much of it is shown.
                let said: String = close.reason.chars().take(200).collect();
                effects.closed = Some((CloseReason::Remote, format!("{why}{said}")));
                effects.life_over = close.code() == schema::CloseCode::Shutdown;
            }
            Frame::Credit(schema::Credit { call, limit }) => match &mut self.side {
                Side::Client(client) => client.calls.on_credit(CallId(call), limit),
                Side::Server(server) => server.calls.on_credit(CallId(call), limit),
            },
            Frame::Goaway => self.on_goaway(shared),
            Frame::Allowance(allowance) => {
                self.on_told(allowance.bytes, allowance.unfinished_bytes)
            }
            Frame::Ping => {}
        }
        Ok(())
    }

    fn on_ack(&mut self, now: Time, ack: &schema::Ack, shared: &mut Shared, effects: &mut Effects) {
        let (side, session) = (&mut self.side, self.id);
        let Shared { budget, events, .. } = shared;
        let arrived = |frame: SentFrame| match side {
            Side::Client(client) => {
                let made = |ticket| Event::Room(StreamKey::Made { session, ticket });
                events.extend(client.calls.on_arrived(&frame).map(made));
            }
            Side::Server(server) => {
                if let SentFrame::Piece { call, bytes } = frame
                    && server.calls.on_arrived(call, bytes, budget)
                {
                    let serving = Serving { session, call };
                    events.push_back(Event::Room(StreamKey::Served(serving)));
                }
            }
        };
        let Ok(progress) = self.link.on_ack(now, ack, arrived) else {
            let text = "acknowledged what was never sent".to_owned();
            effects.closed = Some((CloseReason::Protocol, text));
            return;
        };
        if progress
            && self.evidence_due <= now
            && let Some(peer) = self.peer_node()
        {
            self.evidence_due = now + EVIDENCE_INTERVAL;
            shared.events.push_back(Event::Answered(peer));
        }
        let (side, hello_due) = (&mut self.side, &mut self.hello_due);
        let lost = self.link.detect_lost(now, |frame| side.resend(frame, hello_due));
        for _ in 0..lost {
            shared.observe.emit(Seen::DatagramLost { to: self.peer });
        }
        self.link.path.take_news().tell(self.peer, &shared.observe);
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
                let ended = client.calls.end_all(now, dead_for, status, &mut shared.budget);
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

    /// Something of use goes out.
    pub(super) const fn on_used(&mut self, now: Time) {
        self.used_at = now;
    }
}

/// How often it is reported that the other side answers. Whoever watches it wants to know a few
/// times a second, not with each datagram.
const EVIDENCE_INTERVAL: Duration = Duration::from_millis(100);
