//! What becomes of a datagram: which session it is for, whether it may open one, and what to tell
//! its sender if it is for none.

use std::time::Duration;

use prost::Message;

use crate::deadline::Time;
use crate::ids::{Instance, SessionId};
use crate::observe::{DropReason, Event as Seen, Role};
use crate::proto::Received;
use crate::proto::callee::Callee;
use crate::proto::closed::CallerKey;
use crate::proto::credit::session_pool;
use crate::proto::endpoint::Endpoint;
use crate::proto::side::{Server, Side};
use crate::proto::token::Verdict;
use crate::wire::{
    BASE_DATAGRAM_BYTES, Datagram, Frame, Frames, Init, Kind, Open, Token, VERSION, micros, schema,
};

impl Endpoint {
    /// Handles a datagram.
    pub(crate) fn handle_datagram(&mut self, now: Time, received: Received) {
        let (from, bytes) = (received.from, received.bytes.len());
        self.shared.observe.emit(Seen::DatagramReceived { from, bytes });
        let event = match self.process(now, received) {
            Ok(()) => Seen::DatagramAccepted { from },
            Err(reason) => Seen::DatagramDropped { from, reason },
        };
        self.shared.observe.emit(event);
    }

    fn process(&mut self, now: Time, mut received: Received) -> Result<(), DropReason> {
        let bytes = std::mem::take(&mut received.bytes);
        let asked = bytes.len();
        let datagram = match Datagram::decode(bytes) {
            Ok(datagram) => datagram,
            Err(rejected) => {
                if let Some(to) = rejected.versions_to {
                    let versions = schema::Versions { versions: vec![u32::from(VERSION)] };
                    self.answer(now, &received, asked, (Kind::Versions, to), &versions);
                }
                return Err(rejected.reason);
            }
        };
        match (datagram.header.kind, datagram.init) {
            (Kind::Data, _) => self.on_data(now, &received, asked, datagram),
            (Kind::Init, Some(init)) if datagram.header.to == SessionId(0) => {
                self.on_init(now, &received, asked, datagram, &init)
            }
            (Kind::Init, Some(init)) => self.on_answer(now, &received, asked, datagram, &init),
            (Kind::Init, None) => Err(DropReason::Malformed),
            (Kind::Retry, _) => self.on_retry(now, &received, &datagram),
            (Kind::Reset, _) => self.on_reset(now, &received, &datagram),
            (Kind::Versions, _) => self.on_versions(now, &received, &datagram),
            (Kind::Gossip, _) => Err(DropReason::Gossip),
        }
    }

    /// Frames of a session that both sides know.
    fn on_data(
        &mut self,
        now: Time,
        received: &Received,
        asked: usize,
        datagram: Datagram,
    ) -> Result<(), DropReason> {
        let to = datagram.header.to;
        let Some(&index) = self.by_id.get(&to) else {
            let reason = schema::ResetReason::UnknownSession;
            let dead_for = match self.closed.ended(to) {
                Some(ended) => now.since(ended),
                None => self.forgotten_for(now),
            };
            self.reset(now, received, asked, &datagram, to, (reason, dead_for));
            return Err(DropReason::UnknownSession);
        };
        let session = &mut self.sessions[index];
        if session.peer != received.from {
            // It is taken from its own address all the time, so nothing can be said of how long it
            // has not been.
            let reset = (schema::ResetReason::Address, Duration::ZERO);
            self.reset(now, received, asked, &datagram, to, reset);
            return Err(DropReason::Address);
        }
        match &mut session.side {
            Side::Client(client) if client.opening.is_some() => return Err(DropReason::Stray),
            Side::Client(_) => {}
            Side::Server(server) => {
                self.half_open -= usize::from(!server.validated);
                (server.validated, server.answered) = (true, true);
            }
        }
        self.deliver(now, received, index, datagram)
    }

