//! How to test one's own services, also on a bad network, and how Broach is tested.
//!
//! # Without a network
//!
//! [`Channel::in_process`](crate::Channel::in_process) calls a service directly, in the caller's
//! own task: no socket, no node, no port. Deadlines, metadata and layers of the channel work as
//! over the network; layers of a node and its limits are not there.
//!
//! ```ignore
//! #[tokio::test]
//! async fn people_are_greeted_by_their_names() -> Result<(), Status> {
//!     let greeter = GreeterClient::new(Channel::in_process(GreeterServer::new(Hello)));
//!     let reply = greeter.say_hello(HelloRequest { name: "Ada".into() }).await?;
//!     assert_eq!(reply.message, "Hello Ada!");
//!     Ok(())
//! }
//! ```
//!
//! To look at what a service keeps, share it with its server, which takes an `Arc` as well:
//!
//! ```ignore
//! #[derive(Default)]
//! struct Books {
//!     orders: Mutex<Vec<u32>>,
//! }
//!
//! #[broach_core::async_trait]
//! impl Shop for Books {
//!     async fn order(&self, _: Context, request: OrderRequest) -> Result<OrderReply, Status> {
//!         self.orders.lock().unwrap().push(request.number);
//!         Ok(OrderReply {})
//!     }
//! }
//!
//! #[tokio::test]
//! async fn an_order_is_written_down() -> Result<(), Status> {
//!     let books = Arc::new(Books::default());
//!     let shop = ShopClient::new(Channel::in_process(ShopServer::from(Arc::clone(&books))));
//!     shop.order(OrderRequest { number: 7 }).await?;
//!     assert_eq!(*books.orders.lock().unwrap(), [7]);
//!     Ok(())
//! }
//! ```
//!
//! What *calls* a client is tested in the same way, with a stand-in for the service: an
//! implementation that answers what the test says, and leaves out what the test does not need. No
//! other kind of mock is generated, as this one is of the same type as the real client, also takes
//! part in deadlines and layers, and gives streams too.
//!
//! ```ignore
//! /// What is tested: it does not know who answers.
//! async fn invitation(greeter: &GreeterClient, name: &str) -> String {
//!     match greeter.say_hello(HelloRequest { name: name.into() }).await {
//!         Ok(reply) => format!("{} Come in.", reply.message),
//!         Err(status) if status.code() == Code::NotFound => "Who are you?".into(),
//!         Err(_) => "Come back later.".into(),
//!     }
//! }
//! ```
//!
//! ```ignore
//! /// Answers every request with what it holds. Methods that the test does not need are left out.
//! struct Answers(Result<&'static str, Code>);
//!
//! #[broach_core::async_trait]
//! impl Greeter for Answers {
//!     async fn say_hello(&self, _: Context, _: HelloRequest) -> Result<HelloReply, Status> {
//!         match self.0 {
//!             Ok(message) => Ok(HelloReply { message: message.into() }),
//!             Err(code) => Err(Status::new(code, "as the test says")),
//!         }
//!     }
//! }
//!
//! /// A client whose calls this service answers.
//! fn client(service: impl Greeter) -> GreeterClient {
//!     GreeterClient::new(Channel::in_process(GreeterServer::new(service)))
//! }
//! ```
//!
//! ```ignore
//! #[tokio::test]
//! async fn strangers_are_asked_who_they_are() {
//!     let friend = client(Answers(Ok("Hello Ada!")));
//!     assert_eq!(invitation(&friend, "Ada").await, "Hello Ada! Come in.");
//!     let stranger = client(Answers(Err(Code::NotFound)));
//!     assert_eq!(invitation(&stranger, "Eve").await, "Who are you?");
//!     let down = client(Answers(Err(Code::Unavailable)));
//!     assert_eq!(invitation(&down, "Ada").await, "Come back later.");
//! }
//! ```
//!
//! A handler is an ordinary method: [`Context::test`](crate::Context::test) makes a context to call
//! it with.
//!
//! # On a bad network
//!
//! With the feature `testing` there is a network within the process that loses, repeats, delays and
//! damages datagrams at given rates, has narrow ways with queues, and stops nodes, all from one
//! seed:
//!
//! ```toml
//! [dev-dependencies]
//! # Or by its path, as in [dependencies].
//! broach-core = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["macros", "rt", "test-util"] }
//! ```
//!
//! ```ignore
//! #[tokio::test(start_paused = true)]
//! async fn orders_are_taken_once_at_ten_percent_loss() -> Result<(), Box<dyn std::error::Error>> {
//!     let network = Network::new(42);
//!     let mut faults = Faults::default();
//!     faults.loss = 0.1;
//!     network.set_faults(faults);
//!
//!     let books = Arc::new(Books::default());
//!     let addr = "10.0.0.1:7400".parse()?;
//!     let node = Node::builder()
//!         .security(Security::clear())
//!         .socket(network.socket(addr)?)
//!         .serve(ShopServer::from(Arc::clone(&books)))
//!         .start()
//!         .await?;
//!     let channel = Channel::builder()
//!         .security(Security::clear())
//!         .socket(network.socket("10.0.0.2:7400".parse()?)?)
//!         .connect(addr)
//!         .await?;
//!
//!     let shop = ShopClient::new(channel);
//!     for number in 0..100 {
//!         shop.order(OrderRequest { number }).await?;
//!     }
//!     assert!(books.orders.lock().unwrap().iter().copied().eq(0..100));
//!     node.shutdown().await?;
//!     Ok(())
//! }
//! ```
//!
//! `Faults` and `Network` are in `broach_core::testing`, which is part of this documentation only
//! if the feature is on. `Network` stops nodes as well, parts them (`partition`, `cut`, `heal`),
//! lets them crash (`unplug`, `plug_in`) and moves them far away (`set_distance`); what a socket
//! holds that nobody reads can be limited (`set_receive_buffer`); `History` compares what callers
//! saw with what handlers did.
//!
//! On a paused clock, minutes of waiting pass in no time. On tokio's current-thread runtime the
//! same seed gives the same run, if nodes and channels draw from seeds too; see
//! [`NodeBuilder::danger_seed`](crate::NodeBuilder::danger_seed).
//! `TraceHash` makes one number of a run, to check that.
//!
//! # How Broach is tested
//!
//! Everything below [`net`](super::layout) takes time, bytes and random numbers as arguments. So
//! `testing::Storm` runs the transport of many nodes in one thread, against faults of every kind,
//! and millions of calls a minute; nothing but the seed decides what happens. Callers put numbers
//! of their own into requests, handlers note those that they see, and at the end it is checked for
//! each call that it has ended, in time, with its own reply, that its handler was not started twice
//! or too late, and that what its status says is true; and for each node that it holds nothing any
//! more, and that its counters add up.
//!
//! The tests do this for some dozen seeds. For as many as one likes:
//!
//! ```text
//! cargo run --release -p broach-storm -- --seeds 0..1000
//! ```
//!
//! A seed in which something is wrong is printed, and brings it back. `--cluster` runs whole nodes
//! that crash, leave and are cut off, and `--tangle` whole nodes with hardly any memory, whose
//! calls of all shapes get into each other's way: nobody may come to a standstill, and nothing may
//! be left.
