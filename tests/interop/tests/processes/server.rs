//! A server from its start to its end.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::programs::{Client, Server, eventually};

const LARGE: [&str; 2] = ["--test-case", "large_unary"];

#[test]
fn it_is_ready_although_nobody_answers_and_ends_when_told() {
    let folder = TempDir::new().unwrap();
    let begun = Instant::now();
    let mut server =
        Server::start(&folder, "one", &["--join", "127.0.0.1:9", "--join", "localhost:9"]);
    assert!(begun.elapsed() < Duration::from_secs(2));
    let told = Instant::now();
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
    let states: Vec<_> = server.lines("members").into_iter().map(|line| line[3].clone()).collect();
    assert_eq!(states, ["alive", "left"]);
    let stats = server.stats();
    assert_eq!((&stats["calls_in_flight"], &stats["bytes_held_replies"]), (&0.into(), &0.into()));
}

#[test]
fn a_call_under_way_is_finished_first() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, "one", &["--sleep-ms", "700", "--work-us", "500"]);
    let client = Client::start(&folder, &[&server], &LARGE);
    eventually("the call has begun", || !server.lines("exec-log").is_empty());
    server.terminate();
    assert_eq!(client.wait().code, Some(0));
    assert_eq!(server.wait(), Some(0));
    assert_eq!(server.stats()["calls_ended_OK"], 1);
}

#[test]
fn a_call_that_takes_longer_than_the_server_may_is_stopped_and_told() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, "one", &["--sleep-ms", "15000", "--drain-ms", "300"]);
    let client = Client::start(&folder, &[&server], &LARGE);
    eventually("the call has begun", || !server.lines("exec-log").is_empty());
    let told = Instant::now();
    server.terminate();
    assert_eq!(server.wait(), Some(1));
    assert!(told.elapsed() < Duration::from_millis(1_300), "{:?}", told.elapsed());
    assert_stopped(client);
}

#[test]
fn a_second_signal_stops_what_is_under_way() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, "one", &["--sleep-ms", "15000"]);
    let client = Client::start(&folder, &[&server], &LARGE);
    eventually("the call has begun", || !server.lines("exec-log").is_empty());
    let told = Instant::now();
    server.terminate();
    // It takes no more calls once it has heard the signal.
    let other = TempDir::new().unwrap();
    eventually("it is draining", || {
        let args = ["--test-case", "empty_unary"];
        let result = Client::start(&other, &[&server], &args).wait();
        result.line["errors"]["UNAVAILABLE"] == 1
    });
    server.terminate();
    assert_eq!(server.wait(), Some(1));
    assert!(told.elapsed() < Duration::from_secs(10), "it did not wait for the call");
    assert_stopped(client);
}

#[test]
fn a_restart_goes_on_with_the_files() {
    let folder = TempDir::new().unwrap();
    let mut first = Server::start(&folder, "one", &[]);
    let addr = first.addr.clone();
    assert_eq!(Client::start(&folder, &[&first], &LARGE).wait().code, Some(0));
    first.kill();
    let second = Server::start_at(&folder, "one", &addr, &["--join", &addr]);
    assert_eq!(Client::start(&folder, &[&second], &LARGE).wait().code, Some(0));
    let logged = second.lines("exec-log");
    assert_eq!(logged.len(), 2);
    assert!(logged[0][0] != logged[1][0] && logged[0][1] != logged[1][1], "{logged:?}");
    let lives = second.lines("members");
    assert_eq!(lives.len(), 2, "{lives:?}");
    assert!(lives.iter().zip(&logged).all(|(life, call)| life[2] == call[1]), "{lives:?}");
}

#[test]
fn calls_beyond_the_limit_are_refused_and_leave_no_trace() {
    let folder = TempDir::new().unwrap();
    let args = ["--max-concurrency", "1", "--sleep-ms", "3000"];
    let server = Server::start(&folder, "one", &args);
    let args = ["--test-case", "concurrent_large_unary", "--count", "4"];
    let result = Client::start(&folder, &[&server], &args).wait();
    assert_eq!(result.line["ok"], 1, "{}", result.line);
    assert_eq!(result.line["errors"]["RESOURCE_EXHAUSTED"], 3);
    assert_eq!(result.line["outcomes"]["NotExecuted"], 3);
    assert_eq!(server.lines("exec-log").len(), 1);
}

/// The call has ended with the server, and the client does not know how far it had come.
fn assert_stopped(client: Client) {
    let result = client.wait();
    assert_eq!(result.code, Some(1));
    assert_eq!(result.line["errors"]["UNAVAILABLE"], 1, "{}", result.line);
    assert_eq!(result.line["outcomes"]["Unknown"], 1, "{}", result.line);
}
