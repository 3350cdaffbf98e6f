//! Who may send next: which of the large messages that are on their way to this node are given
//! credit, and how much.
//!
//! After Homa (Montazeri et al., SIGCOMM 2018): the receiver knows how much is to come of each
//! message, and lets those with the least left come first, a few at a time, so that what is under
//! way fits into the buffer of its socket. One grant in sixteen goes to the oldest message, so that
//! a large one is not passed for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use slab::Slab;

use crate::deadline::Time;
use crate::ids::{CallId, SessionId};
use crate::proto::pool::Purpose;

/// The messages that have not come whole and that need credit, over all sessions of a node.
#[derive(Debug)]
pub(crate) struct Grants {
    messages: Slab<Message>,
    /// Those that may not be sent to their end yet: those with the least left first.
    shortest: BTreeSet<(u32, u64, usize)>,
    /// The same by age.
    oldest: BTreeSet<(u64, usize)>,
    next_age: u64,
    /// Bytes that may be under way.
    incoming_max: u64,
    /// Bytes that are, as far as they count.
    incoming: u64,
    /// How many grants have been given.
    given: u64,
    /// Something has changed since credit was last given.
    changed: bool,
    /// When to see again whether those that were given credit make use of it.
    look_at: Option<Time>,
}

/// A message that needs credit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
    /// What lies below may be sent already.
    pub(crate) granted: u64,
    /// Bytes that have come.
    pub(crate) received: u64,
    /// Where it ends.
    pub(crate) end: u64,
    /// Somebody waits for it, and will take it when it is here.
    pub(crate) awaited: bool,
    /// The round-trip time to its sender, if it is known.
    pub(crate) rtt: Option<Duration>,
}

/// Who is given credit, and up to where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Grant {
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
    pub(crate) limit: u64,
    /// Bytes that have been set aside for it just now.
    pub(crate) set_aside: usize,
    /// Somebody waited for it then.
    pub(crate) awaited: bool,
}

#[derive(Debug)]
struct Message {
    wanted: Wanted,
    age: u64,
    /// As it stands in `shortest`.
    class: u32,
    /// Memory has been set aside to its end.
    has_memory: bool,
    /// When it was last given credit, or something of it came.
    moved_at: Time,
    /// It makes no use of its credit, which does not count as under way then.
    stalled: bool,
}

/// What has come of somebody's turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Given {
    /// Credit to the end of the message.
    All,
    /// Less, or none, because enough is under way.
    SomeOrNothing,
    /// There was not enough memory for it; the message of an age waits for that.
    NoMemory { waits: Option<u64> },
}

impl Grants {
    /// So many bytes may be under way to this node.
    pub(crate) fn new(incoming_max: u64) -> Self {
        Self {
            messages: Slab::new(),
            shortest: BTreeSet::new(),
            oldest: BTreeSet::new(),
            next_age: 0,
            incoming_max,
            incoming: 0,
            given: 0,
            changed: false,
            look_at: None,
        }
    }

    /// How many bytes may be under way.
    pub(crate) const fn incoming_max(&self) -> u64 {
        self.incoming_max
    }

    /// Changes how many bytes may be under way.
    pub(crate) const fn set_incoming_max(&mut self, bytes: u64) {
        self.incoming_max = bytes;
        self.changed = true;
    }

    /// A message needs credit; tells its place.
    pub(crate) fn want(&mut self, now: Time, wanted: Wanted) -> usize {
        let age = self.next_age;
        self.next_age += 1;
        let class = class(wanted.left());
        let message =
            Message { wanted, age, class, has_memory: false, moved_at: now, stalled: false };
        self.incoming += message.under_way();
        let slot = self.messages.insert(message);
        self.shortest.insert((class, age, slot));
        self.oldest.insert((age, slot));
        self.changed = true;
        slot
    }

