//! What comes back without a session: "show this token", "I have no such session", "I speak these
//! versions".

use std::time::Duration;

use prost::Message;

use crate::deadline::Time;
use crate::ids::Instance;
use crate::observe::{CloseReason, DropReason, Role};
use crate::proto::Received;
use crate::proto::endpoint::Endpoint;
use crate::proto::side::{Client, Side};
use crate::wire::{Datagram, Token, VERSION, schema};

impl Endpoint {
    /// "Show this token."
    pub(super) fn on_retry(
        &mut self,
        now: Time,
        received: &Received,
        datagram: &Datagram,
    ) -> Result<(), DropReason> {
        let retry = schema::Retry::decode(datagram.body.clone());
        let retry = retry.map_err(|_| DropReason::Malformed)?;
        let token = Token::new(&retry.token).filter(|_| !retry.token.is_empty());
        let (Some(token), true) = (token, retry.instance != 0) else {
            return Err(DropReason::Malformed);
        };
        let index = self.opening(received, datagram, retry.echo).ok_or(DropReason::Stray)?;
        let instance = Instance(retry.instance);
        let session = &mut self.sessions[index];
        let Side::Client(Client { opening: Some(opening), .. }) = &session.side else {
            return Err(DropReason::Stray);
        };
        if opening.token.is_none() {
            session.on_retry(instance, token);
            self.learn(received, instance, Some(token));
            self.touch(index);
        } else if opening.shown_from.0 <= retry.echo {
            // The calls have gone out under a token that is not good any more; some may have run
            // while it was. A new session has to be opened under the new one.
            let refused_for = Duration::from_micros(retry.refused_for_us);
            self.learn(received, instance, Some(token));
            self.close(now, index, CloseReason::Token, refused_for, String::new());
        } else {
            // The answer to a datagram from before the token, which came a second time.
            return Err(DropReason::Stray);
        }
        Ok(())
    }

    /// "I have no such session."
    pub(super) fn on_reset(
        &mut self,
        now: Time,
        received: &Received,
        datagram: &Datagram,
    ) -> Result<(), DropReason> {
        let reset = schema::Reset::decode(datagram.body.clone());
        let reset = reset.map_err(|_| DropReason::Malformed)?;
        let to = datagram.header.to;
        let theirs = self.by_peer_id.get(&(received.from, to));
        let index = theirs.or_else(|| self.by_id.get(&to)).copied().ok_or(DropReason::Stray)?;
        let session = &self.sessions[index];
        let sent = session.link.next_number().0;
        if session.peer != received.from || sent <= reset.echo || reset.instance == 0 {
            return Err(DropReason::Stray);
        }
        if session.role() == Role::Client {
            self.learn(received, Instance(reset.instance), None);
        }
        if reset.reason() == schema::ResetReason::Address {
            // Its tokens are good for the address only that this node had when it got them.
            self.peers.entry(received.from).token = None;
        }
        let dead_for = Duration::from_micros(reset.dead_for_us);
        let (reason, said) = match reset.reason() {
            schema::ResetReason::Cluster => (CloseReason::Cluster, ""),
            schema::ResetReason::Instance => (CloseReason::Reset, "has restarted"),
            schema::ResetReason::Address => {
                (CloseReason::Reset, "knows the session from another address")
            }
            schema::ResetReason::Limit => {
                (CloseReason::Reset, "takes no more sessions now (transport.sessions_max)")
            }
            schema::ResetReason::UnknownSession | schema::ResetReason::Unspecified => {
                (CloseReason::Reset, "does not know the session any more")
            }
        };
        self.close(now, index, reason, dead_for, said.to_owned());
        Ok(())
    }

    /// "I speak these versions."
    pub(super) fn on_versions(
        &mut self,
        now: Time,
        received: &Received,
        datagram: &Datagram,
    ) -> Result<(), DropReason> {
        let versions = schema::Versions::decode(datagram.body.clone());
        let versions = versions.map_err(|_| DropReason::Malformed)?.versions;
        let index = self.opening(received, datagram, 0).ok_or(DropReason::Stray)?;
        if versions.contains(&u32::from(VERSION)) {
            return Err(DropReason::Stray);
        }
        let said: Vec<String> = versions.iter().take(16).map(u32::to_string).collect();
        // It has not understood what it got, but a life before it may have.
        self.close(now, index, CloseReason::Version, Duration::ZERO, said.join(", "));
        Ok(())
    }

    /// The session that is being opened and that an answer without state belongs to.
    fn opening(&self, received: &Received, datagram: &Datagram, echo: u64) -> Option<usize> {
        let index = *self.by_id.get(&datagram.header.to)?;
        let session = &self.sessions[index];
        let Side::Client(client) = &session.side else {
            return None;
        };
        let sent = session.link.next_number().0;
        let fits = session.peer == received.from && echo < sent && client.opening.is_some();
        fits.then_some(index)
    }
}
