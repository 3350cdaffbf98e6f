//! The cluster as a whole, with short runs: what it prints, how it exits, and that no node outlives
//! it.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::{NamedTempFile, TempDir};

#[test]
fn totals_are_right_although_a_node_is_killed() {
    let output = cluster(&["--seconds", "0.5", "--nodes", "3"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let report = text(&output.stdout);
    assert!(report.contains("failed   0") && report.contains("killed after"), "{report}");
    assert!(report.lines().last().unwrap().starts_with("OK: "), "{report}");
    assert!(text(&output.stderr).contains("killed node 2"), "{output:?}");
}

#[test]
fn totals_are_right_whatever_the_size_of_a_chunk() {
    let file =
        text_file("Früh übt sich,\r\nwer 東京、京都 sehen will — früh!\n".repeat(50).as_bytes());
    let path = file.path().to_str().unwrap();
    for bytes in ["1", "7", "100", "4194304"] {
        let options = ["--seconds", "0.1", "--nodes", "2", "--no-kill", "--chunk", bytes];
        let output = cluster(&[&options[..], &["--input", path]].concat());
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        assert!(text(&output.stdout).contains("  früh  "), "{}", text(&output.stdout));
    }
}

#[test]
fn what_cannot_be_counted_is_named() {
    let (binary, empty) = (text_file(b"\xff\xfe"), text_file(b" -- \n"));
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("image.png"), b"\x89PNG\0").unwrap();
    let [binary, empty] = [&binary, &empty].map(|file| file.path().to_str().unwrap());
    let folder = folder.path().to_str().unwrap();
    for (path, problem) in [
        ("/no/such/path", "cannot read /no/such/path"),
        (binary, "is not text in UTF-8"),
        (empty, "there are no words to count"),
        (folder, "image.png: it is not text in UTF-8"),
        (folder, "there are no words to count"),
    ] {
        let output = cluster(&["--input", path]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains(problem), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn the_only_node_is_not_killed() {
    let output = cluster(&["--nodes", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("killing the only node"), "{output:?}");
}

#[test]
fn a_node_ends_when_its_standard_input_does() {
    let mut node =
        program().arg("node").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("READY 127.0.0.1:"), "{line}");
    drop(node.stdin.take());
    assert!(node.wait().unwrap().success());
}

#[test]
fn ctrl_c_ends_all() {
    let (mut cluster, stderr) = under_way();
    signal(&cluster, Signal::SIGINT);
    assert!(rest(stderr).contains("interrupted"));
    assert_eq!(cluster.wait().unwrap().code(), Some(130));
}

#[test]
fn no_node_outlives_the_process_that_started_it() {
    let (mut cluster, stderr) = under_way();
    signal(&cluster, Signal::SIGKILL);
    // The nodes hold the other end too, so it is closed only when the last of them has ended.
    rest(stderr);
    assert_eq!(cluster.wait().unwrap().code(), None);
}

/// A run that would take long, once its nodes have started.
fn under_way() -> (Child, BufReader<ChildStderr>) {
    let mut cluster = program()
        .args(["--seconds", "600"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(cluster.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("started") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before it began");
    }
    (cluster, stderr)
}

fn rest(mut stderr: BufReader<ChildStderr>) -> String {
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    rest
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn cluster(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cluster"))
}

fn text_file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
