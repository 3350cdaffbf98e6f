//! [`Share`]: the memory that is set aside for one direction of a call that comes in, and with it
//! how far the other side may send.

use std::time::Duration;

use crate::deadline::Time;
use crate::ids::{CallId, SessionId};
use crate::proto::budget::Budget;
use crate::proto::grants::Wanted;
use crate::proto::pool::{Full, Pool, Purpose};

/// What one direction of a call may take up here. All of it has to be [given back](Self::release).
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// The other side may send what lies below.
    granted: u64,
    unasked: usize,
    stream: usize,
    message: usize,
    /// Its place among those that wait for credit.
    slot: Option<usize>,
}

/// Where memory is set aside: in the session and in the node.
#[derive(Debug)]
pub(crate) struct Purse<'a> {
    pub(crate) pool: &'a mut Pool,
    pub(crate) budget: &'a mut Budget,
}

/// Who it is that memory is set aside for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
    /// The round-trip time to the other side, if it is known.
    pub(crate) rtt: Option<Duration>,
}

impl Share {
    /// Up to where the other side may send.
    pub(crate) const fn granted(&self) -> u64 {
        self.granted
    }

    /// Bytes that are set aside.
    pub(crate) const fn bytes(&self) -> usize {
        self.unasked + self.stream + self.message
    }

    /// Sets aside what may come up to an offset without having been asked for.
    pub(crate) fn expect(&mut self, end: u64, purse: &mut Purse<'_>) -> Result<(), Full> {
        let more = end.saturating_sub(self.granted) as usize;
        if 0 < more {
            purse.take(Purpose::Unasked, more)?;
            self.unasked += more;
            self.granted = end;
        }
        Ok(())
    }

    /// Sets aside so many bytes more for the window of a stream.
    pub(crate) fn widen(&mut self, bytes: usize, purse: &mut Purse<'_>) -> Result<(), Full> {
        purse.take(Purpose::Stream, bytes)?;
        self.stream += bytes;
        Ok(())
    }

    /// The other side may send up to here, for which memory has been set aside.
    pub(crate) fn advance(&mut self, end: u64) {
        self.granted = self.granted.max(end);
    }

    /// Asks for credit up to `end`, of which so many bytes have come.
    pub(crate) fn want(
        &mut self,
        now: Time,
        owner: Owner,
        (received, end): (u64, u64),
        purse: &mut Purse<'_>,
    ) {
        if self.slot.is_none() && self.granted < end {
            let Owner { session, call, rtt } = owner;
            let granted = self.granted;
            let wanted = Wanted { session, call, granted, received, end, rtt };
            self.slot = Some(purse.budget.grants.want(now, wanted));
        }
    }

    /// So many bytes have come.
    pub(crate) fn on_received(&self, now: Time, received: u64, purse: &mut Purse<'_>) {
        if let Some(slot) = self.slot {
            purse.budget.grants.on_received(now, slot, received);
        }
    }

    /// Whether memory has been set aside up to the end that was asked for.
    pub(crate) const fn has_message(&self) -> bool {
        0 < self.message
    }

    /// Memory up to the end that was asked for has been set aside.
    pub(crate) const fn on_set_aside(&mut self, bytes: usize) {
        self.message += bytes;
    }

    /// All that was asked for has come.
    pub(crate) fn on_complete(&mut self, purse: &mut Purse<'_>) {
        if let Some(slot) = self.slot.take() {
            let age = purse.budget.grants.remove(slot);
            purse.pool.stop_waiting(age);
            purse.budget.pool.stop_waiting(age);
        }
    }

    /// Gives back what exceeds these bytes, first of what was not for the window of a stream.
    pub(crate) fn shrink(&mut self, bytes: usize, purse: &mut Purse<'_>) {
        let mut excess = self.bytes().saturating_sub(bytes);
        for (part, purpose) in [
            (&mut self.message, Purpose::Message { age: 0 }),
            (&mut self.unasked, Purpose::Unasked),
            (&mut self.stream, Purpose::Stream),
        ] {
            let free = excess.min(*part);
            *part -= free;
            excess -= free;
            purse.give_back(purpose, free);
        }
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self, purse: &mut Purse<'_>) {
        if 0 < self.bytes() || self.slot.is_some() {
            self.on_complete(purse);
            self.shrink(0, purse);
        }
    }
}

impl Purse<'_> {
    /// How many bytes of a call may be sent to this node unasked.
    pub(crate) fn allowance(&self) -> u64 {
        self.budget.told(self.pool.for_unasked()).allowance
    }

    fn take(&mut self, purpose: Purpose, bytes: usize) -> Result<(), Full> {
        if !self.pool.has(purpose, bytes) || !self.budget.pool.has(purpose, bytes) {
            return Err(Full);
        }
        self.pool.take(purpose, bytes);
        self.budget.pool.take(purpose, bytes);
        Ok(())
    }

    fn give_back(&mut self, purpose: Purpose, bytes: usize) {
        if 0 < bytes {
            self.pool.give_back(purpose, bytes);
            self.budget.pool.give_back(purpose, bytes);
            self.budget.grants.on_change();
        }
    }
}

/// Sets aside what a message needs to its end, in its session and in the node, or lets it wait for
/// that. Tells whether there was enough.
pub(crate) fn set_aside(mut pools: [&mut Pool; 2], age: u64, bytes: usize) -> bool {
    let purpose = Purpose::Message { age };
    for pool in &mut pools {
        if !pool.has(purpose, bytes) {
            pool.wait(age);
            return false;
        }
    }
    for pool in pools {
        pool.take(purpose, bytes);
        pool.stop_waiting(age);
    }
    true
}
