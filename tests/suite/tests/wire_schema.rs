//! The wire format's schema as Rust, which is kept in broach-core so that it is built without a
//! generator, is what the generator makes of its `.proto` files.
//!
//! `UPDATE_GOLDEN=1 cargo test -p broach-tests --test wire_schema` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_committed_schema_is_what_is_generated_from_the_proto() {
    let path = root(SCHEMA);
    let actual = generated();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap();
    let differing = expected.lines().zip(actual.lines()).position(|(old, new)| old != new);
    let line = differing.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    assert!(
        expected == actual,
        "{SCHEMA} differs from what is generated from {PROTOS:?}, first in line {}:\n  \
         kept:      {}\n  generated: {}\n\
         If they are right, run the test with UPDATE_GOLDEN=1 and review the difference.",
        line + 1,
        expected.lines().nth(line).unwrap_or("(no such line)"),
        actual.lines().nth(line).unwrap_or("(no such line)"),
    );
}

/// What prost-build makes of the schema, by the compiler of broach-build.
fn generated() -> String {
    let files = protox::compile(PROTOS.map(root), [root("proto")]).unwrap();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut prost = prost_build::Config::new();
    prost.bytes(["."]).out_dir(out);
    prost.compile_fds(files).unwrap();
    fs::read_to_string(out.join("broach.wire.v1.rs")).unwrap()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

const SCHEMA: &str = "broach-core/src/wire/schema.rs";
const PROTOS: [&str; 2] = ["proto/broach/wire/v1/wire.proto", "proto/broach/wire/v1/gossip.proto"];
