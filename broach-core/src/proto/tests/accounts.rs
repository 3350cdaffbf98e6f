//! What an endpoint has set aside, counted anew.

use crate::proto::active::Reply;
use crate::proto::budget::Told;
use crate::proto::callee::Callee;
use crate::proto::caller::Caller;
use crate::proto::endpoint::Endpoint;
use crate::proto::pool::Pool;
use crate::proto::served::State;
use crate::proto::side::Side;

impl Endpoint {
    /// What others may send unasked.
    pub(super) fn told(&self) -> Told {
        self.shared.budget.told(usize::MAX)
    }

    /// Checks that what has been set aside is what the calls have, covers what may come, and stays
    /// within the limits.
    pub(super) fn check_accounts(&self) {
        let mut total = 0;
        for (_, session) in &self.sessions {
            let (pool, bytes) = match &session.side {
                Side::Client(client) => (&client.calls.pool, replies(&client.calls)),
                Side::Server(server) => (&server.calls.pool, requests(&server.calls)),
            };
            check(pool, bytes, self.shared.config.reassembly_bytes_per_session_max);
            total += bytes;
        }
        check(&self.shared.budget.pool, total, self.shared.config.reassembly_bytes_max);
    }
}

fn check(pool: &Pool, bytes: usize, max: usize) {
    assert_eq!(pool.used(), bytes, "all that is set aside belongs to a call");
    assert!(bytes <= max, "{bytes} of {max}");
}

/// What the calls that are served have.
fn requests(calls: &Callee) -> usize {
    let shares = calls.calls.values().map(|served| match &served.state {
        State::Receiving(incoming) => incoming.account(),
        State::Streaming(streaming) => streaming.requests.account(),
        State::Running | State::Replying(_) => (0, 0),
    });
    sum(shares)
}

/// What the calls that are made have.
fn replies(calls: &Caller) -> usize {
    let shares = calls.active.values().map(|active| match &active.reply {
        Reply::Nothing => (0, 0),
        Reply::Pieces(incoming) => incoming.account(),
        Reply::Stream(replies) => replies.account(),
    });
    sum(shares)
}

fn sum(shares: impl Iterator<Item = (usize, u64)>) -> usize {
    let covered = shares.inspect(|&(bytes, may_come)| {
        assert!(may_come <= bytes as u64, "{may_come} bytes may come, and {bytes} are set aside");
    });
    covered.map(|(bytes, _)| bytes).sum()
}