    /// So many bytes of a message have come.
    pub(crate) fn on_received(&mut self, now: Time, slot: usize, received: u64) {
        let Some(message) = self.messages.get_mut(slot) else { return };
        self.incoming -= message.under_way();
        message.wanted.received = received;
        (message.moved_at, message.stalled) = (now, false);
        self.incoming += message.under_way();
        let (age, old, new) = (message.age, message.class, class(message.wanted.left()));
        if old != new && message.wanted.granted < message.wanted.end {
            message.class = new;
            self.shortest.remove(&(old, age, slot));
            self.shortest.insert((new, age, slot));
        }
        self.changed = true;
    }

    /// From now on somebody waits for a message.
    pub(crate) fn set_awaited(&mut self, slot: usize) {
        if let Some(message) = self.messages.get_mut(slot) {
            message.wanted.awaited = true;
            self.changed = true;
        }
    }

    /// A message has come whole, or will not. Tells its age.
    pub(crate) fn remove(&mut self, slot: usize) -> u64 {
        let message = self.messages.remove(slot);
        self.incoming -= message.under_way();
        self.shortest.remove(&(message.class, message.age, slot));
        self.oldest.remove(&(message.age, slot));
        self.changed = true;
        message.age
    }

    /// There may be more memory.
    pub(crate) const fn on_change(&mut self) {
        self.changed = true;
    }

    /// Whether somebody may be given credit now.
    pub(crate) fn has_work(&self, now: Time) -> bool {
        self.changed && !self.shortest.is_empty() || self.look_at.is_some_and(|at| at <= now)
    }

    /// When it is to be seen again who may be given credit.
    pub(crate) const fn next_timeout(&self) -> Option<Time> {
        self.look_at
    }

    /// Gives credit to those whose turn it is. `set_aside` sets memory aside in a session, and in
    /// the node; if there is not enough, it gives the age of the message that waits there, if any.
    pub(crate) fn give(
        &mut self,
        now: Time,
        mut set_aside: impl FnMut(SessionId, Purpose, usize) -> Result<(), Option<u64>>,
        grants: &mut Vec<Grant>,
    ) {
        if self.look_at.is_some_and(|at| at <= now) {
            self.notice_stalled(now);
        }
        if !std::mem::take(&mut self.changed) || self.shortest.is_empty() {
            return;
        }
        // If one of those whose turn it is has been given all, or finds no memory, others follow:
        // before all others the one that memory is kept for, or nobody would get it.
        let (mut without_memory, mut ahead) = (Vec::new(), Vec::new());
        while without_memory.len() < LOOKED_AT_MAX {
            let turn = self.turn(&ahead, &without_memory);
            ahead.clear();
            let window = (self.incoming_max / turn.len().max(1) as u64).max(WINDOW_MIN);
            let mut others_follow = false;
            for slot in turn {
                match self.give_one(now, slot, window, &mut set_aside, grants) {
                    Given::All => others_follow = true,
                    Given::NoMemory { waits } => {
                        others_follow = true;
                        without_memory.push(slot);
                        ahead.extend(waits.and_then(|age| self.of_age(age)));
                    }
                    Given::SomeOrNothing => {}
                }
            }
            if !others_follow {
                break;
            }
        }
        if !self.shortest.is_empty() {
            self.look_at = self.look_at.or(Some(now + STALLED_AFTER));
        }
    }

    /// Those whose turn it is: the shortest of each session first, after those `ahead` of all.
    fn turn(&self, ahead: &[usize], without_memory: &[usize]) -> Vec<usize> {
        let can = |slot: &usize| !without_memory.contains(slot);
        let mut turn: Vec<usize> = Vec::with_capacity(AT_ONCE);
        let oldest = self.oldest.first().map(|(_, slot)| slot);
        let oldest = oldest.filter(|_| self.given.is_multiple_of(OLDEST_EVERY));
        for &slot in ahead.iter().chain(oldest).filter(|slot| can(slot)) {
            if !turn.contains(&slot) {
                turn.push(slot);
            }
        }
        let shortest = || {
            let slots = self.shortest.iter().map(|(_, _, slot)| *slot);
            slots.filter(can).take(LOOKED_AT_MAX)
        };
        for slot in shortest() {
            let session = |slot: usize| self.messages[slot].wanted.session;
            if turn.len() < AT_ONCE && turn.iter().all(|&other| session(other) != session(slot)) {
                turn.push(slot);
            }
        }
        for slot in shortest() {
            if turn.len() < AT_ONCE && !turn.contains(&slot) {
                turn.push(slot);
            }
        }
        turn
    }

