//! How much goes over a path, how long others have to wait for it, and what is lost by it.

use std::time::Duration;

use crate::config::{Network, Transport};
use crate::proto::tests::path::{Link, Load, Outcome, Path, Tally};
use crate::rng::Rng;

const MS: Duration = Duration::from_millis(1);

/// 10 Mbit/s.
const TEN_MEGABIT: u64 = 1_250_000;

/// A link of 10 Mbit/s that drops what would have to wait for more than 50 ms, 10 ms away.
fn slow_link() -> Link {
    Link { rate: Some(TEN_MEGABIT), queue: 50 * MS, jitter: MS / 2, ..Link::of(10 * MS) }
}

fn slow_path(seed: u64, callers: u64) -> Path {
    Path::new(seed, callers, &Transport::default(), slow_link(), Link::of(10 * MS))
}

/// Bulk from each caller, and small calls of the first beside it if that is wanted.
const fn bulk(small_every: Option<Duration>) -> Load {
    Load { bulk_bytes: 256 << 10, bulk_calls: 4, small_every }
}

/// The share of what was sent that was dropped by a queue.
fn dropped(tally: &Tally) -> f64 {
    tally.dropped as f64 / tally.sent as f64
}

fn say(what: &str, seed: u64, rate: u64, outcome: &Outcome) {
    let share = outcome.total() / rate as f64;
    let (p50, p99) = (outcome.percentile(0.5), outcome.percentile(0.99));
    let Tally { sent, dropped, lost, marked, waited, largest, .. } = outcome.tally;
    println!(
        "{what}, seed {seed}: {share:.3} of the rate; small calls {p50:.1?}, p99 {p99:.1?}; of \
         {sent} dropped {dropped}, lost {lost}, marked {marked}; queue {waited:.1?}, {largest} B"
    );
}

#[test]
fn bulk_fills_a_slow_link_and_leaves_small_calls_their_way() {
    for seed in 0..5 {
        let mut path = slow_path(seed, 1);
        let outcome = bulk(Some(20 * MS)).run(&mut path, Duration::from_secs(30));
        say("slow link", seed, TEN_MEGABIT, &outcome);
        let share = outcome.total() / TEN_MEGABIT as f64;
        assert!(0.8 <= share, "seed {seed}: {share}");
        let p99 = outcome.percentile(0.99);
        assert!(p99 <= (20 + 50 + 20) * MS, "seed {seed}: {p99:?}");
        let dropped = dropped(&outcome.tally);
        assert!(dropped <= 0.02, "seed {seed}: {dropped}");
    }
}

#[test]
fn a_window_that_is_full_all_the_time_does_not_pass_for_silence() {
    // A queue of a second: each acknowledgement comes late, but comes.
    for seed in 0..3 {
        let there = Link { queue: Duration::from_secs(1), ..slow_link() };
        let mut path = Path::new(seed, 1, &Transport::default(), there, Link::of(10 * MS));
        let outcome = bulk(Some(20 * MS)).run(&mut path, Duration::from_secs(60));
        say("long queue", seed, TEN_MEGABIT, &outcome);
        let counters = path.callers[0].end.counters();
        assert_eq!(counters.sessions_opened, 1, "seed {seed}");
        assert!(counters.sessions_closed.is_empty(), "seed {seed}: {counters:?}");
        assert!(counters.probes_sent < 20, "seed {seed}: {counters:?}");
        assert!(0 < counters.congested_by_loss, "seed {seed}: the queue was never full");
    }
}

#[test]
fn two_callers_share_a_link_whoever_comes_first() {
    for seed in 0..5 {
        let mut path = slow_path(seed, 2);
        // The first has the link to itself for a while.
        path.call(0, 4 << 20);
        let head_start = Duration::from_millis(Rng::from_seed(seed).below(3_000));
        path.run(path.now + head_start, |_| false);
        let outcome = bulk(None).run(&mut path, Duration::from_secs(60));
        say("two callers", seed, TEN_MEGABIT, &outcome);
        let share = outcome.goodput[0] / outcome.total();
        println!("  {share:.3} of it is the first's");
        assert!((0.4..=0.6).contains(&share), "seed {seed}: {share}");
        assert!(0.8 * TEN_MEGABIT as f64 <= outcome.total(), "seed {seed}");
    }
}

#[test]
fn a_burst_does_not_lose_itself() {
    // Every two seconds a large call, when nothing has been in flight for long.
    for seed in 0..5 {
        let mut path = slow_path(seed, 1);
        for _ in 0..20 {
            path.call(0, 512 << 10);
            path.run(path.now + Duration::from_secs(2), |_| false);
        }
        let dropped = dropped(&path.tally());
        println!("bursts, seed {seed}: {:?}", path.tally());
        assert!(dropped <= 0.02, "seed {seed}: {dropped}");
        let slowest = path.callers[0].made.iter().map(|made| made.took).max();
        // 512 KiB take 430 ms, and the window has to open first.
        assert!(slowest.flatten().is_some_and(|took| took < 750 * MS), "seed {seed}: {slowest:?}");
    }
}

