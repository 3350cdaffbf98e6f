//! Sockets, the driver and its handle: where the protocol meets tokio.

mod clock;

pub use clock::TokioClock;
