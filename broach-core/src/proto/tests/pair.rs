//! [`Pair`]: a caller and a server in virtual time, with every datagram in sight.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::deadline::{Stopped, Time};
use crate::ecn::Ecn;
use crate::ids::{ClusterHash, Instance, MethodId, SessionId};
use crate::observe::{Counters, Observe};
use crate::proto::{
    Arrived, Call, CallBytes, Condition, Endpoint, Event, Failed, Identity, NewCall, Received,
    Serving, StreamKey, Streams, Ticket,
};
use crate::rng::Rng;
use crate::status::Status;
use crate::wire::{Kind, Open, Record, RecordKind, status_from_wire};

/// One end: an endpoint and what has happened at it.
pub(super) struct End {
    pub(super) endpoint: Endpoint,
    pub(super) addr: SocketAddr,
    observe: Observe,
    /// Calls that have ended here.
    pub(super) ended: BTreeMap<Ticket, Result<Bytes, Status>>,
    /// How they found the other side.
    pub(super) conditions: BTreeMap<Ticket, Condition>,
    /// Calls that are to be served here and have not been answered.
    pub(super) arrived: Vec<Arrived>,
    /// Calls that were to be served here and are to be stopped.
    pub(super) stopped: Vec<Serving>,
    /// How many calls have come to be served.
    pub(super) started: usize,
    /// The records of streams that have come, and have not been taken.
    pub(super) records: Vec<(StreamKey, Record)>,
    /// Streams of requests that have ended.
    pub(super) fins: Vec<Serving>,
    /// Streams that have room again.
    pub(super) rooms: Vec<StreamKey>,
    /// Streams in which a large record comes once what has come before is taken.
    pub(super) large: Vec<StreamKey>,
    /// Which nodes have been reported to answer.
    pub(super) answered: Vec<(SocketAddr, Instance)>,
}

/// A datagram that was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) ecn: Ecn,
    pub(super) bytes: Bytes,
}

/// See the [module](self).
pub(super) struct Pair {
    pub(super) now: Time,
    pub(super) client: End,
    pub(super) server: End,
    /// Every datagram that was sent, lost or not.
    pub(super) sent: Vec<Sent>,
    /// Which datagrams are lost on the way.
    pub(super) lose: Box<dyn FnMut(&Sent) -> bool>,
    /// Calls are answered with their own bytes as soon as they arrive.
    pub(super) echoes: bool,
    lives: u64,
    pub(super) next_ticket: u64,
    pub(super) session: Option<SessionId>,
}

pub(super) const MS: Duration = Duration::from_millis(1);

impl Sent {
    /// What kind of datagram it is.
    pub(super) fn kind(&self) -> u8 {
        self.bytes[1] >> 4
    }
}

