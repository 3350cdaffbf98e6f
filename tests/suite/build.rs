//! Compiles the greeter of the examples, and `.proto` files that make it hard to.

fn main() -> Result<(), broach_build::Error> {
    broach_build::configure().include("../../proto").include("proto").compile(&[
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
    ])
}
