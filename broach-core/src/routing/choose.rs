//! From the directory to the node that an attempt goes to: who may be called, and who of them is.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::code::Outcome;
use crate::deadline::Time;
use crate::routing::list::List;
use crate::routing::target::{InFlight, Target};
use crate::routing::wishes::Wishes;
use crate::routing::{Candidates, Directory, Members, NodeId, Picker, Picking, Selection, Source};
use crate::status::Status;

/// The node that an attempt goes to.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) target: InFlight,
    /// There is nobody else who could be called instead.
    pub(crate) alone: bool,
}

/// What came of choosing.
#[derive(Debug)]
pub(crate) enum Choice {
    Chosen(Chosen),
    /// There is nobody to choose from, in the snapshot of this version.
    Nobody {
        version: u64,
    },
}

impl Directory {
    /// Chooses who is called, other than those tried already: of those that are well if there are
    /// any, else of those that are silent or suspected, else of those that are about to leave.
    ///
    /// # Errors
    ///
    /// If the picker does what it must not do, or something is wished that nobody can know.
    pub(crate) fn choose(
        &self,
        now: Time,
        picker: &dyn Picker,
        picking: &Picking<'_>,
        tried: &[Arc<Target>],
    ) -> Result<Choice, Status> {
        let members = self.look();
        let service = picking.method().service();
        let mut list = members.candidates(service);
        let narrowed;
        if let Some(wishes) = picking.selection().wishes() {
            self.check(wishes)?;
            narrowed = list.narrowed(wishes, service);
            list = &narrowed;
        }
        let chosen = if tried.is_empty() && 0 < list.prime && self.is_sound() {
            let candidates = Candidates::prime(list, now);
            let picked = pick(picker, &candidates, picking)?;
            picked.map(|target| Chosen { target, alone: list.prime < 2 })
        } else {
            choose_carefully(now, picker, picking, list, tried)?
        };
        Ok(chosen.map_or(Choice::Nobody { version: members.version() }, Choice::Chosen))
    }

    /// All nodes that offer a service, are what is wished, and are not about to leave; whether they
    /// are well or not.
    ///
    /// # Errors
    ///
    /// If there is none, with what is known, or something is wished that nobody can know.
    pub(crate) fn nodes(
        &self,
        service: &str,
        selection: &Selection,
    ) -> Result<Vec<NodeId>, Status> {
        let members = self.look();
        let list = members.candidates(service);
        if let Some(wishes) = selection.wishes() {
            self.check(wishes)?;
        }
        let admitted = |target: &&Arc<Target>| {
            let admits = |wishes: &Arc<Wishes>| wishes.admit(&target.member, service);
            !target.is_leaving() && selection.wishes().is_none_or(admits)
        };
        let nodes = list.targets.iter().filter(admitted).map(|target| target.member.id());
        let nodes: Vec<NodeId> = nodes.collect();
        if nodes.is_empty() {
            let text = self.explain(service, selection);
            return Err(Status::unavailable(text).with_outcome(Outcome::NotExecuted));
        }
        Ok(nodes)
    }

    /// Refuses wishes that none of the nodes of such a directory can fulfil.
    fn check(&self, wishes: &Wishes) -> Result<(), Status> {
        match (self.source(), wishes.of_members()) {
            (Source::Cluster, _) | (_, None) => Ok(()),
            (Source::List | Source::Names, Some(what)) => Err(Status::failed_precondition(format!(
                "the call asks for a node by {what}, which only the members of a cluster say of \
                 themselves, and this channel calls nodes that are named by their addresses"
            ))
            .with_outcome(Outcome::NotExecuted)),
        }
    }
}

/// The same if not all are well, or some have been tried.
fn choose_carefully(
    now: Time,
    picker: &dyn Picker,
    picking: &Picking<'_>,
    list: &List,
    tried: &[Arc<Target>],
) -> Result<Option<Chosen>, Status> {
    let mut ranked: Vec<(u8, u32)> = Vec::with_capacity(list.targets.len());
    for (place, target) in (0..).zip(&list.targets) {
        if !tried.iter().any(|other| other.is(target)) {
            ranked.push((target.rank(), place));
        }
    }
    let others = ranked.iter().filter(|&&(rank, _)| rank < LEAVING).count();
    let alone = others < 2;
    // It is this call's turn to see whether a silent one answers again.
    let due = |target: &&Arc<Target>| {
        target.is_prime() && !target.is_leaving() && target.live.standing.is_due(now)
    };
    let places = ranked.iter().map(|&(_, place)| &list.targets[place as usize]);
    if let Some(target) = places.into_iter().find(due) {
        return Ok(Some(Chosen { target: InFlight::new(Arc::clone(target)), alone }));
    }
    let Some(best) = ranked.iter().map(|&(rank, _)| rank).min() else {
        return Ok(None);
    };
    ranked.retain(|&(rank, _)| rank == best);
    let places: Vec<u32> = ranked.iter().map(|&(_, place)| place).collect();
    let candidates = Candidates::at(list, &places, now);
    let picked = pick(picker, &candidates, picking)?;
    Ok(picked.map(|target| Chosen { target, alone }))
}

/// Asks the picker, which may be the user's own.
fn pick(
    picker: &dyn Picker,
    candidates: &Candidates<'_>,
    picking: &Picking<'_>,
) -> Result<Option<InFlight>, Status> {
    let failed = |text| Err(Status::internal(text).with_outcome(Outcome::NotExecuted));
    let picked = match catch_unwind(AssertUnwindSafe(|| picker.pick(candidates, picking))) {
        Ok(picked) => picked,
        Err(panic) => return failed(format!("the picker panicked: {}", said(&*panic))),
    };
    let Some(index) = picked else {
        return Ok(None);
    };
    match candidates.target(index) {
        Some(target) => Ok(Some(InFlight::new(Arc::clone(target)))),
        None => {
            let count = candidates.len();
            failed(format!("the picker chose candidate {index} of {count}, counted from 0"))
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

impl Members {
    /// Whether somebody offers a service and is what is wished, who has not been tried and is not
    /// about to leave.
    pub(crate) fn has_others(
        &self,
        service: &str,
        selection: &Selection,
        tried: &[Arc<Target>],
    ) -> bool {
        let untried = |target: &Arc<Target>| !tried.iter().any(|other| other.is(target));
        let other = |target: &Arc<Target>| untried(target) && !target.is_leaving();
        let all = self.candidates(service);
        match selection.wishes() {
            None => all.targets.iter().any(other),
            Some(wishes) => all.narrowed(wishes, service).targets.iter().any(other),
        }
    }
}

/// From this rank on nodes are about to leave; see [`Target::rank`].
const LEAVING: u8 = 4;
