//! Compiles `.proto` files for Broach in a build script, without protoc or anything else that has
//! to be installed.
//!
//! # The whole of it
//!
//! `Cargo.toml`:
//!
//! ```toml
//! [dependencies]
//! broach-core = "0.1"
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//!
//! [build-dependencies]
//! broach-build = "0.1"
//! ```
//!
//! (Until they are on crates.io: `{ path = ".." }` to a clone of the repository instead.)
//!
//! `proto/greeter.proto`:
//!
//! ```proto
//! syntax = "proto3";
//! package greeter.v1;
//!
//! // Greets people.
//! service Greeter {
//!   // Greets one person.
//!   rpc SayHello(HelloRequest) returns (HelloReply);
//! }
//!
//! message HelloRequest { string name = 1; }
//! message HelloReply { string message = 1; }
//! ```
//!
//! `build.rs`:
//!
//! ```no_run
//! fn main() -> Result<(), broach_build::Error> {
//!     broach_build::compile(&["proto/greeter.proto"])
//! }
//! ```
//!
//! `src/main.rs`:
//!
//! ```ignore
//! broach_core::include_protos!();
//!
//! use broach_core::{Channel, Context, Status};
//! use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};
//!
//! struct Hello;
//!
//! #[broach_core::async_trait]
//! impl Greeter for Hello {
//!     async fn say_hello(&self, _: Context, request: HelloRequest) -> Result<HelloReply, Status> {
//!         Ok(HelloReply { message: format!("Hello {}!", request.name) })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Status> {
//!     let greeter = GreeterClient::new(Channel::in_process(GreeterServer::new(Hello)));
//!     let reply = greeter.say_hello(HelloRequest { name: "Ada".into() }).await?;
//!     println!("{}", reply.message);
//!     Ok(())
//! }
//! ```
//!
//! # What comes out
//!
//! A module for each package, with the package's messages, and for each of its services a trait,
//! a server and a client; `broach_codegen` shows them, and says by which rules they are named. The
//! files are read with protox, and prost-build generates the messages; [`Config`] has the settings
//! of it that most people need, and [`Config::prost`] leads to all others. Imported files are
//! compiled too. What is in `google.protobuf` comes from prost: `Empty` is `()`, `StringValue` is
//! `String`, `Timestamp` is `broach_core::codegen::prost_types::Timestamp`.
//!
//! Comments become documentation. Code in them is shown, but not run as a test.
//!
//! The descriptors of all files are written beside the code, for `broach_core`'s feature
//! `descriptors` to embed.
//!
//! A mistake in a `.proto` stops the build with its file, line and column; see [`Error`]. Cargo
//! runs the build script again when one of the files that were read changes, and only then, and a
//! file that comes out as it was is not written.
//!
//! # Without a build script
//!
//! The program `broach-gen` does the same from the command line, for those who keep generated code
//! with their own; [`Config::check`] and `broach-gen --check` say whether it is what the files
//! give.
//!
//! `proto2` and `proto3` are understood; editions are not yet.

mod aliases;
mod comments;
mod compile;
mod config;
mod descriptors;
mod diagnostic;
mod error;
mod generate;
mod hints;
mod link;
mod output;
mod read;
mod report;
mod rules;
mod tree;

use std::path::Path;

pub use config::Config;
pub use error::Error;
pub use {prost_build, prost_types};

/// Compiles these files, and those they import, for `broach_core::include_protos!()`.
///
/// # Errors
///
/// All mistakes in all files; see [`Error`].
pub fn compile(protos: &[impl AsRef<Path>]) -> Result<(), Error> {
    configure().compile(protos)
}

/// Compiles in another way than [`compile`] does.
pub fn configure() -> Config {
    Config::new()
}
