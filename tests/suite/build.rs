//! Compiles the greeter of the examples, the services that the tests of whole nodes call, the wire
//! format for tests that write datagrams by hand, and `.proto` files that are hard to compile.

fn main() -> Result<(), broach_build::Error> {
    broach_build::configure().include("../../proto").include("proto").compile(&[
        "../../proto/broach/wire/v1/gossip.proto",
        "../../proto/broach/wire/v1/wire.proto",
        "../../proto/greeter/v1/greeter.proto",
        "proto/awkward/bare.proto",
        "proto/awkward/clashes.proto",
        "proto/awkward/comments.proto",
        "proto/awkward/deprecated.proto",
        "proto/awkward/methods.proto",
        "proto/awkward/old_syntax.proto",
        "proto/awkward/packages.proto",
        "proto/awkward/services.proto",
        "proto/awkward/types.proto",
        "proto/awkward/types_too.proto",
        "proto/testing/v1/testing.proto",
    ])
}
