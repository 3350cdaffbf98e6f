//! Turns the services of `.proto` files into Rust for Broach: descriptors in, text out.
//!
//! This is the inner part of `broach-build`, which reads files, has prost-build generate the
//! messages, and writes what comes out. Here is no file and no process: what a service becomes
//! depends on its descriptor and nothing else.
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
//!   no other name is reserved. A keyword becomes a raw identifier (`r#move`), and one that cannot
//!   be raw gets an underscore (`self_`).
//! * Two methods that differ only in case or underscores are an error, and so are two messages,
//!   two fields or two values of an enum: it names both, with their places.

mod docs;
mod error;
mod ids;
mod names;

pub use docs::clean as clean_comment;
pub use error::{Place, Position, Problem};
pub use ids::method_id;
pub use names::{EnumPrefix, Names};
