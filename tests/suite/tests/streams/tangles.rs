//! Calls of all shapes that get into each other's way, in nodes with hardly any memory.

use broach_core::Code;
use broach_tests::{Tangle, TangleReport, secs};

#[test]
fn nobody_waits_for_ever_and_nothing_is_left() {
    let only: Option<u64> = std::env::var("BROACH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = only.map_or_else(|| (0..40).collect(), |seed| vec![seed]);
    let reports: Vec<TangleReport> = seeds
        .into_iter()
        .map(|seed| {
            let report = Tangle::new(seed).run();
            assert!(report.is_good(), "{report}");
            assert!(report.longest <= secs(30), "{report}");
            report
        })
        .collect();
    // What is never met is not tested.
    if 1 < reports.len() {
        let count = |code| reports.iter().filter_map(|one| one.ended.get(&code)).sum::<usize>();
        let codes = [Code::Ok, Code::Aborted, Code::ResourceExhausted];
        let [well, failed, refused] = codes.map(|code| count(Some(code)));
        println!("{well} ended well, {failed} failed, {refused} found no room");
        assert!(0 < failed && 0 < refused && refused < well, "{well} {failed} {refused}");
        assert!(0 < count(None) && reports.iter().any(|one| 0 < one.struck.lost));
    }
}

#[test]
fn the_same_seed_gives_the_same_tangle() {
    for seed in 0..3 {
        assert_eq!(Tangle::new(seed).run(), Tangle::new(seed).run());
    }
}
