//! Counting the events.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::code::Code;
use crate::observe::{CloseReason, DropReason, Event};

/// How often each thing has happened in a node since it started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams received: those accepted and those dropped.
    pub datagrams_received: u64,
    /// Bytes of them.
    pub bytes_received: u64,
    /// Datagrams processed.
    pub datagrams_accepted: u64,
    /// Datagrams thrown away, by reason.
    pub datagrams_dropped: BTreeMap<DropReason, u64>,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Bytes of them.
    pub bytes_sent: u64,
    /// Datagrams given up as lost.
    pub datagrams_lost: u64,
    /// How often a session slowed down because something was lost.
    pub congested_by_loss: u64,
    /// How often a session slowed down because a router said with a mark that it is congested.
    pub congested_by_mark: u64,
    /// Probes sent because nothing came back.
    pub probes_sent: u64,
    /// How often several datagrams were not taken in one piece and went out one by one.
    pub sends_divided: u64,
    /// Errors of the operating system on sending, by number.
    pub send_errors: Errnos,
    /// Errors of the operating system on receiving, by number.
    pub receive_errors: Errnos,
    /// Sessions begun.
    pub sessions_opened: u64,
    /// Sessions ended, by reason.
    pub sessions_closed: BTreeMap<CloseReason, u64>,
    /// Calls begun here.
    pub calls_started: u64,
    /// Calls ended, by code.
    pub calls_ended: BTreeMap<Code, u64>,
    /// Attempts begun for these calls.
    pub attempts_started: u64,
    /// Attempts ended, by code.
    pub attempts_ended: BTreeMap<Code, u64>,
    /// Handlers started for calls that came in.
    pub handlers_started: u64,
    /// Handlers ended, by code.
    pub handlers_ended: BTreeMap<Code, u64>,
    /// Calls that came in and were answered without starting a handler, by code.
    pub calls_refused: BTreeMap<Code, u64>,
    /// Members that were heard of for the first time, or again after they had been dead or gone.
    pub members_up: u64,
    /// Members that came under suspicion.
    pub members_suspected: u64,
    /// Suspects that have shown that they live.
    pub members_cleared: u64,
    /// Members that died.
    pub members_died: u64,
    /// Members that left.
    pub members_left: u64,
    /// How often this node has contradicted a suspicion of itself.
    pub suspicions_refuted: u64,
    /// How often it was said that a seed cannot be used: once a minute for each that cannot.
    pub seeds_unusable: u64,
    /// Answers of members that were not the advert that they were asked for.
    pub adverts_refused: u64,
}

/// How often the operating system gave each error number.
pub type Errnos = BTreeMap<i32, u64>;

impl Counters {
    /// Calls begun here that have not ended.
    pub fn calls_in_flight(&self) -> u64 {
        self.calls_started.saturating_sub(self.calls_ended.values().sum())
    }

    /// Attempts that have not ended.
    pub fn attempts_in_flight(&self) -> u64 {
        self.attempts_started.saturating_sub(self.attempts_ended.values().sum())
    }

    /// Handlers at work.
    pub fn handlers_running(&self) -> u64 {
        self.handlers_started.saturating_sub(self.handlers_ended.values().sum())
    }

    /// Sessions open.
    pub fn sessions_open(&self) -> u64 {
        self.sessions_opened.saturating_sub(self.sessions_closed.values().sum())
    }

    /// Whether every datagram received was either accepted or dropped.
    pub fn datagrams_add_up(&self) -> bool {
        let dropped: u64 = self.datagrams_dropped.values().sum();
        self.datagrams_received == self.datagrams_accepted + dropped
    }
}

