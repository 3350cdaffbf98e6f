//! Whole nodes: what they promise, under bad input, bad networks, restarts and load.
//!
//! Most run on a network within the process and in virtual time, from a seed; those that say
//! `loopback` run on real sockets, where nothing is asserted about time.

mod cancellation;
mod deadlines;
mod fail_over;
mod in_process;
mod list_channel;
mod lossy;
mod metadata;
mod metadata_limits;
mod middleware;
mod middleware_time;
mod middleware_tower;
mod observing;
mod replay;
mod restart;
mod trace_context;
mod tracing_spans;