    /// Gives credit to one.
    fn give_one(
        &mut self,
        now: Time,
        slot: usize,
        window: u64,
        set_aside: &mut impl FnMut(SessionId, Purpose, usize) -> Result<(), Option<u64>>,
        grants: &mut Vec<Grant>,
    ) -> Given {
        let message = &mut self.messages[slot];
        let Wanted { session, call, granted, received, end, awaited, .. } = message.wanted;
        // More may be under way on a long path.
        let reach = received.saturating_add(message.unweighted(window));
        let room = message.unweighted(self.incoming_max.saturating_sub(self.incoming));
        let limit = end.min(reach).min(granted.saturating_add(room));
        let worth_it = limit == end || granted + message.unweighted(window / 4) <= limit;
        if limit <= granted || !worth_it {
            return Given::SomeOrNothing;
        }
        let mut bytes = 0;
        if !message.has_memory {
            bytes = (end - granted) as usize;
            let purpose = match awaited {
                true => Purpose::Message { age: message.age },
                false => Purpose::Stream,
            };
            if let Err(waits) = set_aside(session, purpose, bytes) {
                return Given::NoMemory { waits };
            }
            message.has_memory = true;
        }
        self.incoming -= message.under_way();
        message.wanted.granted = limit;
        (message.moved_at, message.stalled) = (now, false);
        self.incoming += message.under_way();
        self.given += 1;
        grants.push(Grant { session, call, limit, set_aside: bytes, awaited });
        if limit < end {
            return Given::SomeOrNothing;
        }
        self.shortest.remove(&(message.class, message.age, slot));
        self.oldest.remove(&(message.age, slot));
        Given::All
    }

    /// The message of this age, if it may not be sent to its end yet.
    fn of_age(&self, age: u64) -> Option<usize> {
        let first = self.oldest.range((age, 0)..).next();
        first.filter(|(other, _)| *other == age).map(|(_, slot)| *slot)
    }

    /// What is not sent although it may be keeps nobody else waiting.
    fn notice_stalled(&mut self, now: Time) {
        self.look_at = None;
        for (_, message) in &mut self.messages {
            let idle = message.moved_at + STALLED_AFTER.max(4 * message.rtt()) <= now;
            if idle && !message.stalled {
                self.incoming -= message.under_way();
                message.stalled = true;
            }
        }
        self.changed = true;
    }

    /// What is under way, counted anew.
    #[cfg(test)]
    fn count(&self) -> u64 {
        self.messages.iter().map(|(_, message)| message.under_way()).sum()
    }
}

impl Wanted {
    const fn left(&self) -> u64 {
        self.end.saturating_sub(self.received)
    }
}

impl Message {
    fn rtt(&self) -> Duration {
        self.wanted.rtt.unwrap_or(SHORT_RTT)
    }

    /// How much of its bytes counts as under way. Those on a long path are mostly in it, and not in
    /// the buffer here.
    fn under_way(&self) -> u64 {
        if self.stalled {
            return 0;
        }
        let bytes = u128::from(self.wanted.granted.saturating_sub(self.wanted.received));
        let rtt = self.rtt().max(SHORT_RTT).as_nanos();
        (bytes * SHORT_RTT.as_nanos()).div_ceil(rtt) as u64
    }

