//! [`Tangle`]: streams and large messages of nodes that all call each other, over hardly any
//! memory, and the question whether somebody waits for ever.

mod ends;
mod plan;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broach_core::testing::{Faults, Struck};
use broach_core::{Code, Node, config};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::dice::Dice;
use crate::{Probe, World, faults, millis, secs, transport};
use ends::Neighbours;
use plan::Plan;

/// A few nodes with hardly any memory for what comes in, whose calls of all shapes get into each
/// other's way: messages of any size, readers that are slow or read nothing for a while, handlers
/// that pass a stream on or call back, and ends that are dropped half-way.
///
/// Whoever reads or writes must come further within [`Tangle::PATIENCE`], and when all calls have
/// ended nothing may be left.
#[derive(Clone, Debug)]
pub struct Tangle {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// How many nodes there are.
    pub nodes: u8,
    /// How many calls are made, beside those that handlers make.
    pub calls: u64,
    /// Within which time they begin.
    pub within: Duration,
    /// What the network does.
    pub faults: Faults,
    /// What it does later, and after how long.
    pub later: Vec<(Duration, Faults)>,
    /// The transport of all nodes.
    pub config: config::Transport,
}

/// What came of a [`Tangle`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TangleReport {
    /// The seed, to run it again.
    pub seed: u64,
    /// How calls ended, as those saw who made them; `None` if they dropped them.
    pub ended: BTreeMap<Option<Code>, usize>,
    /// Messages that were read.
    pub messages: u64,
    /// Those who came no further, and what else was wrong.
    pub wrong: Vec<String>,
    /// The longest that anybody waited for a message, or for room for one.
    pub longest: Duration,
    /// How much virtual time passed.
    pub elapsed: Duration,
    /// What the network did.
    pub struck: Struck,
}

impl Tangle {
    /// So long anybody waits at the most: readers take their time, for some seconds in all, and may
    /// hold up others who pass their messages on.
    pub const PATIENCE: Duration = secs(60);

    /// Everything is drawn from the seed; each kind of fault is left out in some seeds.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let mut later = Vec::new();
        if dice.chance(0.3) {
            later.push((millis(dice.below(2_000)), draw_faults(&mut dice)));
        }
        if dice.chance(0.3) {
            // Not for so long that nodes are given up.
            later.push((millis(dice.below(2_000)), faults(|faults| faults.loss = 1.0)));
            later.push((millis(dice.below(3_000)), draw_faults(&mut dice)));
        }
        Self {
            seed,
            nodes: 2 + dice.below(3) as u8,
            calls: 6 + dice.below(24),
            within: millis(dice.below(2_000)),
            faults: draw_faults(&mut dice),
            later,
            config: draw_config(&mut dice),
        }
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// If something is left behind. The seed is printed then.
    pub fn run(self) -> TangleReport {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without sockets needs nothing of the system");
        let seed = self.seed;
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on(self.in_virtual_time()));
        std::panic::catch_unwind(run).unwrap_or_else(|panic| {
            eprintln!("seed {seed} failed; it alone brings it back");
            std::panic::resume_unwind(panic)
        })
    }

    async fn in_virtual_time(self) -> TangleReport {
        let world = World::new(self.seed);
        world.network.set_faults(self.faults.clone());
        let bytes_max = self.config.message_bytes_max as u64 - MESSAGE_HEAD;
        let notes = Notes::new(self.seed);
        let (mut nodes, mut all) = (Vec::new(), Vec::new());
        for number in 1..=self.nodes {
            let neighbours = Neighbours::new(number, bytes_max, notes.clone());
            let builder = world.node(number).transport(self.config.clone());
            let builder = builder.serve(neighbours.dialog().server()).serve(Probe::new().server());
            nodes.push(builder.start().await.expect("the settings are good"));
            all.push(neighbours);
        }
        for (node, neighbours) in nodes.iter().zip(&all) {
            for number in 1..=self.nodes {
                let channel = node.connect(World::addr(number)).await.expect("it is an address");
                neighbours.add(channel);
            }
        }
        let (mut dice, mut calls) = (Dice::new(self.seed), JoinSet::new());
        for _ in 0..self.calls {
            let plan = Plan::of(dice.next_u64(), bytes_max);
            let from = dice.below(u64::from(self.nodes)) as usize;
            let to = 1
                + (from + 1 + dice.below(u64::from(self.nodes) - 1) as usize)
                    % usize::from(self.nodes);
            let (caller, after) = (all[from].clone(), self.within.mul_f64(dice.fraction()));
            calls.spawn(async move {
                tokio::time::sleep(after).await;
                caller.make(plan, to as u8).await;
            });
        }
        for (after, faults) in self.later {
            tokio::time::sleep(after).await;
            world.network.set_faults(faults);
        }
        while let Some(ended) = calls.join_next().await {
            if let Err(error) = ended {
                notes.wrong(format!("a caller: {error}"));
            }
        }
        let (elapsed, struck) = (world.elapsed(), world.network.struck());
        // What is still to be said gets through.
        world.network.set_faults(Faults::default());
        tokio::time::sleep(secs(5)).await;
        nodes.iter().for_each(|node| check_nothing_is_held(node, &notes));
        all.iter().for_each(Neighbours::forget);
        world.end((nodes, all)).await;
        let report = notes.lock().clone();
        TangleReport { elapsed, struck, ..report }
    }
}

