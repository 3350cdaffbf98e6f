//! The programs that show how nodes are chosen.

use std::process::Command;

fn output(program: &str) -> String {
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_picker_has_a_chart() {
    let text = output(env!("CARGO_BIN_EXE_balancing"));
    let shares = |name: &str| -> Vec<f64> {
        let chart = text.split(&format!("\n{name}\n")).nth(1).unwrap_or_else(|| panic!("{text}"));
        let share = |line: &str| line.split_whitespace().nth(1)?.parse().ok();
        chart.lines().take(5).filter_map(share).collect()
    };
    let all = [
        "PowerOfTwoChoices",
        "RoundRobin",
        "WeightedRoundRobin",
        "Random",
        "LeastInFlight",
        "NetworkQuality",
        "ZoneFirst",
        "Nearest",
        "ConsistentHash",
        "ConsistentHash, unbounded",
        "Sticky, by key",
    ];
    for name in all {
        let shares = shares(name);
        assert!((shares.iter().sum::<f64>() - 100.0).abs() < 0.5, "{name}: {shares:?}");
    }
    let p50 = text.split("p50 ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(2.0 <= p50.parse::<f64>().unwrap(), "no node takes less: {text}");
    // What does not depend on how fast the machine is.
    assert_eq!(shares("RoundRobin"), [20.0; 5]);
    let weighted = shares("WeightedRoundRobin");
    let close = |(share, fair): (&f64, f64)| (share - fair).abs() <= 0.1;
    let fair = [100.0 / 6.0, 100.0 / 6.0, 200.0 / 6.0, 100.0 / 6.0, 100.0 / 6.0];
    assert!(weighted.iter().zip(fair).all(close), "{weighted:?}");
    assert_eq!(shares("Nearest")[2..], [0.0; 3]);
}

#[test]
fn guests_are_known_unless_their_node_has_changed() {
    let text = output(env!("CARGO_BIN_EXE_shard-by-key"));
    let known =
        text.lines().filter_map(|line| line.trim().strip_suffix(" % of the guests are known"));
    let known: Vec<f64> = known.map(|share| share.parse().unwrap()).collect();
    let [first, again, joined, left, last] = known[..] else { panic!("{text}") };
    assert_eq!((first, again, last), (0.0, 100.0, 100.0), "{text}");
    // A fifth of the keys has moved to the new node, and as many from the one that left, of which
    // some come to where they had been greeted before.
    assert!((74.0..=86.0).contains(&joined), "{text}");
    assert!((74.0..=90.0).contains(&left), "{text}");
}
