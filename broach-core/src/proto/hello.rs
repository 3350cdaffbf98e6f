//! What the two sides of a session tell each other when it begins, and what they keep to.

use std::time::Duration;

use crate::config::{DATAGRAM_BYTES_MAX, SizeLimits};
use crate::deadline::Time;
use crate::proto::budget::{ALLOWANCE_MAX, Told};
use crate::proto::endpoint::Shared;
use crate::proto::sent::SentFrame;
use crate::proto::session::{Effects, Session};
use crate::proto::side::Side;
use crate::wire::{Token, Writer, micros, schema};

/// What the other side takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerLimits {
    pub(crate) sizes: SizeLimits,
    /// How long it keeps a session that is not used.
    pub(super) idle: Option<Duration>,
}

impl PeerLimits {
    /// What may be taken for granted before the other side has said anything.
    pub(super) const fn unknown() -> Self {
        let sizes = SizeLimits { message: usize::MAX, metadata: usize::MAX };
        Self { sizes, idle: None }
    }
}

impl Session {
    /// What this side tells.
    pub(super) fn hello(&self, now: Time, shared: &Shared) -> schema::Hello {
        let config = &shared.config;
        let (calls, idle, token) = match &self.side {
            Side::Client(_) => (0, config.idle_client, None),
            Side::Server(server) => {
                let token = shared.tokens.mint(now, self.peer, server.caller);
                (config.calls_per_session_max, config.idle_server, Some(token))
            }
        };
        let told = self.side.to_tell(shared);
        schema::Hello {
            max_ack_delay_us: micros(config.max_ack_delay),
            datagram_bytes: DATAGRAM_BYTES_MAX as u64,
            message_bytes: config.message_bytes_max as u64,
            metadata_bytes: config.metadata_bytes_max as u64,
            calls: calls as u64,
            idle_ms: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX),
            token: token.map_or_else(Default::default, |token| token.as_slice().to_vec().into()),
            features: Vec::new(),
            unfinished_bytes: told.unfinished,
            allowance: told.allowance,
        }
    }

    /// The other side has told its part.
    pub(super) fn on_hello(&mut self, hello: &schema::Hello, effects: &mut Effects) {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        self.link.set_peer_ack_delay(Duration::from_micros(hello.max_ack_delay_us));
        self.link.path.set_peer_datagram_bytes(bytes(hello.datagram_bytes));
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
        self.on_told(hello.allowance, hello.unfinished_bytes);
    }

    /// The other side has told what it takes of calls without having given credit.
    pub(super) fn on_told(&mut self, allowance: u64, unfinished: u64) {
        // What is not said is what holds before anything is.
        let allowance = if allowance == 0 { ALLOWANCE_MAX } else { allowance.min(ALLOWANCE_MAX) };
        let unfinished = if unfinished == 0 { u64::MAX } else { unfinished };
        match &mut self.side {
            Side::Client(client) => client.calls.set_unasked(allowance, unfinished),
            Side::Server(server) => server.calls.set_unasked(allowance, unfinished),
        }
    }

    /// Tells how much may be sent unasked, if that is not what was told last, by far.
    pub(super) fn write_allowance(&mut self, writer: &mut Writer<'_>, shared: &Shared) {
        let now = self.side.to_tell(shared);
        let differs = |told: u64, now: u64| now < told / 2 || 4 * told < now;
        let Some(told) = self.told else { return };
        let due =
            differs(told.allowance, now.allowance) || differs(told.unfinished, now.unfinished);
        if due && writer.allowance(now.allowance, now.unfinished) {
            self.link.push(SentFrame::Allowance);
            self.told = Some(now);
        }
    }
}

impl Side {
    /// What the other side may send unasked.
    pub(super) fn to_tell(&self, shared: &Shared) -> Told {
        let pool = match self {
            Self::Client(client) => &client.calls.pool,
            Self::Server(server) => &server.calls.pool,
        };
        shared.budget.told(pool.for_unasked())
    }
}
