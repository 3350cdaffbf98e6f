//! [`ClusterStorm`]: whole nodes under everything that can happen to them, from one seed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use broach_core::testing::{Faults, Struck, Violation};
use broach_core::{Attempt, Code, Outcome, Status};
use tokio::runtime::Builder;

use crate::dice::Dice;
use crate::requests::echo;
use crate::{Cluster, Load, Note, World, eventually, millis, secs};

/// What a seed does to some nodes that all serve, and all call each other.
#[derive(Clone, Debug)]
pub struct ClusterStorm {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// How many nodes there are at first.
    pub nodes: u8,
    /// What the network does.
    pub faults: Faults,
    /// How many things happen to nodes.
    pub steps: u32,
    /// How long it takes from one to the next at the most.
    pub pace: Duration,
    /// How often each node makes a call.
    pub every: Duration,
    /// Nodes are cut off from each other, and stopped for a while.
    pub parted: bool,
}

/// What came of a [`ClusterStorm`].
#[derive(Clone, Debug)]
pub struct StormReport {
    /// The seed, to run it again.
    pub seed: u64,
    /// What happened, in order.
    pub story: Vec<String>,
    /// How many lives of nodes there were.
    pub lives: usize,
    /// Calls made.
    pub calls: u64,
    /// Calls that failed, by code and outcome.
    pub failures: BTreeMap<(Code, Outcome), usize>,
    /// The longest that a call took.
    pub slowest: Duration,
    /// Promises that were not kept.
    pub violations: Vec<Violation>,
    /// Calls of nodes that live, which may run twice and failed all the same, although nodes were
    /// neither stopped nor cut off.
    pub failed_for_nothing: Vec<Status>,
    /// How many calls on the good network in the end met a session of which the other end knew
    /// nothing any more, and were made again.
    pub renewals: usize,
    /// Nodes that were called dead and lived, while all could reach each other.
    pub false_deaths: Vec<Note>,
    /// How long it took, once the network was good, until all knew all.
    pub full_after: Duration,
    /// What the network did.
    pub struck: Struck,
    /// How much virtual time passed.
    pub elapsed: Duration,
    /// A number for all that nodes did: two runs of one seed have the same.
    pub digest: u64,
    /// How many events that number stands for.
    pub events: u64,
}

/// A thing that happens to nodes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Crash(u8),
    /// It crashes, and starts again on the same address after so many milliseconds.
    Restart(u8, u64),
    Leave(u8),
    Join,
    /// Nodes up to this number are parted from the others for so many milliseconds.
    Part(u8, u64),
    /// It stops for so many milliseconds.
    Pause(u8, u64),
    Nothing,
}

