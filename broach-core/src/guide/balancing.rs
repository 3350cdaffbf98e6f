//! Which node a call goes to: wishes that leave nodes out, and pickers that choose among the rest.
//!
//! ```text
//!   all members that offer the service
//!      |  what the call and its channel wish: version, tags, zone, group, node
//!      |  what is known of nodes: silent, suspected, about to leave, tried by this call already
//!   candidates
//!      |  the picker
//!   the node
//! ```
//!
//! A program that asks for nothing gets [`PowerOfTwoChoices`] over all nodes that are well, which is
//! right for most. The rest of this page is for when it is not.
//!
//! # Which picker
//!
//! | if | then | because |
//! |---|---|---|
//! | in doubt | [`PowerOfTwoChoices`] | it looks at how quick a node is and how much it has to do, and costs the same for any number of nodes |
//! | calls are equal, short and many, and so are the nodes | [`RoundRobin`], [`Random`] | nothing is to be gained by looking; turns are exact, and draws need no memory |
//! | nodes are of different size, and that is known | [`WeightedRoundRobin`] with [`weight`] | each gets its share exactly, and evenly over time |
//! | calls take very different times, of which the caller is the only one or one of few | [`LeastInFlight`] | what is under way here tells how busy a node is |
//! | nodes keep something for a key: a cache, a lock, a session | [`Call::key`], which goes by [`ConsistentHash`] | every caller finds the same node, and few keys move |
//! | nothing may move while a node is well, and callers need not agree | [`Sticky`] | what was chosen stays |
//! | the network is what takes long, and differs | [`NetworkQuality`] | it measures |
//! | traffic between zones costs money or time | [`ZoneFirst`] with [`zone`] | calls leave the zone only as far as they have to |
//! | nodes are spread over the world | [`Nearest`] with [`location`] | the way is known before the first call |
//! | all of this is wrong | a [`Picker`] of one's own | a page of code; [`Candidates::pick_among`] leaves the rest to another |
//!
//! ```no_run
//! # fn example(node: broach_core::Node) {
//! use broach_core::picker::{ConsistentHash, ZoneFirst};
//!
//! let carts = node.channel().picker(ConsistentHash::unbounded());
//! let near = node.channel().picker(ZoneFirst::new("eu-1a"));
//! # }
//! ```
//!
//! `ZoneFirst`, `Nearest` and `Sticky` choose some of the candidates, or when to choose, and leave
//! the choice itself to another picker: `ZoneFirst::new("eu-1a").with(ConsistentHash::new())`.
//!
//! # Which nodes at all
//!
//! A wish leaves nodes out, whoever is left; a picker only prefers. So what must not be called is
//! for a wish, and what should rather not be called is for a picker.
//!
//! | wish | nodes that fulfil it | for |
//! |---|---|---|
//! | [`version(">=1.0, <2")`](crate::Call::version) | whose [version] of the service does | callers that are older or newer than some nodes |
//! | [`group("canary")`](crate::Call::group) | that were put into this [`group`] | trying something out on some nodes |
//! | [`tag("gpu", "yes")`](crate::Call::tag) | that were given this [`tag`] | what only some nodes can do |
//! | [`zone("eu-1a")`](crate::Call::zone) | in this [`zone`] | data that must not leave it |
//! | [`node(addr)`](crate::Call::node) | this one | asking a node about itself; state that it alone has |
//! | [`except(addr)`](crate::Call::except) | all others | going past a node for once |
//!
//! A channel has them for all of its calls:
//!
//! ```no_run
//! # fn example(node: broach_core::Node) {
//! use broach_core::picker::Selection;
//!
//! let stable = node.channel().select(Selection::new().version("^1.4").group("stable"));
//! # }
//! ```
//!
//! A version requirement is read by the [`semver`](https://docs.rs/semver) crate, as in
//! `Cargo.toml`. What a node does not say of itself it does not fulfil: a service without a version
//! is not `>=0`. Wishes about more than addresses are for members of clusters; a channel to a list
//! of addresses refuses them with `FAILED_PRECONDITION`.
//!
//! If no member fulfils them, the call waits until one does, like a call that nobody offers
//! anything for. At its deadline it fails with `UNAVAILABLE`, as not executed, and says what there
//! was, wish by wish: `3 nodes offer it, none at >=2.0: 1.4.0, 1.4.2, 1.5.0`. So callers may be
//! rolled out before the nodes that they need. With `client.calls_waiting_max` of 0 none waits.
//!
//! Wishes hold for each attempt: a call that fails at its only node is not made elsewhere.
//!
//! # Keys
//!
//! Where a key goes can be computed by anybody, and stays the same in all releases:
//!
//! * the key is *k* = SipHash-2-4, with a key of 16 zero bytes, of its bytes;
//! * a node is *n* = the same of 18 bytes: its address as IPv6, with IPv4 mapped (`::ffff:a.b.c.d`),
//!   and its port, both big-endian;
//! * a node's merit is the output function of SplitMix64 of *k* xor *n*. The highest wins;
//! * if the nodes that offer the service have different weights *w*, it is instead the highest
//!   *w* / -ln((⌊merit / 2^11⌋ + ½) / 2^53).
//!
//! So it is the *address* that has the keys. A node that is started again there has the same, and
//! one that moves has others. While a node is silent or suspected its keys are called at the nodes
//! that come next for each of them; a call that has set out before that is known fails like any
//! other, or is made again there if it may be run twice.
//!
//! With the bound, which [`Call::key`] has on a channel without a picker of its own, a key that is
//! called a lot is called at more than one node. What is under way at the calling node counts, so
//! two callers may disagree for a moment. A node that keeps something which others do not have
//! needs [`ConsistentHash::unbounded`].
//!
//! # New nodes
//!
//! A node that joins others gets a tenth of its share at first, and all of it 5 s later
//! ([`slow_start`]): its caches are cold, and nobody has a session with it. That is so for
//! [`PowerOfTwoChoices`], [`RoundRobin`], [`WeightedRoundRobin`], [`Random`], [`LeastInFlight`],
//! [`NetworkQuality`], and those that leave the choice to one of them. Keys move at once, so that
//! they need not move twice. Another life at the same address is a new node. Those who were there
//! when a node came are not new to it, even if it hears of them one after the other: nobody is in
//! the first 5 s in which it knows of anyone.
//!
//! # Figures
//!
//! How far a node is from its share of 100,000 calls at the most: of five equal nodes, and of six
//! after one has joined and its slow start is over, in calls that are made one after the other; and
//! of five that answer steadily or now and then late, up to 512 calls at once
//! (`cargo test -p broach-core --lib routing::tests -- --nocapture` prints both):
//!
//! | picker | one by one | after a join | many at once |
//! |---|---|---|---|
//! | [`PowerOfTwoChoices`] | 1.1 % | 0.6 % | 4.1 % |
//! | [`RoundRobin`], [`WeightedRoundRobin`] | 0.0 % | 0.0 % | 0.0 % |
//! | [`Random`] | 0.3 % | 1.0 % | 0.3 % |
//! | [`LeastInFlight`] | 0.9 % | 0.5 % | 6.2 %; 11 % where single calls take 2 s |
//!
//! Keys that move when a node joins N others, of 100,000: 0.99 to 1.03 times 1/(N+1) of them, for N
//! from 1 to 50, and all of them to that node.
//!
//! What a node gets that has joined four others, beside what each of them gets, second after
//! second: 9 %, 26 %, 46 %, 69 %, 88 %, 100 %.
//!
//! What choosing costs, for each attempt and all included, in nanoseconds on a shared virtual
//! machine (`cargo test --release -p broach-core --lib costs -- --ignored --nocapture`):
//!
//! | nodes | 5 | 20 | 100 | 1000 |
//! |---|---|---|---|---|
//! | [`PowerOfTwoChoices`] | 73 | 73 | 74 | 80 |
//! | [`Random`] | 66 | 66 | 66 | 66 |
//! | [`RoundRobin`] | 91 | 92 | 91 | 92 |
//! | [`ConsistentHash`], nothing under way | 71 | 87 | 202 | 1711 |
//! | [`Sticky`] | 105 | 105 | 105 | 127 |
//! | [`Nearest`] | 100 | 113 | 160 | 582 |
//! | [`ZoneFirst`] | 137 | 252 | 557 | 4477 |
//! | [`WeightedRoundRobin`] | 112 | 179 | 565 | 5845 |
//! | [`LeastInFlight`] | 92 | 174 | 572 | 5471 |
//! | [`NetworkQuality`] | 101 | 216 | 779 | 7683 |
//! | wishes of a channel, then [`Random`] | 104 | 102 | 113 | 100 |
//! | one node by its address | 313 | 325 | 541 | 3692 |
//! | [`Random`] while one node is silent | 98 | 157 | 714 | 6098 |
//!
//! A call over loopback takes some twenty thousand. Rendezvous hashing was chosen over a ring of
//! hashes with these figures in view: a ring with 100 points for each node is searched in 11 to
//! 61 ns, but it has to be made whenever the candidates change, also when a node is only silent for
//! a moment: that takes 16 us for 5 nodes and 250 us for 100. And a node's share of such a ring is
//! off by 10 % (one standard deviation), where that of merits is off by as little as draws are.
//!
//! [`Call::key`]: crate::Call::key
//! [`Candidates::pick_among`]: crate::picker::Candidates::pick_among
//! [`ConsistentHash::unbounded`]: crate::picker::ConsistentHash::unbounded
//! [`ConsistentHash`]: crate::picker::ConsistentHash
//! [`LeastInFlight`]: crate::picker::LeastInFlight
//! [`Nearest`]: crate::picker::Nearest
//! [`NetworkQuality`]: crate::picker::NetworkQuality
//! [`Picker`]: crate::picker::Picker
//! [`PowerOfTwoChoices`]: crate::picker::PowerOfTwoChoices
//! [`Random`]: crate::picker::Random
//! [`RoundRobin`]: crate::picker::RoundRobin
//! [`Sticky`]: crate::picker::Sticky
//! [`WeightedRoundRobin`]: crate::picker::WeightedRoundRobin
//! [`ZoneFirst`]: crate::picker::ZoneFirst
//! [`group`]: crate::NodeBuilder::group
//! [`location`]: crate::NodeBuilder::location
//! [`slow_start`]: crate::config::Client::slow_start
//! [`tag`]: crate::NodeBuilder::tag
//! [`weight`]: crate::NodeBuilder::weight
//! [`zone`]: crate::NodeBuilder::zone
//! [version]: crate::OfferedService::version
