//! Seeing what a node does: [`Watch`] counts its events, [`Recorder`] writes them down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broach_core::Code;
use broach_core::observe::{CloseReason, Counters, DropReason, Event, Observer};
use tokio::sync::watch;

/// Counts the events of a node on its own account, to be held against the node's counters. Clones
/// count together.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tally: Mutex<Tally>,
    changes: watch::Sender<()>,
}

/// What a [`Watch`] has counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// How often a node has given each of its counters reason to change.
    pub counters: Counters,
    /// Sessions that have fallen silent.
    pub silent: u64,
    /// Sessions heard of again.
    pub heard: u64,
    /// Attempts of the calls that have ended.
    pub attempts_of_ended: u64,
    /// What can never be right, whatever comes later.
    pub wrong: Vec<String>,
    /// A datagram has come in, and it has not been told what became of it.
    undecided: bool,
}

impl Watch {
    /// What has been counted so far.
    pub fn tally(&self) -> Tally {
        self.lock().clone()
    }

    /// The counters that the node should have by now.
    pub fn counters(&self) -> Counters {
        self.lock().counters.clone()
    }

    /// How many datagrams were dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.lock().counters.datagrams_dropped.get(&reason).copied().unwrap_or(0)
    }

    /// How many sessions ended for this reason.
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.lock().counters.sessions_closed.get(&reason).copied().unwrap_or(0)
    }

    /// Waits until it is so.
    ///
    /// # Panics
    ///
    /// If it does not come to be so.
    pub async fn until(&self, what: impl Fn(&Tally) -> bool) {
        until_so(&self.0.changes, || what(&self.lock())).await;
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        self.lock().count(event);
        self.0.changes.send_replace(());
    }
}

