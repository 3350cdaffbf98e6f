//! Cookies: what proves, without anything being kept, that a node gets what is sent to its address.
//!
//! A cookie is a code over the address, the instance and the minute. It is taken in its own minute
//! and in the next.

use std::hash::Hasher;
use std::net::SocketAddr;

use siphasher::sip::SipHasher24;

use crate::deadline::Time;
use crate::gossip::address;
use crate::ids::Instance;
use crate::rng::Rng;

/// Makes cookies and knows its own again.
#[derive(Debug)]
pub(super) struct Cookies {
    key: (u64, u64),
}

impl Cookies {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { key: (rng.next_u64(), rng.next_u64()) }
    }

    /// The cookie for a node. Never 0.
    pub(super) fn mint(&self, now: Time, addr: SocketAddr, instance: Instance) -> u64 {
        self.code(minute(now), addr, instance)
    }

    /// Whether a node shows its cookie.
    pub(super) fn is_good(
        &self,
        now: Time,
        addr: SocketAddr,
        instance: Instance,
        cookie: u64,
    ) -> bool {
        let minute = minute(now);
        cookie != 0
            && [minute, minute.wrapping_sub(1)]
                .iter()
                .any(|&minute| self.code(minute, addr, instance) == cookie)
    }

    fn code(&self, minute: u64, addr: SocketAddr, instance: Instance) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(minute);
        hasher.write(&address::to_bytes(addr));
        hasher.write_u64(instance.0);
        hasher.finish().max(1)
    }
}

const fn minute(now: Time) -> u64 {
    now.as_nanos() / 60_000_000_000
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_cookie_is_for_one_node_and_for_a_minute_or_two() {
        let cookies = Cookies::new(&mut Rng::from_seed(1));
        let (addr, other) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.1:2".parse().unwrap());
        let at = |secs| Time::ZERO + Duration::from_secs(secs);
        let cookie = cookies.mint(at(59), addr, Instance(1));
        assert!(cookies.is_good(at(59), addr, Instance(1), cookie));
        assert!(cookies.is_good(at(119), addr, Instance(1), cookie));
        assert!(!cookies.is_good(at(120), addr, Instance(1), cookie));
        assert!(!cookies.is_good(at(59), other, Instance(1), cookie));
        assert!(!cookies.is_good(at(59), addr, Instance(2), cookie));
        assert!(!cookies.is_good(at(59), addr, Instance(1), 0));
    }
}
