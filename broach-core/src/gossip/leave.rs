//! Saying goodbye.

use crate::deadline::Time;
use crate::gossip::outbox::Outgoing;
use crate::gossip::timers::Timer;
use crate::gossip::{Membership, Role};

impl Membership {
    /// Leaves the cluster: tells everybody, or, if there are many, some who pass it on. Nothing
    /// that comes in counts any more.
    pub(crate) fn leave(&mut self, now: Time) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        self.timers.clear();
        self.outbox.clear();
        self.relays.clear();
        self.prober.forgive();
        if self.me.role == Role::Observer || self.table.ring().is_empty() {
            return;
        }
        self.timers.set(Timer::Leave, now + LINGER);
        let others = self.table.ring().len();
        let digits = usize::BITS - others.leading_zeros();
        let count = if others < EVERYBODY { others } else { 3 * digits as usize };
        self.put_farewell(now);
        for to in self.table.draw(count, None, &mut self.rng) {
            let mut gossip = self.blank();
            gossip.updates.extend(self.table.get(self.me.addr).map(|own| own.to_update()));
            self.send(Outgoing::to_member(to, gossip));
        }
    }

    /// Whether the farewell is over: the node may go.
    pub(crate) fn has_left(&self) -> bool {
        let lingers = self.spread.contains(self.me.addr) || self.outbox.next_timeout().is_some();
        self.leaving && !(self.timers.next().is_some() && lingers)
    }

    /// It has taken long enough.
    pub(super) fn on_left(&mut self) {
        self.timers.clear();
        self.outbox.clear();
    }
}

/// In smaller clusters everybody is told.
const EVERYBODY: usize = 32;

/// How long a farewell takes at the most.
const LINGER: std::time::Duration = std::time::Duration::from_millis(500);
