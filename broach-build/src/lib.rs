//! Compiles `.proto` files for Broach in a build script, without protoc or anything else that has
//! to be installed.

mod diagnostic;
mod error;
mod link;
mod read;
mod report;

pub use error::Error;
