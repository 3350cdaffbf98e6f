//! The cases but for `load`, against two servers that do not know each other.

use std::collections::BTreeSet;

use tempfile::TempDir;

use crate::files::check_stats;
use crate::programs::{Client, Server};

/// The cases, and how many calls they make.
const CASES: [(&str, u64); 17] = [
    ("empty_unary", 1),
    ("large_unary", 1),
    ("client_streaming", 1),
    ("server_streaming", 1),
    ("ping_pong", 1),
    ("empty_stream", 1),
    ("cancel_after_begin", 1),
    ("cancel_after_first_response", 1),
    ("timeout_on_sleeping_server", 1),
    ("custom_metadata", 2),
    ("status_code_and_message", 2),
    ("special_status_message", 1),
    ("unimplemented_method", 1),
    ("unimplemented_service", 1),
    ("rpc_soak", 20),
    ("concurrent_large_unary", 20),
    // After them each server is called once.
    ("all_time_out", 22),
];

#[test]
fn every_case_passes() {
    let folder = TempDir::new().unwrap();
    let mut servers = ["one", "two"].map(|name| Server::start(&folder, name, &[]));
    let mut made = 0;
    for (case, calls) in CASES {
        let client = Client::start(
            &folder,
            &servers.each_ref(),
            &["--test-case", case, "--count", "20", "--seed", "1"],
        );
        let result = client.wait();
        assert_eq!((result.code, result.said.len()), (Some(0), 0), "{case}");
        assert_eq!((&result.line["case"], &result.line["calls"]), (&case.into(), &calls.into()));
        if 2 < calls {
            for server in &servers {
                let called = result.history.iter().filter(|line| line[6] == server.addr);
                assert_eq!(called.count() as u64, calls / 2, "{case} calls all in turn");
            }
        }
        made += calls;
    }
    // All but an empty call, two that are not implemented, and eight that stream. Those whose time
    // is short may not even begin.
    let logged: Vec<_> = servers.iter().flat_map(|server| server.lines("exec-log")).collect();
    let tokens: BTreeSet<&String> = logged.iter().map(|line| &line[0]).collect();
    assert_eq!(tokens.len(), logged.len(), "a call was run twice");
    assert!((made - 11 - 21..=made - 11).contains(&(logged.len() as u64)), "{}", logged.len());
    for server in &mut servers {
        server.terminate();
        assert_eq!(server.wait(), Some(0));
        let stats = server.stats();
        check_stats(&stats);
        for nothing in ["calls_in_flight", "bytes_held_incoming", "bytes_held_replies"] {
            assert_eq!(stats[nothing], 0, "{stats}");
        }
    }
}

#[test]
fn a_call_that_fails_makes_its_case_fail() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, "one", &["--sleep-ms", "5000"]);
    let args = ["--test-case", "large_unary", "--deadline-ms", "200"];
    let result = Client::start(&folder, &[&server], &args).wait();
    assert_eq!(result.code, Some(1));
    assert_eq!(result.line["errors"]["DEADLINE_EXCEEDED"], 1);
    let other = Client::start(
        &folder,
        &[&server],
        &["--test-case", "empty_unary", "--cluster", "another", "--deadline-ms", "2000"],
    );
    let result = other.wait();
    assert_eq!((result.code, &result.line["ok"]), (Some(1), &0.into()), "{}", result.line);
}