impl Tally {
    /// What is wrong with a node that has nothing to do: sums that do not hold, things left behind.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.wrong.clone();
        let counters = &self.counters;
        let mut check = |holds: bool, text: &str| {
            if !holds {
                problems.push(text.to_owned());
            }
        };
        check(counters.datagrams_add_up(), "datagrams do not add up");
        check(!self.undecided, "a datagram was neither accepted nor dropped");
        check(counters.calls_in_flight() == 0, "calls are left in flight");
        check(counters.attempts_in_flight() == 0, "attempts are left in flight");
        check(counters.handlers_running() == 0, "handlers are left running");
        check(
            self.attempts_of_ended == counters.attempts_started,
            "the attempts of the calls are not all attempts",
        );
        problems
    }

    fn count(&mut self, event: &Event<'_>) {
        if self.undecided && matches!(event, Event::DatagramReceived { .. }) {
            self.wrong.push("a datagram came in before it was told of the last".to_owned());
        }
        let counters = &mut self.counters;
        match *event {
            Event::DatagramReceived { bytes, .. } => {
                counters.datagrams_received += 1;
                counters.bytes_received += bytes as u64;
                self.undecided = true;
            }
            Event::DatagramAccepted { .. } => {
                counters.datagrams_accepted += 1;
                self.undecided = false;
            }
            Event::DatagramDropped { reason, .. } => {
                add(&mut counters.datagrams_dropped, reason);
                self.undecided = false;
            }
            Event::DatagramSent { bytes, .. } => {
                counters.datagrams_sent += 1;
                counters.bytes_sent += bytes as u64;
            }
            Event::SendFailed { errno, .. } => add(&mut counters.send_errors, errno),
            Event::ReceiveFailed { errno } => add(&mut counters.receive_errors, errno),
            Event::DatagramLost { .. } => counters.datagrams_lost += 1,
            Event::ProbeSent { .. } => counters.probes_sent += 1,
            Event::SessionOpened { .. } => counters.sessions_opened += 1,
            Event::SessionClosed { reason, .. } => add(&mut counters.sessions_closed, reason),
            Event::SessionSilent { .. } => self.silent += 1,
            Event::SessionHeard { .. } => self.heard += 1,
            Event::CallStarted { .. } => counters.calls_started += 1,
            Event::CallEnded { code, attempts, .. } => {
                add(&mut counters.calls_ended, code);
                self.attempts_of_ended += attempts as u64;
            }
            Event::AttemptStarted { .. } => counters.attempts_started += 1,
            Event::AttemptEnded { code, .. } => add(&mut counters.attempts_ended, code),
            Event::HandlerStarted { .. } => counters.handlers_started += 1,
            Event::HandlerEnded { code, .. } => add(&mut counters.handlers_ended, code),
            Event::CallRefused { code, .. } => add(&mut counters.calls_refused, code),
            Event::MemberUp { .. } => counters.members_up += 1,
            Event::MemberSuspected { .. } => counters.members_suspected += 1,
            Event::MemberCleared { .. } => counters.members_cleared += 1,
            Event::MemberDied { .. } => counters.members_died += 1,
            Event::MemberLeft { .. } => counters.members_left += 1,
            Event::SuspicionRefuted => counters.suspicions_refuted += 1,
            Event::Congested { marked: false, .. } => counters.congested_by_loss += 1,
            Event::Congested { marked: true, .. } => counters.congested_by_mark += 1,
            Event::SendDivided { .. } => counters.sends_divided += 1,
            Event::DatagramSize { .. }
            | Event::ReceiveBuffer { .. }
            | Event::MemberChanged { .. }
            | Event::AddressClaimed { .. }
            | Event::ClusterDiffers { .. }
            | Event::VersionDiffers { .. }
            | Event::MembersFull { .. }
            | Event::NobodyAnswers { .. }
            | Event::AdvertsFull { .. } => {}
            Event::SeedUnusable { .. } => counters.seeds_unusable += 1,
            Event::AdvertRefused { .. } => counters.adverts_refused += 1,
            _ => self.wrong.push(format!("an event that is not counted: {event:?}")),
        }
        self.check_never_below_zero();
    }

    /// Nothing ends that has not begun. (The accessors of [`Counters`] stop at zero.)
    fn check_never_below_zero(&mut self) {
        let Self { counters, wrong, .. } = self;
        let ended = |by: &BTreeMap<Code, u64>| by.values().sum::<u64>();
        for (what, started, ended) in [
            ("call", counters.calls_started, ended(&counters.calls_ended)),
            ("attempt", counters.attempts_started, ended(&counters.attempts_ended)),
            ("handler", counters.handlers_started, ended(&counters.handlers_ended)),
            ("session", counters.sessions_opened, counters.sessions_closed.values().sum()),
        ] {
            if started < ended {
                wrong.push(format!("a {what} ended twice"));
            }
        }
    }
}

/// Writes down every event of a node, as it prints. Clones write to one list.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    /// The events so far, in order.
    pub fn events(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of the events so far that have one of these names, in order.
    pub fn names(&self, wanted: &[&str]) -> Vec<String> {
        let name = |event: String| event.split([' ', '{']).next().unwrap_or_default().to_owned();
        let names = self.events().into_iter().map(name);
        names.filter(|name| wanted.contains(&&**name)).collect()
    }
}

impl Observer for Recorder {
    fn event(&self, event: &Event<'_>) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(format!("{event:?}"));
    }
}

fn add<K: Ord>(counters: &mut BTreeMap<K, u64>, key: K) {
    *counters.entry(key).or_default() += 1;
}

/// Waits until it is so; to be woken by each of these changes.
pub(crate) async fn until_so(changes: &watch::Sender<()>, what: impl Fn() -> bool) {
    let mut changes = changes.subscribe();
    let wait = async {
        while !what() {
            changes.changed().await.expect("whoever waits keeps the sender alive");
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("what the test waits for never happened");
}

/// So long does a test wait for something that has to happen before it says that it did not. On the
/// virtual clock this takes no time; on the real one it is far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