/// The counters while they count.
#[derive(Default)]
pub(super) struct Live {
    datagrams_received: AtomicU64,
    bytes_received: AtomicU64,
    datagrams_accepted: AtomicU64,
    datagrams_dropped: [AtomicU64; DropReason::ALL.len()],
    datagrams_sent: AtomicU64,
    bytes_sent: AtomicU64,
    datagrams_lost: AtomicU64,
    congested_by_loss: AtomicU64,
    congested_by_mark: AtomicU64,
    probes_sent: AtomicU64,
    sends_divided: AtomicU64,
    send_errors: Mutex<Errnos>,
    receive_errors: Mutex<Errnos>,
    sessions_opened: AtomicU64,
    sessions_closed: [AtomicU64; CloseReason::ALL.len()],
    calls_started: AtomicU64,
    calls_ended: [AtomicU64; Code::ALL.len()],
    attempts_started: AtomicU64,
    attempts_ended: [AtomicU64; Code::ALL.len()],
    handlers_started: AtomicU64,
    handlers_ended: [AtomicU64; Code::ALL.len()],
    calls_refused: [AtomicU64; Code::ALL.len()],
    members_up: AtomicU64,
    members_suspected: AtomicU64,
    members_cleared: AtomicU64,
    members_died: AtomicU64,
    members_left: AtomicU64,
    suspicions_refuted: AtomicU64,
    seeds_unusable: AtomicU64,
    adverts_refused: AtomicU64,
}

impl Live {
    pub(super) fn count(&self, event: &Event<'_>) {
        match *event {
            Event::DatagramReceived { bytes, .. } => {
                add(&self.datagrams_received, 1);
                add(&self.bytes_received, bytes as u64);
            }
            Event::DatagramAccepted { .. } => add(&self.datagrams_accepted, 1),
            Event::DatagramDropped { reason, .. } => {
                add(&self.datagrams_dropped[reason as usize], 1);
            }
            Event::DatagramSent { bytes, .. } => {
                add(&self.datagrams_sent, 1);
                add(&self.bytes_sent, bytes as u64);
            }
            Event::SendFailed { errno, .. } => add_errno(&self.send_errors, errno),
            Event::ReceiveFailed { errno } => add_errno(&self.receive_errors, errno),
            Event::DatagramLost { .. } => add(&self.datagrams_lost, 1),
            Event::Congested { marked: false, .. } => add(&self.congested_by_loss, 1),
            Event::Congested { marked: true, .. } => add(&self.congested_by_mark, 1),
            Event::SendDivided { .. } => add(&self.sends_divided, 1),
            Event::ProbeSent { .. } => add(&self.probes_sent, 1),
            Event::SessionOpened { .. } => add(&self.sessions_opened, 1),
            Event::SessionClosed { reason, .. } => add(&self.sessions_closed[reason as usize], 1),
            Event::SessionSilent { .. } | Event::SessionHeard { .. } => {}
            Event::CallStarted { .. } => add(&self.calls_started, 1),
            Event::CallEnded { code, .. } => add(&self.calls_ended[code as usize], 1),
            Event::AttemptStarted { .. } => add(&self.attempts_started, 1),
            Event::AttemptEnded { code, .. } => add(&self.attempts_ended[code as usize], 1),
            Event::HandlerStarted { .. } => add(&self.handlers_started, 1),
            Event::HandlerEnded { code, .. } => add(&self.handlers_ended[code as usize], 1),
            Event::CallRefused { code, .. } => add(&self.calls_refused[code as usize], 1),
            Event::MemberUp { .. } => add(&self.members_up, 1),
            Event::MemberSuspected { .. } => add(&self.members_suspected, 1),
            Event::MemberCleared { .. } => add(&self.members_cleared, 1),
            Event::MemberDied { .. } => add(&self.members_died, 1),
            Event::MemberLeft { .. } => add(&self.members_left, 1),
            Event::SuspicionRefuted => add(&self.suspicions_refuted, 1),
            Event::SeedUnusable { .. } => add(&self.seeds_unusable, 1),
            Event::AdvertRefused { .. } => add(&self.adverts_refused, 1),
            Event::ReceiveBuffer { .. }
            | Event::DatagramSize { .. }
            | Event::MemberChanged { .. }
            | Event::AddressClaimed { .. }
            | Event::NobodyAnswers { .. }
            | Event::AdvertsFull { .. }
            | Event::ClusterDiffers { .. }
            | Event::VersionDiffers { .. }
            | Event::MembersFull { .. } => {}
        }
    }

