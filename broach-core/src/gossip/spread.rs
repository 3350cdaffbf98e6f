//! The news that are to be passed on, and how often that has been done.
//!
//! What is kept is of whom there is news; what goes out is what the table says then. So there is
//! one entry for each member at the most, and nothing outdated is passed on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Members of whom there is news.
#[derive(Debug, Default)]
pub(super) struct Spread {
    entries: BTreeMap<SocketAddr, Entry>,
    order: BTreeSet<(Entry, SocketAddr)>,
    count: u64,
}

/// What has been sent least often goes first, and of that what is newest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Entry {
    sent: u32,
    number: Reverse<u64>,
}

impl Spread {
    /// There is news of a member.
    pub(super) fn add(&mut self, addr: SocketAddr) {
        self.remove(addr);
        self.count += 1;
        self.insert(addr, Entry { sent: 0, number: Reverse(self.count) });
    }

    pub(super) fn remove(&mut self, addr: SocketAddr) {
        if let Some(entry) = self.entries.remove(&addr) {
            self.order.remove(&(entry, addr));
        }
    }

    fn insert(&mut self, addr: SocketAddr, entry: Entry) {
        self.entries.insert(addr, entry);
        self.order.insert((entry, addr));
    }

    /// Of whom there is news, in the order in which it is to go out.
    pub(super) fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.order.iter().map(|&(_, addr)| addr)
    }

    /// The news of a member has gone out; after `most` times it is none any more.
    pub(super) fn sent(&mut self, addr: SocketAddr, most: u32) {
        let Some(&entry) = self.entries.get(&addr) else { return };
        self.remove(addr);
        if entry.sent + 1 < most {
            self.insert(addr, Entry { sent: entry.sent + 1, ..entry });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn contains(&self, addr: SocketAddr) -> bool {
        self.entries.contains_key(&addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 1))
    }

    fn order(spread: &Spread) -> Vec<SocketAddr> {
        spread.iter().collect()
    }

    #[test]
    fn the_least_sent_goes_first_and_then_the_newest() {
        let mut spread = Spread::default();
        (1..=3).for_each(|number| spread.add(addr(number)));
        assert_eq!(order(&spread), [addr(3), addr(2), addr(1)]);
        spread.sent(addr(3), 3);
        assert_eq!(order(&spread), [addr(2), addr(1), addr(3)]);
        spread.add(addr(3));
        assert_eq!(order(&spread), [addr(3), addr(2), addr(1)]);
    }

    #[test]
    fn news_is_none_any_more_once_it_has_been_sent_often_enough() {
        let mut spread = Spread::default();
        spread.add(addr(1));
        for _ in 0..3 {
            assert!(spread.contains(addr(1)));
            spread.sent(addr(1), 3);
        }
        assert!(spread.is_empty());
        spread.sent(addr(1), 3);
    }
}
