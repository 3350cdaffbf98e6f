//! The end of a session: what is remembered of it, and who is told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::BASE_DATAGRAM_BYTES;
use crate::deadline::Time;
use crate::observe::{CloseReason, Event as Seen};
use crate::peer::Peer;
use crate::proto::endpoint::Endpoint;
use crate::proto::session::Session;
use crate::proto::side::{Client, Side};
use crate::proto::stateless::Answer;
use crate::status::Status;
use crate::wire::schema;

impl Endpoint {
    /// Ends all sessions, and all that is under way in them.
    pub(crate) fn close_all(&mut self, now: Time) {
        let all: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in all {
            self.close(now, index, CloseReason::Local, Duration::ZERO, String::new());
        }
    }

    /// Ends a session. `dead_for` is for how long the other side has surely taken nothing of it,
    /// and `said` is what it gave as a reason.
    pub(super) fn close(
        &mut self,
        now: Time,
        index: usize,
        reason: CloseReason,
        dead_for: Duration,
        said: String,
    ) {
        let mut session = self.sessions.remove(index);
        let (peer, role) = (session.peer, session.role());
        self.timers.disarm(index, session.armed);
        self.ready.retain(|&other| other != index);
        self.by_id.remove(&session.id);
        if let Some(peer_id) = session.peer_id {
            self.by_peer_id.remove(&(peer, peer_id));
        }
        match &session.side {
            Side::Client(_) => {
                let known = self.peers.entry(peer);
                (known.session, known.rtt) = (None, session.link.measured_rtt());
                if reason == CloseReason::Dead {
                    // Its next life, if there is one, has other tokens; and a call that shows none
                    // can be taken elsewhere without doubt.
                    self.peers.forget_life(peer);
                }
            }
            Side::Server(server) => {
                self.half_open -= usize::from(!server.validated);
                if let Some(theirs) = session.peer_id {
                    let caller = (server.caller, theirs);
                    self.by_caller.remove(&caller);
                    if let Some(floor) = self.closed.insert(now, session.id, caller) {
                        self.shared.tokens.raise_floor(now, floor);
                    }
                }
            }
        }
        let code = match reason {
            CloseReason::Idle => Some(schema::CloseCode::Idle),
            CloseReason::Local => Some(schema::CloseCode::Shutdown),
            CloseReason::Protocol => Some(schema::CloseCode::Protocol),
            _ => None,
        };
        if let Some(bytes) = code.and_then(|code| session.write_close(code, &said, &self.shared)) {
            self.answers.push_whole(Answer { to: peer, local_ip: session.local_ip, bytes });
        }
        let unknown = reason == CloseReason::Dead && said.is_empty();
        let said = if unknown { self.silence(&session) } else { said };
        let status = || why_ended(peer, reason, &said);
        session.end(now, dead_for, status, &mut self.shared);
        self.shared.budget.set_sessions(self.sessions.len());
        self.shared.observe.emit(Seen::SessionClosed { peer, role, reason });
    }
}

impl Endpoint {
    /// Others say that this life of a node is dead. What waits for it here ends, unless it answers
    /// here all the same.
    pub(crate) fn on_dead(&mut self, now: Time, peer: Peer) {
        let Some(index) = self.peers.get(peer.addr).session else { return };
        let session = &self.sessions[index];
        let life = match &session.side {
            Side::Client(Client { opening: Some(opening), .. }) => opening.meant,
            _ => session.peer_instance,
        };
        if life == Some(peer.instance) && session.leaves_unanswered(now, &self.shared.config) {
            self.close(now, index, CloseReason::Dead, Duration::ZERO, DEAD.to_owned());
        }
    }

    /// What is known of a node that has left everything unanswered for too long.
    fn silence(&self, session: &Session) -> String {
        let time = self.shared.config.dead_after;
        match &session.side {
            Side::Client(Client { opening: Some(_), trouble, .. }) => format!(
                "has not answered for {time:?} (transport.dead_after): is it running, is the \
                 address right, and does the path carry datagrams of {BASE_DATAGRAM_BYTES} \
                 bytes?{trouble}"
            ),
            Side::Client(_) if session.link.swallowed_since().is_some() => format!(
                "gets nothing but small datagrams any more, for {time:?} (transport.dead_after): \
                 the path must carry {BASE_DATAGRAM_BYTES} bytes"
            ),
            Side::Client(Client { trouble, .. }) => {
                format!("does not answer any more, for {time:?} (transport.dead_after){trouble}")
            }
            Side::Server(_) => String::new(),
        }
    }
}

/// What callers are told when a session ends under their calls.
fn why_ended(peer: SocketAddr, reason: CloseReason, said: &str) -> Status {
    match reason {
        CloseReason::Idle => Status::unavailable(format!("{peer} has closed an unused session")),
        CloseReason::Local => Status::unavailable("this node is shutting down"),
        CloseReason::Remote => {
            let text = format!("{peer} has closed the session: {said}");
            match said.starts_with(SHUTTING_DOWN) {
                true => Status::shutting_down(text),
                false => Status::unavailable(text),
            }
        }
        CloseReason::Reset => Status::unavailable(format!("{peer} {said}")),
        CloseReason::Dead => Status::unavailable(format!("{peer} {said}")),
        CloseReason::Cluster => Status::failed_precondition(format!(
            "{peer} belongs to another cluster (setting `cluster`)"
        )),
        CloseReason::Version => {
            let own = crate::wire::VERSION;
            Status::failed_precondition(format!(
                "{peer} speaks wire versions {said}, and this node speaks {own}"
            ))
        }
        CloseReason::Protocol => {
            Status::internal(format!("the session with {peer} broke the specification: {said}"))
        }
        CloseReason::Token => Status::unavailable(format!("{peer} has refused an old token")),
    }
}

/// What is said of a node that has closed a session because it is shutting down.
pub(super) const SHUTTING_DOWN: &str = "it is shutting down";

/// What callers are told of a node that others call dead.
const DEAD: &str = "does not answer any more, and the other members call it dead";
