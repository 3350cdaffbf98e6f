//! Goaway: a node that is about to end asks its callers to make their next calls elsewhere.
//!
//! Nothing depends on it: a node that takes no more calls refuses those that come, as not executed.
//! But whoever has heard of it need not try, and calls that are still waiting here need not go
//! there first.

use crate::proto::endpoint::{Endpoint, Shared};
use crate::proto::session::Session;
use crate::proto::side::Side;

/// What a node's last word in a session was, beside its answers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Condition {
    /// Nothing is wrong with it.
    #[default]
    Well,
    /// It says nothing any more: other calls had better go elsewhere.
    Silent,
    /// It is about to end: the same.
    Leaving,
}

impl Endpoint {
    /// Asks all callers, also those to come, to make new calls elsewhere. Calls that come all the
    /// same are served.
    pub(crate) fn go_away(&mut self) {
        self.shared.leaving = true;
        let sessions: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in sessions {
            if let Side::Server(server) = &mut self.sessions[index].side {
                server.goaway_due = true;
                self.touch(index);
            }
        }
    }
}

impl Session {
    /// The other side is about to end. Calls that are waiting here and can go elsewhere do.
    pub(super) fn on_goaway(&mut self, shared: &mut Shared) {
        let peer = self.peer;
        let Side::Client(client) = &mut self.side else { return };
        client.leaving = true;
        let ended = client.calls.yield_waiting(peer, &mut shared.budget);
        self.report(ended, shared);
    }

    /// How calls find the other side.
    pub(super) const fn condition(&self) -> Condition {
        match &self.side {
            Side::Client(client) if client.silent.is_some() => Condition::Silent,
            Side::Client(client) if client.leaving => Condition::Leaving,
            _ => Condition::Well,
        }
    }
}
