//! The advertised address: the one that others are told to reach this node at.
//!
//! A node that is bound to `0.0.0.0` has many addresses, and a wrong guess shows only on another
//! machine, as calls that never arrive. So the first of these rules that has an answer decides, and
//! none of them guesses:
//!
//! 1. what `.advertise()` says;
//! 2. the address that is bound, if it is specific;
//! 3. the address that the kernel sends from to the first seed that it knows a way to;
//! 4. the only private address of this machine;
//! 5. loopback, on a machine that has no other address.
//!
//! A loopback address never goes together with a seed on another machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::errors::debug_as_text;
use crate::net::address::{AddressError, canonical, check_reachable, is_specific, resolve_all};

/// Why it is not known at which address others reach this node. Nothing has been announced.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AdvertiseError {
    /// What was given is no address of one node, or a name that is not known.
    #[error(".advertise({text:?}) cannot be used: {reason}")]
    Given {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: AddressError,
    },
    /// The socket does not get what is sent there.
    #[error(
        ".advertise(\"{addr}\") cannot be used: what is sent there does not reach a socket that is \
         bound to {bound}; bind to 0.0.0.0, or to [::] for both versions of IP"
    )]
    Unserved {
        /// The address that was given.
        addr: SocketAddr,
        /// What the socket is bound to.
        bound: SocketAddr,
    },
    /// The address is for this machine only, and the node is to join others that are elsewhere.
    #[error(
        "other machines cannot reach {addr}, and the seed {seed} is on one: bind to 0.0.0.0 and \
         write .advertise(\"address\") with the address that others reach this node at"
    )]
    Loopback {
        /// The address that would be advertised.
        addr: SocketAddr,
        /// The seed.
        seed: SocketAddr,
    },
    /// This machine has several addresses, or none that is private, and nothing tells which of them
    /// others can reach.
    #[error(
        "the node is bound to {bound}, and nothing says which address others reach it at: {}; \
         write .advertise(\"address\") with the right one",
        listed(candidates)
    )]
    Ambiguous {
        /// What the socket is bound to.
        bound: SocketAddr,
        /// The names of the interfaces, each with an address that it has.
        candidates: Vec<(String, IpAddr)>,
    },
    /// The operating system does not tell which addresses this machine has.
    #[error(
        "the node is bound to {bound}, and the addresses of this machine cannot be read, {reason}; \
         write .advertise(\"address\") with the one that others reach the node at"
    )]
    Interfaces {
        /// What the socket is bound to.
        bound: SocketAddr,
        /// What the operating system said.
        reason: io::Error,
    },
}

debug_as_text!(AdvertiseError);

/// The address at which others reach a node whose socket is bound to `bound`.
///
/// What is `given` reads `address:port`, or `address` for the port that is bound; the address can
/// be a name, which is looked up. Without seeds the node does not know of other machines, so they
/// should be known by now: `Seeds::look_up`.
///
/// # Errors
///
/// If it cannot be told, or what is given cannot work.
pub(crate) async fn settle(
    given: Option<&str>,
    bound: SocketAddr,
    seeds: &[SocketAddr],
) -> Result<SocketAddr, AdvertiseError> {
    let addr = match given {
        Some(text) => from_text(text, bound).await?,
        None => choose(bound, seeds, route, interfaces)?,
    };
    check_loopback(addr, seeds)
}

/// The address that a text stands for.
async fn from_text(text: &str, bound: SocketAddr) -> Result<SocketAddr, AdvertiseError> {
    let refused = |reason| AdvertiseError::Given { text: text.to_owned(), reason };
    let found = match bare_ip(text) {
        Some(ip) => vec![canonical((ip, bound.port()).into())],
        None if text.contains(':') => resolve_all(text).await.map_err(refused)?,
        None => resolve_all(&format!("{text}:{}", bound.port())).await.map_err(refused)?,
    };
    pick(&found, bound).map_err(|addr| match is_specific(addr) {
        true => AdvertiseError::Unserved { addr, bound },
        false => refused(AddressError::Unspecified { addr }),
    })
}

