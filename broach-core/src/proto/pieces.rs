//! What a session does with the pieces of calls that come in.

use crate::deadline::Time;
use crate::ids::{CallId, CallKey};
use crate::observe::{CloseReason, DropReason, Event as Seen};
use crate::peer::Peer;
use crate::proto::answered::{Answered, Ended, Fault, ReplyIntake};
use crate::proto::endpoint::Shared;
use crate::proto::incoming_stream::{RecordLimits, call_bytes_max};
use crate::proto::session::{Effects, Session};
use crate::proto::share::Owner;
use crate::proto::side::Side;
use crate::proto::step::{Came, Complete, Intake, Limits, Step};
use crate::proto::streams::{StreamKey, Streams};
use crate::proto::{Arrived, Condition, Event, Serving};
use crate::wire::schema;

impl Session {
    /// A piece of a request has come in.
    pub(super) fn on_request(
        &mut self,
        (now, arrived): (Time, Time),
        request: schema::Request,
        datagram_bytes: usize,
        shared: &mut Shared,
        effects: &mut Effects,
    ) -> Result<(), DropReason> {
        let owner = self.owner(CallId(request.call));
        let Side::Server(server) = &mut self.side else {
            return Err(DropReason::Malformed);
        };
        let config = &shared.config;
        let limits = Limits {
            calls: config.calls_per_session_max,
            request_bytes: call_bytes_max(config),
            window_bytes: config.stream_window_bytes as u64,
            records: RecordLimits::of_requests(config),
        };
        let Shared { budget, refusal, records, .. } = shared;
        let refusal = refusal.as_ref();
        let intake =
            Intake { now, arrived, datagram_bytes, limits, owner, budget, refusal, records };
        let serving = Serving { session: self.id, call: CallId(request.call) };
        match server.calls.on_request(request, intake) {
            Step::None => {}
            Step::Complete(complete) => self.begin(complete, shared),
            Step::Stream(Came { begun, fin }) => {
                if let Some(complete) = begun {
                    self.begin(complete, shared);
                }
                let Shared { events, records, .. } = shared;
                let stream = StreamKey::Served(serving);
                events.extend(records.drain(..).map(|records| Event::Records { stream, records }));
                events.extend(fin.then_some(Event::Fin(serving)));
            }
            Step::Refused(status) => {
                let (peer, code) = (self.peer, status.code());
                shared.observe.emit(Seen::CallRefused { peer, code });
            }
            Step::Stopped(status) => {
                let (peer, code) = (self.peer, status.code());
                shared.observe.emit(Seen::CallRefused { peer, code });
                shared.events.push_back(Event::Stop(serving));
            }
            Step::NotTaken => return Err(DropReason::Malformed),
            Step::Excess => effects.closed = Some(excess()),
        }
        Ok(())
    }

    /// A call of this session, as one that memory is set aside for.
    pub(super) fn owner(&self, call: CallId) -> Owner {
        Owner { session: self.id, call, rtt: self.link.measured_rtt() }
    }

    /// A handler can be started.
    fn begin(&self, complete: Complete, shared: &mut Shared) {
        let Side::Server(server) = &self.side else { return };
        let instance = server.caller;
        // The caller's own number for the session is what it knows the call by.
        let session = self.peer_id.unwrap_or(self.id);
        shared.events.push_back(Event::Call(Arrived {
            serving: Serving { session: self.id, call: complete.call },
            peer: Peer { addr: self.peer, instance },
            key: CallKey { instance, session, call: complete.call },
            method: complete.method,
            flags: complete.flags,
            streams: Streams::of_flags(complete.flags),
            deadline: complete.deadline,
            bytes: complete.bytes,
            limits: self.peer_limits.sizes,
        }));
    }

    /// A piece of a reply has come in.
    pub(super) fn on_reply(
        &mut self,
        now: Time,
        reply: schema::Reply,
        datagram_bytes: usize,
        shared: &mut Shared,
        effects: &mut Effects,
    ) -> Result<(), DropReason> {
        let owner = self.owner(CallId(reply.call));
        let Side::Client(client) = &mut self.side else {
            return Err(DropReason::Malformed);
        };
        let Shared { config, records, events, budget, .. } = shared;
        let bytes_max = call_bytes_max(config);
        let window_bytes = config.stream_window_bytes as u64;
        let intake =
            ReplyIntake { now, owner, budget, bytes_max, window_bytes, datagram_bytes, records };
        let Answered { stream, ended, fault } = client.calls.on_reply(reply, intake);
        if let Some(ticket) = stream {
            let stream = StreamKey::Made { session: self.id, ticket };
            events.extend(records.drain(..).map(|records| Event::Records { stream, records }));
        }
        if let Some(Ended { ticket, request, result }) = ended {
            // Whatever it was until now, it is not silent.
            let leaving = client.leaving;
            let condition = if leaving { Condition::Leaving } else { Condition::Well };
            let peer = self.peer_node();
            let rtt = self.link.measured_rtt();
            events.push_back(Event::Ended { ticket, peer, condition, rtt, request, result });
        }
        match fault {
            Some(Fault::NotTaken) => return Err(DropReason::Malformed),
            Some(Fault::Excess) => effects.closed = Some(excess()),
            None => {}
        }
        Ok(())
    }
}

/// Why the session ends if the other side does not keep to the credit that it has.
fn excess() -> (CloseReason, String) {
    (CloseReason::Protocol, "sent more of a call than was allowed".to_owned())
}
