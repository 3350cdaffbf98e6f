//! [`StartError`]: why a node did not start.

use std::net::SocketAddr;

use crate::advert::AdvertError;
use crate::config::ConfigError;
use crate::errors::debug_as_text;
use crate::net::{AddressError, AdvertiseError, BindError};
use crate::server::RegisterError;

/// Why a node did not start.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address to bind cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A service cannot be served beside the others.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The address to bind is not a loopback address, and nothing is said of security.
    #[error(
        "{addr} is not a loopback address, and nothing is said of security: write \
         .security(Security::clear()) if datagrams may go in the clear there"
    )]
    Security {
        /// The address.
        addr: SocketAddr,
    },
    /// The operating system does not give the address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// It is not clear by which address others reach the node.
    #[error(transparent)]
    Advertise(#[from] AdvertiseError),
    /// The node says too much of itself.
    #[error(transparent)]
    Advert(#[from] AdvertError),
    /// Nobody could call its services.
    #[error(
        "a node that is client_only() cannot serve: others never learn of it; leave out either \
         client_only() or serve()"
    )]
    ClientOnly,
}

debug_as_text!(StartError);
