//! Tokens: what proves to a node that a request is fresh and that its sender receives what is sent
//! to it.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::deadline::Time;
use crate::ids::Instance;
use crate::rng::Rng;
use crate::wire::Token;

/// Makes tokens and knows its own again.
///
/// A token holds the time at which it was made, and a code (SipHash-2-4 with 128 bits) over that
/// time, the address and the caller's instance, under a key drawn when the node started. So it is
/// good for one address, one caller's life and this node's life only, and needs no memory.
#[derive(Debug)]
pub(crate) struct Tokens {
    key: (u64, u64),
    lifetime: Duration,
    /// Tokens made before this are refused, even if they are not that old.
    raised_floor: Time,
    /// When that was last changed.
    raised_at: Time,
}

/// What is known of a token that was shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Made by this node, for this caller, at this time; still good.
    Good(Time),
    /// Made by this node for this caller, but refused for this long by now.
    Old(Duration),
    /// Not made by this life of the node for this caller.
    Foreign,
}

impl Tokens {
    pub(crate) fn new(rng: &mut Rng, lifetime: Duration) -> Self {
        Self {
            key: (rng.next_u64(), rng.next_u64()),
            lifetime,
            raised_floor: Time::ZERO,
            raised_at: Time::ZERO,
        }
    }

    /// A token for a caller.
    pub(crate) fn mint(&self, now: Time, addr: SocketAddr, caller: Instance) -> Token {
        let mut bytes = [0; 8 + 16];
        bytes[..8].copy_from_slice(&now.as_nanos().to_be_bytes());
        bytes[8..].copy_from_slice(&self.code(now, addr, caller));
        Token::new(&bytes).expect("24 bytes fit into a token")
    }

    /// Looks at a token that a caller shows.
    pub(crate) fn check(
        &self,
        now: Time,
        addr: SocketAddr,
        caller: Instance,
        token: &Token,
    ) -> Verdict {
        let Some((made, code)) = token.as_slice().split_first_chunk::<8>() else {
            return Verdict::Foreign;
        };
        let made = Time::from_nanos(u64::from_be_bytes(*made));
        // Who guesses codes learns nothing from the time this takes that would help within the 56
        // bits of a session id that he would still have to guess.
        if code != self.code(made, addr, caller) {
            return Verdict::Foreign;
        }
        if self.floor(now) <= made {
            return Verdict::Good(made);
        }
        let by_age = (now - self.lifetime).since(made);
        // It may have been refused since an earlier raise; since the last one it surely has.
        let raised = made < self.raised_floor;
        let by_raise = if raised { now.since(self.raised_at) } else { Duration::ZERO };
        Verdict::Old(by_age.max(by_raise))
    }

    /// Tokens made before this are refused.
    pub(crate) fn floor(&self, now: Time) -> Time {
        self.raised_floor.max(now - self.lifetime)
    }

    /// Refuses tokens made before `floor` from now on.
    pub(crate) fn raise_floor(&mut self, now: Time, floor: Time) {
        if self.raised_floor < floor {
            (self.raised_floor, self.raised_at) = (floor, now);
        }
    }

    fn code(&self, made: Time, addr: SocketAddr, caller: Instance) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(made.as_nanos());
        match addr.ip() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write_u16(addr.port());
        hasher.write_u64(caller.0);
        hasher.finish128().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(600);
    const CALLER: Instance = Instance(7);

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_good_for_its_address_and_its_caller_only() {
        let tokens = Tokens::new(&mut Rng::from_seed(1), LIFETIME);
        let here = addr("10.0.0.1:7400");
        let token = tokens.mint(at(5), here, CALLER);
        assert_eq!(tokens.check(at(6), here, CALLER, &token), Verdict::Good(at(5)));
        for (other, caller) in [
            (addr("10.0.0.1:7401"), CALLER),
            (addr("10.0.0.2:7400"), CALLER),
            (addr("[::1]:7400"), CALLER),
            (here, Instance(8)),
        ] {
            assert_eq!(tokens.check(at(6), other, caller, &token), Verdict::Foreign);
        }
        let restarted = Tokens::new(&mut Rng::from_seed(2), LIFETIME);
        assert_eq!(restarted.check(at(6), here, CALLER, &token), Verdict::Foreign);
    }

    #[test]
    fn every_changed_bit_makes_it_foreign() {
        let tokens = Tokens::new(&mut Rng::from_seed(1), LIFETIME);
        let here = addr("10.0.0.1:7400");
        let token = tokens.mint(at(5), here, CALLER);
        for bit in 0..token.as_slice().len() * 8 {
            let mut bytes = token.as_slice().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = Token::new(&bytes).unwrap();
            assert_eq!(tokens.check(at(6), here, CALLER, &forged), Verdict::Foreign);
        }
        let short = Token::new(&token.as_slice()[..7]).unwrap();
        assert_eq!(tokens.check(at(6), here, CALLER, &short), Verdict::Foreign);
    }

    #[test]
    fn a_raised_floor_says_since_when_a_token_is_refused() {
        let mut tokens = Tokens::new(&mut Rng::from_seed(1), LIFETIME);
        let here = addr("10.0.0.1:7400");
        let token = tokens.mint(at(15), here, CALLER);
        tokens.raise_floor(at(20), at(10));
        assert_eq!(tokens.check(at(29), here, CALLER, &token), Verdict::Good(at(15)));
        tokens.raise_floor(at(30), at(20));
        let refused_for = Duration::from_secs(5);
        assert_eq!(tokens.check(at(35), here, CALLER, &token), Verdict::Old(refused_for));
    }

    #[test]
    fn a_token_grows_old_and_says_for_how_long() {
        let tokens = Tokens::new(&mut Rng::from_seed(1), LIFETIME);
        let here = addr("10.0.0.1:7400");
        let token = tokens.mint(at(5), here, CALLER);
        assert_eq!(tokens.check(at(605), here, CALLER, &token), Verdict::Good(at(5)));
        let old = Verdict::Old(Duration::from_secs(1));
        assert_eq!(tokens.check(at(606), here, CALLER, &token), old);
    }

    #[test]
    fn a_raised_floor_refuses_from_then_on() {
        let mut tokens = Tokens::new(&mut Rng::from_seed(1), LIFETIME);
        let here = addr("10.0.0.1:7400");
        let token = tokens.mint(at(5), here, CALLER);
        tokens.raise_floor(at(20), at(15));
        // It was good until second 20, so it has been refused for no longer than since then.
        let old = Verdict::Old(Duration::from_secs(3));
        assert_eq!(tokens.check(at(23), here, CALLER, &token), old);
        tokens.raise_floor(at(30), at(10));
        let old = Verdict::Old(Duration::from_secs(12));
        assert_eq!(tokens.check(at(32), here, CALLER, &token), old, "a floor is never lowered");
    }
}