impl End {
    pub(super) fn new(
        now: Time,
        addr: SocketAddr,
        life: u64,
        cluster: u64,
        config: Transport,
    ) -> Self {
        let identity = Identity { instance: Instance(life), cluster: ClusterHash(cluster) };
        let observe = Observe::new(Vec::new(), None, Stopped::shared(), Rng::from_seed(0));
        let rng = Rng::from_seed(life);
        let endpoint = Endpoint::new(now, Arc::new(config), identity, observe.clone(), rng);
        Self {
            endpoint,
            addr,
            observe,
            ended: BTreeMap::new(),
            conditions: BTreeMap::new(),
            arrived: Vec::new(),
            stopped: Vec::new(),
            started: 0,
            records: Vec::new(),
            fins: Vec::new(),
            rooms: Vec::new(),
            large: Vec::new(),
            answered: Vec::new(),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.observe.counters()
    }

    /// A datagram comes in.
    pub(super) fn receive(&mut self, now: Time, from: SocketAddr, bytes: Bytes) {
        self.receive_marked(now, from, Ecn::Ect0, bytes);
    }

    /// A datagram comes in on which the network has written this.
    pub(super) fn receive_marked(&mut self, now: Time, from: SocketAddr, ecn: Ecn, bytes: Bytes) {
        let received = Received { from, local_ip: None, arrived: now, ecn, bytes };
        self.endpoint.handle_datagram(now, received);
    }

    /// All that it has to send now.
    pub(super) fn transmit(&mut self, now: Time) -> Vec<Sent> {
        let (mut sent, mut buffer) = (Vec::new(), Vec::new());
        while let Some(transmit) = self.endpoint.poll_transmit(now, &mut buffer) {
            let all = Bytes::from(std::mem::take(&mut buffer));
            let mut start = 0;
            for size in transmit.sizes {
                let bytes = all.slice(start..start + size);
                sent.push(Sent { from: self.addr, to: transmit.to, ecn: transmit.ecn, bytes });
                start += size;
            }
        }
        sent
    }

    /// A datagram comes in that was in the socket for a while.
    pub(super) fn receive_late(
        &mut self,
        arrived: Time,
        now: Time,
        from: SocketAddr,
        bytes: Bytes,
    ) {
        let received = Received { from, local_ip: None, arrived, ecn: Ecn::Ect0, bytes };
        self.endpoint.handle_datagram(now, received);
    }

    /// Takes in what has happened, without answering calls.
    pub(super) fn act_once(&mut self) {
        self.act(false);
    }

    fn act(&mut self, echoes: bool) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Ended { ticket, condition, result, .. } => {
                    self.conditions.insert(ticket, condition);
                    let whole =
                        |bytes: Bytes| if bytes.is_empty() { Ok(bytes) } else { read(bytes) };
                    let before = self.ended.insert(ticket, result.and_then(whole));
                    assert!(before.is_none(), "{ticket:?} has ended twice");
                }
                Event::Call(call) => {
                    self.started += 1;
                    self.arrived.push(call);
                }
                Event::Heard(_) => {}
                Event::Records { stream, records } => {
                    self.records.extend(Record::take_all(records).map(|record| (stream, record)));
                }
                Event::Fin(serving) => self.fins.push(serving),
                Event::Large(stream) => {
                    if self.records.iter().any(|(key, _)| *key == stream) {
                        self.large.push(stream);
                    } else {
                        self.endpoint.set_awaited(stream);
                    }
                }
                Event::Room(stream) => self.rooms.push(stream),
                Event::Answered(peer) => self.answered.push((peer.addr, peer.instance)),
                Event::Stop(serving) => {
                    self.arrived.retain(|call| call.serving != serving);
                    self.stopped.push(serving);
                }
            }
        }
        if echoes {
            for call in std::mem::take(&mut self.arrived) {
                self.reply(&call);
            }
        }
    }

    /// Answers all calls that wait for it with so many bytes.
    pub(super) fn reply_briefly(&mut self, bytes: usize) {
        for call in std::mem::take(&mut self.arrived) {
            let message = Bytes::from(vec![0; bytes]);
            self.endpoint.reply(call.serving, CallBytes::message(message));
        }
    }

    /// Answers a call with its own bytes.
    pub(super) fn reply(&mut self, call: &Arrived) {
        let message = read(call.bytes.clone()).expect("a request is a message");
        self.endpoint.reply(call.serving, CallBytes::message(message));
    }
}

impl Pair {
    pub(super) fn new() -> Self {
        Self::with(Transport::default(), Transport::default())
    }

    /// With these settings of the client and of the server.
    pub(super) fn with(client: Transport, server: Transport) -> Self {
        // Neither clock begins where the other does.
        let now = Time::from_nanos(1_000_000_000_000);
        Self {
            now,
            client: End::new(now, addr("10.0.0.1:1"), 100, 1, client),
            server: End::new(now, addr("10.0.0.2:2"), 200, 1, server),
            sent: Vec::new(),
            lose: Box::new(|_| false),
            echoes: true,
            lives: 0,
            next_ticket: 0,
            session: None,
        }
    }

    /// Makes a call that must run once, with a message of so many bytes and ten seconds of time.
    pub(super) fn call(&mut self, bytes: usize) -> Ticket {
        self.make(bytes, 0, Duration::from_secs(10))
    }

    /// Makes a call that may run twice.
    pub(super) fn idempotent_call(&mut self, bytes: usize) -> Ticket {
        self.make(bytes, Open::IDEMPOTENT, Duration::from_secs(10))
    }

    pub(super) fn make(&mut self, bytes: usize, flags: u32, timeout: Duration) -> Ticket {
        self.make_call(bytes, flags, timeout, false)
    }

