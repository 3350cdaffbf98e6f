//! [`Target`]: a member that calls can go to, with what calls have shown of it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::deadline::Time;
use crate::routing::latency::Latency;
use crate::routing::standing::Standing;
use crate::routing::{Member, MemberState};

/// A member, and what calls have shown of it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) member: Member,
    /// The same as long as the member's life is, whatever else is learnt of it.
    pub(crate) live: Arc<Live>,
}

/// What calls have shown of one life of a node.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) in_flight: AtomicUsize,
    pub(crate) latency: Latency,
    pub(crate) standing: Standing,
}

impl Target {
    /// A member of which no call has shown anything.
    pub(crate) fn new(member: Member, ailing: Arc<AtomicUsize>) -> Self {
        let standing = Standing::new(ailing, member.instance.is_some());
        let live = Live { in_flight: AtomicUsize::new(0), latency: Latency::default(), standing };
        Self { member, live: Arc::new(live) }
    }

    /// Whether another is the same life of the same node.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.live, &other.live)
    }

    /// Whether nothing that is said of it speaks against calling it.
    pub(crate) fn is_prime(&self) -> bool {
        let member = &self.member;
        member.state == MemberState::Alive && !member.draining && 0 < member.weight
    }

    /// Whether it is about to go.
    pub(crate) fn is_leaving(&self) -> bool {
        self.member.draining || self.live.standing.is_leaving()
    }

    /// How willingly it is called: those of a lower rank come first, and others only if there is
    /// nobody else. Among those that are equally well, one of weight 0 comes last.
    pub(crate) fn rank(&self) -> u8 {
        let unsure = self.member.state == MemberState::Suspect || self.live.standing.is_silent();
        let condition = match (self.is_leaving(), unsure) {
            (false, false) => 0,
            (false, true) => 1,
            (true, _) => 2,
        };
        2 * condition + u8::from(self.member.weight == 0)
    }

    /// The node has said that it is shutting down.
    pub(crate) fn on_leaving(&self, now: Time) {
        match self.member.instance {
            Some(_) => self.live.standing.on_leaving(),
            // Nobody will tell when another life has begun at the address: it has to be tried.
            None => self.live.standing.on_silent(now),
        }
    }
}

/// A call under way to a target, which is counted there until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Target>);

impl InFlight {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        target.live.in_flight.fetch_add(1, Relaxed);
        Self(target)
    }

    /// The node has answered with a reply.
    pub(crate) fn on_reply(&self, now: Time, took: Duration) {
        self.live.latency.on_answer(now, took);
    }

    /// The call has failed, or nobody waits for it any more.
    pub(crate) fn on_failure(&self, now: Time, took: Duration) {
        self.live.latency.on_failure(now, took);
    }
}

impl Deref for InFlight {
    type Target = Arc<Target>;

    fn deref(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.live.in_flight.fetch_sub(1, Relaxed);
    }
}
