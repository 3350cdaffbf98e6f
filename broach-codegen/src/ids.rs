//! Method ids: the numbers that stand for methods on the wire.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The id of `package.Service/Method`: the first 8 bytes of its SHA-256, big-endian.
///
/// `broach_core` computes the same number for a call by name (`MethodId::of`).
pub fn method_id(full_name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(full_name.as_bytes()).into();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head)
}

/// Finds methods that share an id.
///
/// For names alone that is a matter of one in 2^64 for each pair, but a call must never reach
/// another method, however unlikely that is.
#[derive(Debug)]
pub(crate) struct Ids<M> {
    known: BTreeMap<u64, M>,
}

impl<M> Ids<M> {
    pub(crate) const fn new() -> Self {
        Self { known: BTreeMap::new() }
    }

    /// Adds a method; gives back the one that had the id before.
    pub(crate) fn add(&mut self, id: u64, method: M) -> Option<M> {
        self.known.insert(id, method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_head_of_the_sha256() {
        // printf 'greeter.v1.Greeter/SayHello' | sha256sum
        assert_eq!(method_id("greeter.v1.Greeter/SayHello"), 0x392b_74ef_3119_fd7a);
    }

    #[test]
    fn a_shared_id_is_found() {
        let mut ids = Ids::new();
        assert_eq!(ids.add(7, "a.A/A"), None);
        assert_eq!(ids.add(8, "b.B/B"), None);
        assert_eq!(ids.add(7, "c.C/C"), Some("a.A/A"));
    }
}
