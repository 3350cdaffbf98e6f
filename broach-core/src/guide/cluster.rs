//! A cluster: nodes that know of each other, and calls to whoever offers a service.
//!
//! There is nothing to set up but the address of a node that is running. Each node keeps a table of
//! all others and of what they offer, so a call asks nobody where to go.
//! [`membership`](super::membership) tells how the table is kept.
//!
//! # Joining
//!
//! ```no_run
//! # use broach_core::codegen::Dispatch;
//! # async fn example(service: impl Dispatch) -> Result<(), Box<dyn std::error::Error>> {
//! use broach_core::{Node, Security};
//!
//! let node = Node::builder()
//!     .cluster("shop")
//!     .security(Security::clear())
//!     .bind("0.0.0.0:7400")
//!     .join(["10.0.0.7:7400", "dns://shop-nodes:7400"])
//!     .serve(service)
//!     .start()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! **Seeds** are where a node looks for the others when it starts: addresses, names, or names with
//! many addresses. Any one that answers will do, and all nodes can have the same list, with their
//! own addresses in it. Nodes may start in any order; those that find nobody keep looking, and say
//! so in the log. A seed is nothing special otherwise: it may end like any other node. Two or three
//! in the list are enough for nodes that start while one of them is away.
//!
//! **The name of the cluster** keeps nodes apart that should not meet. Nodes and callers of another
//! cluster are refused, and named in the log of both sides.
//!
//! **The address by which others reach a node** is the one that it is bound to. A node that is
//! bound to `0.0.0.0` finds out from which of its addresses it reaches the seeds. If it cannot
//! tell, it does not start, and the error lists its addresses; then, and behind address
//! translation, write [`advertise`](crate::NodeBuilder::advertise).
//!
//! **A program that only makes calls** is [`client_only`](crate::NodeBuilder::client_only): it
//! learns all that the members know, and none of them learns of it. That suits whatever comes and
//! goes often, or cannot be reached. It hears of changes 2 s later than members do, at most.
//!
//! # Calling
//!
//! [`Node::channel`](crate::Node::channel) is all that a client needs; it stays right whoever comes
//! and goes. Each call goes to one of the members that offer its service:
//!
//! * the node itself is one of them, if it offers the service. It is called without the network;
//! * members that are suspected of being dead, or have left everything unanswered for a while, are
//!   passed over as long as there are others, but for a single call now and then that finds out
//!   whether they answer again;
//! * members that are about to leave come last;
//! * dead ones get nothing.
//!
//! Among those that are left a [picker](crate::picker) chooses. Unless told otherwise two are
//! drawn, and the one whose answers come faster, in view of how many calls are under way to it, is
//! called; a call with a [key](crate::Call::key) goes where that belongs.
//! [`Channel::picker`](crate::Channel::picker) takes another one, or the program's own, and a call
//! may ask for a version, a zone, a group or a tag ([`balancing`](super::balancing)):
//!
//! ```no_run
//! # fn example(node: broach_core::Node) {
//! use broach_core::picker::RoundRobin;
//!
//! let in_turn = node.channel().picker(RoundRobin::new());
//! let gpus = node.channel().call("render.v1.Render/Frame", "").tag("gpu", "yes").version("^1.4");
//! # }
//! ```
//!
//! If a call has surely not run, because its node was leaving, or gone, or had no room, it is made
//! at another one, and its caller does not notice. What may have run is made again only if it is
//! marked idempotent; [`calls`](super::calls) has the rules.
//!
//! **If nobody offers the service**, the call waits until somebody does. At its deadline it ends
//! with `UNAVAILABLE`, as not executed, and says what is known: `no node offers greeter.v1.Greeter:
//! 3 members known, none advertises it`. So programs may start before the services that they call.
//!
//! # What a node says of itself
//!
//! | what | how | who uses it |
//! |---|---|---|
//! | services and their versions | `serve(GreeterServer::new(Hello).version("1.4.0"))` | channels |
//! | its share of the calls | [`weight`](crate::NodeBuilder::weight), [`set_weight`](crate::Node::set_weight) | pickers |
//! | where it is | [`zone`](crate::NodeBuilder::zone), [`set_zone`](crate::Node::set_zone) | calls, pickers |
//! | where on the globe that is | [`location`](crate::NodeBuilder::location) | pickers |
//! | to whom it belongs | [`group`](crate::NodeBuilder::group), [`set_group`](crate::Node::set_group) | calls |
//! | anything else | [`tag`](crate::NodeBuilder::tag), [`set_tag`](crate::Node::set_tag) | calls, pickers of one's own |
//! | that it should get no calls | [`set_draining`](crate::Node::set_draining) | channels |
//!
//! Weight, zone and draining are in what nodes tell each other all the time, and are known to all
//! within moments. The rest is fetched once, by an ordinary call, which counters and
//! spans show as one of `broach.cluster.v1.Directory`. Layers that a program puts around its
//! services are not around that one.
//!
//! # Seeing
//!
//! ```no_run
//! # async fn example(node: broach_core::Node) {
//! for member in node.members().iter() {
//!     println!("{} {:?} in {:?}", member.addr(), member.state(), member.zone());
//!     for service in member.services().unwrap_or_default() {
//!         println!("  {} {}", service.name, service.version);
//!     }
//! }
//! let mut events = node.events();
//! while let Some(event) = events.next().await {
//!     println!("{event:?}");
//! }
//! # }
//! ```
//!
//! [`Node::members`](crate::Node::members) is the table as it is now; it never changes, so ask
//! again. Events tell when to look. The log (`tracing`, level INFO) has a line for each member that
//! comes, is suspected, dies or leaves, and a WARN for what somebody should look after: a seed that
//! is no address, a seed of another cluster, two nodes with one address.
//!
//! # Ending
//!
//! [`Node::run_until`](crate::Node::run_until) ends a node so that nobody notices: it says that it
//! is leaving, serves on for 0.3 s while the others turn elsewhere, finishes what is under way,
//! says goodbye, and ends. A call that comes too late is refused as not executed and goes to
//! another node. All of it takes no longer than
//! [`drain_timeout`](crate::NodeBuilder::drain_timeout) and half a second. Whoever is told a second
//! time to end, and passes that on with
//! [`Node::shutdown_or_stop`](crate::Node::shutdown_or_stop), ends at once: handlers are stopped,
//! and calls under way, streams too, fail with `UNAVAILABLE`, as `Unknown`.
//!
//! A node that is dropped ends at once: it says goodbye, but does not wait for anything. One that
//! crashes says nothing. Callers notice by its silence and turn elsewhere within a second, before
//! the members agree some seconds later that it is dead.
