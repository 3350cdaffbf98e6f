//! The programs of the documentation do what it says.

use std::process::Command;

#[test]
fn the_programs_greet() {
    for program in [env!("CARGO_BIN_EXE_in_process"), env!("CARGO_BIN_EXE_node")] {
        let output = Command::new(program).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"Hello Ada!\n");
    }
}

#[test]
fn the_ends_of_spans_are_printed() {
    let output = Command::new(env!("CARGO_BIN_EXE_spans")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for span in ["call{", "attempt{", "handle{"] {
        let ends = |line: &str| line.contains(span) && line.contains("close");
        assert!(printed.lines().any(ends), "{span} in {printed}");
    }
    assert!(printed.contains("greeter.v1.Greeter/SayHello"), "{printed}");
}
