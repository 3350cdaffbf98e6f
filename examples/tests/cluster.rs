//! The cluster as a whole, with short runs: what it prints, how it exits, and that no node outlives
//! it.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::{NamedTempFile, TempDir};

#[test]
fn totals_are_right_although_a_node_is_killed_and_another_one_joins() {
    // Slow machines get through, because what is waited for afterwards takes as long as it takes.
    let output = cluster(&["--seconds", "4.5"]);
    let (report, progress) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{report}{progress}");
    assert!(report.lines().last().unwrap().starts_with("OK: "), "{report}");
    assert!(report.contains("  failed   0\n"), "{report}");
    assert!(progress.contains("started 5 nodes, which see each other"), "{progress}");

    assert!(progress.contains("killed node 3"), "{progress}");
    assert!(report.contains("  killed   node 3 after 1."), "{report}");
    assert!(report.contains("last call to it "), "{report}");
    assert!(report.contains("called dead by all 5 others "), "{report}");

    assert!(progress.contains("started node 6"), "{progress}");
    assert!(report.contains("  joined   node 6, started after 3."), "{report}");
    let row = report.lines().find(|line| line.starts_with("     6  127.0.0.1:")).unwrap();
    let calls: u64 = row.split_whitespace().nth(2).unwrap().replace(',', "").parse().unwrap();
    assert_ne!(calls, 0, "{report}");
    assert!(report.contains(" answered by it\n") && !report.contains("never"), "{report}");
}

#[test]
fn a_node_that_ends_before_its_time_is_a_failure() {
    let (mut cluster, mut stdout, stderr) = under_way(&["--seconds", "1", "--nodes", "3"]);
    // The first is the seed, and not the one that is killed anyway.
    let children = format!("/proc/{0}/task/{0}/children", cluster.id());
    let Ok(children) = std::fs::read_to_string(children) else {
        // Only some systems tell. There it is left to the tests of the report.
        signal(&cluster, Signal::SIGINT);
        cluster.wait().unwrap();
        return;
    };
    let first = children.split_whitespace().next().unwrap().parse().unwrap();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    let (mut report, progress) = (String::new(), rest(stderr));
    stdout.read_to_string(&mut report).unwrap();
    assert_eq!(cluster.wait().unwrap().code(), Some(1), "{report}{progress}");
    assert!(report.contains("FAILED:\n  node 1 ended before its time: "), "{report}");
}

#[test]
fn a_run_may_be_over_before_another_node_has_joined() {
    let output = cluster(&["--seconds", "0.5", "--nodes", "3"]);
    let report = text(&output.stdout);
    assert!(output.status.success(), "{report}{}", text(&output.stderr));
    assert!(report.contains("called dead by all 3 others "), "{report}");
    assert!(report.lines().last().unwrap().starts_with("OK: "), "{report}");
}

#[test]
fn without_anything_that_happens_the_report_says_nothing_of_it() {
    let output = cluster(&["--seconds", "0.3", "--nodes", "2", "--no-kill", "--no-join"]);
    let report = text(&output.stdout);
    assert!(output.status.success(), "{report}{}", text(&output.stderr));
    assert!(!report.contains("killed") && !report.contains("joined"), "{report}");
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
    let mut stdout = BufReader::new(node.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("READY 127.0.0.1:"), "{line}");
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "MEMBERS 1\n");
    drop(node.stdin.take());
    assert!(node.wait().unwrap().success());
}

#[test]
fn what_is_measured_is_printed() {
    for (args, shown) in [
        (["joins", "--nodes=3", "--count=2"], "until all 3 nodes see each other: p50 "),
        (["kills", "--nodes=3", "--count=1"], "until the last call went there: p50 "),
        (["rolls", "--nodes=3", "--rounds=1"], "until a node had ended: p50 "),
        (["shares", "--nodes=3", "--calls=300"], "furthest from fair: "),
    ] {
        let output = cluster(&args);
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).contains(shown), "{output:?}");
    }
}

#[test]
fn ctrl_c_ends_all() {
    let (mut cluster, _, stderr) = under_way(&["--seconds", "600"]);
    signal(&cluster, Signal::SIGINT);
    assert!(rest(stderr).contains("interrupted"));
    assert_eq!(cluster.wait().unwrap().code(), Some(130));
}

#[test]
fn no_node_outlives_the_process_that_started_it() {
    let (mut cluster, _, stderr) = under_way(&["--seconds", "600"]);
    signal(&cluster, Signal::SIGKILL);
    // The nodes hold the other end too, so it is closed only when the last of them has ended.
    rest(stderr);
    assert_eq!(cluster.wait().unwrap().code(), None);
}

/// A run, once its nodes have started.
fn under_way(args: &[&str]) -> (Child, ChildStdout, BufReader<ChildStderr>) {
    let mut cluster =
        program().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = cluster.stdout.take().unwrap();
    let mut stderr = BufReader::new(cluster.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("started") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before it began");
    }
    (cluster, stdout, stderr)
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