impl TangleReport {
    /// Whether all came further, and nothing was left.
    pub const fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }
}

impl fmt::Display for TangleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, messages, elapsed, longest, struck, .. } = self;
        writeln!(f, "seed {seed}: {messages} messages in {elapsed:.1?} of virtual time")?;
        for (code, count) in &self.ended {
            match code {
                Some(code) => writeln!(f, "  {code}: {count}")?,
                None => writeln!(f, "  dropped: {count}")?,
            }
        }
        writeln!(f, "  nobody waited longer than {longest:.1?}")?;
        write!(f, "  network: {struck:?}")?;
        self.wrong.iter().take(20).try_for_each(|what| write!(f, "\n  WRONG: {what}"))
    }
}

/// What is noted while it runs.
#[derive(Clone, Debug)]
struct Notes(Arc<Mutex<TangleReport>>);

impl Notes {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(TangleReport { seed, ..TangleReport::default() })))
    }

    fn wrong(&self, what: String) {
        self.lock().wrong.push(what);
    }

    fn lock(&self) -> MutexGuard<'_, TangleReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_nothing_is_held(node: &Node, notes: &Notes) {
    let held = node.held();
    if (held.incoming_bytes, held.reply_bytes) != (0, 0) {
        notes.wrong(format!("node {} still holds {held:?}", node.local_addr()));
    }
}

/// Nothing that keeps nodes from hearing of each other for so long that they give up.
fn draw_faults(dice: &mut Dice) -> Faults {
    let mut share = |most: f64| if dice.chance(0.5) { most * dice.fraction() } else { 0.0 };
    let mut faults = Faults::default();
    (faults.loss, faults.duplicate) = (share(0.15), share(0.1));
    faults.jitter = Duration::from_micros(if dice.chance(0.5) { dice.below(10_000) } else { 0 });
    faults.delay = Duration::from_micros(50 + dice.below(5_000));
    faults.mtu = [1_232, 1_452, 8_952, 65_507][dice.below(4) as usize];
    faults
}

/// As little memory as there may be, or somewhat more.
fn draw_config(dice: &mut Dice) -> config::Transport {
    transport(|config| {
        config.message_bytes_max = 2_000 + dice.below(250_000) as usize;
        config.metadata_bytes_max = 1_024;
        let least = config.message_bytes_max + config.metadata_bytes_max + (256 << 10);
        let most = if dice.chance(0.5) { 1 } else { 300_000 };
        config.reassembly_bytes_per_session_max = least + dice.below(most) as usize;
        config.reassembly_bytes_max =
            config.reassembly_bytes_per_session_max + dice.below(most) as usize;
        config.stream_window_bytes = 1 + dice.below(64 << 10) as usize;
        config.stream_send_bytes = 1 + dice.below(64 << 10) as usize;
        if dice.chance(0.3) {
            config.calls_per_session_max = 4 + dice.below(20) as usize;
        }
    })
}

/// What stands in a message beside its payload.
const MESSAGE_HEAD: u64 = 32;