    /// How many bytes count as so many.
    fn unweighted(&self, counted: u64) -> u64 {
        let rtt = self.rtt().max(SHORT_RTT).as_nanos();
        let bytes = u128::from(counted) * rtt / SHORT_RTT.as_nanos();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// Messages of about the same length are of one class, and the older one goes first.
fn class(left: u64) -> u32 {
    left.max(1).ilog2()
}

/// So many messages are given credit at the same time.
pub(super) const AT_ONCE: usize = 8;

/// One grant in so many goes to the oldest message.
pub(super) const OLDEST_EVERY: u64 = 16;

/// So many of the shortest are looked at for one of each session.
const LOOKED_AT_MAX: usize = 64;

/// Each may have this under way, however many there are: the sum has its own limit.
const WINDOW_MIN: u64 = 64 << 10;

/// Up to this round-trip time all that is under way is taken to be in the buffer of the socket.
pub(super) const SHORT_RTT: Duration = Duration::from_millis(5);

/// Credit of which no use is made for so long does not count.
pub(super) const STALLED_AFTER: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const MAX: u64 = 128 << 10;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn wanted(session: u64, call: u64, end: u64) -> Wanted {
        let (session, call) = (SessionId(session), CallId(call));
        Wanted { session, call, granted: 0, received: 0, end, awaited: true, rtt: None }
    }

    fn give(grants: &mut Grants, now: Time) -> Vec<(u64, u64)> {
        let mut given = Vec::new();
        grants.give(now, |_, _, _| Ok(()), &mut given);
        assert_eq!(grants.incoming, grants.count());
        given.iter().map(|grant| (grant.call.0, grant.limit)).collect()
    }

    #[test]
    fn the_one_with_the_least_left_goes_first_and_the_sum_is_bounded() {
        let mut grants = Grants::new(MAX);
        // So that it is nobody's turn because of age.
        grants.given = 1;
        grants.want(at(0), wanted(1, 1, 1 << 20));
        grants.want(at(0), wanted(2, 2, 40 << 10));
        let third = grants.want(at(0), wanted(3, 3, 70 << 10));
        let given = give(&mut grants, at(0));
        assert_eq!(given, [(2, 40 << 10), (3, 64 << 10), (1, 24 << 10)]);
        assert_eq!(grants.incoming, MAX);
        grants.on_received(at(1), third, 64 << 10);
        assert_eq!(give(&mut grants, at(1))[0], (3, 70 << 10));
    }

    #[test]
    fn each_session_has_its_turn_before_one_has_two() {
        let mut grants = Grants::new(1 << 20);
        grants.given = 1;
        for call in 0..10 {
            grants.want(at(0), wanted(1, call, (40 << 10) + call));
        }
        grants.want(at(0), wanted(2, 100, 80 << 10));
        let given = give(&mut grants, at(0));
        assert_eq!(given[0].0, 0);
        assert_eq!(given[1].0, 100, "longer, but of another session");
    }

    #[test]
    fn a_large_message_ends_although_small_ones_come_all_the_time() {
        let mut grants = Grants::new(MAX);
        let large = grants.want(at(0), wanted(1, 0, 4 << 20));
        let mut limit = 0;
        for call in 1..20_000 {
            // They take up all there is.
            let small =
                [2, 3].map(|session| grants.want(at(call), wanted(session, call, 64 << 10)));
            let mut given = Vec::new();
            grants.give(at(call), |_, _, _| Ok(()), &mut given);
            for grant in given {
                if grant.call.0 == 0 {
                    limit = grant.limit;
                }
            }
            grants.on_received(at(call), large, limit);
            for slot in small {
                grants.remove(slot);
            }
            if limit == 4 << 20 {
                assert!(100 < call, "it is not the only one");
                return;
            }
        }
        panic!("only {limit} bytes of it");
    }

    #[test]
    fn who_makes_no_use_of_credit_does_not_keep_others_waiting() {
        let mut grants = Grants::new(MAX);
        for call in 0..8 {
            grants.want(at(0), wanted(call, call, 32 << 10));
        }
        assert_eq!(give(&mut grants, at(0)).len(), 4);
        assert_eq!(give(&mut grants, at(50)), []);
        let look_at = grants.next_timeout().unwrap();
        assert_eq!(look_at, at(0) + STALLED_AFTER);
        assert_eq!(give(&mut grants, look_at).len(), 4);
    }

    #[test]
    fn more_is_under_way_on_a_long_path() {
        let mut grants = Grants::new(MAX);
        let rtt = Some(Duration::from_millis(100));
        grants.want(at(0), Wanted { rtt, ..wanted(1, 1, 16 << 20) });
        assert_eq!(give(&mut grants, at(0)), [(1, 20 * MAX)]);
    }

    #[test]
    fn credit_comes_with_memory_to_the_end_of_the_message() {
        let mut grants = Grants::new(MAX);
        grants.want(at(0), Wanted { granted: 100, ..wanted(1, 1, 1 << 20) });
        let mut given = Vec::new();
        grants.give(at(0), |_, _, _| Err(Some(0)), &mut given);
        assert_eq!(given, []);
        grants.on_change();
        let set_aside = (1 << 20) - 100;
        let memory = |_, purpose, bytes| {
            assert_eq!((purpose, bytes), (Purpose::Message { age: 0 }, set_aside));
            Ok(())
        };
        grants.give(at(0), memory, &mut given);
        let (session, call) = (SessionId(1), CallId(1));
        assert_eq!(given, [Grant { session, call, limit: MAX, set_aside, awaited: true }]);
    }

    #[test]
    fn what_nobody_waits_for_is_not_given_the_memory_of_messages() {
        let mut grants = Grants::new(MAX);
        let slot = grants.want(at(0), Wanted { awaited: false, ..wanted(1, 1, 1 << 20) });
        let mut given = Vec::new();
        let no_stream = |_, purpose, _| if purpose == Purpose::Stream { Err(None) } else { Ok(()) };
        grants.give(at(0), no_stream, &mut given);
        assert_eq!(given, []);
        grants.set_awaited(slot);
        grants.give(at(0), no_stream, &mut given);
        assert!(given[0].awaited);
    }

    #[test]
    fn the_one_that_memory_is_kept_for_is_found_behind_hundreds() {
        for given in 0..OLDEST_EVERY {
            let mut grants = Grants::new(MAX);
            grants.given = given;
            grants.want(at(0), wanted(9, 0, 16 << 20));
            for call in 1..1_000 {
                grants.want(at(0), wanted(call % 7, call, 50 << 10));
            }
            let (mut given, large) = (Vec::new(), Purpose::Message { age: 0 });
            let kept = |_, purpose, _| if purpose == large { Ok(()) } else { Err(Some(0)) };
            grants.give(at(0), kept, &mut given);
            assert_eq!(given.iter().map(|grant| grant.call.0).collect::<Vec<_>>(), [0]);
        }
    }

    #[test]
    fn what_is_under_way_stays_within_the_bound_whatever_happens() {
        for seed in 0..100 {
            let mut rng = Rng::from_seed(seed);
            let mut grants = Grants::new(MAX);
            let mut slots = Vec::new();
            for step in 0..2_000 {
                // No time passes, so that nothing is taken for stalled.
                let now = at(0);
                match rng.below(4) {
                    0 if slots.len() < 50 => {
                        let magnitude = 10 + rng.below(12);
                        let end = 1 + rng.below(1 << magnitude);
                        slots.push(grants.want(now, wanted(rng.below(5), step, end)));
                    }
                    1 if !slots.is_empty() => {
                        let index = rng.below(slots.len() as u64) as usize;
                        grants.remove(slots.swap_remove(index));
                    }
                    _ if !slots.is_empty() => {
                        let slot = slots[rng.below(slots.len() as u64) as usize];
                        let Wanted { granted, received, .. } = grants.messages[slot].wanted;
                        let more = rng.below(1 + granted - received);
                        grants.on_received(now, slot, received + more);
                    }
                    _ => {}
                }
                give(&mut grants, now);
                assert!(grants.incoming <= MAX, "seed {seed}: {}", grants.incoming);
            }
        }
    }
}
