//! Bytes that belong to one call and to no other: a payload that went astray is recognised.

use bytes::{BufMut, Bytes, BytesMut};

/// The payload of the request with this token.
pub(crate) fn request(token: &str, bytes: usize) -> Bytes {
    fill(sum(token.as_bytes()), bytes)
}

/// The payload of the reply to the request with this token.
pub(crate) fn reply(token: &str, bytes: usize) -> Bytes {
    // Another one than the request's, so that an echo is no reply.
    fill(!sum(token.as_bytes()), bytes)
}

/// A number that stands for bytes: other bytes have another one, as good as always.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mut sum = bytes.len() as u64;
    for word in &mut words {
        sum = mixed(sum, u64::from_le_bytes(word.try_into().unwrap_or_default()));
    }
    let mut rest = [0; 8];
    let left = words.remainder();
    rest[..left.len()].copy_from_slice(left);
    mixed(sum, u64::from_le_bytes(rest))
}

fn fill(seed: u64, bytes: usize) -> Bytes {
    let mut filled = BytesMut::with_capacity(bytes + 8);
    let mut at = 0;
    while filled.len() < bytes {
        filled.put_u64_le(mixed(seed, at));
        at += 1;
    }
    filled.truncate(bytes);
    filled.freeze()
}

/// Mixes two numbers into one; the constants are those of SplitMix64.
const fn mixed(one: u64, other: u64) -> u64 {
    let mut mixed = (one ^ other).wrapping_add(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_token_and_each_direction_has_bytes_of_its_own() {
        let tokens = ["", "a-1", "a-2", "a-10"];
        let all = tokens.iter().flat_map(|token| [request(token, 100), reply(token, 100)]);
        let all: BTreeSet<Bytes> = all.collect();
        assert_eq!(all.len(), 2 * tokens.len());
        assert!(all.iter().all(|bytes| bytes.len() == 100));
        assert_eq!(reply("a-1", 13), reply("a-1", 100)[..13]);
        assert!(request("a-1", 0).is_empty());
    }

    #[test]
    fn a_sum_changes_with_every_byte_and_with_the_length() {
        let bytes = request("a-1", 21);
        let mut sums = BTreeSet::from([sum(&bytes), sum(&bytes[..20]), sum(b""), sum(b"\0")]);
        for at in 0..bytes.len() {
            let mut other = bytes.to_vec();
            other[at] ^= 1;
            sums.insert(sum(&other));
        }
        assert_eq!(sums.len(), 4 + bytes.len());
    }
}
