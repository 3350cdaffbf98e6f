//! [`Gossiper`]: the membership in the driver's loop.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::deadline::Time;
use crate::gossip::{AdvertName, Change, Facts, Membership};
use crate::ids::Instance;
use crate::net::sightings::Sightings;
use crate::observe::{Event as Seen, Observe};
use crate::peer::Peer;
use crate::proto::{Endpoint, Received};
use crate::wire::{Datagram, Kind};

/// What a node tells its membership.
#[derive(Debug)]
pub(crate) enum Update {
    /// Others may be found at these addresses.
    Seeds(Vec<std::net::SocketAddr>),
    /// What the node says of itself.
    Facts(Facts),
    /// What it offers.
    Advert(AdvertName),
    /// Say goodbye, and tell when that is done.
    Leave(oneshot::Sender<()>),
}

/// A node's membership, and those who are told of it.
#[derive(Debug)]
pub(super) struct Gossiper {
    pub(super) membership: Membership,
    instance: Instance,
    observe: Observe,
    sightings: Arc<Sightings>,
    /// The version of the table that has been shown.
    shown: Option<u64>,
    leaving: Option<oneshot::Sender<()>>,
}

impl Gossiper {
    pub(super) const fn new(
        membership: Membership,
        instance: Instance,
        observe: Observe,
        sightings: Arc<Sightings>,
    ) -> Self {
        Self { membership, instance, observe, sightings, shown: None, leaving: None }
    }

    /// Handles a datagram if it is for the membership; gives it back if it is not.
    pub(super) fn handle(&mut self, now: Time, received: Received) -> Option<Received> {
        let kind = received.bytes.get(1).map_or(0, |byte| byte >> 4);
        if kind != Kind::Gossip as u8 && kind != Kind::Versions as u8 {
            return Some(received);
        }
        // What does not decode is for the endpoint to refuse.
        let Ok(datagram) = Datagram::decode(received.bytes.clone()) else {
            return Some(received);
        };
        let (from, bytes) = (received.from, received.bytes.len());
        match datagram.header.kind {
            Kind::Gossip => {
                self.observe.emit(Seen::DatagramReceived { from, bytes });
                self.membership.handle(now, from, &datagram.header, &datagram.body);
                None
            }
            // Sessions have ids whose low byte is 0, and instances do as rarely as not at all; in
            // any case only one of the two asked.
            Kind::Versions if datagram.header.to.0 == self.instance.0 => {
                self.observe.emit(Seen::DatagramReceived { from, bytes });
                self.membership.on_versions(from, &datagram.body);
                None
            }
            _ => Some(received),
        }
    }

    /// Does what the node wants.
    pub(super) fn update(&mut self, now: Time, update: Update) {
        match update {
            Update::Seeds(seeds) => self.membership.set_seeds(now, seeds),
            Update::Facts(facts) => self.membership.set_facts(now, facts),
            Update::Advert(advert) => self.membership.set_advert(now, advert),
            Update::Leave(done) => {
                self.membership.leave(now);
                self.leaving = Some(done);
            }
        }
    }

    /// A node has acknowledged something.
    pub(super) fn on_answered(&mut self, now: Time, peer: Peer) {
        self.membership.on_evidence(now, peer.addr, peer.instance);
    }

    /// A node that was silent answers again.
    pub(super) fn on_heard(&self, peer: Peer) {
        self.sightings.put_heard(peer);
    }

    /// Tells whoever wants to know what has changed.
    pub(super) fn report(&mut self, now: Time, endpoint: &mut Endpoint) {
        let changes: Vec<Change> = std::iter::from_fn(|| self.membership.poll_event()).collect();
        for change in &changes {
            match *change {
                Change::Up { peer, .. } => endpoint.know(peer),
                Change::Dead { peer } => endpoint.on_dead(now, peer),
                _ => {}
            }
        }
        let version = self.membership.version();
        if self.shown != Some(version) || !changes.is_empty() {
            self.shown = Some(version);
            self.sightings.put(self.membership.entries(), changes);
        }
        if self.membership.has_left()
            && let Some(done) = self.leaving.take()
        {
            // Nobody waits any more if the node has been dropped.
            let _ = done.send(());
        }
    }
}

impl Drop for Gossiper {
    fn drop(&mut self) {
        self.sightings.close();
    }
}
