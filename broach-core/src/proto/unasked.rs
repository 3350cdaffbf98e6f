//! [`Unasked`]: what this side may send of its calls before it is given credit.

use crate::proto::budget::ALLOWANCE_MAX;
use crate::proto::queue::is_small;

/// What the other side takes unasked, and how much of that is taken up.
///
/// A call takes up its part from its first piece until it has arrived whole. Calls that fit into
/// one datagram take up nothing. A stream takes up its part until it is given credit.
#[derive(Debug)]
pub(crate) struct Unasked {
    allowance: u64,
    total: u64,
    total_max: u64,
}

impl Unasked {
    /// What may be sent before the other side has said anything.
    pub(crate) const fn new() -> Self {
        Self { allowance: ALLOWANCE_MAX, total: 0, total_max: UNTOLD_MAX }
    }

    /// The other side has said how much it takes of each call, and of all together.
    pub(crate) const fn set(&mut self, allowance: u64, total_max: u64) {
        (self.allowance, self.total_max) = (allowance, total_max);
    }

    /// How many bytes of a call may be sent without credit.
    pub(crate) const fn allowance(&self) -> u64 {
        self.allowance
    }

    /// What a message of so many bytes takes up.
    pub(crate) fn of_message(&self, bytes: u64) -> u64 {
        if is_small(bytes) { 0 } else { bytes.min(self.allowance) }
    }

    /// Whether so much can be taken up. One call in any case can go out.
    pub(crate) const fn has(&self, part: u64) -> bool {
        self.total == 0 || self.total + part <= self.total_max
    }

    pub(crate) const fn take(&mut self, part: u64) {
        self.total += part;
    }

    pub(crate) const fn give_back(&mut self, part: u64) {
        self.total -= part;
    }
}

/// Before the other side has said anything: more than goes out in the first round trip.
pub(super) const UNTOLD_MAX: u64 = 64 << 10;
