//! Compiles the service.

fn main() -> Result<(), broach_build::Error> {
    broach_build::compile(&["proto/hello.proto"])
}
