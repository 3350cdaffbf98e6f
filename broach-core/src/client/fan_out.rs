//! [`FanOut`]: a call that is made at many nodes at once.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::client::{Call, Channel};
use crate::code::{Code, Outcome};
use crate::ids::Instance;
use crate::routing::{NodeId, Selection};
use crate::status::Status;

/// A [`Call`] that is made at all nodes that offer the service and are what it wishes, at once. Say
/// how many of them have to succeed: [`each`](Self::each), [`all`](Self::all),
/// [`first`](Self::first) or [`quorum`](Self::quorum).
///
/// ```no_run
/// # async fn example(node: broach_core::Node) -> Result<(), broach_core::Status> {
/// let call = node.channel().call("cache.v1.Cache/Forget", "\n\x03Ada");
/// for answer in call.fan_out().each().await? {
///     println!("{answer}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// Nodes that are about to leave are not among them; nodes that are silent or suspected to be dead
/// are, until they are given up. All that is set for the call holds at each of them: each has the
/// whole timeout, and where a call is tried again it is at the same node. A node that leaves
/// meanwhile is not waited for. Nothing takes longer than the timeout.
///
/// # Errors
///
/// If nobody offers the service, at once: `UNAVAILABLE` with what is known. `INVALID_ARGUMENT` for
/// a method that streams.
///
/// # Cancel safety
///
/// Dropping the future cancels all calls that have not ended.
#[must_use = "nothing is called until one of its methods is awaited"]
pub struct FanOut<Req, Rep> {
    call: Call<Req, Rep>,
}

/// What came of a call at each of many nodes: first the answers that came, in the order in which
/// they did.
#[derive(Clone, Debug)]
pub struct Answers<Rep>(Vec<Answer<Rep>>);

/// What came of a call at one of many nodes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer<Rep> {
    /// The node's address; `None` for a service [in the process](crate::Channel::in_process).
    pub addr: Option<SocketAddr>,
    /// Which of its lives was called; `None` if only its address is known.
    pub instance: Option<Instance>,
    /// Its reply, or why there is none. `CANCELLED` if it was not waited for.
    pub result: Result<Rep, Status>,
}

/// Too few nodes have succeeded. Turns into a [`Status`] with `?`.
#[derive(thiserror::Error)]
#[error("{status}")]
#[non_exhaustive]
pub struct FanOutError<Rep> {
    /// Which nodes failed, and how. Its code is that of the first that did; its outcome is
    /// `NotExecuted` only if no node has executed the call.
    pub status: Status,
    /// What came of it at each node. Empty if there was none.
    pub answers: Answers<Rep>,
}

/// A call for each of many nodes.
pub(super) type NodeCalls<Rep> = Vec<(NodeId, Call<Bytes, Rep>)>;

/// When no more answers are needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Until {
    /// When all are there.
    All,
    /// When so many have succeeded, or cannot any more.
    Succeeded(usize),
}

impl<Req, Rep> Call<Req, Rep> {
    /// Makes the call at all nodes that may be called, rather than at one of them.
    pub fn fan_out(self) -> FanOut<Req, Rep> {
        FanOut { call: self }
    }
}

impl Channel {
    /// The nodes that a service can be called at, of those that are what is wished.
    pub(super) fn nodes(
        &self,
        service: &str,
        selection: &Selection,
    ) -> Result<Vec<NodeId>, Status> {
        let selection = selection.or(self.selection());
        match selection.mistake() {
            None => self.transport().nodes(service, &selection),
            Some(mistake) => {
                let status = Status::invalid_argument(mistake.to_owned());
                Err(status.with_outcome(Outcome::NotExecuted))
            }
        }
    }
}

impl<Req, Rep> FanOut<Req, Rep> {
    /// Waits for every node's answer, and is content with any.
    ///
    /// # Errors
    ///
    /// Only if nothing could be called.
    pub async fn each(self) -> Result<Answers<Rep>, FanOutError<Rep>> {
        self.gather(Until::All).await.map(|(answers, _)| answers)
    }

    /// Waits for every node's answer; all of them have to succeed.
    ///
    /// # Errors
    ///
    /// If one has not, or nothing could be called. The calls at other nodes go on all the same.
    pub async fn all(self) -> Result<Answers<Rep>, FanOutError<Rep>> {
        let (answers, nodes) = self.gather(Until::All).await?;
        answers.with_at_least(nodes, nodes)
    }

    /// Waits for the first node that succeeds, whose answer is the first one then, and cancels the
    /// calls at the others.
    ///
    /// # Errors
    ///
    /// If none has succeeded, or nothing could be called.
    pub async fn first(self) -> Result<Answers<Rep>, FanOutError<Rep>> {
        self.quorum(1).await
    }

    /// Waits until so many nodes have succeeded, or so many have failed that it cannot be any more,
    /// and cancels the calls at the others.
    ///
    /// # Errors
    ///
    /// If fewer have succeeded, or nothing could be called. `FAILED_PRECONDITION`, and nothing is
    /// called, if there are fewer nodes than that.
    pub async fn quorum(self, needed: usize) -> Result<Answers<Rep>, FanOutError<Rep>> {
        let (answers, nodes) = self.gather(Until::Succeeded(needed)).await?;
        answers.with_at_least(needed, nodes)
    }

