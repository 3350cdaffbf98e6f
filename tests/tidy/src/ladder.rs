//! The ladder of broach-core: a module imports from the rungs below its own only.

use std::collections::BTreeSet;

use crate::sources::{Source, sources};

/// The rungs from the bottom up; see `broach_core::guide::layout`.
const LADDER: &[&[&str]] = &[
    &["errors"],
    &["ids", "code", "ecn", "metadata", "rng"],
    &["status", "method", "deadline", "config", "peer"],
    &["observe"],
    &["wire"],
    &["proto", "gossip", "advert"],
    &["routing"],
    &["exchange"],
    &["net"],
    &["client", "server"],
    &["node"],
    &["codegen", "testing"],
    &["guide"],
];

const CORE: &str = "broach-core/src/";

fn rung(module: &str) -> Option<usize> {
    LADDER.iter().position(|rung| rung.contains(&module))
}

/// The top module that a file of broach-core belongs to; `None` for `lib.rs`.
fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix(CORE)?;
    let first = inside.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then_some(name)
}

/// The modules named after `crate::` in code, but not in comments.
fn imports(source: &Source) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    for (number, line) in source.without_tests().lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            if !code[..at].ends_with('$') {
                found.insert((number + 1, rest[..end].to_owned()));
            }
        }
    }
    found
}

#[test]
fn modules_import_from_the_rungs_below_only() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for source in sources(&[".rs"]) {
        let Some(module) = module(&source.path) else { continue };
        let path = &source.path;
        let Some(own) = rung(module) else {
            wrong.push(format!("{path}: the module {module} has no rung"));
            continue;
        };
        if path.contains("/tests/") {
            continue;
        }
        for (line, import) in imports(&source) {
            checked += 1;
            match rung(&import) {
                _ if import == module => {}
                Some(other) if other < own => {}
                Some(_) => wrong.push(format!("{path}:{line}: {module} must not use {import}")),
                None => wrong.push(format!("{path}:{line}: crate::{import} is no module's name")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(300 < checked, "only {checked} imports were found");
}

#[test]
fn nothing_below_the_sockets_waits_or_reads_a_clock() {
    let net = rung("net").expect("it has one");
    let mut wrong = Vec::new();
    for source in sources(&[".rs"]) {
        let below = module(&source.path).and_then(rung).is_some_and(|rung| rung < net);
        if !below {
            continue;
        }
        for (number, line) in source.without_tests().lines().enumerate() {
            // To ask whether one is being unwound neither waits nor reads a clock.
            let code = line.split("//").next().unwrap_or_default().replace("thread::panicking", "");
            for word in
                ["tokio::", "Instant::now", "SystemTime", "thread::", "UdpSocket", "HashMap::new"]
            {
                if code.contains(word) {
                    wrong.push(format!("{}:{}: {word}", source.path, number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
