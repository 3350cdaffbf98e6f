//! [`Caller`]: calls servers in turn, and keeps how each call went.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use broach_core::config::Client;
use broach_core::{Channel, Code, Node, Outcome, Response, Security, Status};
use bytes::Bytes;

use crate::Error;
use crate::broach::testing::v1::{
    EchoStatus, SimpleReply, SimpleRequest, TestServiceClient, UnimplementedServiceClient,
};
use crate::bytes_of;
use crate::cli::ClientOptions;
use crate::client::records::{End, Record, Results, token};
use crate::client::say_goodbye;
use crate::clock::WallClock;

/// Calls servers in turn, without membership and without trying anything twice.
pub(crate) struct Caller {
    node: Node,
    servers: Vec<Channel>,
    addrs: Vec<SocketAddr>,
    next: AtomicUsize,
    numbers: AtomicU64,
    clock: WallClock,
    deadline: Duration,
    records: Mutex<Vec<Record>>,
}

/// A server, and the place of a call to it among all.
#[derive(Debug)]
pub(crate) struct Turn {
    number: u64,
    start_us: u64,
    channel: Channel,
    addr: SocketAddr,
}

/// What a `UnaryCall` asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) payload: usize,
    pub(crate) response_size: u32,
    pub(crate) sleep_ms: u32,
    pub(crate) status: Option<EchoStatus>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) metadata: Vec<(&'static str, broach_core::metadata::Value)>,
}

/// Why a call is no success.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It ended with an error.
    Status(Status),
    /// It ended well, and what came is not what was to come.
    Wrong(String),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl Failed {
    /// In words.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Status(status) => format!("{status:#}"),
            Self::Wrong(text) => text,
        }
    }
}

impl Caller {
    /// # Errors
    ///
    /// If there is no socket to call from.
    pub(crate) async fn new(options: &ClientOptions, clock: WallClock) -> Result<Self, Error> {
        let mut config = Client::default();
        config.attempts_max = 1;
        let node = Node::builder()
            .cluster(&options.cluster)
            .security(Security::clear())
            .bind(options.bind())
            .client_only()
            .client(config)
            .start()
            .await?;
        let mut servers = Vec::new();
        for addr in &options.servers {
            servers.push(node.connect(addr).await?);
        }
        let first = options.seed % options.servers.len() as u64;
        Ok(Self {
            node,
            servers,
            addrs: options.servers.clone(),
            next: AtomicUsize::new(usize::try_from(first).unwrap_or_default()),
            numbers: AtomicU64::new(0),
            clock,
            deadline: options.deadline(DEADLINE_MS),
            records: Mutex::default(),
        })
    }

    /// Calls through this channel alone.
    #[cfg(test)]
    pub(crate) async fn through(channel: Channel) -> Self {
        let node = Node::builder().client_only().start().await.expect("a port is free");
        Self {
            addrs: vec![node.local_addr()],
            node,
            servers: vec![channel],
            next: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            clock: WallClock::start(),
            deadline: Duration::from_millis(DEADLINE_MS),
            records: Mutex::default(),
        }
    }

    /// How many servers there are.
    pub(crate) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// How long a call may take unless its case says otherwise.
    pub(crate) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// A call begins now, to the server whose turn it is.
    pub(crate) fn turn(&self) -> Turn {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.servers.len();
        Turn {
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            start_us: self.clock.now_us(),
            channel: self.servers[at].clone(),
            addr: self.addrs[at],
        }
    }

