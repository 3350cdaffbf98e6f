//! The program that calls many nodes at once.

use std::process::Command;

#[test]
fn every_way_of_asking_many_nodes_is_shown() {
    let output = Command::new(env!("CARGO_BIN_EXE_fan-out")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let part = |from: &str, to: &str| {
        let rest = text.split(&format!("{from}\n")).nth(1).unwrap_or_else(|| panic!("{text}"));
        rest.split(to).next().unwrap_or_default().to_owned()
    };
    let hellos = |part: &str| part.matches("Hello ").count();
    let each = part("each node's own answer", "all have");
    assert_eq!((hellos(&each), each.matches("PERMISSION_DENIED").count()), (4, 1), "{text}");
    let all = part("all have to succeed", "the first");
    assert_eq!(hellos(&all), 5, "{text}");
    assert!(all.contains("4 of 5 nodes succeeded, and 5 have to; 1 failed:"), "{text}");
    let first = part("the first that succeeds", "three of five");
    assert_eq!((hellos(&first), first.matches("CANCELLED").count()), (1, 4), "{text}");
    let quorum = part("three of five", "the fifth node");
    assert_eq!((hellos(&quorum), quorum.matches("CANCELLED").count()), (3, 2), "{text}");
    assert!(text.contains("  4 answers, 1 failed\n"), "{text}");
    assert!(text.ends_with("  some node has begun\n"), "{text}");
}
