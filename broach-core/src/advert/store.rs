//! [`AdvertStore`]: the adverts that this node knows, for all who ask.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::advert::{AdvertHash, EncodedAdvert};

/// The adverts that this node knows: its own, and those that it has fetched. Shared by whoever
/// fetches adverts, routes by them, and hands them on.
#[derive(Debug, Default)]
pub(crate) struct AdvertStore(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The newest first.
    own: VecDeque<EncodedAdvert>,
    fetched: BTreeMap<AdvertHash, EncodedAdvert>,
}

impl AdvertStore {
    /// The node has another advert from now on. The last few before it can still be asked for:
    /// others may have heard of nothing newer.
    pub(crate) fn set_own(&self, advert: EncodedAdvert) {
        let mut known = self.lock();
        known.own.retain(|earlier| earlier.hash() != advert.hash());
        known.own.push_front(advert);
        known.own.truncate(OWN_MAX);
    }

    /// The node's own advert, if it has been set.
    pub(crate) fn own(&self) -> Option<EncodedAdvert> {
        self.lock().own.front().cloned()
    }

    /// The advert of a hash, if it is known; that of a member that offers nothing always is.
    pub(crate) fn get(&self, hash: AdvertHash) -> Option<EncodedAdvert> {
        if hash == AdvertHash::NONE {
            return Some(EncodedAdvert::nothing());
        }
        let known = self.lock();
        let own = known.own.iter().find(|own| own.hash() == hash);
        own.or_else(|| known.fetched.get(&hash)).cloned()
    }

    /// Keeps an advert that was fetched.
    pub(super) fn insert(&self, advert: EncodedAdvert) {
        self.lock().fetched.insert(advert.hash(), advert);
    }

    /// Forgets an advert that was fetched. The node's own ones stay.
    pub(super) fn remove(&self, hash: AdvertHash) {
        self.lock().fetched.remove(&hash);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of its own adverts a node remembers. They are announced at most once a second, so
/// whoever asks for one that is not among them has heard of a newer one long since.
const OWN_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::advert::Advert;

    fn tagged(value: usize) -> EncodedAdvert {
        let tags = BTreeMap::from([("number".to_owned(), value.to_string())]);
        EncodedAdvert::new(Advert { tags, ..Advert::default() }).unwrap()
    }

    #[test]
    fn own_adverts_can_be_asked_for_a_while_after_they_have_changed() {
        let store = AdvertStore::default();
        assert!(store.own().is_none() && store.get(AdvertHash::NONE).is_some());
        for number in 0..20 {
            store.set_own(tagged(number));
        }
        assert_eq!(store.own().unwrap().hash(), tagged(19).hash());
        assert!(store.get(tagged(12).hash()).is_some());
        assert!(store.get(tagged(11).hash()).is_none());
        // One that comes back counts once.
        store.set_own(tagged(13));
        store.set_own(tagged(20));
        assert!(store.get(tagged(14).hash()).is_some());
        assert!(store.get(tagged(12).hash()).is_none());
    }

    #[test]
    fn what_was_fetched_is_known_until_it_is_forgotten_and_own_adverts_stay() {
        let store = AdvertStore::default();
        store.insert(tagged(1));
        store.insert(tagged(2));
        store.set_own(tagged(2));
        store.remove(tagged(1).hash());
        store.remove(tagged(2).hash());
        assert!(store.get(tagged(1).hash()).is_none());
        assert!(store.get(tagged(2).hash()).is_some());
    }
}