    /// Makes a `UnaryCall`, and looks whether the reply is the right one.
    pub(crate) async fn unary(&self, ask: Ask) -> Result<Response<SimpleReply>, Failed> {
        let turn = self.turn();
        let token = token(self.node.instance(), turn.number);
        let Ask { payload, response_size, sleep_ms, status, timeout, metadata } = ask;
        let (request, sum) = simple_request(token.clone(), payload, response_size);
        let request = SimpleRequest { echo_status: status, sleep_ms, ..request };
        let mut call = turn.service().unary_call(request).timeout(timeout.unwrap_or(self.deadline));
        for (key, value) in metadata {
            call = call.metadata(key, value);
        }
        let result = call.response().await;
        let result = result.map_err(Failed::from).and_then(|response| {
            match is_right(&response.message, &token, response_size as usize, sum) {
                true => Ok(response),
                false => Err(Failed::Wrong("the reply is not the right one".to_owned())),
            }
        });
        self.record(&turn, result)
    }

    /// Keeps how a call of one reply went.
    pub(crate) fn record<T>(
        &self,
        turn: &Turn,
        result: Result<Response<T>, Failed>,
    ) -> Result<Response<T>, Failed> {
        let end = match &result {
            Ok(response) => End::replied(response),
            Err(failed) => turn.failed(failed),
        };
        self.keep(turn, end);
        result
    }

    /// Keeps how a call that streams went.
    pub(crate) fn record_stream<T>(
        &self,
        turn: &Turn,
        result: Result<T, Failed>,
    ) -> Result<T, Failed> {
        let end = match &result {
            Ok(_) => turn.ended(Code::Ok, Outcome::Executed),
            Err(failed) => turn.failed(failed),
        };
        self.keep(turn, end);
        result
    }

    /// Keeps that a call was given up here.
    pub(crate) fn record_cancelled(&self, turn: &Turn) {
        self.keep(turn, turn.ended(Code::Cancelled, Outcome::Unknown));
    }

    /// Makes no more calls; gives what all come to.
    pub(crate) async fn finish(self, problem: Option<String>) -> Results {
        let instance = self.node.instance();
        say_goodbye(self.node).await;
        let mut records = self.records.into_inner().unwrap_or_else(PoisonError::into_inner);
        records.sort_by_key(|record| record.number);
        let problems = problem.into_iter().collect();
        Results { instance, records, max_late_us: 0, problems }
    }

    fn keep(&self, turn: &Turn, end: End) {
        let &Turn { number, start_us, .. } = turn;
        let record = Record { number, start_us, end_us: self.clock.now_us(), end };
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

impl Turn {
    pub(crate) fn service(&self) -> TestServiceClient {
        TestServiceClient::new(self.channel.clone())
    }

    /// How many calls of the program were given up here so far.
    pub(crate) fn cancelled(&self) -> u64 {
        let ended = self.channel.counters().calls_ended;
        ended.get(&Code::Cancelled).copied().unwrap_or_default()
    }

    pub(crate) fn unimplemented_service(&self) -> UnimplementedServiceClient {
        UnimplementedServiceClient::new(self.channel.clone())
    }

    const fn ended(&self, code: Code, outcome: Outcome) -> End {
        End { code, outcome, peer: Some(self.addr), attempts: 1 }
    }

    fn failed(&self, failed: &Failed) -> End {
        match failed {
            Failed::Status(status) => End::failed(status),
            Failed::Wrong(_) => self.ended(Code::DataLoss, Outcome::Executed),
        }
    }
}

/// A request of `UnaryCall`, and the sum of its payload.
pub(crate) fn simple_request(
    token: String,
    payload: usize,
    response_size: u32,
) -> (SimpleRequest, u64) {
    let payload: Bytes = bytes_of::request(&token, payload);
    let sum = bytes_of::sum(&payload);
    let request = SimpleRequest { response_size, payload, token, ..SimpleRequest::default() };
    (request, sum)
}

/// Whether a reply is the one to the request with this token, byte by byte, and the request came in
/// as it was sent.
pub(crate) fn is_right(reply: &SimpleReply, token: &str, size: usize, request_sum: u64) -> bool {
    reply.request_sum == request_sum && reply.payload == bytes_of::reply(token, size)
}

const DEADLINE_MS: u64 = 20_000;
