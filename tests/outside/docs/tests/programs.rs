//! The programs of the documentation greet.

use std::process::Command;

#[test]
fn the_programs_greet() {
    for program in [env!("CARGO_BIN_EXE_in_process"), env!("CARGO_BIN_EXE_node")] {
        let output = Command::new(program).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"Hello Ada!\n");
    }
}
