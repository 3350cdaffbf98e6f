//! What cannot begin, and says why.

use std::process::Output;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::programs::{Client, Server, program};

#[test]
fn wrong_flags_and_files_are_named() {
    let case = ["--test-case", "load"];
    for (args, problem) in [
        (vec![], "server"),
        (vec!["serve"], "serve"),
        (vec!["server", "--listen", "nowhere"], "--listen"),
        (vec!["server", "--listen", "127.0.0.1:0", "--what"], "--what"),
        (vec!["server", "--listen", "127.0.0.1:0", "--exec-log", "/no/such/file"], "/no/such/file"),
        (vec!["client", "--test-case", "load"], "--servers"),
        (vec!["client", "--servers", "127.0.0.1:1"], "--test-case"),
        ([&["client", "--servers", "127.0.0.1:1,x"], &case[..]].concat(), "--servers"),
        ([&["client", "--servers", "127.0.0.1:1", "--rate", "0"], &case[..]].concat(), "--rate"),
    ] {
        let begun = Instant::now();
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(problem), "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{args:?}");
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, "one", &[]);
    let addr = &*server.addr;
    for args in [
        vec!["server", "--listen", addr],
        vec!["client", "--servers", addr, "--bind", addr, "--test-case", "empty_unary"],
        vec!["client", "--servers", addr, "--bind", addr, "--test-case", "load"],
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(addr), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_case_that_there_is_not_has_a_code_of_its_own() {
    let output = run(&["client", "--servers", "127.0.0.1:1", "--test-case", "half_duplex"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(text(&output.stderr).contains("half_duplex"), "{output:?}");
}

#[test]
fn help_lists_every_flag() {
    let server = run(&["server", "--help"]);
    let client = run(&["client", "--help"]);
    for flag in ["listen", "advertise", "cluster", "join", "exec-log", "members", "stats"] {
        assert!(text(&server.stdout).contains(&format!("--{flag}")), "{flag}");
    }
    for flag in ["drain-ms", "max-concurrency", "work-us", "sleep-ms"] {
        assert!(text(&server.stdout).contains(&format!("--{flag}")), "{flag}");
    }
    for flag in ["servers", "test-case", "bind", "cluster", "rate", "seconds", "deadline-ms"] {
        assert!(text(&client.stdout).contains(&format!("--{flag}")), "{flag}");
    }
    for flag in ["payload", "response-size", "count", "history", "seed"] {
        assert!(text(&client.stdout).contains(&format!("--{flag}")), "{flag}");
    }
    assert!(server.status.success() && client.status.success());
}

#[test]
fn a_load_without_servers_gives_up() {
    let folder = TempDir::new().unwrap();
    // Port 9 throws away what it gets, if there is anybody.
    let result = Client::start_for(&folder, "127.0.0.1:9", &["--test-case", "load"]).wait();
    assert_eq!((result.code, &result.line["calls"]), (Some(1), &0.into()));
    assert!(result.said.is_empty(), "it has not started: {:?}", result.said);
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