    pub(super) fn make_call(
        &mut self,
        bytes: usize,
        flags: u32,
        timeout: Duration,
        yields: bool,
    ) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let deadline = Some(self.now + timeout);
        let method = MethodId(1);
        let (streams, made_at) = (Streams::default(), self.now);
        let call = Call { ticket, method, flags, streams, deadline, made_at, yields };
        let message = Bytes::from(vec![ticket.0 as u8; bytes]);
        let call = NewCall { call, bytes: CallBytes::message(message) };
        match self.client.endpoint.open(self.now, self.server.addr, call) {
            Ok(session) => self.session = Some(session),
            Err(Failed { status, .. }) => {
                self.client.ended.insert(ticket, Err(status));
            }
        }
        ticket
    }

    /// The client drops a call.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        let session = self.session.expect("a call was made before");
        self.client.endpoint.cancel(session, ticket);
    }

    /// Lets both ends talk until neither has anything to say, without any time passing.
    pub(super) fn drive(&mut self) {
        loop {
            self.client.act(false);
            self.server.act(self.echoes);
            let sent: Vec<Sent> = [&mut self.client, &mut self.server]
                .into_iter()
                .flat_map(|end| end.transmit(self.now))
                .collect();
            self.client.endpoint.check_accounts();
            self.server.endpoint.check_accounts();
            if sent.is_empty() {
                return;
            }
            for datagram in sent {
                self.sent.push(datagram.clone());
                if (self.lose)(&datagram) {
                    continue;
                }
                let end = if datagram.to == self.server.addr {
                    &mut self.server
                } else {
                    &mut self.client
                };
                if datagram.to == end.addr {
                    end.receive(self.now, datagram.from, datagram.bytes);
                }
            }
        }
    }

    /// What both ends have to say now gets to the other, a tenth of a millisecond later.
    pub(super) fn exchange_once(&mut self) {
        let mut sent = self.client.transmit(self.now);
        sent.extend(self.server.transmit(self.now));
        self.now = self.now + MS / 10;
        let now = self.now;
        for datagram in sent {
            let to_server = datagram.to == self.server.addr;
            let end = if to_server { &mut self.server } else { &mut self.client };
            end.receive(now, datagram.from, datagram.bytes);
        }
        self.client.endpoint.handle_timeout(now);
        self.server.endpoint.handle_timeout(now);
        self.client.act(false);
        self.server.act(self.echoes);
    }

    /// Lets time pass, with all that happens in it.
    pub(super) fn advance(&mut self, duration: Duration) {
        let until = self.now + duration;
        self.drive();
        loop {
            let now = self.now;
            let due = [&mut self.client, &mut self.server]
                .into_iter()
                .filter_map(|end| end.endpoint.poll_timeout(now))
                .min();
            let Some(due) = due.filter(|&due| due <= until) else { break };
            self.now = self.now.max(due);
            self.client.endpoint.handle_timeout(self.now);
            self.server.endpoint.handle_timeout(self.now);
            self.drive();
        }
        self.now = until;
    }

    /// The server dies, and another one has its address at once.
    pub(super) fn restart_server(&mut self) {
        self.lives += 1;
        let (addr, life) = (self.server.addr, 200 + self.lives);
        self.server = End::new(self.now, addr, life, 1, Transport::default());
    }

    /// How a call ended, which it must have.
    pub(super) fn ended(&self, ticket: Ticket) -> &Result<Bytes, Status> {
        self.client.ended.get(&ticket).unwrap_or_else(|| panic!("{ticket:?} has not ended"))
    }

    /// How a call failed, which it must have.
    pub(super) fn failed(&self, ticket: Ticket) -> (Code, Outcome) {
        let status = self.ended(ticket).as_ref().expect_err("the call must have failed");
        (status.code(), status.outcome())
    }

    /// Whether a call has the right reply.
    pub(super) fn is_answered(&self, ticket: Ticket) -> bool {
        let reply = self.client.ended.get(&ticket).and_then(|result| result.as_ref().ok());
        reply.is_some_and(|reply| reply.iter().all(|&byte| byte == ticket.0 as u8))
    }

    /// The kinds of all datagrams sent so far, which are forgotten.
    pub(super) fn take_kinds(&mut self) -> Vec<(char, u8)> {
        let client = self.client.addr;
        let side = |sent: &Sent| if sent.from == client { '>' } else { '<' };
        std::mem::take(&mut self.sent).iter().map(|sent| (side(sent), sent.kind())).collect()
    }
}

pub(super) const DATA: u8 = Kind::Data as u8;
pub(super) const INIT: u8 = Kind::Init as u8;
pub(super) const RETRY: u8 = Kind::Retry as u8;
pub(super) const RESET: u8 = Kind::Reset as u8;

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("tests name good addresses")
}

/// The message in the bytes of a call, or the status.
fn read(mut bytes: Bytes) -> Result<Bytes, Status> {
    match Record::take(&mut bytes) {
        Ok(Record { kind: RecordKind::Message, bytes }) => Ok(bytes),
        Ok(Record { bytes, .. }) => Err(status_from_wire(bytes).expect("it is a status")),
        Err(reason) => panic!("no record: {reason}"),
    }
}
