//! Calls over paths that carry datagrams of this size or that.

use std::time::Duration;

use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::proto::tests::pair::Pair;
use crate::proto::tests::path::{Link, Load, Path};
use crate::wire::Open;

const MS: Duration = Duration::from_millis(1);

/// A path of 20 Mbit/s that carries packets of so many bytes, with the headers of IP and UDP, both
/// ways.
fn carrying(seed: u64, mtu: usize) -> Path {
    let way = || Link { mtu, rate: Some(2_500_000), queue: 50 * MS, ..Link::of(5 * MS) };
    Path::new(seed, 1, &Transport::default(), way(), way())
}

/// Large calls, and small ones beside them.
const LOAD: Load =
    Load { bulk_bytes: 256 << 10, bulk_calls: 4, small_every: Some(Duration::from_millis(7)) };

#[test]
fn datagrams_grow_to_what_the_path_carries_and_no_call_waits_for_it() {
    // What the ladder has below the path's own size.
    for (mtu, largest) in
        [(1_228, 1_200), (1_280, 1_232), (1_400, 1_232), (1_500, 1_472), (9_000, 8_952)]
    {
        for seed in 0..3 {
            let mut path = carrying(seed, mtu);
            path.run(path.now + MS, |_| false);
            let outcome = LOAD.run(&mut path, Duration::from_secs(1));
            let (tally, p99) = (outcome.tally, outcome.percentile(0.99));
            println!("mtu {mtu}, seed {seed}: {tally:?}, small calls {p99:?}");
            assert!((largest - 3..=largest).contains(&tally.largest), "{mtu}: {tally:?}");
            // One datagram that is too large at a time, three of them, once.
            assert!(tally.oversized <= 3, "{mtu}: {tally:?}");
            assert!(p99 <= (10 + 50 + 20) * MS, "{mtu}, seed {seed}: {p99:?}");
        }
    }
}

#[test]
fn a_path_that_comes_to_carry_less_is_noticed() {
    for (before, after, found) in
        [(9_000, 1_500, 1_472), (1_500, 1_300, 1_232), (9_000, 1_228, 1_200)]
    {
        for seed in 0..2 {
            let mut path = carrying(seed, before);
            LOAD.run(&mut path, Duration::from_secs(1));
            path.there().mtu = after;
            path.back().mtu = after;
            let made = path.callers[0].made.len();
            path.run(path.now + 10 * MS, |_| false);
            let outcome = LOAD.run(&mut path, Duration::from_secs(2));
            let slowest = path.callers[0].made[made..].iter().filter_map(|made| made.took).max();
            println!("{before} to {after}, seed {seed}: {:?}, slowest {slowest:?}", outcome.tally);
            assert!(slowest.is_some_and(|took| took < 1_500 * MS), "{slowest:?}");
            path.run(path.now + Duration::from_secs(2), |_| false);
            assert!(
                path.callers[0].made.iter().all(|made| made.took.is_some()),
                "{before} {after}"
            );
            // A minute later what it carries is found again.
            path.run(path.now + Duration::from_secs(30), |_| false);
            let outcome = LOAD.run(&mut path, Duration::from_secs(35));
            assert!((found - 3..=found).contains(&outcome.tally.largest), "{:?}", outcome.tally);
        }
    }
}

#[test]
fn where_not_even_the_smallest_datagram_gets_through_calls_end_all_the_same() {
    let mut pair = Pair::new();
    pair.lose = Box::new(|sent| 576 < sent.bytes.len() + 28);
    let patient = Duration::from_secs(60);
    let idempotent = pair.make(100, Open::IDEMPOTENT, patient);
    let call = pair.make(100, 0, patient);
    pair.advance(Duration::from_secs(15));
    // Nothing that could have started a handler without a token was sent.
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::NotExecuted));
    assert_eq!(pair.failed(idempotent), (Code::Unavailable, Outcome::Unknown));
    let text = pair.ended(call).as_ref().unwrap_err().to_string();
    assert!(text.contains("1200 bytes"), "{text}");
}

#[test]
fn a_path_that_comes_to_carry_next_to_nothing_lets_no_call_hang() {
    let mut pair = Pair::new();
    pair.call(10);
    pair.advance(100 * MS);
    pair.lose = Box::new(|sent| 576 < sent.bytes.len() + 28);
    let (large, small) = (pair.call(5_000), pair.call(100));
    pair.advance(Duration::from_secs(12));
    for call in [large, small] {
        assert_eq!(pair.failed(call).1, Outcome::Unknown);
    }
}
