//! [`Side`]: what is different between the one who calls in a session and the one who serves.

use crate::deadline::Time;
use crate::ids::{Instance, PacketNumber};
use crate::proto::callee::Callee;
use crate::proto::caller::Caller;
use crate::proto::sent::SentFrame;
use crate::proto::trouble::Trouble;
use crate::wire::Token;

/// What is different between the one who calls and the one who serves.
#[expect(clippy::large_enum_variant, reason = "it is used all the time, and moved once")]
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
    pub(super) silent: Option<Time>,
    /// The other side is about to end, and has said so.
    pub(super) leaving: bool,
    /// Since the other side was last heard.
    pub(super) trouble: Trouble,
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
    /// The caller is to be told that this node is about to end.
    pub(crate) goaway_due: bool,
}

impl Side {
    /// Something that went out must go out again.
    pub(super) fn resend(&mut self, frame: SentFrame, hello_due: &mut bool) {
        match (self, frame) {
            (Self::Client(client), SentFrame::Piece { call, bytes }) => {
                client.calls.on_lost_piece(call, bytes);
            }
            (Self::Client(client), SentFrame::Cancel(call)) => client.calls.on_lost_cancel(call),
            (Self::Server(server), SentFrame::Piece { call, bytes }) => {
                server.calls.on_lost(call, bytes);
            }
            (Self::Client(client), SentFrame::Credit(call)) => client.calls.on_lost_credit(call),
            (Self::Server(server), SentFrame::Credit(call)) => server.calls.on_lost_credit(call),
            (Self::Server(server), SentFrame::Goaway) => server.goaway_due = true,
            // The latest allowance is in the Hello too.
            (_, SentFrame::Hello | SentFrame::Allowance) => *hello_due = true,
            // A probe goes out with whatever there is; a lost one need not go again.
            (_, SentFrame::Ping)
            | (Self::Server(_), SentFrame::Cancel(_))
            | (Self::Client(_), SentFrame::Goaway) => {}
        }
    }
}

impl Client {
    pub(crate) const fn new(calls: Caller, opening: Opening) -> Self {
        let trouble = Trouble { errno: None };
        Self { calls, opening: Some(opening), silent: None, leaving: false, trouble }
    }
}