#[test]
fn a_path_over_a_satellite_is_filled() {
    for seed in 0..3 {
        // 4 MiB are in flight at 10 Mbit/s and 1.5 s.
        let link = Link { delay: 750 * MS, ..slow_link() };
        let config = Transport::default();
        let mut path = Path::new(seed, 1, &config, link, Link::of(750 * MS));
        let load = Load { bulk_bytes: 1 << 20, bulk_calls: 6, small_every: Some(100 * MS) };
        let outcome = load.run(&mut path, Duration::from_secs(120));
        say("satellite", seed, TEN_MEGABIT, &outcome);
        assert!(0.6 * TEN_MEGABIT as f64 <= outcome.total(), "seed {seed}");
        assert!(dropped(&outcome.tally) <= 0.02, "seed {seed}");
    }
}

#[test]
fn losses_at_random_do_not_slow_down_a_short_path() {
    for seed in 0..3 {
        let there = Link { loss: 0.05, ..Link::of(MS / 2) };
        let mut path = Path::new(seed, 1, &Transport::default(), there, Link::of(MS / 2));
        let outcome = bulk(Some(10 * MS)).run(&mut path, Duration::from_secs(2));
        say("5 % lost", seed, TEN_MEGABIT, &outcome);
        // 16 datagrams in each round trip are 19 MB/s.
        assert!(10e6 <= outcome.total(), "seed {seed}: {}", outcome.total());
    }
}

#[test]
fn a_queue_that_marks_stays_short_and_loses_nothing() {
    for seed in 0..5 {
        let there = Link { mark_above: Some(5 * MS), ..slow_link() };
        let mut path = Path::new(seed, 1, &Transport::default(), there, Link::of(10 * MS));
        let outcome = bulk(Some(20 * MS)).run(&mut path, Duration::from_secs(30));
        say("marks", seed, TEN_MEGABIT, &outcome);
        assert!(0.8 * TEN_MEGABIT as f64 <= outcome.total(), "seed {seed}");
        assert_eq!(outcome.tally.dropped, 0, "seed {seed}");
        assert!(0 < outcome.tally.marked, "seed {seed}");
        assert!(outcome.percentile(0.99) <= 50 * MS, "seed {seed}: {outcome:?}");
    }
}

#[test]
fn a_path_that_wipes_off_marks_is_used_without() {
    for seed in 0..3 {
        let there = Link { mark_above: Some(5 * MS), bleaches: true, ..slow_link() };
        let mut path = Path::new(seed, 1, &Transport::default(), there, Link::of(10 * MS));
        let outcome = bulk(Some(20 * MS)).run(&mut path, Duration::from_secs(10));
        assert!(0.8 * TEN_MEGABIT as f64 <= outcome.total(), "seed {seed}");
        // Nothing says any more that it might be marked, also not where it could be.
        path.there().bleaches = false;
        let outcome = bulk(Some(20 * MS)).run(&mut path, Duration::from_secs(10));
        say("bleached", seed, TEN_MEGABIT, &outcome);
        assert_eq!(outcome.tally.marked, 0, "seed {seed}");
        assert!(0 < outcome.tally.dropped, "seed {seed}");
    }
}

#[test]
fn datagrams_that_overtake_each_other_do_not_slow_down_for_long() {
    for seed in 0..3 {
        let config = Transport::default();
        let there = Link { jitter: 5 * MS, queue: Duration::MAX, ..slow_link() };
        let mut path = Path::new(seed, 1, &config, there, Link::of(10 * MS));
        let outcome = bulk(None).run(&mut path, Duration::from_secs(20));
        println!("reordering, seed {seed}: {:.3}", outcome.total() / TEN_MEGABIT as f64);
        assert!(0.8 * TEN_MEGABIT as f64 <= outcome.total(), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn between_networks_it_begins_with_less_and_gets_as_far() {
    let config = Transport { network: Network::Wan, ..Transport::default() };
    let mut path = Path::new(1, 1, &config, slow_link(), Link::of(10 * MS));
    path.call(0, 256 << 10);
    path.run(path.now + 38 * MS, |_| false);
    let begun = path.tally().sent;
    assert!((10..=12).contains(&begun), "{begun}");
    let outcome = bulk(Some(20 * MS)).run(&mut path, Duration::from_secs(30));
    say("wan", 1, TEN_MEGABIT, &outcome);
    assert!(0.8 * TEN_MEGABIT as f64 <= outcome.total());
    assert!(dropped(&outcome.tally) <= 0.02);
}

#[test]
fn an_outage_does_not_flood_the_path_and_is_got_over() {
    for seed in 0..3 {
        let mut path = slow_path(seed, 1);
        path.call(0, 16 << 20);
        path.run(path.now + Duration::from_secs(4), |_| false);
        path.reset_tally();
        path.there().loss = 1.0;
        path.run(path.now + Duration::from_secs(5), |_| false);
        let sent = path.tally().sent;
        println!("outage, seed {seed}: {sent} in 5 s");
        // What the window had room for, and probes.
        assert!(sent <= 75 + 30, "seed {seed}: {sent}");
        path.there().loss = 0.0;
        let before = path.now;
        path.run(before + Duration::from_secs(60), |path| path.callers[0].made[0].took.is_some());
        let made = path.callers[0].made[0];
        assert!(made.took.is_some_and(|took| took < Duration::from_secs(22)), "{made:?}");
    }
}
