//! What is different for an observer: it watches nobody, so it has to notice by itself if the one
//! that it asks has gone.

use std::time::Duration;

use bytes::Bytes;

use crate::deadline::Time;
use crate::gossip::member::Member;
use crate::gossip::{Change, Membership, State};
use crate::ids::Instance;
use crate::observe::Event as Seen;
use crate::peer::Peer;
use crate::wire::schema;

/// A member that an observer has asked for news, and that has said nothing since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    peer: Peer,
    /// What it is to answer with even if there is no news.
    number: u64,
    tries: u32,
}

impl Membership {
    /// Asks whether there is news: the one that owes an answer once more, or somebody else.
    pub(super) fn observe_others(&mut self, now: Time) {
        self.join.forget_old(now);
        if let Some(asked) = self.join.asked
            && TRIES <= asked.tries
        {
            self.join.asked = None;
            self.give_up(now, asked.peer);
        }
        let owing = self.join.asked.map(|asked| asked.peer.addr);
        let drawn = self.table.draw(1, owing, &mut self.rng);
        // Both: the one may have gone, and another one may know.
        for to in owing.into_iter().chain(drawn) {
            self.ask_for_news(now, to);
        }
    }

    fn ask_for_news(&mut self, now: Time, to: std::net::SocketAddr) {
        let Some(peer) = self.table.get(to).map(Member::peer) else {
            self.join.asked = None;
            return;
        };
        match &mut self.join.asked {
            Some(asked) if asked.peer == peer => asked.tries += 1,
            Some(_) => {}
            None => {
                let number = self.rng.non_zero();
                self.join.asked = Some(Asked { peer, number, tries: 1 });
            }
        }
        if self.join.cookie(to) == 0 { self.knock(now, to) } else { self.send_summary(to) }
    }

    /// What the question holds besides, so that there is an answer in any case.
    pub(super) fn asks_for_a_sign(&self, to: std::net::SocketAddr) -> Option<schema::Probe> {
        let asked = self.join.asked.filter(|asked| asked.peer.addr == to)?;
        let instance = asked.peer.instance.0;
        Some(schema::Probe { number: asked.number, instance, padding: Bytes::new() })
    }

    /// Whether this answers the question; if so it is not open any more.
    pub(super) fn is_sign_for_observer(&mut self, number: u64) -> bool {
        let is_it = self.join.asked.is_some_and(|asked| asked.number == number);
        if is_it {
            self.join.asked = None;
        }
        is_it
    }

    /// This life of a node has sent something.
    pub(super) fn hear_of(&mut self, instance: Instance) {
        if self.join.asked.is_some_and(|asked| asked.peer.instance == instance) {
            self.join.asked = None;
        }
    }

    /// How long to wait before asking again, if somebody owes an answer.
    pub(super) const fn observe_again(&self) -> Duration {
        if self.join.asked.is_some() { AGAIN } else { Duration::MAX }
    }

    /// A member does not answer this observer. It is forgotten rather than called dead: if it lives
    /// others will say so, and must be believed.
    fn give_up(&mut self, now: Time, peer: Peer) {
        let known = self.table.get(peer.addr);
        if !known.is_some_and(|known| known.peer() == peer && known.state.is_live()) {
            return;
        }
        self.table.update(peer.addr, &mut self.rng, |known| {
            let known = known.expect("it has just been looked at");
            Member { state: State::Dead, since: now, suspicion: None, ..known }
        });
        self.table.forget(peer.addr);
        self.note(Change::Dead { peer }, Seen::MemberDied { peer });
        self.after_change(now);
    }
}

/// How often a member is asked that does not answer.
const TRIES: u32 = 8;

/// How long it has for each answer.
const AGAIN: Duration = Duration::from_millis(250);