    /// A caller opens a session, or goes on opening it.
    fn on_init(
        &mut self,
        now: Time,
        received: &Received,
        asked: usize,
        datagram: Datagram,
        init: &Init,
    ) -> Result<(), DropReason> {
        let uptime = now.since(self.started);
        if init.cluster != self.shared.identity.cluster {
            let reset = (schema::ResetReason::Cluster, uptime);
            self.reset(now, received, asked, &datagram, init.from, reset);
            return Err(DropReason::Cluster);
        }
        if init.meant.is_some_and(|meant| meant != self.shared.identity.instance) {
            let reset = (schema::ResetReason::Instance, uptime);
            self.reset(now, received, asked, &datagram, init.from, reset);
            return Err(DropReason::Instance);
        }
        if asked + 1 < BASE_DATAGRAM_BYTES {
            return Err(DropReason::Truncated);
        }
        let caller: CallerKey = (init.instance, init.from);
        let open = self.by_caller.get(&caller).copied();
        if open.is_some_and(|index| self.sessions[index].peer != received.from) {
            let reset = (schema::ResetReason::Address, Duration::ZERO);
            self.reset(now, received, asked, &datagram, init.from, reset);
            return Err(DropReason::Address);
        }
        if let Some(ended) = self.closed.ended_for(caller) {
            let reset = (schema::ResetReason::UnknownSession, now.since(ended));
            self.reset(now, received, asked, &datagram, init.from, reset);
            return Err(DropReason::UnknownSession);
        }
        self.decode_frames(&datagram)?;
        let proven = match init.token.map(|token| self.check(now, received, init, &token)) {
            Some(Verdict::Good(_)) => true,
            Some(Verdict::Old(refused_for)) => {
                return self.retry(now, received, asked, &datagram, init, refused_for);
            }
            // It may have been made for the address that the caller had before, and be good for
            // datagrams that are still on their way from there.
            Some(Verdict::Foreign) => {
                return self.retry(now, received, asked, &datagram, init, Duration::ZERO);
            }
            None => false,
        };
        let ends = |frame: &Frame| matches!(frame, Frame::Close(_));
        if open.is_none() && self.frames.iter().any(ends) {
            return Err(DropReason::Stray);
        }
        let crowded = open.is_none() && self.shared.config.half_open_max <= self.half_open;
        if !proven && (crowded || self.frames.iter().any(must_run_once)) {
            return self.retry(now, received, asked, &datagram, init, Duration::ZERO);
        }
        let index = match open {
            Some(index) => index,
            None if self.shared.config.sessions_max <= self.sessions_of(Role::Server) => {
                // Another copy of the datagram may come once there is room again; it must not be
                // taken if it is said now that it was not.
                let refused = proven && self.refuse_session(now, caller);
                let dead_for = if refused { self.forgotten_for(now) } else { Duration::ZERO };
                let reset = (schema::ResetReason::Limit, dead_for);
                self.reset(now, received, asked, &datagram, init.from, reset);
                return Err(DropReason::SessionLimit);
            }
            None => self.accept(now, received, caller),
        };
        if let Side::Server(server) = &mut self.sessions[index].side {
            server.bytes_in += asked as u64;
            if proven && !server.validated {
                server.validated = true;
                self.half_open -= 1;
            }
        }
        self.deliver_decoded(now, received, index, &datagram)
    }

    /// The answer to a session that was opened from here.
    fn on_answer(
        &mut self,
        now: Time,
        received: &Received,
        asked: usize,
        datagram: Datagram,
        init: &Init,
    ) -> Result<(), DropReason> {
        let Some(&index) = self.by_id.get(&datagram.header.to) else {
            let reset = (schema::ResetReason::UnknownSession, self.forgotten_for(now));
            self.reset(now, received, asked, &datagram, init.from, reset);
            return Err(DropReason::UnknownSession);
        };
        if init.cluster != self.shared.identity.cluster {
            return Err(DropReason::Cluster);
        }
        if init.meant != Some(self.shared.identity.instance) {
            return Err(DropReason::Instance);
        }
        let session = &mut self.sessions[index];
        if session.peer != received.from {
            return Err(DropReason::Address);
        }
        let known = session.peer_id.is_some();
        if !session.on_answer(init) {
            return Err(DropReason::Stray);
        }
        if !known {
            self.by_peer_id.insert((received.from, init.from), index);
            self.learn(received, init.instance, None);
        }
        self.deliver(now, received, index, datagram)
    }

    /// Hands the frames of a datagram to their session.
    fn deliver(
        &mut self,
        now: Time,
        received: &Received,
        index: usize,
        datagram: Datagram,
    ) -> Result<(), DropReason> {
        let decoded = self.decode_frames(&datagram);
        let result = decoded.and_then(|()| self.deliver_decoded(now, received, index, &datagram));
        // The session's state may have changed although the datagram was refused.
        if result.is_err() && self.sessions.contains(index) {
            self.touch(index);
        }
        result
    }

