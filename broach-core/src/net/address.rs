//! Addresses as people write them.

use std::io;
use std::net::SocketAddr;

/// An address that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is not of the form `host:port`.
    #[error("{text:?} is no address: it must read host:port, like 10.0.0.7:7400 or [::1]:7400")]
    Unparsable {
        /// What was given.
        text: String,
    },
    /// The socket cannot send there.
    #[error("{addr} cannot be called from {local}: bind the node to [::] to call over IPv6 too")]
    Family {
        /// The address.
        addr: SocketAddr,
        /// What the socket is bound to.
        local: SocketAddr,
    },
    /// The name of the host has no address.
    #[error("the host of {text:?} has no address")]
    Unresolvable {
        /// What was given.
        text: String,
        /// What the resolver said, if it said anything.
        #[source]
        source: Option<io::Error>,
    },
}

/// The address that a text stands for: `ip:port`, or `host:port` with a name that is looked up.
///
/// # Errors
///
/// If it is none, or the name is not known.
pub(crate) async fn resolve(text: &str) -> Result<SocketAddr, AddressError> {
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Ok(canonical(addr));
    }
    let unparsable = || AddressError::Unparsable { text: text.to_owned() };
    let (host, port) = text.rsplit_once(':').ok_or_else(unparsable)?;
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.is_empty() || !host.bytes().all(named) {
        return Err(unparsable());
    }
    let port: u16 = port.parse().map_err(|_| unparsable())?;
    let unresolvable = |source| AddressError::Unresolvable { text: text.to_owned(), source };
    let found = tokio::net::lookup_host((host, port)).await;
    let mut found = found.map_err(|error| unresolvable(Some(error)))?;
    found.next().map(canonical).ok_or_else(|| unresolvable(None))
}

/// An address in the one form in which it is compared: IPv4 as IPv4.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_and_names_are_understood() {
        for (text, addr) in [
            ("127.0.0.1:7400", "127.0.0.1:7400"),
            ("[::1]:7400", "[::1]:7400"),
            ("[::ffff:10.0.0.7]:1", "10.0.0.7:1"),
        ] {
            assert_eq!(resolve(text).await.unwrap(), addr.parse().unwrap());
        }
        assert!(resolve("localhost:7400").await.unwrap().ip().is_loopback());
    }

    #[tokio::test]
    async fn what_is_no_address_is_named() {
        for text in ["", "7400", "localhost", "localhost:", ":7400", "host:99999", "a b:1", "::1:1"]
        {
            let error = resolve(text).await.unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("host:port"), "{error}");
        }
    }
}
