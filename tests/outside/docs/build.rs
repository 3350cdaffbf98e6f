//! Compiles the `.proto` files that the documentation shows.

fn main() -> Result<(), broach_build::Error> {
    broach_build::compile(&["proto/greeter.proto", "proto/shop.proto"])
}