impl ClusterStorm {
    /// Everything is drawn from the seed; each kind of fault is left out in some seeds.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let mut share = |most: f64| if dice.chance(0.5) { most * dice.fraction() } else { 0.0 };
        let mut faults = Faults::default();
        (faults.loss, faults.duplicate) = (share(0.1), share(0.1));
        faults.jitter = Duration::from_micros(dice.below(5_000));
        faults.delay = Duration::from_micros(50 + dice.below(1_000));
        Self {
            seed,
            nodes: 5 + dice.below(4) as u8,
            faults,
            steps: 12,
            pace: secs(6),
            every: millis(40),
            parted: dice.chance(0.6),
        }
    }

    /// Runs it: first with all that is bad until nothing more happens, then on a good network until
    /// all nodes know each other and each call succeeds.
    ///
    /// # Panics
    ///
    /// If a call does not end, if something is left behind, or if the nodes do not find each other
    /// again. The seed is printed then.
    pub fn run(self) -> StormReport {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without sockets needs nothing of the system");
        let seed = self.seed;
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on(self.in_virtual_time()));
        std::panic::catch_unwind(run).unwrap_or_else(|panic| {
            eprintln!("seed {seed} failed; it alone brings it back");
            std::panic::resume_unwind(panic)
        })
    }

    async fn in_virtual_time(self) -> StormReport {
        let mut cluster = Cluster::new(World::new(self.seed));
        cluster.world.network.set_faults(self.faults.clone());
        for number in 1..=self.nodes {
            cluster.start(number).await;
        }
        let load = Load::new(5, secs(5));
        for number in cluster.alive() {
            cluster.load(number, &load, self.every);
        }
        let (mut dice, mut story) = (Dice::new(self.seed), Vec::new());
        let mut next = self.nodes;
        for _ in 0..self.steps {
            tokio::time::sleep(self.pace.mul_f64(dice.fraction())).await;
            let step = self.draw(&mut dice, &cluster);
            story.push(format!("{:.3?} {step:?}", cluster.world.elapsed()));
            self.take(step, &mut cluster, &load, &mut next).await;
        }
        // From now on everything is good.
        let bad = cluster.world.network.struck();
        cluster.world.network.set_faults(Faults::default());
        let begun = cluster.world.elapsed();
        eventually(|| cluster.is_full()).await;
        let full_after = cluster.world.elapsed() - begun;
        load.stop().await;
        // Who was silent is tried again by and by.
        tokio::time::sleep(secs(1)).await;
        let mut renewals = 0;
        for number in cluster.alive() {
            for turn in 0..10 {
                let token = 1 << 40 | u64::from(number) << 8 | turn;
                let call = cluster.client(number).echo(echo(token)).timeout(secs(1));
                let response = call.response().await;
                let response = response.unwrap_or_else(|status| panic!("{number}: {status:#}"));
                // Of some sessions one end did not know that they had ended.
                let failed = response.attempts.iter().filter(|one| one.code != Code::Ok);
                let renewed = |one: &Attempt| one.message.contains("does not know the session");
                assert!(failed.clone().all(renewed), "{number}: {:?}", response.attempts);
                renewals += failed.count();
            }
        }
        let mut failures = BTreeMap::new();
        for status in load.failures().values() {
            *failures.entry((status.code(), status.outcome())).or_default() += 1;
        }
        let report = StormReport {
            seed: self.seed,
            story,
            lives: cluster.lives(),
            calls: load.calls(),
            failures,
            slowest: load.slowest(),
            violations: load.judge(&cluster),
            failed_for_nothing: if self.parted { Vec::new() } else { load.failed_for_nothing() },
            renewals,
            false_deaths: if self.parted { Vec::new() } else { cluster.false_deaths() },
            full_after,
            struck: bad,
            elapsed: cluster.world.elapsed(),
            digest: cluster.trace.digest(),
            events: cluster.trace.events(),
        };
        cluster.end().await;
        report
    }

    fn draw(&self, dice: &mut Dice, cluster: &Cluster) -> Step {
        let alive = cluster.alive();
        let one = alive[dice.below(alive.len() as u64) as usize];
        let while_ms = 200 + dice.below(8_000);
        match dice.below(if self.parted { 7 } else { 5 }) {
            0 if 3 < alive.len() => Step::Crash(one),
            1 => Step::Restart(one, while_ms / 4),
            2 if 3 < alive.len() => Step::Leave(one),
            3 if alive.len() < 10 => Step::Join,
            5 => Step::Part(one, while_ms),
            6 => Step::Pause(one, while_ms),
            _ => Step::Nothing,
        }
    }

    async fn take(&self, step: Step, cluster: &mut Cluster, load: &Load, next: &mut u8) {
        match step {
            Step::Nothing => {}
            Step::Crash(one) => {
                cluster.crash(one).await;
            }
            Step::Restart(one, after) => {
                cluster.crash(one).await;
                tokio::time::sleep(millis(after)).await;
                self.start(one, cluster, load).await;
            }
            Step::Leave(one) => {
                // Whether all could finish in time is not the question here.
                let _ = cluster.take(one).shutdown().await;
            }
            Step::Join => {
                *next += 1;
                self.start(*next, cluster, load).await;
            }
            Step::Part(at, during) => {
                let addrs: Vec<_> = (1..=*next).map(World::addr).collect();
                let (some, others) = addrs.split_at(usize::from(at));
                cluster.world.network.partition([some, others]);
                tokio::time::sleep(millis(during)).await;
                cluster.world.network.heal();
            }
            Step::Pause(one, during) => {
                cluster.world.network.stop(World::addr(one));
                tokio::time::sleep(millis(during)).await;
                cluster.world.network.resume(World::addr(one));
            }
        }
    }

    /// Starts a node that joins through all that live, as those do who have a list of them.
    async fn start(&self, number: u8, cluster: &mut Cluster, load: &Load) {
        let (probe, seeds) = (cluster.probe(number), cluster.alive());
        let builder = cluster.builder(number).join(seeds.into_iter().map(World::addr));
        cluster.start_with(number, builder.serve(probe.server())).await;
        cluster.load(number, load, self.every);
    }
}

impl StormReport {
    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
            && self.false_deaths.is_empty()
            && self.failed_for_nothing.is_empty()
    }
}

impl fmt::Display for StormReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, lives, calls, elapsed, full_after, slowest, .. } = self;
        writeln!(f, "seed {seed}: {lives} lives, {calls} calls in {elapsed:.1?} of virtual time")?;
        writeln!(f, "  all knew all {full_after:.1?} after the last of it; slowest {slowest:.1?}")?;
        for ((code, outcome), count) in &self.failures {
            writeln!(f, "  {code} ({outcome}): {count}")?;
        }
        writeln!(f, "  network: {:?}", self.struck)?;
        if !self.is_good() {
            self.story.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
        }
        for violation in self.violations.iter().take(20) {
            writeln!(f, "  VIOLATION: {violation}")?;
        }
        for status in self.failed_for_nothing.iter().take(20) {
            writeln!(f, "  FAILED FOR NOTHING: {status:#}")?;
        }
        for note in self.false_deaths.iter().take(20) {
            writeln!(f, "  FALSE DEATH: {note:?}")?;
        }
        write!(f, "  trace {:016x} of {} events", self.digest, self.events)
    }
}
