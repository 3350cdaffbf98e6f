//! The programs that show streams and large messages.

use std::process::Command;

#[test]
fn each_shape_of_call_does_what_the_readme_shows() {
    let output = Command::new(env!("CARGO_BIN_EXE_streaming")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let readme = include_str!("../README.md");
    let shown = readme.split("--bin streaming\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(std::str::from_utf8(&output.stdout).unwrap(), shown.unwrap());
}

#[test]
fn large_messages_arrive_and_too_large_ones_are_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_large-messages")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [echo, chunks, refused, taken] = lines[..] else {
        panic!("{text}");
    };
    assert!(echo.starts_with("16.0 MiB there and back in "), "{text}");
    // How far it was ahead depends on the machine; that it is bounded does not.
    let ahead = chunks.strip_prefix("24.0 MiB in 24 chunks; the sender was never more than ");
    let ahead = ahead.and_then(|rest| rest.strip_suffix(" ahead")).unwrap();
    assert!(ahead.parse::<u32>().unwrap() <= 6, "{text}");
    assert!(refused.starts_with("RESOURCE_EXHAUSTED: "), "{text}");
    assert!(refused.contains("transport.message_bytes_max"), "{text}");
    assert_eq!(taken, "17.0 MiB there and back with a limit of 32 MiB");
}
