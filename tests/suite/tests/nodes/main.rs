//! Whole nodes: what they promise, under bad input, bad networks, restarts and load.
//!
//! Most run on a network within the process and in virtual time, from a seed; those that say
//! `loopback` run on real sockets, where nothing is asserted about time.

mod bad_addresses;
mod bad_input;
mod blocking;
mod cancellation;
mod deadlines;
mod fail_over;
mod hostile;
mod in_process;
mod lifecycle;
mod limits;
mod list_channel;
mod live;
mod lossy;
mod metadata;
mod metadata_limits;
mod middleware;
mod middleware_time;
mod middleware_tower;
mod network;
mod observing;
mod one_way;
mod panics;
mod replay;
mod restart;
mod runtimes;
mod sizes;
mod strangers;
mod trace_context;
mod tracing_spans;
