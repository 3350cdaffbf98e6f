//! [`Share`]: the memory that is set aside for one direction of a call that comes in, and with it
//! how far the other side may send.

use std::time::Duration;

use crate::deadline::Time;
use crate::ids::{CallId, SessionId};
use crate::proto::budget::Budget;
use crate::proto::grants::{Grant, Wanted};
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

/// What credit is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    /// Bytes that have come.
    pub(crate) received: u64,
    pub(crate) end: u64,
    /// Somebody will take it when it is here.
    pub(crate) awaited: bool,
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

    /// Asks for credit up to the end of something, unless it has been done. Tells whether it is
    /// done now.
    pub(crate) fn want(
        &mut self,
        now: Time,
        owner: Owner,
        needed: Needed,
        purse: &mut Purse<'_>,
    ) -> bool {
        let Needed { received, end, awaited } = needed;
        if self.slot.is_some() || end <= self.granted {
            return false;
        }
        let Owner { session, call, rtt } = owner;
        let granted = self.granted;
        let wanted = Wanted { session, call, granted, received, end, awaited, rtt };
        self.slot = Some(purse.budget.grants.want(now, wanted));
        true
    }

    /// Somebody waits for what was asked for.
    pub(crate) fn set_awaited(&self, budget: &mut Budget) {
        if let Some(slot) = self.slot {
            budget.grants.set_awaited(slot);
        }
    }

    /// So many bytes have come.
    pub(crate) fn on_received(&self, now: Time, received: u64, purse: &mut Purse<'_>) {
        if let Some(slot) = self.slot {
            purse.budget.grants.on_received(now, slot, received);
        }
    }

    /// More may be sent of what was asked for, for which memory has been set aside.
    pub(crate) fn on_grant(&mut self, grant: Grant) {
        let part = if grant.awaited { &mut self.message } else { &mut self.stream };
        *part += grant.set_aside;
        self.advance(grant.limit);
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

/// Sets bytes aside in a session and in the node. What is for a message waits where there is not
/// enough.
///
/// # Errors
///
/// If there is not enough: the age of the message that waits there, if any does.
pub(crate) fn set_aside(
    [session, node]: [&mut Pool; 2],
    purpose: Purpose,
    bytes: usize,
) -> Result<(), Option<u64>> {
    let lacking = match (session.has(purpose, bytes), node.has(purpose, bytes)) {
        (true, true) => None,
        (true, false) => Some(&mut *node),
        (false, _) => {
            // As long as its session has no room for it, nothing is kept for it from others.
            if let Purpose::Message { age } = purpose {
                node.stop_waiting(age);
            }
            Some(&mut *session)
        }
    };
    if let Some(lacking) = lacking {
        if let Purpose::Message { age } = purpose {
            lacking.wait(age);
        }
        return Err(lacking.waits());
    }
    for pool in [session, node] {
        pool.take(purpose, bytes);
        if let Purpose::Message { age } = purpose {
            pool.stop_waiting(age);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::pool::PASSED_MAX;

    const OLD: Purpose = Purpose::Message { age: 0 };
    const YOUNG: Purpose = Purpose::Message { age: 1 };

    #[test]
    fn who_has_no_room_in_its_session_keeps_no_other_session_from_the_nodes() {
        let [mut one, mut other] = [0; 2].map(|_| Pool::new(700, 600, 0));
        let mut node = Pool::new(1_100, 600, 0);
        // The node has not enough for the large one, which waits there.
        assert_eq!(set_aside([&mut other, &mut node], YOUNG, 600), Ok(()));
        assert_eq!(set_aside([&mut one, &mut node], OLD, 600), Err(Some(0)));
        // Then its own session has not either.
        assert_eq!(set_aside([&mut one, &mut node], YOUNG, 200), Ok(()));
        assert_eq!(set_aside([&mut one, &mut node], OLD, 600), Err(Some(0)));
        assert_eq!((one.waits(), node.waits()), (Some(0), None));
        other.give_back(YOUNG, 600);
        node.give_back(YOUNG, 600);
        for _ in 0..2 * PASSED_MAX {
            assert_eq!(set_aside([&mut other, &mut node], YOUNG, 10), Ok(()));
        }
        one.give_back(YOUNG, 200);
        node.give_back(YOUNG, 200);
        assert_eq!(set_aside([&mut one, &mut node], OLD, 600), Ok(()));
        assert_eq!((one.waits(), node.waits()), (None, None));
    }
}
