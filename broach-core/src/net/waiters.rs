//! [`Waiters`]: who waits for the calls that a driver has under way.

use std::net::SocketAddr;

use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use crate::deadline::Time;
use crate::ids::SessionId;
use crate::net::inbox::Ended;
use crate::net::streams::Streams;
use crate::proto::{Endpoint, Failed, NewCall, StreamKey, Ticket};

/// Who waits for the calls that were made here.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// With the sessions that the calls are in.
    calls: FxHashMap<Ticket, (Waiter, SessionId)>,
}

#[derive(Debug)]
enum Waiter {
    Unary(oneshot::Sender<Ended>),
    /// Whoever has the other end of its flow.
    Stream,
}

impl Waiters {
    /// How many calls there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Begins a unary call; `waiter` waits for it.
    pub(super) fn open(
        &mut self,
        now: Time,
        to: SocketAddr,
        call: NewCall,
        waiter: oneshot::Sender<Ended>,
        endpoint: &mut Endpoint,
    ) {
        let ticket = call.call.ticket;
        match endpoint.open(now, to, call) {
            Ok(session) => {
                self.calls.insert(ticket, (Waiter::Unary(waiter), session));
            }
            Err(Failed { status, condition, bytes }) => {
                let request = Some(bytes);
                let _ = waiter.send(Ended { condition, request, ..Ended::without_reply(status) });
            }
        }
    }

    /// A call that streams has begun in this session, or has not.
    pub(super) fn watch(&mut self, ticket: Ticket, session: Option<SessionId>) {
        if let Some(session) = session {
            self.calls.insert(ticket, (Waiter::Stream, session));
        }
    }

    /// A call has ended; tells whether anybody waited for it.
    pub(super) fn end(&mut self, ticket: Ticket, ended: Ended, streams: &mut Streams) -> bool {
        let Some((waiter, session)) = self.calls.remove(&ticket) else {
            return false;
        };
        match waiter {
            // Whoever waited may have gone; its cancellation is in the inbox then.
            Waiter::Unary(waiter) => drop(waiter.send(ended)),
            Waiter::Stream => streams.on_end(StreamKey::Made { session, ticket }, ended),
        }
        true
    }

    /// Nobody waits for a call any more.
    pub(super) fn cancel(
        &mut self,
        ticket: Ticket,
        streams: &mut Streams,
        endpoint: &mut Endpoint,
    ) {
        if let Some((waiter, session)) = self.calls.remove(&ticket) {
            if let Waiter::Stream = waiter {
                streams.remove(StreamKey::Made { session, ticket });
            }
            endpoint.cancel(session, ticket);
        }
    }
}
