//! The case `load`, against servers that come and go.

use std::collections::BTreeSet;

use tempfile::TempDir;

use crate::files::{check_history, check_stats, executions, states_of};
use crate::programs::{Client, Server, eventually};

#[test]
fn every_call_ends_as_it_is_told_while_servers_go() {
    let folder = TempDir::new().unwrap();
    let mut servers = cluster(&folder);
    let args =
        ["--test-case", "load", "--rate", "200", "--seconds", "5", "--response-size", "3000"];
    let mut client = Client::start(&folder, &servers.each_ref(), &args);
    let start_us = client.started();
    let has_begun = |server: &Server, calls| server.lines("exec-log").len() >= calls;
    eventually("a third of the calls", || has_begun(&servers[1], 100));
    servers[1].kill();
    eventually("the death has been noticed", || {
        states_of(&servers[1].addr, &servers[0]).ends_with(&["suspect".into(), "dead".into()])
    });
    servers[2].terminate();
    let result = client.wait();
    assert_eq!(servers[2].wait(), Some(0));

    assert_eq!((result.code, result.history.len()), (Some(0), 1000), "{}", result.line);
    let starts: Vec<u64> = result.history.iter().map(|line| line[1].parse().unwrap()).collect();
    let intended: Vec<u64> = (0..1000).map(|k| start_us + k * 5_000).collect();
    assert_eq!(starts, intended);
    let tokens: BTreeSet<&String> = result.history.iter().map(|line| &line[0]).collect();
    assert_eq!(tokens.len(), 1000);
    let executions = executions(&servers.each_ref());
    assert!(executions.values().all(|&count| count == 1), "a call was run twice");
    check_history(&result.history, &executions);
    // Only what was under way at the server that was killed can be lost.
    assert!(900 < result.line["ok"].as_u64().unwrap(), "{}", result.line);

    eventually("the goodbye has been heard", || {
        states_of(&servers[2].addr, &servers[0]).ends_with(&["left".into()])
    });
    assert_eq!(states_of(&servers[0].addr, &servers[0]), ["alive"]);
    assert_eq!(states_of(&servers[2].addr, &servers[2]), ["alive", "left"]);
    let known: BTreeSet<String> =
        servers[0].lines("members").into_iter().map(|line| line[1].clone()).collect();
    assert_eq!(known.len(), 3, "clients never appear: {known:?}");
    servers[0].terminate();
    assert_eq!(servers[0].wait(), Some(0));
    check_stats(&servers[0].stats());
    check_stats(&servers[2].stats());
}

#[test]
fn a_signal_ends_the_arrivals_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, "one", &["--sleep-ms", "200"]);
    let args = ["--test-case", "load", "--rate", "100", "--seconds", "50"];
    let mut client = Client::start(&folder, &[&server], &args);
    client.started();
    eventually("some calls", || server.lines("exec-log").len() >= 20);
    client.terminate();
    let result = client.wait();
    assert_eq!(result.code, Some(0));
    assert!(20 <= result.history.len() && result.history.len() < 5000, "{}", result.line);
    assert_eq!(result.line["ok"], result.line["calls"]);
    check_history(&result.history, &executions(&[&server]));
}

#[test]
fn what_cannot_be_served_ends_at_its_deadline_and_is_no_failure_of_the_run() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, "one", &["--sleep-ms", "5000"]);
    let args = ["--test-case", "load", "--rate", "50", "--seconds", "0.5", "--deadline-ms", "300"];
    let result = Client::start(&folder, &[&server], &args).wait();
    assert_eq!(result.line["errors"]["DEADLINE_EXCEEDED"], 25, "{}", result.line);
    assert_eq!((result.code, result.history.len()), (Some(0), 25));
    let executions = executions(&[&server]);
    check_history(&result.history, &executions);
    eventually("all handlers have been stopped", || {
        let stats = server.stats();
        stats["calls_in_flight"] == 0 && stats["calls_ended_DEADLINE_EXCEEDED"] == 25
    });
    check_stats(&server.stats());
}

/// Three servers that know each other.
fn cluster(folder: &TempDir) -> [Server; 3] {
    let first = Server::start(folder, "one", &[]);
    let join = ["--join", &first.addr];
    let [second, third] = ["two", "three"].map(|name| Server::start(folder, name, &join));
    let all = [first, second, third];
    eventually("all know all", || {
        all.iter().all(|server| {
            let alive = server.lines("members").into_iter().filter(|line| line[3] == "alive");
            alive.map(|line| line[2].clone()).collect::<BTreeSet<_>>().len() == 3
        })
    });
    all
}
