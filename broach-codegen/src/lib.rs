//! Turns the services of `.proto` files into Rust for Broach: descriptors in, text out.
//!
//! This is the inner part of `broach-build`, which reads files, has prost-build generate the
//! messages, and writes what comes out. Here is no file and no process: what a service becomes
//! depends on its descriptor and nothing else.
//!
//! # Input and output
//!
//! ```text
//! package greeter.v1;               pub static GREETER: ServiceSpec = ..;
//!
//! // Greets people.                 /// Greets people.
//! service Greeter {                 pub trait Greeter: Send + Sync + 'static {
//!   // Greets one person.               /// Greets one person.
//!   rpc SayHello(Hello)                 async fn say_hello(&self, cx: Context, request: Hello)
//!       returns (Reply);                    -> Result<Reply, Status> {..}
//!   rpc Languages(Hello)                async fn languages(&self, cx: Context, request: Hello,
//!       returns (stream Reply);             replies: Sender<Reply>) -> Result<(), Status> {..}
//!   rpc Everyone(stream Hello)          async fn everyone(&self, cx: Context,
//!       returns (Reply);                    requests: Receiver<Hello>)
//!                                           -> Result<Reply, Status> {..}
//!   rpc Door(stream Hello)              async fn door(&self, cx: Context,
//!       returns (stream Reply);             requests: Receiver<Hello>,
//! }                                         replies: Sender<Reply>) -> Result<(), Status> {..}
//!                                   }
//!
//!                                   pub struct GreeterServer<T: ?Sized> { .. }
//!                                   pub struct GreeterClient { .. }
//! ```
//!
//! A method is one line in the server and one in the client; all else is in `broach_core`.
//!
//! # Names
//!
//! Messages and enums are named by prost-build, and services give way to them.
//!
//! * A service `Greeter` becomes the trait `Greeter`, `GreeterClient`, `GreeterServer` and the
//!   static `GREETER`. If a message, an enum or an earlier service of the package has one of these
//!   names, all of them get `Service`: `GreeterService`, `GreeterServiceClient`,
//!   `GreeterServiceServer`, `GREETER_SERVICE`. If those are taken too, it is an error.
//! * A method `SayHello` becomes `say_hello`. A client is made with `new`, so `New` becomes `new_`;
//!   every type has `into` and `try_into`, which the compiler would take instead, so `Into` and
//!   `TryInto` become `into_` and `try_into_`. No other name is reserved: `Clone` becomes `clone`,
//!   and `Clone::clone(&client)` still clones the client. A keyword becomes a raw identifier
//!   (`r#move`), and one that cannot be raw gets an underscore (`self_`).
//! * Two methods that differ only in case or underscores are an error, and so are two messages,
//!   two fields or two values of an enum: it names both, with their places.
//!
//! # Example
//!
//! ```
//! use broach_codegen::{Names, Options};
//!
//! # fn example(
//! #     files: &[prost_types::FileDescriptorProto],
//! #     service: &prost_build::Service,
//! # ) -> Result<(), Vec<broach_codegen::Problem>> {
//! let names = Names::of(files, Default::default())?;
//! let text = broach_codegen::generate(service, &names, &Options::default());
//! # Ok(())
//! # }
//! ```

mod docs;
mod emit;
mod error;
mod ids;
mod model;
mod names;
mod options;

pub use docs::clean as clean_comment;
pub use error::{Place, Position, Problem};
pub use ids::method_id;
pub use names::{EnumPrefix, Names};
pub use options::{Options, Sides};

/// Generates what belongs to one service: its description, and the trait, server and client that
/// the options ask for.
///
/// The text belongs into the module of the service's package, beside its messages. It is formatted
/// Rust.
pub fn generate(service: &prost_build::Service, names: &Names, options: &Options) -> String {
    emit::service(&model::Service::new(service, names), options)
}
