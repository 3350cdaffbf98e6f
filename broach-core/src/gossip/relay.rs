//! Probing for others.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::deadline::Time;
use crate::gossip::outbox::Outgoing;
use crate::gossip::timers::Timer;
use crate::gossip::{Membership, address};
use crate::ids::Instance;
use crate::observe::DropReason;
use crate::peer::Peer;
use crate::wire::schema;

/// Probes that others have asked for, by their numbers here.
#[derive(Debug, Default)]
pub(super) struct Relays(BTreeMap<u64, Asked>);

/// Who asked, and what for.
#[derive(Debug)]
struct Asked {
    by: SocketAddr,
    /// The number there.
    number: u64,
    /// Whether they know that there was no answer in time.
    told: bool,
}

impl Relays {
    /// Whether an answer with this number is awaited.
    pub(super) fn awaits(&self, number: u64) -> bool {
        self.0.contains_key(&number)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Membership {
    /// A member asks this node to probe another.
    pub(super) fn on_relay(
        &mut self,
        now: Time,
        by: SocketAddr,
        relay: &schema::Relay,
    ) -> Result<(), DropReason> {
        let to = address::from_bytes(&relay.address).ok_or(DropReason::Malformed)?;
        // To nobody else: this node is not to send where somebody points it.
        let known = self.table.is_live(to);
        if !known || RELAYS_MAX <= self.relays.0.len() {
            return Ok(());
        }
        let number = self.rng.non_zero();
        self.relays.0.insert(number, Asked { by, number: relay.number, told: false });
        self.timers.set(Timer::Relay(number), now + self.config.probe_timeout * 4 / 5);
        self.send_probe(Peer { addr: to, instance: Instance(relay.instance) }, number);
        Ok(())
    }

    /// There is no answer. Who asked is told so, and the answer is still awaited for a while.
    pub(super) fn on_relay_late(&mut self, now: Time, number: u64) {
        let Some(asked) = self.relays.0.get_mut(&number) else { return };
        if std::mem::replace(&mut asked.told, true) {
            self.relays.0.remove(&number);
            return;
        }
        let (by, theirs) = (asked.by, asked.number);
        self.timers.set(Timer::Relay(number), now + self.config.probe_interval);
        let mut gossip = self.blank();
        gossip.relay_failed = Some(schema::RelayFailed { number: theirs });
        self.send(Outgoing::to_member(by, gossip));
    }

    /// There is an answer, which is passed on.
    pub(super) fn on_relayed(&mut self, number: u64, instance: u64) {
        let Some(asked) = self.relays.0.remove(&number) else { return };
        self.timers.cancel(Timer::Relay(number));
        let mut gossip = self.blank();
        gossip.answer = Some(schema::ProbeAnswer { number: asked.number, instance, doubted: 0 });
        self.send(Outgoing::to_member(asked.by, gossip));
    }
}

/// More are not taken on at once.
const RELAYS_MAX: usize = 256;