    fn deliver_decoded(
        &mut self,
        now: Time,
        received: &Received,
        index: usize,
        datagram: &Datagram,
    ) -> Result<(), DropReason> {
        let session = &mut self.sessions[index];
        session.local_ip = received.local_ip.or(session.local_ip);
        let mut header = datagram.header;
        // Whoever opens a session waits for the answer to go on.
        header.ack_now |= header.kind == Kind::Init;
        let (arrived, frames) = (received.arrived, &mut self.frames);
        let head = (&header, received.ecn, datagram.body.len());
        let effects = session.handle(now, arrived, head, frames, &mut self.shared)?;
        if let Some(token) = effects.token
            && let Some(instance) = session.peer_instance
        {
            self.learn(received, instance, Some(token));
        }
        match effects.closed {
            Some((reason, said)) => self.close(now, index, reason, Duration::ZERO, said),
            None => self.touch(index),
        }
        if effects.life_over {
            // A call that shows no token can be taken elsewhere without doubt.
            self.peers.forget_life(received.from);
        }
        Ok(())
    }

    /// Makes sure that a session is never opened; tells whether that could be done.
    fn refuse_session(&mut self, now: Time, caller: CallerKey) -> bool {
        if let Some(floor) = self.closed.refuse(now, caller) {
            self.shared.tokens.raise_floor(now, floor);
        }
        self.closed.ended_for(caller).is_some()
    }

    /// Adds the session that a caller opens.
    fn accept(&mut self, now: Time, received: &Received, caller: CallerKey) -> usize {
        let side = Side::Server(Server {
            calls: Callee::new(session_pool(&self.shared.config)),
            caller: caller.0,
            validated: false,
            answered: false,
            bytes_in: 0,
            bytes_out: 0,
            goaway_due: self.shared.leaving,
        });
        let index = self.insert(now, received.from, side, None);
        let session = &mut self.sessions[index];
        (session.peer_id, session.peer_instance) = (Some(caller.1), Some(caller.0));
        self.half_open += 1;
        self.by_caller.insert(caller, index);
        self.by_peer_id.insert((received.from, caller.1), index);
        index
    }

    /// A node has shown which life it is, and perhaps given a token for the next session.
    pub(super) fn learn(&mut self, received: &Received, instance: Instance, token: Option<Token>) {
        let known = self.peers.entry(received.from);
        if known.instance != Some(instance) {
            known.token = None;
        }
        known.instance = Some(instance);
        known.token = token.or(known.token);
    }

    fn check(&self, now: Time, received: &Received, init: &Init, token: &Token) -> Verdict {
        self.shared.tokens.check(now, received.from, init.instance, token)
    }

    /// Answers that a token must be shown.
    fn retry(
        &mut self,
        now: Time,
        received: &Received,
        asked: usize,
        datagram: &Datagram,
        init: &Init,
        refused_for: Duration,
    ) -> Result<(), DropReason> {
        let token = self.shared.tokens.mint(now, received.from, init.instance);
        let retry = schema::Retry {
            instance: self.shared.identity.instance.0,
            echo: datagram.header.number.0,
            token: token.as_slice().to_vec().into(),
            refused_for_us: micros(refused_for),
        };
        self.answer(now, received, asked, (Kind::Retry, init.from), &retry);
        Err(DropReason::Token)
    }

    /// Answers that there is no such session.
    fn reset(
        &mut self,
        now: Time,
        received: &Received,
        asked: usize,
        datagram: &Datagram,
        to: SessionId,
        (reason, dead_for): (schema::ResetReason, Duration),
    ) {
        let reset = schema::Reset {
            instance: self.shared.identity.instance.0,
            echo: datagram.header.number.0,
            dead_for_us: micros(dead_for),
            reason: reason.into(),
        };
        self.answer(now, received, asked, (Kind::Reset, to), &reset);
    }

    fn answer(
        &mut self,
        now: Time,
        received: &Received,
        asked: usize,
        head: (Kind, SessionId),
        body: &impl Message,
    ) {
        self.answers.push(now, (received.from, received.local_ip, asked), head, body);
    }

    /// For how long a session that is not remembered has surely not been taken: it ended before the
    /// floor of the tokens, or never began in this life.
    fn forgotten_for(&self, now: Time) -> Duration {
        now.since(self.shared.tokens.floor(now)).min(now.since(self.started))
    }

    fn decode_frames(&mut self, datagram: &Datagram) -> Result<(), DropReason> {
        self.frames.clear();
        let mut frames = Frames::new(datagram.body.clone());
        while let Some(frame) = frames.next()? {
            self.frames.push(frame);
        }
        Ok(())
    }
}

/// Whether a frame belongs to a call that must not run twice, as far as can be seen.
fn must_run_once(frame: &Frame) -> bool {
    let Frame::Request(request) = frame else {
        return false;
    };
    request.open.is_none_or(|open| open.flags & Open::IDEMPOTENT == 0)
}
