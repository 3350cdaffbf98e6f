//! [`Storm`]: what a simulation of the transport is asked to do, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::observe::DropReason;
use crate::rng::Rng;
use crate::testing::world::World;
use crate::testing::{Faults, Struck, Violation};

/// A simulation: nodes that call each other over a bad network, in virtual time, from one seed.
///
/// ```
/// use broach_core::testing::{Faults, Storm};
///
/// let mut faults = Faults::default();
/// (faults.loss, faults.duplicate) = (0.1, 0.05);
/// let report = Storm { calls: 1_000, faults, ..Storm::new(42) }.run();
/// assert!(report.violations.is_empty(), "{report}");
/// ```
#[derive(Clone, Debug)]
pub struct Storm {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// How many nodes make calls.
    pub clients: usize,
    /// How many nodes serve them.
    pub servers: usize,
    /// How many calls are made, over all clients.
    pub calls: u64,
    /// How many of them each client has under way at once.
    pub in_flight: usize,
    /// How long each call may take.
    pub deadline: Duration,
    /// The share of calls that may run twice.
    pub idempotent: f64,
    /// The share of calls that their caller drops before they end.
    pub dropped: f64,
    /// Bytes of the requests: drawn so that every magnitude is as likely as every other.
    pub request_bytes: RangeInclusive<usize>,
    /// Bytes of the replies, drawn alike.
    pub reply_bytes: RangeInclusive<usize>,
    /// The share of calls that stream their requests, their replies, or both. Half of them have no
    /// deadline.
    pub streaming: f64,
    /// Messages of a stream, drawn alike; each is as large as a request or a reply.
    pub items: RangeInclusive<usize>,
    /// How long readers of streams take over a message at the most: half of them do, evenly spread,
    /// and the others none.
    pub thinking: Duration,
    /// How long a handler takes at the most: evenly spread.
    pub service: Duration,
    /// What the network does, each way.
    pub faults: Faults,
    /// What it does from these times on instead, as long as calls are made.
    pub later: Vec<(Duration, Faults)>,
    /// How often a server crashes and begins a new life at once on the same address; on average,
    /// each of them.
    pub server_crash_every: Option<Duration>,
    /// The share of these crashes that are none: the server ends in order, and says goodbye.
    pub goodbyes: f64,
    /// The same for clients, whose calls are lost with them.
    pub client_crash_every: Option<Duration>,
    /// How often a node stops for a while without knowing it; on average, each of them.
    pub pause_every: Option<Duration>,
    /// How long it stops at the most: evenly spread.
    pub pause: Duration,
    /// Datagrams that a node's socket holds while nobody reads; more are lost.
    pub receive_buffer: usize,
    /// By how many parts in a million the clocks of nodes run too fast or too slow, at the most.
    pub clock_skew_ppm: u32,
    /// The share of datagrams of which a copy comes from a forged address as well.
    pub forged: f64,
    /// The settings of every node.
    pub config: Transport,
}

impl Storm {
    /// A quiet network, two clients, three servers, small calls that must run once.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            clients: 2,
            servers: 3,
            calls: 1_000,
            in_flight: 16,
            deadline: Duration::from_secs(5),
            idempotent: 0.0,
            dropped: 0.0,
            request_bytes: 0..=512,
            reply_bytes: 0..=512,
            streaming: 0.0,
            items: 0..=50,
            thinking: Duration::from_millis(20),
            service: Duration::from_millis(2),
            faults: Faults::default(),
            later: Vec::new(),
            server_crash_every: None,
            goodbyes: 0.0,
            client_crash_every: None,
            pause_every: None,
            pause: Duration::from_secs(2),
            receive_buffer: 1_000,
            clock_skew_ppm: 0,
            forged: 0.0,
            config: Transport::default(),
        }
    }

    /// Every kind of fault that the seed draws, with clocks that are wrong, forged addresses, and
    /// nodes that can remember little; each kind is left out in half of the seeds, so that none
    /// hides what another would show.
    pub fn wild(seed: u64) -> Self {
        let mut rng = Rng::from_seed(!seed);
        let config = forgetful(&mut rng);
        let mut rarely = |seconds: u64| rng.chance(0.5).then(|| Duration::from_secs(seconds));
        let server_crash_every = rarely(10);
        let client_crash_every = rarely(10);
        let pause_every = rarely(5);
        let faults = Faults::drawn(seed);
        let later = worse(&mut rng, &faults);
        Self {
            calls: 400,
            idempotent: 0.3,
            dropped: 0.05,
            request_bytes: 0..=20_000,
            reply_bytes: 0..=20_000,
            streaming: 0.2,
            service: Duration::from_millis(20),
            faults,
            later,
            server_crash_every,
            goodbyes: 0.5,
            client_crash_every,
            pause_every,
            receive_buffer: 64,
            clock_skew_ppm: 50_000,
            forged: 0.01,
            config,
            ..Self::new(seed)
        }
    }

    /// Runs it: first with the faults until all calls have been made, then without them until all
    /// have ended and every session is closed.
    pub fn run(self) -> Report {
        World::new(self).run()
    }
}

