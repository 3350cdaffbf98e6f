//! What the tests of whole calls share: the services they call.

/// Generated code, which must not give a user a single warning.
#[deny(warnings)]
mod generated {
    broach_core::include_protos!();
}

pub use generated::*;
