//! Whole nodes: what they promise, under bad input, bad networks, restarts and load.
//!
//! Most run on a network within the process and in virtual time, from a seed; those that say
//! `loopback` run on real sockets, where nothing is asserted about time.

mod cancellation;
mod deadlines;
mod fail_over;
mod list_channel;
mod lossy;
mod observing;
mod replay;
mod restart;
mod trace_context;
mod tracing_spans;
