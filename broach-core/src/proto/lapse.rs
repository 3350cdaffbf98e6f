//! What the passing of time does to a session: probes, deadlines, silence, and the end when it is
//! of no use any more.

use std::time::Duration;

use crate::config::Transport;
use crate::deadline::Time;
use crate::observe::{CloseReason, Event as Seen};
use crate::proto::answered::Ended;
use crate::proto::caller::earlier;
use crate::proto::endpoint::Shared;
use crate::proto::session::Session;
use crate::proto::side::Side;
use crate::proto::{Event, Serving};

impl Session {
    /// Lets time pass. Returns why the session ends, if it does.
    pub(crate) fn handle_timeout(&mut self, now: Time, shared: &mut Shared) -> Option<CloseReason> {
        let (side, hello_due) = (&mut self.side, &mut self.hello_due);
        let elapsed = self.link.on_timeout(now, |frame| side.resend(frame, hello_due));
        for _ in 0..elapsed.lost {
            shared.observe.emit(Seen::DatagramLost { to: self.peer });
        }
        self.link.path.take_news().tell(self.peer, &shared.observe);
        if elapsed.probe {
            shared.observe.emit(Seen::ProbeSent { to: self.peer });
        }
        self.expire(now, shared);
        if self.dead_at(&shared.config).is_some_and(|at| at <= now) {
            return Some(CloseReason::Dead);
        }
        self.check_silence(now, shared);
        if self.keep_alive_at(&shared.config).is_some_and(|at| at <= now) {
            self.ping_due = true;
        }
        (self.idle_at(&shared.config)? <= now).then_some(CloseReason::Idle)
    }

    /// Ends the calls whose deadline has passed.
    fn expire(&mut self, now: Time, shared: &mut Shared) {
        match &mut self.side {
            Side::Client(client) => {
                let ended = client.calls.expire(now, self.peer, client.trouble, &mut shared.budget);
                self.report(ended, shared);
            }
            Side::Server(server) => {
                for call in server.calls.expire(now, &mut shared.budget) {
                    let serving = Serving { session: self.id, call };
                    shared.events.push_back(Event::Stop(serving));
                }
            }
        }
    }

    /// Lets calls go elsewhere if the other side answers nothing.
    fn check_silence(&mut self, now: Time, shared: &mut Shared) {
        if !self.leaves_unanswered(now, &shared.config) {
            return;
        }
        let wait = self.silence(&shared.config);
        let Side::Client(client) = &mut self.side else {
            return;
        };
        let before = match client.silent {
            // Whatever is under way has waited long enough by now.
            None => {
                shared.observe.emit(Seen::SessionSilent { peer: self.peer });
                now
            }
            Some(_) => now - wait,
        };
        client.silent = Some(now);
        let ended = client.calls.yield_calls(before, self.peer, &mut shared.budget);
        self.report(ended, shared);
    }

    pub(super) fn report(&self, ended: Vec<Ended>, shared: &mut Shared) {
        let peer = self.peer_node();
        let (condition, rtt) = (self.condition(), self.link.measured_rtt());
        let events = ended.into_iter();
        shared.events.extend(events.map(|Ended { ticket, request, result }| Event::Ended {
            ticket,
            peer,
            condition,
            rtt,
            request,
            result,
        }));
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, or an acknowledgement is
    /// due.
    pub(crate) fn next_timeout(&self, now: Time, config: &Transport) -> Option<Time> {
        let calls = match &self.side {
            Side::Client(client) => client.calls.next_deadline(),
            Side::Server(server) => server.calls.next_deadline(),
        };
        let dead = self.dead_at(config);
        let silent = match &self.side {
            // Checked last then, or not yet; and after a pause of this process it all begins anew.
            Side::Client(client) => self
                .link
                .unanswered_since()
                .map(|since| client.silent.map_or(since, |checked| checked.max(since)))
                .map(|from| from + self.silence(config)),
            Side::Server(_) => None,
        };
        let paced = self.paced_until(now);
        let rest = [dead, silent, self.keep_alive_at(config), self.idle_at(config), paced];
        rest.into_iter().fold(earlier(self.link.next_timeout(now), calls), earlier)
    }

    /// When the other side counts as dead, unless something is heard of it.
    ///
    /// A caller whose calls are served says something every few seconds, and acknowledges what it
    /// is sent. One that does not is not waited for: its calls take up room.
    fn dead_at(&self, config: &Transport) -> Option<Time> {
        let unanswered = self.link.unanswered_since().map(|since| since + config.dead_after);
        // What is small may get through for ever, and nothing else.
        let swallowed = self.link.swallowed_since().map(|since| since + config.dead_after);
        let Side::Server(server) = &self.side else {
            let quiet = self.link.quiet_since().map(|since| since + config.dead_after);
            // What it says does not count for ever if it acknowledges nothing.
            let deaf = unanswered.map(|at| at + config.dead_after);
            return [quiet, deaf, swallowed].into_iter().fold(None, earlier);
        };
        // What streams is between the two all the time, and a caller asks every second at least.
        let patience = match server.calls.has_streams() {
            true => config.dead_after.min(config.idle_server),
            false => config.idle_server,
        };
        let heard = self.link.heard_at().filter(|_| server.calls.is_busy());
        let gone = heard.map(|heard| heard.max(self.link.awake_since()) + patience);
        [unanswered, gone, swallowed].into_iter().fold(None, earlier)
    }

    /// Whether the other side has acknowledged nothing for so long that calls had better go
    /// elsewhere.
    pub(super) fn leaves_unanswered(&self, now: Time, config: &Transport) -> bool {
        let since = self.link.unanswered_since();
        since.is_some_and(|since| since + self.silence(config) <= now)
    }

    /// How long the other side may answer nothing before calls go elsewhere.
    fn silence(&self, config: &Transport) -> Duration {
        config.silent_after.max(4 * self.link.patience())
    }

    /// When the other side is asked for a sign of life, while it works on a call.
    fn keep_alive_at(&self, config: &Transport) -> Option<Time> {
        let Side::Client(client) = &self.side else {
            return None;
        };
        let waits = client.calls.is_busy() && self.link.in_flight() == 0 && !self.ping_due;
        let heard = self.link.heard_at().filter(|_| waits)?;
        Some(heard.max(self.used_at) + config.keep_alive)
    }

    /// When the session has been of no use for long enough.
    fn idle_at(&self, config: &Transport) -> Option<Time> {
        let (busy, idle) = match &self.side {
            Side::Client(client) => {
                // It had better end here first: a call that runs into a session that has just
                // ended over there takes a round trip more.
                let theirs = self.peer_limits.idle.map_or(Duration::MAX, |idle| idle / 4 * 3);
                (client.calls.is_busy(), config.idle_client.min(theirs))
            }
            Side::Server(server) => (server.calls.is_busy(), config.idle_server),
        };
        (!busy).then(|| self.used_at + idle)
    }
}
