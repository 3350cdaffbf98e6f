//! The crates, the modules, and which of them may know of which.
//!
//! | crate | what it does |
//! |---|---|
//! | `broach-core` | the runtime: what programs link |
//! | `broach-build` | for `build.rs`: reads `.proto` files, has messages and services generated |
//! | `broach-codegen` | descriptors of services in, Rust text out; no files, no network |
//!
//! # broach-core
//!
//! A ladder. A module imports only from rungs below its own, and modules on one rung know nothing
//! of each other:
//!
//! ```text
//!  7   codegen   testing    what generated code needs | simulations
//!  6   node                 puts the rest together
//!  5   client    server     making calls | serving them
//!  4   net                  sockets, the driver: where tokio comes in
//!  3b  exchange             what a call is made of
//!  3a  routing              which node it goes to
//!  2   proto     gossip     the transport: sessions, calls, losses | who is a member
//!      advert               what members offer, and fetching it
//!  1   wire                 bytes <-> frames
//!  0c  observe              what happens: events, counters, spans
//!  0b  status method deadline config peer advert
//!  0a  ids code ecn metadata rng
//!  0   errors
//! ```
//!
//! Nothing below rung 4 reads a clock, opens a socket, waits, or spawns a task. Time and datagrams
//! come in as arguments, and what is to be sent and done comes out of `poll` methods; this way of
//! building protocols is known as *sans-IO*. It is what lets a test replay a whole network from a
//! seed.
//!
//! Each file is one idea and says at its top which. Where to begin reading:
//!
//! | question | file |
//! |---|---|
//! | what happens to a datagram | `proto/inbound.rs` |
//! | what goes into the next one | `proto/assemble.rs` |
//! | when is a call's outcome `NotExecuted` | `proto/caller.rs` |
//! | why does no call run twice | `proto/callee.rs`, `seen.rs`, `token.rs`, `closed.rs` |
//! | when does a member count as dead | `gossip/prober.rs`, `suspicion.rs`, `merge.rs` |
//! | how does a node find the others | `gossip/join.rs`, `sync.rs` |
//! | how does a node learn what another one offers | `advert/fetcher.rs` |
//! | which node does a call go to | `routing/choose.rs`, `routing/pickers` |
//! | which nodes may a call go to | `routing/selection.rs`, `wishes.rs` |
//! | when is a call tried again | `client/trial.rs` |
//! | how does a handler get called | `net/handlers.rs`, `server/serve.rs` |
//! | what can be counted | `observe/counters.rs` |
//! | what is generated from a `.proto` | `broach-codegen/tests/golden` |
