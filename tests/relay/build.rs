//! Compiles the service that is called over a thin link.

fn main() -> Result<(), broach_build::Error> {
    broach_build::configure()
        .prost(|prost| {
            prost.bytes(["."]);
        })
        .compile(&["proto/thin.proto"])
}
