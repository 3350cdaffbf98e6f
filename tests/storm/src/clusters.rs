//! Storms over whole clusters, one after the other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;

use broach_core::{Code, Outcome};
use broach_tests::ClusterStorm;

/// Runs all seeds, each of them twice.
pub(crate) fn run(seeds: Range<u64>, verbose: bool) -> ExitCode {
    let (started, mut bad) = (std::time::Instant::now(), Vec::new());
    let (mut calls, mut lives, mut slowest) = (0, 0, Duration::ZERO);
    let mut failures: BTreeMap<(Code, Outcome), usize> = BTreeMap::new();
    for seed in seeds.clone() {
        let twice = std::panic::catch_unwind(|| {
            (ClusterStorm::new(seed).run(), ClusterStorm::new(seed).run())
        });
        // What was wrong has been printed.
        let Ok((report, again)) = twice else {
            bad.push(seed);
            continue;
        };
        let same = (report.digest, report.events) == (again.digest, again.events);
        let good = report.is_good() && same;
        if verbose || !good {
            println!("{report}");
        }
        if !same {
            println!("  WRONG: another run of this seed has trace {:016x}", again.digest);
        }
        if !good {
            bad.push(seed);
        }
        (calls, lives) = (calls + report.calls, lives + report.lives);
        slowest = slowest.max(report.full_after);
        for (kind, count) in report.failures {
            *failures.entry(kind).or_default() += count;
        }
    }
    println!("{} clusters, each twice, in {:.1?}", seeds.end - seeds.start, started.elapsed());
    println!("{lives} lives of nodes, {calls} calls");
    for ((code, outcome), count) in failures {
        println!("  {code} ({outcome}): {count}");
    }
    println!("on a good network all knew all after {slowest:.1?} at the latest");
    if bad.is_empty() {
        println!("every promise was kept, and every run was the same twice");
        return ExitCode::SUCCESS;
    }
    println!("seeds in which something was wrong: {bad:?}");
    ExitCode::FAILURE
}
