//! Compiles the project's `.proto` file.

fn main() -> Result<(), broach_build::Error> {
    broach_build::compile(&["proto/lamp.proto"])
}
