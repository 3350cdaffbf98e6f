//! [`Cluster`]: what a node says of itself to the others, and where it reads what they say.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use crate::advert::{Advert, AdvertError, AdvertStore, EncodedAdvert};
use crate::gossip::{self, Facts};
use crate::net::{Handle, Update};
use crate::node::events::{EVENTS_MAX, MemberEvent, MemberEvents};
use crate::routing::{Directory, Members};

/// A node's place among the others.
pub(super) struct Cluster {
    handle: Handle,
    directory: Arc<Directory>,
    store: Arc<AdvertStore>,
    events: broadcast::Sender<MemberEvent>,
    said: Mutex<Said>,
    /// What runs for it as long as the node lives.
    tasks: Mutex<Vec<AbortHandle>>,
}

/// What a node says of itself.
struct Said {
    facts: Facts,
    advert: Advert,
    /// Counts the adverts.
    version: u64,
}

impl Cluster {
    /// Announces what the node offers.
    pub(super) fn new(
        handle: Handle,
        directory: Arc<Directory>,
        store: Arc<AdvertStore>,
        facts: Facts,
        advert: EncodedAdvert,
    ) -> Self {
        let said = Said { facts, advert: (**advert.advert()).clone(), version: 0 };
        let cluster = Self {
            handle,
            directory,
            store,
            events: broadcast::Sender::new(EVENTS_MAX),
            said: Mutex::new(said),
            tasks: Mutex::default(),
        };
        cluster.announce(&mut cluster.lock(), advert);
        cluster
    }

    /// Runs for as long as the node lives.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(task).abort_handle();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    pub(super) fn members(&self) -> Arc<Members> {
        self.directory.snapshot()
    }

    /// Waits until there is a table of a higher version than this.
    pub(super) async fn changed(&self, version: u64) {
        self.directory.changed(version).await;
    }

    /// Where to put what becomes of members.
    pub(super) const fn sender(&self) -> &broadcast::Sender<MemberEvent> {
        &self.events
    }

    pub(super) fn events(&self) -> MemberEvents {
        MemberEvents::new(self.events.subscribe())
    }

    /// Whether there are others who may call this node.
    pub(super) fn is_known_to_others(&self) -> bool {
        let members = self.directory.snapshot();
        let own = members.iter().any(|member| member.is_self());
        own && 1 < members.len()
    }

    /// Changes what the node says of itself in every update.
    pub(super) fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        let mut said = self.lock();
        change(&mut said.facts);
        self.handle.update(Update::Facts(said.facts.clone()));
    }

    /// Changes what the node says of itself besides its services.
    ///
    /// # Errors
    ///
    /// If the node says too much then; nothing is changed in this case.
    pub(super) fn change_advert(
        &self,
        change: impl FnOnce(&mut Advert),
    ) -> Result<(), AdvertError> {
        let mut said = self.lock();
        let mut advert = said.advert.clone();
        change(&mut advert);
        if advert != said.advert {
            let encoded = EncodedAdvert::new(advert.clone())?;
            said.advert = advert;
            self.announce(&mut said, encoded);
        }
        Ok(())
    }

    fn announce(&self, said: &mut Said, advert: EncodedAdvert) {
        said.version += 1;
        let named = gossip::AdvertName { version: said.version, hash: advert.hash().0 };
        self.store.set_own(advert);
        self.handle.update(Update::Advert(named));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().for_each(AbortHandle::abort);
        self.directory.close();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("directory", &self.directory).finish_non_exhaustive()
    }
}
