//! How Broach works and why: the wire format, the driver, the promises and their figures.

pub mod wire;