/// What becomes of the network while calls are made, in half of all cases: it carries only small
/// datagrams, at times none that are large enough for a call, or hardly anything at all, and in the
/// end what it did in the beginning.
fn worse(rng: &mut Rng, faults: &Faults) -> Vec<(Duration, Faults)> {
    let begins = Duration::from_millis(rng.below(1_000));
    let ends = begins + Duration::from_millis(rng.below(4_000));
    let (kind, kilobits) = (rng.below(6), 100 + rng.below(900));
    let worse = match kind {
        // What IPv4 promises, with paths of 576 bytes.
        0 => Faults { mtu: 548, ..faults.clone() },
        1 => Faults { mtu: 1_232, ..faults.clone() },
        2 => Faults { bytes_per_second: Some(kilobits * 125), ..faults.clone() },
        _ => return Vec::new(),
    };
    vec![(begins, worse), (ends, faults.clone())]
}

/// Settings with which nodes forget sessions early, and have no room for more, each of them in half
/// of all cases.
fn forgetful(rng: &mut Rng) -> Transport {
    let mut config = Transport::default();
    if rng.chance(0.5) {
        config.sessions_max = 1 + rng.below(3) as usize;
    }
    if rng.chance(0.5) {
        config.closed_max = 1 + rng.below(3) as usize;
    }
    if rng.chance(0.5) {
        config.token_lifetime = Duration::from_secs(1);
    }
    if rng.chance(0.5) {
        config.idle_client = Duration::from_millis(20 + rng.below(200));
        config.idle_server = config.idle_client + Duration::from_millis(rng.below(200) + 1);
    }
    if rng.chance(0.5) {
        config.stream_window_bytes = 1 + rng.below(50_000) as usize;
    }
    if rng.chance(0.5) {
        config.stream_send_bytes = 1 + rng.below(50_000) as usize;
    }
    if rng.chance(0.25) {
        // What a wild seed sends, and not a byte more than has to be beside it.
        config.message_bytes_max = 20_000 + 100;
        config.reassembly_bytes_per_session_max =
            config.message_bytes_max + config.metadata_bytes_max + (256 << 10);
        config.reassembly_bytes_max = config.reassembly_bytes_per_session_max;
    }
    config
}

/// What came of a [`Storm`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The seed, to run it again.
    pub seed: u64,
    /// Calls made.
    pub calls: usize,
    /// Calls that have a reply.
    pub replies: usize,
    /// Calls that were dropped, or whose caller crashed.
    pub abandoned: usize,
    /// Calls that failed.
    pub failures: BTreeMap<(Code, Outcome), usize>,
    /// Handlers started.
    pub executions: usize,
    /// Promises that were not kept.
    pub violations: Vec<Violation>,
    /// What else is wrong: something left behind, more sent to a forged address than it may get.
    pub faults_found: Vec<String>,
    /// What the network did.
    pub struck: Struck,
    /// Crashes and pauses of nodes.
    pub crashes: u64,
    /// Pauses of nodes.
    pub pauses: u64,
    /// Datagrams that all nodes received.
    pub received: u64,
    /// Datagrams that nodes threw away, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Probes that all nodes sent.
    pub probes: u64,
    /// How much virtual time passed until the last call had ended.
    pub elapsed: Duration,
    /// A number that depends on all that happened: two runs of one seed have the same.
    pub trace: u64,
}

