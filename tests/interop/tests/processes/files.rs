//! What must be true of files that several processes wrote.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::programs::Server;

/// Calls by their tokens, and how often each was begun, at all servers.
pub(crate) fn executions(servers: &[&Server]) -> BTreeMap<String, usize> {
    let mut executions = BTreeMap::new();
    for line in servers.iter().flat_map(|server| server.lines("exec-log")) {
        let [token, instance, time] = &line[..] else { panic!("{line:?}") };
        assert_eq!(instance.len(), 16, "{line:?}");
        assert!(time.parse::<u64>().is_ok(), "{line:?}");
        *executions.entry(token.clone()).or_default() += 1;
    }
    executions
}

/// Compares what callers were told with what handlers did.
pub(crate) fn check_history(history: &[Vec<String>], executions: &BTreeMap<String, usize>) {
    let mut known = 0;
    for line in history {
        let [token, start, end, how, code, outcome, peer, attempts] = &line[..] else {
            panic!("{line:?}");
        };
        let [start, end]: [u64; 2] = [start, end].map(|time| time.parse().unwrap());
        assert!(end - start <= 1_500_000, "later than half a second after its deadline: {line:?}");
        assert_eq!(how == "ok", code == "OK", "{line:?}");
        assert_eq!(peer == "-", attempts == "0", "{line:?}");
        let executed = executions.get(token).copied().unwrap_or_default();
        known += executed;
        match &**outcome {
            "Executed" => assert_eq!(executed, 1, "{line:?}"),
            "NotExecuted" => assert_eq!(executed, 0, "{line:?}"),
            "Unknown" => assert!(executed <= 1, "{line:?}"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(known, executions.values().sum::<usize>(), "nobody else has called");
}

/// Every datagram and every call is somewhere.
pub(crate) fn check_stats(stats: &Value) {
    let all = stats.as_object().unwrap();
    let number = |name: &str| all[name].as_u64().unwrap();
    let sum = |prefix: &str| -> u64 {
        let found = all.iter().filter(|(name, _)| name.starts_with(prefix));
        found.map(|(_, count)| count.as_u64().unwrap()).sum()
    };
    assert_eq!(number("datagrams_in"), number("accepted") + sum("dropped_"), "{stats}");
    let ended = sum("calls_ended_");
    assert_eq!(number("calls_started"), ended + number("calls_in_flight"), "{stats}");
}

/// What a server has seen of another one, in order.
pub(crate) fn states_of(addr: &str, seen_by: &Server) -> Vec<String> {
    let lines = seen_by.lines("members").into_iter().filter(|line| line[1] == addr);
    lines.map(|line| line[3].clone()).collect()
}
