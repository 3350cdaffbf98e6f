//! Compiles the service that is measured.

fn main() -> Result<(), broach_build::Error> {
    broach_build::configure()
        .prost(|prost| {
            prost.bytes(["."]);
        })
        .compile(&["proto/bench.proto"])
}
