//! Settings: plain data, each with its default, its unit and what it moves.
//!
//! Every struct has a `Default` that suits one data centre. Fields are checked once, when a node or
//! a channel starts; an error names the field.

use crate::errors::debug_as_text;

mod client;
mod gossip;
mod security;
mod transport;

pub use client::Client;
pub use gossip::Gossip;
pub use security::Security;
pub(crate) use transport::{BASE_DATAGRAM_BYTES, DATAGRAM_BYTES_MAX, SizeLimits};
pub use transport::{Network, Transport};

/// A setting that cannot work.
#[derive(Clone, Eq, PartialEq, thiserror::Error)]
#[error("setting {field}: {problem}")]
pub struct ConfigError {
    field: &'static str,
    problem: String,
}

debug_as_text!(ConfigError);

impl ConfigError {
    /// The name of the field, such as `transport.datagram_bytes`.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

/// An error unless `holds`.
pub(crate) fn check(
    field: &'static str,
    holds: bool,
    problem: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { field, problem: problem() }) }
}
