//! Addresses as people write them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::errors::debug_as_text;

/// An address that cannot be used.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is not of the form `host:port`.
    #[error("{text:?} is no address: it must read host:port, like 10.0.0.7:7400 or [::1]:7400")]
    Unparsable {
        /// What was given.
        text: String,
    },
    /// It is no address of one node.
    #[error(
        "{addr} can be bound to but not called: name the address that the node is reached at, such \
         as 127.0.0.1 on this machine, and its port"
    )]
    Unspecified {
        /// The address.
        addr: SocketAddr,
    },
    /// The socket cannot send there.
    #[error(
        "{addr} cannot be called from {local}: bind to 0.0.0.0 to call other machines, or to [::] \
         to call over both versions of IP"
    )]
    Unreachable {
        /// The address.
        addr: SocketAddr,
        /// What the socket is bound to.
        local: SocketAddr,
    },
    /// The name of the host has no address.
    #[error("the host of {text:?} has no address{}", said(source.as_ref()))]
    Unresolvable {
        /// What was given.
        text: String,
        /// What the resolver said, if it said anything.
        #[source]
        source: Option<io::Error>,
    },
}

debug_as_text!(AddressError);

/// The address that a text stands for: `ip:port`, or `host:port` with a name that is looked up.
///
/// # Errors
///
/// If it is none, or the name is not known.
pub(crate) async fn resolve(text: &str) -> Result<SocketAddr, AddressError> {
    let found = resolve_all(text).await?;
    found.first().copied().ok_or_else(|| unresolvable(text, None))
}

/// All addresses that a text stands for, each once: `ip:port`, or `host:port` or `dns://host:port`
/// with a name that is looked up.
///
/// # Errors
///
/// If it is none, or the name is not known.
pub(crate) async fn resolve_all(text: &str) -> Result<Vec<SocketAddr>, AddressError> {
    let (host, port) = match parse(text)? {
        Target::Addr(addr) => return Ok(vec![addr]),
        Target::Name { host, port } => (host, port),
    };
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| unresolvable(text, Some(error)))?;
    let mut addrs = Vec::new();
    for addr in found.map(canonical) {
        if !addrs.contains(&addr) {
            addrs.push(addr);
        }
    }
    if addrs.is_empty() { Err(unresolvable(text, None)) } else { Ok(addrs) }
}

/// What a text stands for.
pub(crate) enum Target<'a> {
    /// This address.
    Addr(SocketAddr),
    /// A name that has to be looked up, perhaps again and again.
    Name { host: &'a str, port: u16 },
}

/// Reads `ip:port`, `host:port`, or `dns://host:port`.
///
/// # Errors
///
/// If it is none of them.
pub(crate) fn parse(text: &str) -> Result<Target<'_>, AddressError> {
    let plain = text.strip_prefix(DNS).unwrap_or(text);
    if let Ok(addr) = plain.parse::<SocketAddr>() {
        return Ok(Target::Addr(canonical(addr)));
    }
    let unparsable = || AddressError::Unparsable { text: text.to_owned() };
    let (host, port) = plain.rsplit_once(':').ok_or_else(unparsable)?;
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.is_empty() || !host.bytes().all(named) {
        return Err(unparsable());
    }
    let port: u16 = port.parse().map_err(|_| unparsable())?;
    Ok(Target::Name { host, port })
}

fn unresolvable(text: &str, source: Option<io::Error>) -> AddressError {
    AddressError::Unresolvable { text: text.to_owned(), source }
}

/// The address of a node that is to be called, from a text; see [`resolve`].
///
/// # Errors
///
/// If it is none, the name is not known, or it is no address of one node.
pub(crate) async fn resolve_target(text: &str) -> Result<SocketAddr, AddressError> {
    let addr = resolve(text).await?;
    let unspecified = addr.ip().is_unspecified() || addr.port() == 0;
    if unspecified { Err(AddressError::Unspecified { addr }) } else { Ok(addr) }
}

/// Whether this is the address of one node, rather than one that stands for many or for none.
pub(crate) fn is_specific(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let everyone = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !everyone
}

/// Checks that a socket which is bound to `local` can send there.
///
/// # Errors
///
/// If it cannot.
pub(crate) fn check_reachable(addr: SocketAddr, local: SocketAddr) -> Result<(), AddressError> {
    let (from, to) = (local.ip().to_canonical(), addr.ip());
    // `[::]` is for both versions of IP, and every other address for one of them.
    let family = from.is_ipv4() == to.is_ipv4() || (from.is_ipv6() && from.is_unspecified());
    let leaves = !from.is_loopback() || to.is_loopback();
    if family && leaves { Ok(()) } else { Err(AddressError::Unreachable { addr, local }) }
}

/// What the resolver said, as the end of a sentence.
fn said(source: Option<&io::Error>) -> String {
    source.map_or_else(String::new, |error| format!(": {error}"))
}

/// An address in the one form in which it is compared: IPv4 as IPv4.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// Stands before a name that is looked up again and again, and may have many addresses.
pub(crate) const DNS: &str = "dns://";

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

    #[tokio::test]
    async fn what_cannot_be_called_is_named() {
        for text in ["0.0.0.0:7400", "[::]:7400", "127.0.0.1:0"] {
            let error = resolve_target(text).await.unwrap_err().to_string();
            assert!(error.starts_with(text) && error.contains("not called"), "{error}");
        }
        let check = |addr: &str, local: &str| {
            check_reachable(addr.parse().unwrap(), local.parse().unwrap())
                .map_err(|error| error.to_string())
        };
        for (addr, local) in [
            ("10.0.0.7:1", "127.0.0.1:1"),
            ("[::1]:1", "127.0.0.1:1"),
            ("[::1]:1", "0.0.0.0:1"),
            ("127.0.0.1:1", "[::1]:1"),
        ] {
            let error = check(addr, local).unwrap_err();
            assert!(error.starts_with(&format!("{addr} cannot be called from {local}")), "{error}");
        }
        for (addr, local) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("10.0.0.7:1", "0.0.0.0:1"),
            ("10.0.0.7:1", "10.0.0.8:1"),
            ("10.0.0.7:1", "[::]:1"),
            ("[::1]:1", "[::]:1"),
        ] {
            assert_eq!(check(addr, local), Ok(()));
        }
    }
}
