//! Putting something around all calls: layers.
//!
//! A layer is one of [`tower`](https://docs.rs/tower): it makes a service out of the service inside
//! it. [`NodeBuilder::layer`] puts it around all services of a node, [`Channel::layer`] around a
//! channel; what goes through is a [`Request`] one way, and a [`Reply`] or a [`Status`] the other.
//! The message in it is encoded; if there may be many it is a stream of such, around which a layer
//! can put another one. A layer that is added later is further out.
//!
//! A layer around a channel sees a call once, whatever its attempts. One around a node sees each
//! call of a method that is served there; the rest is refused before. Calls within the process
//! ([`Channel::in_process`]) go through layers of the channel only.
//!
//! # An example
//!
//! Callers send a token along, and the node tells by it who calls. `Cargo.toml` needs
//! `tower = { version = "0.5", features = ["filter", "util"] }`.
//!
//! ```
//! use broach_core::{Channel, Context, Node, Outcome, Request, Status};
//! # use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};
//! use tower::filter::FilterLayer;
//! use tower::util::MapRequestLayer;
//! # // What broach-build would make of a `.proto` file, as far as it is needed here.
//! # mod greeter {
//! #     pub mod v1 {
//! #         use broach_core::codegen::*;
//! #         use broach_core::{Call, Channel, Context, Status};
//! #         use std::sync::Arc;
//! #         #[derive(prost::Message)]
//! #         pub struct HelloRequest {}
//! #         #[derive(prost::Message)]
//! #         pub struct HelloReply {
//! #             #[prost(string, tag = "1")]
//! #             pub message: String,
//! #         }
//! #         static GREETER: ServiceSpec = ServiceSpec {
//! #             name: "greeter.v1.Greeter",
//! #             methods: &[MethodSpec::new(
//! #                 "greeter.v1.Greeter/SayHello",
//! #                 0x392b_74ef_3119_fd7a,
//! #                 Shape::Unary,
//! #                 Idempotency::None,
//! #             )],
//! #         };
//! #         #[async_trait]
//! #         pub trait Greeter: Send + Sync + 'static {
//! #             async fn say_hello(&self, cx: Context, _: HelloRequest)
//! #             -> Result<HelloReply, Status>;
//! #         }
//! #         pub struct GreeterServer<T>(Arc<T>);
//! #         impl<T> GreeterServer<T> {
//! #             pub fn new(service: T) -> Self {
//! #                 Self(Arc::new(service))
//! #             }
//! #         }
//! #         impl<T: Greeter> Dispatch for GreeterServer<T> {
//! #             fn spec(&self) -> &'static ServiceSpec {
//! #                 &GREETER
//! #             }
//! #             fn dispatch(&self, call: Inbound) -> Handling {
//! #                 let service = Arc::clone(&self.0);
//! #                 call.unary(|cx, request| async move { service.say_hello(cx, request).await })
//! #             }
//! #         }
//! #         pub struct GreeterClient(Channel);
//! #         impl GreeterClient {
//! #             pub fn new(channel: Channel) -> Self {
//! #                 Self(channel)
//! #             }
//! #             pub fn say_hello(&self, request: HelloRequest) -> Call<HelloRequest, HelloReply> {
//! #                 self.0.unary(&GREETER.methods[0], request)
//! #             }
//! #         }
//! #     }
//! # }
//!
//! /// On the node, before each handler: who calls?
//! fn check(mut request: Request) -> Result<Request, Status> {
//!     let user = match request.metadata.get("token") {
//!         Some("token of ada") => "ada",
//!         _ => {
//!             let status = Status::unauthenticated("the call comes without a valid token");
//!             return Err(status.with_outcome(Outcome::NotExecuted));
//!         }
//!     };
//!     request.metadata.remove("token");
//!     // In place of whatever the caller may have written there.
//!     request.metadata.insert("user", user).expect("the key is allowed");
//!     Ok(request)
//! }
//!
//! /// On the channel, before each call.
//! fn add_token(mut request: Request) -> Request {
//!     request.metadata.insert("token", "token of ada").expect("the key is allowed");
//!     request
//! }
//!
//! struct Hello;
//!
//! #[broach_core::async_trait]
//! impl Greeter for Hello {
//!     async fn say_hello(&self, cx: Context, _: HelloRequest) -> Result<HelloReply, Status> {
//!         let user = cx.metadata().get("user").unwrap_or("stranger");
//!         Ok(HelloReply { message: format!("Hello {user}!") })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let node = Node::builder()
//!         .serve(GreeterServer::new(Hello))
//!         .layer(FilterLayer::new(check))
//!         .start()
//!         .await?;
//!     let plain = Channel::connect(node.local_addr()).await?;
//!
//!     let greeter = GreeterClient::new(plain.layer(MapRequestLayer::new(add_token)));
//!     let reply = greeter.say_hello(HelloRequest::default()).await?;
//!     assert_eq!(reply.message, "Hello ada!");
//!
//!     // A channel without the layer is refused, whatever it says of itself.
//!     let call = GreeterClient::new(plain).say_hello(HelloRequest::default());
//!     let status = call.metadata("user", "ada").await.unwrap_err();
//!     assert_eq!(status.to_string(), "UNAUTHENTICATED: the call comes without a valid token");
//!     Ok(())
//! }
//! ```
//!
//! Datagrams go in the clear for now, and so does a token. In a network that is not trusted it
//! protects nothing.
//!
//! # Handing something to the handler
//!
//! What a layer finds out goes to the handler as metadata, which is what [`Context::metadata`]
//! gives. Callers can send metadata of any key. So use [`Metadata::insert`], as above, which takes
//! the place of all that the key had ([`Metadata::append`] does not), and do it for every call that
//! goes on, or [remove](crate::Metadata::remove) the key: otherwise a caller can forge it.
//!
//! # Errors
//!
//! What a layer fails with is what the caller gets. If a layer around a node refuses a call without
//! passing it on, let it say so with [`Outcome::NotExecuted`]: a status that says nothing is
//! `Executed`. Then the caller knows that it can make the call again, and a list of nodes tries
//! another one for some codes (see [`calls`](super::calls)).
//!
//! Many layers of tower fail with an error that is no [`Status`]. It becomes one with the code
//! `UNKNOWN` and [`Outcome::Unknown`]. To have another one, say what the error means:
//!
//! ```
//! use std::time::Duration;
//!
//! use broach_core::{Node, Outcome, Status};
//! use tower::limit::ConcurrencyLimitLayer;
//! use tower::load_shed::LoadShedLayer;
//! use tower::load_shed::error::Overloaded;
//! use tower::timeout::TimeoutLayer;
//! use tower::timeout::error::Elapsed;
//! use tower::{BoxError, ServiceBuilder};
//!
//! fn status(error: BoxError) -> Status {
//!     if error.is::<Overloaded>() {
//!         Status::resource_exhausted("100 calls are at work here already")
//!             .with_outcome(Outcome::NotExecuted)
//!     } else if error.is::<Elapsed>() {
//!         Status::deadline_exceeded("it took longer than this node allows")
//!             .with_outcome(Outcome::Unknown)
//!     } else {
//!         // What is a status already stays as it is.
//!         Status::from(error)
//!     }
//! }
//!
//! // The first is the outermost.
//! let layers = ServiceBuilder::new()
//!     .map_err(status)
//!     .layer(LoadShedLayer::new())
//!     .layer(ConcurrencyLimitLayer::new(100))
//!     .layer(TimeoutLayer::new(Duration::from_secs(1)));
//! let node = Node::builder().layer(layers);
//! ```
//!
//! # What is seen of them
//!
//! In [events and counters](super::observing) the layers of a node belong to the handler: a call
//! that a layer refuses or answers counts as a handler that has started and ended, and the time
//! spent in layers as the handler's. The span `handle` covers both. The span `call` covers the
//! layers of the channel.
//!
//! [`Channel::in_process`]: crate::Channel::in_process
//! [`Channel::layer`]: crate::Channel::layer
//! [`Context::metadata`]: crate::Context::metadata
//! [`Metadata::append`]: crate::Metadata::append
//! [`Metadata::insert`]: crate::Metadata::insert
//! [`NodeBuilder::layer`]: crate::NodeBuilder::layer
//! [`Outcome::NotExecuted`]: crate::Outcome::NotExecuted
//! [`Outcome::Unknown`]: crate::Outcome::Unknown
//! [`Reply`]: crate::Reply
//! [`Request`]: crate::Request
//! [`Status`]: crate::Status