    /// Makes the calls; gives the answers, and how many nodes there are.
    async fn gather(self, until: Until) -> Result<(Answers<Rep>, usize), FanOutError<Rep>> {
        let calls = self.call.for_each_node().map_err(FanOutError::without_answers)?;
        let nodes = calls.len();
        if let Until::Succeeded(needed) = until
            && nodes < needed
        {
            let text = format!("{needed} nodes have to succeed, and there are {nodes}");
            let status = Status::failed_precondition(text).with_outcome(Outcome::NotExecuted);
            return Err(FanOutError::without_answers(status));
        }
        let mut waiting: Vec<NodeId> = calls.iter().map(|&(node, _)| node).collect();
        let mut calls: FuturesUnordered<_> = calls.into_iter().map(one).collect();
        let (mut answers, mut succeeded) = (Vec::with_capacity(nodes), 0);
        while !until.is_reached(nodes, answers.len(), succeeded)
            && let Some((node, result)) = calls.next().await
        {
            succeeded += usize::from(result.is_ok());
            waiting.retain(|other| *other != node);
            answers.push(Answer::of(node, result));
        }
        answers.extend(waiting.into_iter().map(|node| {
            let status = Status::cancelled("its answer was not needed any more");
            Answer::of(node, Err(status.with_outcome(Outcome::Unknown)))
        }));
        Ok((Answers(answers), nodes))
    }
}

async fn one<Rep>((node, call): (NodeId, Call<Bytes, Rep>)) -> (NodeId, Result<Rep, Status>) {
    (node, call.await)
}

impl Until {
    fn is_reached(self, nodes: usize, answered: usize, succeeded: usize) -> bool {
        match self {
            Self::All => answered == nodes,
            Self::Succeeded(needed) => {
                needed <= succeeded || nodes - (answered - succeeded) < needed
            }
        }
    }
}

impl<Rep> Answers<Rep> {
    /// How many nodes were called.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What came of the call at each node.
    pub fn iter(&self) -> std::slice::Iter<'_, Answer<Rep>> {
        self.0.iter()
    }

    /// Those that succeeded.
    pub fn succeeded(&self) -> impl Iterator<Item = &Answer<Rep>> {
        self.iter().filter(|answer| answer.result.is_ok())
    }

    /// Those that did not.
    pub fn failed(&self) -> impl Iterator<Item = &Answer<Rep>> {
        self.iter().filter(|answer| answer.result.is_err())
    }

    /// The replies of those that succeeded.
    pub fn into_replies(self) -> impl Iterator<Item = Rep> {
        self.into_iter().filter_map(|answer| answer.result.ok())
    }

    fn with_at_least(self, needed: usize, nodes: usize) -> Result<Self, FanOutError<Rep>> {
        let succeeded = self.succeeded().count();
        if needed <= succeeded {
            return Ok(self);
        }
        // What was cancelled has not failed.
        let mut failures: Vec<(&Answer<Rep>, &Status)> = self
            .iter()
            .filter_map(|answer| Some((answer, answer.result.as_ref().err()?)))
            .filter(|(_, status)| status.code() != Code::Cancelled)
            .collect();
        let mut text = format!(
            "{succeeded} of {nodes} nodes succeeded, and {needed} have to; {} failed:",
            failures.len()
        );
        let code = failures.first().map_or(Code::Cancelled, |(_, status)| status.code());
        let unnamed = failures.len().saturating_sub(NAMED_MAX);
        failures.truncate(NAMED_MAX);
        for (answer, status) in failures {
            text.push_str(&format!(" {} with {status};", answer.whose()));
        }
        match unnamed {
            0 => drop(text.pop()),
            more => text.push_str(&format!(" and {more} more")),
        }
        let untouched = |answer: &Answer<Rep>| {
            let status = answer.result.as_ref().err();
            status.is_some_and(|status| status.outcome() == Outcome::NotExecuted)
        };
        let outcome = match self.iter().all(untouched) {
            true => Outcome::NotExecuted,
            false => Outcome::Unknown,
        };
        let status = Status::new(code, text).with_outcome(outcome);
        Err(FanOutError { status, answers: self })
    }
}

impl<Rep> Answer<Rep> {
    fn of(node: NodeId, result: Result<Rep, Status>) -> Self {
        Self { addr: node.addr(), instance: node.instance(), result }
    }

    fn whose(&self) -> String {
        self.addr.map_or_else(|| "the service in the process".to_owned(), |addr| addr.to_string())
    }
}

impl<Rep> FanOutError<Rep> {
    const fn without_answers(status: Status) -> Self {
        Self { status, answers: Answers(Vec::new()) }
    }
}

impl<Rep> IntoIterator for Answers<Rep> {
    type Item = Answer<Rep>;
    type IntoIter = std::vec::IntoIter<Answer<Rep>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, Rep> IntoIterator for &'a Answers<Rep> {
    type Item = &'a Answer<Rep>;
    type IntoIter = std::slice::Iter<'a, Answer<Rep>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<Rep: fmt::Debug> fmt::Display for Answer<Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(reply) => write!(f, "{}: {reply:?}", self.whose()),
            Err(status) => write!(f, "{}: {status}", self.whose()),
        }
    }
}

impl<Rep> From<FanOutError<Rep>> for Status {
    fn from(error: FanOutError<Rep>) -> Self {
        error.status
    }
}

impl<Rep> fmt::Debug for FanOutError<Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<Req, Rep> fmt::Debug for FanOut<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FanOut").field(&self.call).finish()
    }
}

/// So many nodes that failed are named in an error's text; all are in its answers.
const NAMED_MAX: usize = 5;
