//! How to test one's own services, also on a bad network, and how Broach is tested.
//!
//! # Without a network
//!
//! [`Channel::in_process`](crate::Channel::in_process) calls a service directly, in the caller's
//! own task: no socket, no node, no port. Deadlines, metadata and layers work as over the network.
//!
//! ```ignore
//! let greeter = GreeterClient::new(Channel::in_process(GreeterServer::new(Hello)));
//! let reply = greeter.say_hello(HelloRequest { name: "Ada".into() }).await?;
//! ```
//!
//! A handler is an ordinary method: [`Context::test`](crate::Context::test) makes a context to call
//! it with.
//!
//! # On a bad network
//!
//! With the feature `testing` there is a network within the process that loses, repeats, delays and
//! damages datagrams at given rates and stops nodes, all from one seed:
//!
//! ```toml
//! [dev-dependencies]
//! broach-core = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["macros", "rt", "test-util"] }
//! ```
//!
//! ```ignore
//! #[tokio::test(start_paused = true)]
//! async fn orders_are_taken_once_at_ten_percent_loss() {
//!     let network = Network::new(42);
//!     let mut faults = Faults::default();
//!     faults.loss = 0.1;
//!     network.set_faults(faults);
//!     let shop = network.socket("10.0.0.1:7400".parse()?)?;
//!     let node = Node::builder().socket(shop).serve(ShopServer::new(Shop::new())).start().await?;
//!     // ...
//! }
//! ```
//!
//! On a paused clock, minutes of waiting pass in no time, and on tokio's current-thread runtime the
//! same seed gives the same run. `testing::Network` has a complete example;
//! `testing::History` compares what callers saw with
//! what handlers did.
//!
//! # How Broach is tested
//!
//! Everything below [`net`](super::layout) takes time, bytes and random numbers as arguments. So
//! `testing::Storm` runs the transport of many nodes in one thread, against faults
//! of every kind, and millions of calls a minute; nothing but the seed decides what
//! happens. Callers put numbers of their own into requests, handlers note those that they see, and
//! at the end it is checked for each call that it has ended, in time, with its own reply, that its
//! handler was not started twice or too late, and that what its status says is true; and for each
//! node that it holds nothing any more, and that its counters add up.
//!
//! The tests do this for some dozen seeds. For as many as one likes:
//!
//! ```text
//! cargo run --release -p broach-storm -- --seeds 0..1000
//! ```
//!
//! A seed in which something is wrong is printed, and brings it back.
