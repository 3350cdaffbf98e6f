//! [`View`]: the members as this node sees them, with a line in a file for each change.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use broach_core::{Instance, MemberEvent, MemberState, Members, Node, Peer};

use crate::clock::WallClock;
use crate::complain;
use crate::lines::{FileError, Lines};

/// The members as this node sees them.
#[derive(Debug)]
pub(crate) struct View {
    clock: WallClock,
    file: Option<Lines>,
    members: BTreeMap<Instance, (SocketAddr, State)>,
}

/// What this node takes a member for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Alive,
    Suspect,
    Dead,
    Left,
}

impl View {
    /// Nobody is known. Changes go to the end of the file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn new(path: Option<&Path>, clock: WallClock) -> Result<Self, FileError> {
        let file = path.map(Lines::open).transpose()?;
        Ok(Self { clock, file, members: BTreeMap::new() })
    }

    /// Those who are there.
    pub(crate) fn members(&self) -> impl Iterator<Item = (SocketAddr, Instance, State)> {
        self.members.iter().map(|(&instance, &(addr, state))| (addr, instance, state))
    }

    /// Something has happened. The node is there to be asked if its events come too fast.
    pub(crate) fn on_event(&mut self, event: MemberEvent, node: Option<&Node>) {
        match event {
            MemberEvent::Up(peer) | MemberEvent::Cleared(peer) => self.on_alive(peer),
            MemberEvent::Suspected(peer) => self.set(peer, State::Suspect),
            MemberEvent::Died(peer) => self.set(peer, State::Dead),
            MemberEvent::Left(peer) => self.on_left(peer),
            MemberEvent::Missed(_) => {
                if let Some(node) = node {
                    self.look(&node.members());
                }
            }
            _ => {}
        }
    }

    pub(crate) fn on_alive(&mut self, peer: Peer) {
        self.set(peer, State::Alive);
    }

    pub(crate) fn on_left(&mut self, peer: Peer) {
        self.set(peer, State::Left);
    }

    /// Takes over who is there. Of those who are not nobody says any more whether they have left.
    pub(crate) fn look(&mut self, members: &Members) {
        let there: BTreeMap<Instance, &broach_core::Member> = members
            .iter()
            .filter_map(|member| member.instance().map(|instance| (instance, member)))
            .collect();
        let gone = self.members.iter().filter(|(instance, _)| !there.contains_key(instance));
        let gone: Vec<Peer> = gone.map(|(&instance, &(addr, _))| Peer { addr, instance }).collect();
        // Not before the membership has taken this node itself in.
        if !there.is_empty() {
            gone.into_iter().for_each(|peer| self.set(peer, State::Dead));
        }
        for (instance, member) in there {
            let state = match member.state() {
                MemberState::Suspect => State::Suspect,
                _ => State::Alive,
            };
            self.set(Peer { addr: member.addr(), instance }, state);
        }
    }

    fn set(&mut self, peer: Peer, state: State) {
        let known = self.members.get(&peer.instance).map(|&(_, state)| state);
        let there = matches!(state, State::Alive | State::Suspect);
        if known == Some(state) || (known.is_none() && !there) {
            return;
        }
        if there {
            self.members.insert(peer.instance, (peer.addr, state));
        } else {
            self.members.remove(&peer.instance);
        }
        if let Some(file) = &self.file {
            let line = format!("{} {} {} {state}", self.clock.now_us(), peer.addr, peer.instance);
            if let Err(error) = file.add(&line) {
                complain(&error);
            }
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_line_for_each_change_and_none_for_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("members");
        let peer = Peer { addr: "10.0.0.7:1".parse().unwrap(), instance: Instance(7) };
        let mut view = View::new(Some(&path), WallClock::start()).unwrap();
        view.on_event(MemberEvent::Died(peer), None);
        view.on_alive(peer);
        for event in [
            MemberEvent::Up(peer),
            MemberEvent::Changed(peer),
            MemberEvent::Suspected(peer),
            MemberEvent::Suspected(peer),
            MemberEvent::Cleared(peer),
            MemberEvent::Suspected(peer),
            MemberEvent::Died(peer),
            MemberEvent::Left(peer),
            MemberEvent::Up(peer),
        ] {
            view.on_event(event, None);
        }
        view.on_left(peer);
        let text = std::fs::read_to_string(&path).unwrap();
        let states: Vec<&str> =
            text.lines().filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(states, ["alive", "suspect", "alive", "suspect", "dead", "alive", "left"]);
        assert!(text.lines().all(|line| line.contains(" 10.0.0.7:1 0000000000000007 ")), "{text}");
    }
}
