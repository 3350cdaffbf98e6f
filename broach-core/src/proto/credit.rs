//! The credit that an endpoint gives to those who send to it.

use crate::config::Transport;
use crate::deadline::Time;
use crate::proto::budget::UNFINISHED_MAX;
use crate::proto::endpoint::Endpoint;
use crate::proto::incoming_stream::call_bytes_max;
use crate::proto::pool::Pool;
use crate::proto::share::set_aside;
use crate::proto::side::Side;

impl Endpoint {
    /// The socket has a receive buffer of so many bytes. Until that is said it is taken to be as
    /// large as the settings ask for.
    pub(crate) const fn set_receive_buffer(&mut self, bytes: usize) {
        self.shared.budget.set_receive_buffer(bytes);
    }

    /// Gives credit to those whose turn it is.
    pub(super) fn give_credit(&mut self, now: Time) {
        let budget = &mut self.shared.budget;
        if !budget.grants.has_work(now) {
            return;
        }
        let (sessions, by_id, node) = (&mut self.sessions, &self.by_id, &mut budget.pool);
        let mut given = Vec::new();
        let memory = |session, purpose, bytes| {
            let session = by_id.get(&session).and_then(|&index| sessions.get_mut(index));
            let session = session.ok_or(None)?;
            set_aside([session.side.pool(), node], purpose, bytes)
        };
        budget.grants.give(now, memory, &mut given);
        for grant in given {
            let Some(&index) = self.by_id.get(&grant.session) else { continue };
            match &mut self.sessions[index].side {
                Side::Client(client) => client.calls.on_grant(grant),
                Side::Server(server) => server.calls.on_grant(grant),
            }
            self.touch(index);
        }
    }
}

impl Side {
    const fn pool(&mut self) -> &mut Pool {
        match self {
            Self::Client(client) => &mut client.calls.pool,
            Self::Server(server) => &mut server.calls.pool,
        }
    }
}

/// Memory for what comes in in one session.
pub(super) fn session_pool(config: &Transport) -> Pool {
    let bytes_max = config.reassembly_bytes_per_session_max;
    Pool::new(bytes_max, call_bytes_max(config), UNFINISHED_MAX)
}
