//! Tangles, one after the other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use broach_core::Code;
use broach_tests::Tangle;

/// Runs all seeds.
pub(crate) fn run(seeds: Range<u64>, verbose: bool) -> ExitCode {
    let (started, mut bad) = (Instant::now(), Vec::new());
    let (mut messages, mut longest) = (0, (Duration::ZERO, 0));
    let mut ended: BTreeMap<Option<Code>, usize> = BTreeMap::new();
    for seed in seeds.clone() {
        // What was wrong has been printed.
        let Ok(report) = std::panic::catch_unwind(|| Tangle::new(seed).run()) else {
            bad.push(seed);
            continue;
        };
        if verbose || !report.is_good() {
            println!("{report}");
        }
        if !report.is_good() {
            bad.push(seed);
        }
        messages += report.messages;
        longest = longest.max((report.longest, seed));
        for (code, count) in report.ended {
            *ended.entry(code).or_default() += count;
        }
    }
    println!("{} tangles in {:.1?}", seeds.end - seeds.start, started.elapsed());
    println!("{messages} messages were read");
    for (code, count) in ended {
        println!("  {}: {count}", code.map_or_else(|| "dropped".into(), |code| code.to_string()));
    }
    println!("the longest that anybody waited: {:.1?}, with seed {}", longest.0, longest.1);
    if bad.is_empty() {
        println!("all came further, and nothing was left");
        return ExitCode::SUCCESS;
    }
    println!("seeds in which something was wrong: {bad:?}");
    ExitCode::FAILURE
}
