//! Nodes that do not belong here, each of which is named once.

use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Addresses that have been named.
#[derive(Debug, Default)]
pub(super) struct Strangers(BTreeSet<SocketAddr>);

impl Strangers {
    /// Whether this one has not been named. Once there are too many, none has.
    pub(super) fn is_new(&mut self, addr: SocketAddr) -> bool {
        self.0.len() < NAMED_MAX && self.0.insert(addr)
    }
}

/// More are not named: somebody makes them up.
const NAMED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_and_not_too_many() {
        let mut strangers = Strangers::default();
        let addr = |port| SocketAddr::from(([10, 0, 0, 1], port));
        assert!(strangers.is_new(addr(1)));
        assert!(!strangers.is_new(addr(1)));
        let named = (0..1000).filter(|&port| strangers.is_new(addr(port))).count();
        assert_eq!(named, NAMED_MAX - 1);
    }
}
