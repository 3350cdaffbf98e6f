//! Choosing, from the directory to the picker.

mod choosing;
mod contract;
mod hashing;
mod places;
mod selecting;
mod shares;
mod snapshots;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::advert::{Advert, OfferedService};
use crate::deadline::Time;
use crate::ids::Instance;
use crate::method::MethodSpec;
use crate::rng::Rng;
use crate::routing::target::Target;
use crate::routing::{
    Choice, Chosen, Dice, Directory, Member, Offers, Picker, Picking, Selection, Source,
};
use crate::status::Status;

/// Of all that is random here.
const SEED: u64 = 7;

pub(crate) fn addr(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

pub(crate) fn at(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

/// A member in its first life that offers these services.
pub(crate) fn member(port: u16, services: &[&str]) -> Member {
    let offered = |name: &&str| OfferedService::new((*name).into(), String::new());
    let advert = Advert { services: services.iter().map(offered).collect(), ..Advert::default() };
    let (instance, offers) = (Some(Instance(1)), Offers::Only(Arc::new(advert)));
    Member { instance, offers, ..Member::named(addr(port)) }
}

/// A cluster of so many members that all offer `a.B`.
pub(crate) fn cluster(count: u16) -> Arc<Directory> {
    let directory = Directory::new(Source::Cluster);
    directory.update(Time::ZERO, (1..=count).map(|port| member(port, &["a.B"])).collect());
    directory
}

/// Calls that are made by a picker.
pub(crate) struct Caller<P> {
    directory: Arc<Directory>,
    picker: P,
    dice: Dice,
    method: MethodSpec,
    pub(crate) selection: Selection,
}

impl<P: Picker> Caller<P> {
    pub(crate) fn new(directory: &Arc<Directory>, picker: P) -> Self {
        let dice = Dice::new(&mut Rng::from_seed(SEED));
        let method = MethodSpec::named("a.B/C").unwrap();
        Self { directory: Arc::clone(directory), picker, dice, method, selection: Selection::new() }
    }

    pub(crate) fn choose(
        &self,
        now: Time,
        tried: &[Arc<Target>],
    ) -> Result<Option<Chosen>, Status> {
        let picking =
            Picking::new(&self.method, 1 + tried.len(), self.dice.throw(), &self.selection);
        let choice = self.directory.choose(now, &self.picker, &picking, tried)?;
        Ok(match choice {
            Choice::Chosen(chosen) => Some(chosen),
            Choice::Nobody { .. } => None,
        })
    }

    /// The ports of those that are chosen for so many calls, which end at once.
    pub(crate) fn picks(&self, now: Time, count: usize) -> Vec<u16> {
        let pick = |_| self.choose(now, &[]).unwrap().unwrap().target.member.addr.port();
        (0..count).map(pick).collect()
    }
}

/// How often each of the ports 1 to `N` is among these.
fn tally<const N: usize>(picks: &[u16]) -> [usize; N] {
    std::array::from_fn(|at| picks.iter().filter(|&&port| usize::from(port) == at + 1).count())
}