    /// Reads what ended before what started: a call that ends in between then counts as under way
    /// rather than as ended without a start.
    pub(super) fn read(&self) -> Counters {
        Counters {
            datagrams_accepted: get(&self.datagrams_accepted),
            datagrams_dropped: by(DropReason::ALL, &self.datagrams_dropped),
            datagrams_received: get(&self.datagrams_received),
            bytes_received: get(&self.bytes_received),
            datagrams_sent: get(&self.datagrams_sent),
            bytes_sent: get(&self.bytes_sent),
            datagrams_lost: get(&self.datagrams_lost),
            congested_by_loss: get(&self.congested_by_loss),
            congested_by_mark: get(&self.congested_by_mark),
            sends_divided: get(&self.sends_divided),
            probes_sent: get(&self.probes_sent),
            send_errors: self.send_errors.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            receive_errors: self
                .receive_errors
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            sessions_closed: by(CloseReason::ALL, &self.sessions_closed),
            sessions_opened: get(&self.sessions_opened),
            calls_ended: by(&Code::ALL, &self.calls_ended),
            calls_started: get(&self.calls_started),
            attempts_ended: by(&Code::ALL, &self.attempts_ended),
            attempts_started: get(&self.attempts_started),
            handlers_ended: by(&Code::ALL, &self.handlers_ended),
            handlers_started: get(&self.handlers_started),
            calls_refused: by(&Code::ALL, &self.calls_refused),
            members_up: get(&self.members_up),
            members_suspected: get(&self.members_suspected),
            members_cleared: get(&self.members_cleared),
            members_died: get(&self.members_died),
            members_left: get(&self.members_left),
            suspicions_refuted: get(&self.suspicions_refuted),
            seeds_unusable: get(&self.seeds_unusable),
            adverts_refused: get(&self.adverts_refused),
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Relaxed);
}

fn add_errno(counters: &Mutex<Errnos>, errno: i32) {
    *counters.lock().unwrap_or_else(PoisonError::into_inner).entry(errno).or_default() += 1;
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

/// The counters that are not 0, by what they count. Both lists are in the order of declaration.
fn by<K: Copy + Ord>(keys: &[K], counters: &[AtomicU64]) -> BTreeMap<K, u64> {
    let all = keys.iter().zip(counters).map(|(&key, counter)| (key, get(counter)));
    all.filter(|&(_, count)| 0 < count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_drop_is_counted_under_its_own_reason() {
        let live = Live::default();
        let from = "127.0.0.1:1".parse().unwrap();
        for &reason in DropReason::ALL {
            live.count(&Event::DatagramReceived { from, bytes: 10 });
            live.count(&Event::DatagramDropped { from, reason });
        }
        let counters = live.read();
        assert!(DropReason::ALL.iter().all(|reason| counters.datagrams_dropped[reason] == 1));
        assert!(counters.datagrams_add_up());
        live.count(&Event::DatagramReceived { from, bytes: 10 });
        assert!(!live.read().datagrams_add_up());
    }

    #[test]
    fn calls_under_way_are_those_not_ended() {
        let live = Live::default();
        live.count(&Event::CallStarted { method: "a.B/C" });
        live.count(&Event::CallStarted { method: "a.B/C" });
        live.count(&Event::CallEnded {
            method: "a.B/C",
            code: Code::Ok,
            outcome: crate::Outcome::Executed,
            elapsed: std::time::Duration::ZERO,
            attempts: 1,
        });
        assert_eq!(live.read().calls_in_flight(), 1);
        assert_eq!(live.read().calls_ended[&Code::Ok], 1);
    }

    #[test]
    fn errors_of_the_system_are_counted_by_number() {
        let live = Live::default();
        let to = "127.0.0.1:1".parse().unwrap();
        live.count(&Event::SendFailed { to, errno: 105 });
        live.count(&Event::SendFailed { to, errno: 105 });
        assert_eq!(live.read().send_errors[&105], 2);
    }
}