impl Report {
    /// Whether every promise was kept and nothing was left behind.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty() && self.faults_found.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, calls, replies, abandoned, executions, elapsed, .. } = self;
        let Self { crashes, pauses, .. } = self;
        writeln!(f, "seed {seed}: {calls} calls in {elapsed:.1?} of virtual time")?;
        writeln!(f, "  replies {replies}, abandoned {abandoned}, handlers started {executions}")?;
        for ((code, outcome), count) in &self.failures {
            writeln!(f, "  {code} ({outcome}): {count}")?;
        }
        writeln!(f, "  network: {:?}", self.struck)?;
        writeln!(f, "  crashes {crashes}, pauses {pauses}, probes {}", self.probes)?;
        writeln!(f, "  datagrams received {}, dropped {:?}", self.received, self.dropped)?;
        for violation in self.violations.iter().take(20) {
            writeln!(f, "  VIOLATION: {violation}")?;
        }
        for fault in self.faults_found.iter().take(20) {
            writeln!(f, "  WRONG: {fault}")?;
        }
        write!(f, "  trace {:016x}", self.trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_network_loses_nothing() {
        let report = Storm::new(1).run();
        assert!(report.is_good(), "{report}");
        assert_eq!((report.replies, report.executions), (1_000, 1_000), "{report}");
        // Each client has to show each server a token once.
        assert_eq!(report.dropped, BTreeMap::from([(DropReason::Token, 6)]), "{report}");
    }

    #[test]
    fn wild_seeds_keep_every_promise() {
        for seed in 0..40 {
            let report = Storm::wild(seed).run();
            assert!(report.is_good(), "{report}");
            let failed: usize = report.failures.values().sum();
            assert_eq!(report.replies + report.abandoned + failed, report.calls, "{report}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        for seed in 0..5 {
            assert_eq!(Storm::wild(seed).run().trace, Storm::wild(seed).run().trace, "seed {seed}");
        }
    }

    #[test]
    fn streams_come_whole_and_in_order_and_leave_nothing_behind() {
        let streams = Storm { streaming: 1.0, dropped: 0.1, ..Storm::new(1) };
        let report = streams.clone().run();
        assert!(report.is_good(), "{report}");
        // Some handlers end their stream with a status.
        let asked = report.failures.get(&(Code::Aborted, Outcome::Executed));
        assert!(asked.is_some_and(|&count| 20 < count) && report.failures.len() == 1, "{report}");
        for seed in 0..10 {
            let faults = Faults { loss: 0.1, duplicate: 0.1, ..Faults::drawn(seed) };
            let client_crash_every = (seed % 2 == 0).then_some(Duration::from_secs(3));
            let storm = Storm { seed, faults, client_crash_every, ..streams.clone() };
            let report = storm.run();
            assert!(report.is_good() && 500 < report.replies, "{report}");
        }
    }

    #[test]
    fn calls_end_on_a_path_that_carries_none_and_succeed_once_it_does() {
        let nothing = Faults { mtu: 548, ..Faults::default() };
        let calls = Storm { calls: 200, deadline: Duration::from_secs(2), ..Storm::new(1) };
        let report = Storm { faults: nothing.clone(), ..calls.clone() }.run();
        assert!(report.is_good(), "{report}");
        // The last ones are made when the network is good again.
        assert!(report.replies <= 32 && 0 < report.struck.oversized, "{report}");

        let later = vec![(Duration::from_secs(1), Faults::default())];
        let report = Storm { faults: nothing, later, ..calls }.run();
        assert!(report.is_good(), "{report}");
        assert!(150 <= report.replies, "{report}");
    }

    #[test]
    fn a_narrow_network_with_a_long_way_keeps_every_promise() {
        for seed in 0..5 {
            let faults = Faults {
                delay: Duration::from_millis(150 * seed),
                mtu: 1_232,
                bytes_per_second: Some(250_000),
                ..Faults::default()
            };
            let storm = Storm {
                calls: 200,
                request_bytes: 0..=200_000,
                reply_bytes: 0..=200_000,
                deadline: Duration::from_secs(10),
                faults,
                ..Storm::new(seed)
            };
            let report = storm.run();
            assert!(report.is_good(), "{report}");
            assert!(0 < report.struck.queued && 0 < report.replies, "{report}");
        }
    }
}
