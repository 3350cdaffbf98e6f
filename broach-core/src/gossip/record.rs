//! What a member says of itself, and what others say of it.
//!
//! A member encodes its record once. Whoever passes it on passes on the same bytes: so a field that
//! only newer nodes know gets through older ones. What others say, the state and who accuses, is
//! kept beside it.

use std::net::SocketAddr;

use bytes::Bytes;
use prost::Message;

use crate::gossip::{AdvertName, Facts, Me, State, ZONE_BYTES_MAX, address};
use crate::ids::Instance;
use crate::wire::schema;

/// What a member says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) addr: SocketAddr,
    pub(super) life: Life,
    pub(super) incarnation: u64,
    pub(super) advert: AdvertName,
    pub(super) facts: Facts,
    /// As the member encoded it.
    pub(super) raw: Bytes,
}

/// One life of an address. Of two, the later one counts; if both began in the same millisecond, it
/// does not matter which, as long as all nodes agree.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Life {
    pub(super) epoch: u64,
    pub(super) instance: Instance,
}

/// What is said of a member.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) record: Record,
    pub(super) state: State,
    pub(super) accuser: Option<Instance>,
}

impl Record {
    /// What this node says of itself.
    pub(super) fn own(me: &Me, incarnation: u64, advert: AdvertName) -> Self {
        let facts = &me.facts;
        let mut zone = facts.zone.clone();
        let fits = (0..=ZONE_BYTES_MAX).rev().find(|&len| zone.is_char_boundary(len));
        zone.truncate(fits.unwrap_or(zone.len()));
        let record = schema::Record {
            address: address::to_bytes(me.addr),
            epoch: me.epoch,
            instance: me.instance.0,
            incarnation,
            advert_version: advert.version,
            advert_hash: advert.hash,
            weight: facts.weight,
            zone: zone.clone(),
            draining: facts.draining,
        };
        Self {
            addr: me.addr,
            life: Life { epoch: me.epoch, instance: me.instance },
            incarnation,
            advert,
            facts: Facts { zone, ..facts.clone() },
            raw: record.encode_to_vec().into(),
        }
    }

    /// Reads a record; `None` if it breaks the specification.
    pub(super) fn decode(raw: Bytes) -> Option<Self> {
        if RECORD_BYTES_MAX < raw.len() {
            return None;
        }
        let record = schema::Record::decode(&raw[..]).ok()?;
        let addr = address::from_bytes(&record.address)?;
        let good = record.instance != 0
            && record.epoch <= NUMBER_MAX
            && record.incarnation <= NUMBER_MAX
            && record.zone.len() <= ZONE_BYTES_MAX;
        good.then(|| Self {
            addr,
            life: Life { epoch: record.epoch, instance: Instance(record.instance) },
            incarnation: record.incarnation,
            advert: AdvertName { version: record.advert_version, hash: record.advert_hash },
            facts: Facts { weight: record.weight, zone: record.zone, draining: record.draining },
            raw,
        })
    }

    /// Which of two reports of the same address counts.
    pub(super) const fn rank(&self, state: State) -> (Life, u64, State) {
        (self.life, self.incarnation, state)
    }
}

impl Report {
    /// Reads a report; `None` if it breaks the specification.
    pub(super) fn decode(update: schema::Update) -> Option<Self> {
        let state = state_from_wire(update.state)?;
        let accuser = (update.accuser != 0).then_some(Instance(update.accuser));
        Some(Self { record: Record::decode(update.record)?, state, accuser })
    }
}

pub(super) const fn state_to_wire(state: State) -> i32 {
    match state {
        State::Alive => schema::MemberState::Alive as i32,
        State::Suspect => schema::MemberState::Suspect as i32,
        State::Dead => schema::MemberState::Dead as i32,
        State::Left => schema::MemberState::Left as i32,
    }
}

pub(super) fn state_from_wire(state: i32) -> Option<State> {
    Some(match schema::MemberState::try_from(state).ok()? {
        schema::MemberState::Alive => State::Alive,
        schema::MemberState::Suspect => State::Suspect,
        schema::MemberState::Dead => State::Dead,
        schema::MemberState::Left => State::Left,
    })
}

/// Epochs and incarnations are not above this, so that there is always a next one.
pub(super) const NUMBER_MAX: u64 = (1 << 62) - 1;

/// A longer record is none: what every node keeps of every other must stay small.
pub(super) const RECORD_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use prost::encoding::encode_varint;

    use super::*;
    use crate::gossip::Role;
    use crate::ids::ClusterHash;

    fn me(zone: &str) -> Me {
        Me {
            addr: "10.0.0.1:7400".parse().unwrap(),
            instance: Instance(7),
            epoch: 1_700_000_000_000,
            cluster: ClusterHash(1),
            role: Role::Member,
            facts: Facts { zone: zone.into(), ..Facts::default() },
        }
    }

    #[test]
    fn a_record_goes_there_and_back() {
        let advert = AdvertName { version: 3, hash: 9 };
        let own = Record::own(&me("eu-1"), 5, advert);
        assert_eq!(Record::decode(own.raw.clone()), Some(own.clone()));
        assert!(own.raw.len() <= 50, "{} bytes", own.raw.len());
    }

    #[test]
    fn a_long_zone_is_cut_at_a_letter() {
        let own = Record::own(&me(&"ä".repeat(20)), 0, AdvertName::default());
        assert_eq!(own.facts.zone, "ä".repeat(16));
        let own = Record::own(&me(&format!("a{}", "ä".repeat(20))), 0, AdvertName::default());
        assert_eq!(own.facts.zone.len(), 31);
        assert!(Record::decode(own.raw).is_some());
    }

    #[test]
    fn what_is_not_known_stays_in_the_bytes() {
        let mut raw = Record::own(&me(""), 0, AdvertName::default()).raw.to_vec();
        encode_varint(99 << 3, &mut raw);
        encode_varint(12345, &mut raw);
        let record = Record::decode(raw.clone().into()).unwrap();
        assert_eq!(record.raw[..], raw[..]);
    }

    #[test]
    fn records_that_break_the_rules_are_none() {
        let good = schema::Record {
            address: vec![10, 0, 0, 1, 0, 1].into(),
            instance: 1,
            ..schema::Record::default()
        };
        let read = |record: &schema::Record| Record::decode(record.encode_to_vec().into());
        assert!(read(&good).is_some());
        for wrong in [
            schema::Record { instance: 0, ..good.clone() },
            schema::Record { epoch: NUMBER_MAX + 1, ..good.clone() },
            schema::Record { incarnation: u64::MAX, ..good.clone() },
            schema::Record { zone: "z".repeat(33), ..good.clone() },
            schema::Record { address: vec![0, 0, 0, 0, 0, 1].into(), ..good.clone() },
        ] {
            assert_eq!(read(&wrong), None, "{wrong:?}");
        }
        let mut long = good.encode_to_vec();
        long.resize(RECORD_BYTES_MAX + 1, 0);
        assert_eq!(Record::decode(long.into()), None);
    }

    #[test]
    fn the_later_life_counts_then_the_incarnation_then_the_state() {
        let record = |epoch, incarnation| {
            Record::own(&Me { epoch, ..me("") }, incarnation, AdvertName::default())
        };
        assert!(record(1, 9).rank(State::Left) < record(2, 0).rank(State::Alive));
        assert!(record(1, 1).rank(State::Dead) < record(1, 2).rank(State::Alive));
        assert!(record(1, 1).rank(State::Alive) < record(1, 1).rank(State::Suspect));
        assert!(record(1, 1).rank(State::Dead) < record(1, 1).rank(State::Left));
    }
}
