//! Whole clusters in storms: from one seed all that can happen to nodes, and the same again.

use broach_tests::{ClusterStorm, StormReport, secs};

fn seeds(all: std::ops::Range<u64>) -> Vec<u64> {
    let only: Option<u64> = std::env::var("BROACH_SEED").ok().and_then(|seed| seed.parse().ok());
    only.map_or_else(|| all.collect(), |seed| vec![seed])
}

#[test]
fn storms_break_no_promise_and_are_the_same_each_time() {
    let reports: Vec<StormReport> = seeds(0..20)
        .into_iter()
        .map(|seed| {
            let (report, again) = (ClusterStorm::new(seed).run(), ClusterStorm::new(seed).run());
            println!("{report}");
            assert!(report.is_good(), "{report}");
            assert_eq!(
                (report.digest, report.events, report.calls),
                (again.digest, again.events, again.calls),
                "seed {seed} is not the same twice"
            );
            assert!(report.full_after <= secs(45), "{report}");
            report
        })
        .collect();
    // What is never met is not tested.
    let some =
        |what: &str| reports.iter().any(|one| one.story.iter().any(|step| step.contains(what)));
    if 1 < reports.len() {
        for step in ["Crash", "Restart", "Leave", "Join", "Part", "Pause"] {
            assert!(some(step), "no seed has a {step}");
        }
        assert!(
            reports.iter().any(|report| 0 < report.struck.lost && 0 < report.struck.duplicated)
        );
        assert!(reports.iter().any(|report| !report.failures.is_empty()));
    }
    let calls: u64 = reports.iter().map(|report| report.calls).sum();
    let slowest = reports.iter().map(|report| report.full_after).max();
    println!("{calls} calls; all knew all after {slowest:?} at the latest");
}
