//! Addresses: the one form in which they are compared, their bytes, and their places in the order
//! in which tables are compared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// An address in the one form in which it is compared: IPv4 as IPv4, without a scope.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// The address as it is written into records.
pub(super) fn to_bytes(addr: SocketAddr) -> Bytes {
    let port = addr.port().to_be_bytes();
    match addr.ip() {
        IpAddr::V4(ip) => [&ip.octets()[..], &port].concat().into(),
        IpAddr::V6(ip) => [&ip.octets()[..], &port].concat().into(),
    }
}

/// Reads an address that a member can have; `None` if it is not one, or not in canonical form.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip: IpAddr = if let Ok(octets) = <[u8; 4]>::try_from(ip) {
        Ipv4Addr::from(octets).into()
    } else {
        Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?).into()
    };
    let addr = SocketAddr::new(ip, u16::from_be_bytes(*port));
    (canonical(addr) == addr && is_usable(addr)).then_some(addr)
}

/// Whether something can be sent there, and to one node only.
pub(super) fn is_usable(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let everyone = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !everyone
}

/// Where the address stands in the order of the table: the head of its hash, so that members are
/// spread evenly.
pub(super) fn position(addr: SocketAddr) -> u64 {
    head(&Sha256::digest(to_bytes(addr)).into())
}

/// The first 8 bytes of a hash, as a number.
pub(super) fn head(digest: &[u8; 32]) -> u64 {
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_goes_there_and_back() {
        for text in ["10.0.0.7:7400", "[2001:db8::1]:1", "127.0.0.1:65535"] {
            assert_eq!(from_bytes(&to_bytes(addr(text))), Some(addr(text)));
        }
        assert_eq!(to_bytes(addr("1.2.3.4:258"))[..], [1, 2, 3, 4, 1, 2]);
    }

    #[test]
    fn ipv4_within_ipv6_is_ipv4() {
        assert_eq!(canonical(addr("[::ffff:10.0.0.7]:1")), addr("10.0.0.7:1"));
        let mapped = to_bytes(addr("[::ffff:10.0.0.7]:1"));
        assert_eq!(from_bytes(&mapped), None, "only the canonical form is taken");
    }

    #[test]
    fn what_no_member_can_have_is_refused() {
        for text in ["0.0.0.0:1", "[::]:1", "10.0.0.1:0", "224.0.0.1:1", "255.255.255.255:1"] {
            assert_eq!(from_bytes(&to_bytes(addr(text))), None, "{text}");
        }
        for len in [0, 1, 2, 5, 7, 17, 19] {
            assert_eq!(from_bytes(&vec![1; len]), None, "{len} bytes");
        }
    }
}
