//! [`Target`]: a member that calls can go to, with what calls have shown of it.

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use siphasher::sip::SipHasher24;

use crate::advert::Point;
use crate::deadline::Time;
use crate::ids::Instance;
use crate::routing::dice::mix;
use crate::routing::latency::Latency;
use crate::routing::slow_start::SlowStart;
use crate::routing::standing::Standing;
use crate::routing::{Member, MemberState};

/// A member, and what calls have shown of it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) member: Member,
    /// Stands for the member's address, the same everywhere and for ever: see [`hash_of`].
    pub(crate) hash: u64,
    /// Tells it from all other lives of all other nodes; not 0.
    pub(crate) name: u64,
    /// Stands for the name of its zone.
    pub(crate) zone: u64,
    /// Where on the globe it is.
    pub(crate) point: Option<Point>,
    /// The same as long as the member's life is, whatever else is learnt of it.
    pub(crate) live: Arc<Live>,
}

/// What calls have shown of one life of a node.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) in_flight: AtomicUsize,
    pub(crate) latency: Latency,
    pub(crate) standing: Standing,
    pub(crate) rtt: RoundTrip,
    pub(crate) slow_start: SlowStart,
}

/// How long the network takes to the node and back, as the transport has measured it.
#[derive(Debug, Default)]
pub(crate) struct RoundTrip(AtomicU64);

impl Target {
    /// A member of which no call has shown anything.
    pub(crate) fn new(member: Member, ailing: Arc<AtomicUsize>, slow_start: SlowStart) -> Self {
        let standing = Standing::new(ailing, member.instance.is_some());
        let (in_flight, latency, rtt) = Default::default();
        Self::again(member, Arc::new(Live { in_flight, latency, standing, rtt, slow_start }))
    }

    /// A member of which calls have shown this.
    pub(crate) fn again(member: Member, live: Arc<Live>) -> Self {
        let (hash, point) = (hash_of(member.addr), member.location().map(|place| place.point()));
        let name = mix(hash ^ member.instance.map_or(0, |Instance(instance)| instance)).max(1);
        let zone = hash_of_zone(&member.zone);
        Self { member, hash, name, zone, point, live }
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

    /// Whether it is called unless something is said of it that speaks against that.
    pub(crate) fn is_well(&self) -> bool {
        self.rank() < UNWELL
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

/// From this rank on something is wrong with a node.
const UNWELL: u8 = 2;

impl RoundTrip {
    /// It is this at present.
    pub(crate) fn set(&self, rtt: Duration) {
        self.0.store((rtt.as_nanos() as u64).max(1), Relaxed);
    }

    /// What it was when it was last measured, if it ever was.
    pub(crate) fn get(&self) -> Option<Duration> {
        let nanos = self.0.load(Relaxed);
        (nanos != 0).then(|| Duration::from_nanos(nanos))
    }
}

/// The same for the same zone within this process.
pub(crate) fn hash_of_zone(zone: &str) -> u64 {
    SipHasher24::new_with_keys(0, 0).hash(zone.as_bytes())
}

/// SipHash-2-4 of an address under a key of zeros: of the 16 bytes of its IPv6 form and the 2 of
/// its port, both big-endian.
fn hash_of(addr: SocketAddr) -> u64 {
    let mut bytes = [0; 18];
    let ip = match addr.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    bytes[..16].copy_from_slice(&ip.octets());
    bytes[16..].copy_from_slice(&addr.port().to_be_bytes());
    SipHasher24::new_with_keys(0, 0).hash(&bytes)
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
