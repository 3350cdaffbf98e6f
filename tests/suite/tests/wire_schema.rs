//! The schemas of what nodes say to each other as Rust, which are kept in broach-core so that it is
//! built without a generator, are what the generator makes of their `.proto` files.
//!
//! `UPDATE_GOLDEN=1 cargo test -p broach-tests --test wire_schema` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_committed_schemas_are_what_is_generated_from_the_protos() {
    let generated = generate();
    for (package, kept) in SCHEMAS {
        check(kept, &fs::read_to_string(generated.join(package)).unwrap());
    }
}

fn check(kept: &str, actual: &str) {
    let path = root(kept);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap();
    let differing = expected.lines().zip(actual.lines()).position(|(old, new)| old != new);
    let line = differing.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    assert!(
        expected == actual,
        "{kept} differs from what is generated from {PROTOS:?}, first in line {}:\n  \
         kept:      {}\n  generated: {}\n\
         If they are right, run the test with UPDATE_GOLDEN=1 and review the difference.",
        line + 1,
        expected.lines().nth(line).unwrap_or("(no such line)"),
        actual.lines().nth(line).unwrap_or("(no such line)"),
    );
}

/// The folder of what prost-build makes of the schemas, by the compiler of broach-build.
fn generate() -> PathBuf {
    let files = protox::compile(PROTOS.map(root), [root("proto")]).unwrap();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut prost = prost_build::Config::new();
    prost.bytes(["."]).out_dir(out);
    prost.compile_fds(files).unwrap();
    out.to_owned()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

const PROTOS: [&str; 3] = [
    "proto/broach/cluster/v1/directory.proto",
    "proto/broach/wire/v1/wire.proto",
    "proto/broach/wire/v1/gossip.proto",
];

/// What is generated for a package, and where it is kept.
const SCHEMAS: [(&str, &str); 2] = [
    ("broach.cluster.v1.rs", "broach-core/src/advert/schema.rs"),
    ("broach.wire.v1.rs", "broach-core/src/wire/schema.rs"),
];
