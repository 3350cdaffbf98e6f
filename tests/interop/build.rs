//! Compiles the service that is served and called.

fn main() -> Result<(), broach_build::Error> {
    broach_build::configure()
        .prost(|prost| {
            prost.bytes(["."]);
        })
        .compile(&["proto/interop.proto"])
}