/// Of the addresses of a name, one that the socket serves; the first if it serves none.
fn pick(found: &[SocketAddr], bound: SocketAddr) -> Result<SocketAddr, SocketAddr> {
    let serves = |addr: &&SocketAddr| is_specific(**addr) && check_reachable(**addr, bound).is_ok();
    let served = found.iter().filter(serves).copied();
    // Many machines have their own name as a loopback address in `/etc/hosts`, beside others.
    let best = served.min_by_key(|addr| addr.ip().is_loopback());
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    best.ok_or_else(|| found.first().copied().unwrap_or(nowhere))
}

/// Reads an address without a port; one of IPv6 may stand in brackets.
fn bare_ip(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match bracketed {
        Some(text) => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => text.parse().ok(),
    }
}

/// The rule for when nothing is given. `route` tells from which address the kernel sends to
/// another one, and `interfaces` which addresses this machine has.
fn choose(
    bound: SocketAddr,
    seeds: &[SocketAddr],
    route: impl Fn(SocketAddr) -> Option<IpAddr>,
    interfaces: impl FnOnce() -> io::Result<Vec<(String, IpAddr)>>,
) -> Result<SocketAddr, AdvertiseError> {
    let (bound, port) = (canonical(bound), bound.port());
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let served = |ip: IpAddr| is_served(ip, bound.ip());
    let seeds: Vec<SocketAddr> = seeds.iter().copied().map(canonical).collect();
    // One seed on this machine, such as the node itself, must not hide the others.
    let here = seeds.iter().all(|seed| seed.ip().is_loopback());
    for seed in seeds.into_iter().filter(|seed| served(seed.ip())) {
        let from = route(seed).map(|ip| ip.to_canonical()).filter(|&ip| served(ip));
        if let Some(ip) = from.filter(|&ip| is_of_network(ip) || here && ip.is_loopback()) {
            return Ok((ip, port).into());
        }
    }
    let known = interfaces().map_err(|reason| AdvertiseError::Interfaces { bound, reason })?;
    let known = known.into_iter().map(|(name, ip)| (name, ip.to_canonical()));
    let known: Vec<_> = known.filter(|&(_, ip)| served(ip)).collect();
    let mut private: Vec<IpAddr> =
        known.iter().map(|&(_, ip)| ip).filter(|&ip| is_private(ip)).collect();
    private.sort();
    private.dedup();
    if let [ip] = private[..] {
        return Ok((ip, port).into());
    }
    let loopback = known.iter().map(|&(_, ip)| ip).find(IpAddr::is_loopback);
    let candidates: Vec<_> = known.into_iter().filter(|&(_, ip)| is_of_network(ip)).collect();
    if !candidates.is_empty() {
        return Err(AdvertiseError::Ambiguous { bound, candidates });
    }
    let otherwise = match bound {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    Ok((loopback.unwrap_or(otherwise), port).into())
}

/// Checks that the address is not for this machine only while some of the seeds are on others.
fn check_loopback(addr: SocketAddr, seeds: &[SocketAddr]) -> Result<SocketAddr, AdvertiseError> {
    let elsewhere = seeds.iter().copied().map(canonical).find(|seed| !seed.ip().is_loopback());
    match elsewhere {
        Some(seed) if addr.ip().is_loopback() => Err(AdvertiseError::Loopback { addr, seed }),
        _ => Ok(addr),
    }
}

/// Whether a socket that is bound to all addresses, of IPv4 or of both versions, serves this one.
const fn is_served(ip: IpAddr, all: IpAddr) -> bool {
    all.is_ipv6() || ip.is_ipv4()
}

/// Whether other machines may reach it: neither loopback, nor one that means another machine on
/// every wire.
fn is_of_network(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !link_local
}

/// RFC 1918 and RFC 4193.
const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// The address that the kernel would send from; nothing is sent.
fn route(to: SocketAddr) -> Option<IpAddr> {
    let all = match to {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((all, 0)).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip())
}

/// The addresses of this machine, each with the name of its interface.
fn interfaces() -> io::Result<Vec<(String, IpAddr)>> {
    let found = if_addrs::get_if_addrs()?;
    let named = found.into_iter().map(|interface| {
        let ip = interface.ip();
        (interface.name, ip)
    });
    Ok(named.collect())
}

fn listed(candidates: &[(String, IpAddr)]) -> String {
    let each = candidates.iter().map(|(name, ip)| format!("{name} has {ip}"));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETH: (&str, &str) = ("eth0", "10.0.0.7");
    const DOCKER: (&str, &str) = ("docker0", "172.17.0.1");
    const PUBLIC: (&str, &str) = ("eth1", "203.0.113.9");
    const LOOPBACK: (&str, &str) = ("lo", "127.0.0.1");
    const LOOPBACK6: (&str, &str) = ("lo", "::1");
    const LINK: (&str, &str) = ("eth0", "fe80::1");
    const LINK4: (&str, &str) = ("eth0", "169.254.3.4");
    const ULA: (&str, &str) = ("eth0", "fd00::7");

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// The rule where the kernel knows the ways in `routes`, from a seed to an address of this
    /// machine.
    fn rule(
        bound: &str,
        seeds: &[&str],
        routes: &[(&str, &str)],
        known: &[(&str, &str)],
    ) -> Result<String, String> {
        let seeds: Vec<SocketAddr> = seeds.iter().map(|seed| addr(seed)).collect();
        let route = |to: SocketAddr| {
            let way = routes.iter().find(|(seed, _)| addr(seed) == to);
            way.map(|(_, from)| from.parse().unwrap())
        };
        let known = known.iter().map(|(name, ip)| ((*name).to_owned(), ip.parse().unwrap()));
        let chosen = choose(addr(bound), &seeds, route, || Ok(known.collect()));
        let settled = chosen.and_then(|addr| check_loopback(addr, &seeds));
        settled.map(|addr| addr.to_string()).map_err(|error| error.to_string())
    }

    /// The rule where nothing is known of seeds.
    fn alone(bound: &str, known: &[(&str, &str)]) -> Result<String, String> {
        rule(bound, &[], &[], known)
    }

    fn is(addr: &str) -> Result<String, String> {
        Ok(addr.to_owned())
    }

    #[test]
    fn a_specific_bind_address_is_advertised() {
        for bound in ["10.0.0.9:7400", "[2001:db8::9]:7400", "127.0.0.1:7400"] {
            assert_eq!(alone(bound, &[ETH, DOCKER]), is(bound));
        }
        assert_eq!(alone("[::ffff:10.0.0.9]:7400", &[]), is("10.0.0.9:7400"));
        let seeds = &["10.0.0.1:7400"];
        let routes = &[("10.0.0.1:7400", "10.0.0.7")];
        assert_eq!(rule("10.0.0.9:7400", seeds, routes, &[ETH]), is("10.0.0.9:7400"));
    }

    #[test]
    fn the_address_towards_the_first_seed_with_a_way_is_advertised() {
        let seeds = &["10.9.9.9:1", "203.0.113.1:1", "10.0.0.1:7400"];
        let routes = &[("10.0.0.1:7400", "10.0.0.7"), ("203.0.113.1:1", "203.0.113.9")];
        let settled = rule("0.0.0.0:7400", seeds, routes, &[ETH, DOCKER]);
        assert_eq!(settled, is("203.0.113.9:7400"));
        // The kernel may say it as IPv6, and so may whoever names the seeds.
        let mapped = &[("10.0.0.1:7400", "::ffff:10.0.0.7")];
        let settled = rule("[::]:7400", &["[::ffff:10.0.0.1]:7400"], mapped, &[DOCKER]);
        assert_eq!(settled, is("10.0.0.7:7400"));
    }

    #[test]
    fn seeds_of_a_version_that_is_not_bound_say_nothing() {
        let (seed, route) = ("[2001:db8::1]:1", ("[2001:db8::1]:1", "2001:db8::7"));
        assert_eq!(rule("0.0.0.0:7400", &[seed], &[route], &[ETH]), is("10.0.0.7:7400"));
        assert_eq!(rule("[::]:7400", &[seed], &[route], &[ETH]), is("[2001:db8::7]:7400"));
    }

    #[test]
    fn loopback_is_advertised_among_loopback_seeds_only() {
        let (here, routed) = ("127.0.0.1:7401", ("127.0.0.1:7401", "127.0.0.1"));
        assert_eq!(rule("0.0.0.0:7400", &[here], &[routed], &[ETH]), is("127.0.0.1:7400"));
        let routes = &[routed, ("10.0.0.1:7400", "10.0.0.7")];
        let settled = rule("0.0.0.0:7400", &[here, "10.0.0.1:7400"], routes, &[ETH, DOCKER]);
        assert_eq!(settled, is("10.0.0.7:7400"));
        // A seed elsewhere to which the kernel would send from loopback: some rule of a firewall.
        let (there, routed) = ("10.0.0.1:7400", ("10.0.0.1:7400", "127.0.0.1"));
        assert_eq!(rule("0.0.0.0:7400", &[there], &[routed], &[ETH]), is("10.0.0.7:7400"));
        for bound in ["127.0.0.1:7400", "0.0.0.0:7400"] {
            let error = rule(bound, &[here, there], &[], &[LOOPBACK]).unwrap_err();
            assert!(error.starts_with("other machines cannot reach 127.0.0.1:7400"), "{error}");
            assert!(error.contains("10.0.0.1:7400") && error.contains(".advertise("), "{error}");
        }
    }

    #[test]
    fn the_only_private_address_is_advertised() {
        assert_eq!(alone("0.0.0.0:7400", &[LOOPBACK, ETH]), is("10.0.0.7:7400"));
        assert_eq!(alone("0.0.0.0:7400", &[PUBLIC, ETH, LINK4]), is("10.0.0.7:7400"));
        assert_eq!(alone("[::]:7400", &[LOOPBACK6, ULA, LINK]), is("[fd00::7]:7400"));
        assert_eq!(alone("[::]:7400", &[("eth0", "::ffff:10.0.0.7")]), is("10.0.0.7:7400"));
        // One address on two interfaces is one.
        assert_eq!(alone("0.0.0.0:7400", &[ETH, ("bond0", ETH.1)]), is("10.0.0.7:7400"));
        // What the socket does not serve does not count.
        assert_eq!(alone("0.0.0.0:7400", &[ETH, ULA]), is("10.0.0.7:7400"));
    }

    #[test]
    fn of_several_addresses_none_is_guessed() {
        let error = alone("0.0.0.0:7400", &[LOOPBACK, ETH, DOCKER, LINK4]).unwrap_err();
        assert!(error.contains("eth0 has 10.0.0.7, docker0 has 172.17.0.1;"), "{error}");
        assert!(error.contains("0.0.0.0:7400") && error.contains(".advertise(\"addr"), "{error}");
        assert!(!error.contains("127.0.0.1") && !error.contains(LINK4.1), "{error}");
        let error = alone("0.0.0.0:7400", &[LOOPBACK, PUBLIC]).unwrap_err();
        assert!(error.contains("eth1 has 203.0.113.9;"), "{error}");
        let error = alone("[::]:7400", &[ETH, ULA]).unwrap_err();
        assert!(error.contains("eth0 has 10.0.0.7, eth0 has fd00::7;"), "{error}");
    }

    #[test]
    fn a_machine_without_a_network_advertises_loopback() {
        assert_eq!(alone("0.0.0.0:7400", &[]), is("127.0.0.1:7400"));
        assert_eq!(alone("0.0.0.0:7400", &[LOOPBACK, LINK4]), is("127.0.0.1:7400"));
        assert_eq!(alone("0.0.0.0:7400", &[LOOPBACK6, ULA]), is("127.0.0.1:7400"));
        assert_eq!(alone("[::]:7400", &[LOOPBACK6, LINK]), is("[::1]:7400"));
        assert_eq!(alone("[::]:7400", &[]), is("[::1]:7400"));
    }

    #[test]
    fn a_machine_that_does_not_tell_its_addresses_is_an_error() {
        let refused = || Err(io::Error::other("no more files"));
        let error = choose(addr("0.0.0.0:1"), &[], |_| None, refused).unwrap_err().to_string();
        assert!(error.contains("no more files") && error.contains(".advertise("), "{error}");
    }

    #[tokio::test]
    async fn what_is_given_decides() {
        for (text, bound, advertised) in [
            ("198.51.100.1:9000", "0.0.0.0:7400", "198.51.100.1:9000"),
            ("198.51.100.1", "0.0.0.0:7400", "198.51.100.1:7400"),
            ("198.51.100.1", "10.0.0.7:7400", "198.51.100.1:7400"),
            ("[::ffff:10.0.0.9]:1", "0.0.0.0:7400", "10.0.0.9:1"),
            ("2001:db8::9", "[::]:7400", "[2001:db8::9]:7400"),
            ("[2001:db8::9]", "[::]:7400", "[2001:db8::9]:7400"),
            ("127.0.0.1", "127.0.0.1:7400", "127.0.0.1:7400"),
        ] {
            assert_eq!(settle(Some(text), addr(bound), &[]).await.unwrap(), addr(advertised));
        }
        for (text, port) in [("localhost", 7400), ("localhost:9000", 9000)] {
            let settled = settle(Some(text), addr("[::]:7400"), &[]).await.unwrap();
            assert!(settled.ip().is_loopback() && settled.port() == port, "{settled}");
        }
    }

    #[tokio::test]
    async fn what_is_given_and_cannot_work_is_named() {
        for (text, bound, said) in [
            ("0.0.0.0", "0.0.0.0:7400", "can be bound to but not called"),
            ("10.0.0.7:0", "0.0.0.0:7400", "can be bound to but not called"),
            ("224.0.0.1", "0.0.0.0:7400", "can be bound to but not called"),
            ("[2001:db8::9]:7400", "0.0.0.0:7400", "bind to 0.0.0.0, or to [::]"),
            ("10.0.0.7:7400", "[2001:db8::9]:7400", "bind to 0.0.0.0, or to [::]"),
            ("10.0.0.7:7400", "127.0.0.1:7400", "bind to 0.0.0.0, or to [::]"),
            ("my host", "0.0.0.0:7400", "is no address"),
            ("host:99999", "0.0.0.0:7400", "is no address"),
            ("", "0.0.0.0:7400", "is no address"),
        ] {
            let error = settle(Some(text), addr(bound), &[]).await.unwrap_err().to_string();
            let named = error.starts_with(&format!(".advertise(\"{text}"));
            assert!(named && error.contains(said), "{text}: {error}");
        }
        let seeds = [addr("10.0.0.1:7400")];
        let error = settle(Some("127.0.0.1"), addr("0.0.0.0:1"), &seeds).await.unwrap_err();
        assert!(matches!(error, AdvertiseError::Loopback { .. }), "{error}");
    }

    #[test]
    fn a_name_gives_an_address_that_is_served() {
        let found = ["[2001:db8::9]:1", "127.0.1.1:1", "10.0.0.7:1"].map(addr);
        assert_eq!(pick(&found, addr("0.0.0.0:1")), Ok(addr("10.0.0.7:1")));
        assert_eq!(pick(&found, addr("[::]:1")), Ok(addr("[2001:db8::9]:1")));
        assert_eq!(pick(&found[..1], addr("0.0.0.0:1")), Err(addr("[2001:db8::9]:1")));
    }

    #[tokio::test]
    async fn the_real_machine_is_asked() {
        let here = addr("127.0.0.1:7401");
        let settled = settle(None, addr("0.0.0.0:7400"), &[here]).await.unwrap();
        assert_eq!(settled, addr("127.0.0.1:7400"));
        // Which interfaces there are is not for a test to say, but never is it no address.
        match settle(None, addr("0.0.0.0:7400"), &[]).await {
            Ok(settled) => assert!(is_specific(settled), "{settled}"),
            Err(error) => assert!(error.to_string().contains(".advertise("), "{error}"),
        }
    }
}
