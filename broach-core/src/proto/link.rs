//! One direction-neutral half of a session: numbers, acknowledgements, losses, probes.
//!
//! A link knows datagrams and nothing of calls. What a lost datagram carried is handed back to the
//! session, which sends it again as it sees fit.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Transport;
use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::ids::PacketNumber;
use crate::proto::path::Path;
use crate::proto::received::Received;
use crate::proto::rtt::Rtt;
use crate::proto::sent::{NeverSent, Sent, SentFrame};
use crate::wire::schema;

/// The state of the way to the other side and back.
#[derive(Debug)]
pub(crate) struct Link {
    config: Arc<Transport>,
    pub(crate) received: Received,
    sent: Sent,
    rtt: Rtt,
    pub(crate) path: Path,
    /// The number of the next datagram.
    next: PacketNumber,
    /// How often the probe time-out has doubled since something was last acknowledged.
    backoff: u32,
    /// Probes that are due and have not gone out.
    probes: u32,
    /// When something that wants an acknowledgement last went out.
    eliciting_at: Time,
    /// When something last came in.
    heard_at: Option<Time>,
    /// Silence before this does not count: this process may have slept.
    awake_since: Time,
    /// How long the other side keeps acknowledgements back.
    peer_ack_delay: Duration,
}

/// What the passing of time has brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Elapsed {
    /// Datagrams that now count as lost.
    pub(crate) lost: usize,
    /// A probe is due.
    pub(crate) probe: bool,
}

impl Link {
    /// A link of which nothing is known but, perhaps, what its round trip was earlier.
    pub(crate) fn new(
        config: Arc<Transport>,
        now: Time,
        rtt: Option<Duration>,
        loopback: bool,
    ) -> Self {
        let rtt = Rtt::new(rtt.unwrap_or(config.initial_rtt));
        Self {
            received: Received::new(),
            sent: Sent::new(),
            rtt,
            path: Path::new(&config, loopback),
            next: PacketNumber(0),
            backoff: 0,
            probes: 0,
            eliciting_at: now,
            heard_at: None,
            awake_since: now,
            peer_ack_delay: config.max_ack_delay,
            config,
        }
    }

    /// Whether a datagram has been here before, or may have been.
    pub(crate) fn is_duplicate(&self, number: PacketNumber) -> bool {
        self.received.is_duplicate(number)
    }

    /// A datagram of the session has arrived that is no duplicate.
    pub(crate) fn on_datagram(
        &mut self,
        now: Time,
        number: PacketNumber,
        ecn: Ecn,
        eliciting: bool,
        ack_now: bool,
    ) {
        self.heard_at = Some(now);
        let max_ack_delay = self.config.max_ack_delay;
        self.received.on_datagram(now, number, ecn, eliciting, ack_now, max_ack_delay);
    }

    /// Takes in an acknowledgement. The frames that have arrived go to `arrived`. Tells whether it
    /// brings anything new.
    ///
    /// # Errors
    ///
    /// If it names datagrams that were never sent.
    pub(crate) fn on_ack(
        &mut self,
        now: Time,
        ack: &schema::Ack,
        arrived: impl FnMut(SentFrame),
    ) -> Result<bool, NeverSent> {
        let watched = self.path.watched();
        let report = self.sent.on_ack(now, ack, self.next, &watched, arrived)?;
        if let Some(sample) = report.sample {
            let delay = Duration::from_micros(ack.delay_us).min(self.peer_ack_delay);
            self.rtt.update(sample, delay);
        }
        if report.progress {
            (self.backoff, self.probes) = (0, 0);
        }
        self.path.on_ack(now, ack, &report, &self.rtt, self.next.0);
        if let Some(largest) = report.ack_seen {
            self.received.on_ack_seen(largest);
        }
        Ok(report.progress)
    }

    /// Finds what is lost now. The frames go to `lost`; returns the number of datagrams.
    pub(crate) fn detect_lost(&mut self, now: Time, lost: impl FnMut(SentFrame)) -> usize {
        let delay = self.rtt.loss_delay(LOSS_DELAY_MIN);
        let losses = self.sent.detect_lost(now, delay, self.path.watched().path_probe, lost);
        if 0 < losses.count || losses.path_probe {
            // Before the first measurement a probe time-out is a guess.
            let outage = self.rtt.measured().map(|_| OUTAGE_PROBES * self.probe_timeout());
            self.path.on_lost(now, &losses, self.next.0, outage.unwrap_or(Duration::MAX));
        }
        losses.count
    }

    /// Everything in flight has been refused and goes out again.
    pub(crate) fn lose_all(&mut self, lost: impl FnMut(SentFrame)) {
        self.sent.lose_all(lost);
        (self.backoff, self.probes) = (0, 0);
    }

    /// Lets time pass. The frames that are lost, or go out once more as a probe, go to `again`.
    pub(crate) fn on_timeout(&mut self, now: Time, mut again: impl FnMut(SentFrame)) -> Elapsed {
        let mut elapsed = Elapsed::default();
        if self.sent.loss_at().is_some_and(|at| at <= now) {
            elapsed.lost = self.detect_lost(now, &mut again);
        }
        if self.probe_at().is_some_and(|at| at <= now) {
            self.sent.oldest().cloned().for_each(again);
            self.backoff += 1;
            self.probes = 1;
            self.path.on_timeout();
            // The next one counts from now even if this one cannot go out.
            self.eliciting_at = now;
            elapsed.probe = true;
        }
        elapsed
    }

    /// When [`on_timeout`](Self::on_timeout) has something to do, or an acknowledgement becomes
    /// due. One that is due already only waits to be sent.
    pub(crate) fn next_timeout(&self, now: Time) -> Option<Time> {
        let ack = self.received.due().filter(|&due| now < due);
        let due = [self.sent.loss_at(), self.probe_at(), ack];
        due.into_iter().flatten().min()
    }

    /// When the next probe is due: while something is in flight.
    fn probe_at(&self) -> Option<Time> {
        (0 < self.sent.in_flight()).then(|| {
            let backoff = 1_u32 << self.backoff.min(BACKOFF_MAX);
            let floor = self.config.probe_timeout_min;
            let most = self.config.probe_timeout_max.max(self.patience());
            let wait = self.rtt.probe_timeout(self.peer_ack_delay, floor) * backoff;
            self.eliciting_at + wait.min(most)
        })
    }

    /// The probe time-out before any back-off.
    pub(crate) fn probe_timeout(&self) -> Duration {
        self.rtt.probe_timeout(self.peer_ack_delay, self.config.probe_timeout_min)
    }

    /// The same where too long a wait does harm: for the longest wait before the next probe, and
    /// until the other side counts as silent.
    ///
    /// When a process goes on that was held up for seconds, it acknowledges what has waited for so
    /// long. The smoothed time remembers that for many round trips, in which its death must not go
    /// unnoticed.
    pub(crate) fn patience(&self) -> Duration {
        let most = self.config.probe_timeout_max.max(2 * self.rtt.shortest());
        self.probe_timeout().min(most)
    }

    /// Whether a probe has to go out.
    pub(crate) const fn owes_probe(&self) -> bool {
        0 < self.probes
    }

    /// Whether one more datagram that wants an acknowledgement may go out now.
    pub(crate) fn may_send(&self, now: Time) -> bool {
        self.path.may_send(now, self.sent.bytes_in_flight())
    }

    /// When one more may go out, if nothing but its pace holds it back.
    pub(crate) fn paced_until(&self, now: Time) -> Option<Time> {
        self.path.paced_until(now, self.sent.bytes_in_flight())
    }

    /// How many datagrams are in flight.
    pub(crate) const fn in_flight(&self) -> usize {
        self.sent.in_flight()
    }

    /// The number of the datagram that goes out next.
    pub(crate) const fn next_number(&self) -> PacketNumber {
        self.next
    }

    /// A frame goes into the datagram that goes out now.
    pub(crate) fn push(&mut self, frame: SentFrame) {
        self.sent.push(frame);
    }

    /// A datagram of so many bytes goes out, under the [next number](Self::next_number). If it
    /// carries an acknowledgement that is done with; if it wants one it is waited for.
    pub(crate) fn on_sent(&mut self, now: Time, bytes: usize, acks: bool, eliciting: bool) {
        let acked = if acks { self.received.largest() } else { None };
        if acks {
            self.received.on_ack_sent();
        }
        if !eliciting {
            self.next = self.next.next();
            self.path.on_any_sent();
            return;
        }
        if self.sent.in_flight() == 0 && self.idle_after() < now.since(self.eliciting_at) {
            self.path.on_idle();
        }
        self.record(now, bytes, acked);
        self.probes = self.probes.saturating_sub(1);
    }

    /// A datagram goes out that tries whether the path carries its size.
    pub(crate) fn on_path_probe_sent(&mut self, now: Time, bytes: usize) {
        self.path.on_probe_sent(self.next.0);
        self.record(now, bytes, None);
    }

    /// A datagram that wants an acknowledgement goes out.
    fn record(&mut self, now: Time, bytes: usize, acked: Option<u64>) {
        let number = self.next;
        self.next = number.next();
        self.sent.on_sent(now, number, acked, bytes);
        self.path.on_any_sent();
        self.path.on_sent(now, number.0, bytes, self.sent.bytes_in_flight(), &self.rtt);
        self.eliciting_at = now;
    }

    /// After so long without anything in flight the path may have changed.
    fn idle_after(&self) -> Duration {
        (IDLE_PROBES * self.probe_timeout()).max(IDLE_MIN)
    }

    /// Since when the other side owes an answer and has said nothing at all; `None` if it owes
    /// none.
    pub(crate) fn quiet_since(&self) -> Option<Time> {
        Some(self.unanswered_since()?.max(self.heard_at.unwrap_or(Time::ZERO)))
    }

    /// Since when the other side owes an acknowledgement, whatever else it says: if only its own
    /// datagrams get through it is heard of and yet hears nothing. `None` if it owes none.
    pub(crate) fn unanswered_since(&self) -> Option<Time> {
        Some(self.sent.oldest_sent_at()?.max(self.awake_since))
    }

    /// Since when nothing but small datagrams has got through, if that is no chance.
    pub(crate) fn swallowed_since(&self) -> Option<Time> {
        Some(self.sent.swallowed_since()?.max(self.awake_since))
    }

    /// When something last came in.
    pub(crate) const fn heard_at(&self) -> Option<Time> {
        self.heard_at
    }

    /// Silence before this does not count.
    pub(crate) const fn awake_since(&self) -> Time {
        self.awake_since
    }

    /// This process was held up: what other sides said in the meantime may still be on its way up.
    pub(crate) const fn on_wake(&mut self, now: Time) {
        self.awake_since = now;
    }

    /// The other side has said how long it keeps acknowledgements back.
    pub(crate) fn set_peer_ack_delay(&mut self, delay: Duration) {
        self.peer_ack_delay = delay.min(ACK_DELAY_BELIEVED);
    }

    /// The round-trip time, once it has been measured.
    pub(crate) const fn measured_rtt(&self) -> Option<Duration> {
        self.rtt.measured()
    }
}

/// When all was lost for longer than so many probe time-outs, nothing known of the path counts any
/// more (RFC 9002, `kPersistentCongestionThreshold`).
const OUTAGE_PROBES: u32 = 3;

/// When nothing was in flight for so many probe time-outs, the path may have changed.
const IDLE_PROBES: u32 = 4;

/// And at least for so long.
const IDLE_MIN: Duration = Duration::from_millis(200);

/// Doubling goes no further; the longest wait is a setting.
const BACKOFF_MAX: u32 = 16;

/// Operating systems hold datagrams back for milliseconds now and then; what takes no longer than
/// that is late, not lost.
pub(super) const LOSS_DELAY_MIN: Duration = Duration::from_millis(5);

/// A node that asks for more patience than this does not get it.
const ACK_DELAY_BELIEVED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CallId;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn link() -> Link {
        Link::new(Arc::new(Transport::default()), at(0), None, false)
    }

    fn send(link: &mut Link, now: Time, call: u64) {
        link.push(SentFrame::Piece { call: CallId(call), bytes: 0..1 });
        link.on_sent(now, 1_200, false, true);
    }

    fn ack(link: &mut Link, now: Time, largest: u64) {
        let ack = schema::Ack { largest, ..schema::Ack::default() };
        link.on_ack(now, &ack, |_| ()).unwrap();
    }

    #[test]
    fn probes_come_further_apart_up_to_the_setting() {
        let mut link = link();
        send(&mut link, at(0), 0);
        let mut times = Vec::new();
        while times.len() < 6 {
            let due = link.next_timeout(at(0)).unwrap();
            let mut again = Vec::new();
            let elapsed = link.on_timeout(due, |frame| again.push(frame));
            assert!(elapsed.probe && link.owes_probe());
            assert_eq!(again.len(), 1, "the oldest datagram's frame");
            times.push(due.as_nanos() / 1_000_000);
            send(&mut link, due, 0);
        }
        assert_eq!(times, [65, 65 + 130, 195 + 250, 445 + 250, 695 + 250, 945 + 250]);
    }

    #[test]
    fn a_black_hole_is_sent_at_most_30_datagrams_in_5_seconds() {
        let mut link = link();
        send(&mut link, at(0), 0);
        let mut count = 1;
        while let Some(due) = link.next_timeout(at(0)).filter(|&due| due < at(5_000)) {
            link.on_timeout(due, |_| ());
            send(&mut link, due, 0);
            count += 1;
        }
        assert!((15..=30).contains(&count), "{count}");
    }

    #[test]
    fn an_acknowledgement_ends_the_back_off() {
        let mut link = link();
        send(&mut link, at(0), 0);
        link.on_timeout(at(65), |_| ());
        send(&mut link, at(65), 0);
        ack(&mut link, at(66), 1);
        assert!(!link.owes_probe());
        send(&mut link, at(70), 1);
        // One round trip of a millisecond has been measured: 1 + 2 + 5 ms, and not below 10.
        let due = link.next_timeout(at(0)).unwrap();
        assert_eq!(due, at(80).min(due), "{due:?}");
    }

    #[test]
    fn the_window_fills_and_opens_again() {
        let mut link = link();
        for call in 0..32 {
            assert!(link.may_send(at(0)));
            send(&mut link, at(0), call);
        }
        assert!(!link.may_send(at(0)));
        ack(&mut link, at(1), 0);
        assert!(link.may_send(at(1)));
    }

    #[test]
    fn quiet_counts_from_what_is_owed_or_heard_last() {
        let mut link = link();
        assert_eq!(link.quiet_since(), None);
        send(&mut link, at(10), 0);
        assert_eq!(link.quiet_since(), Some(at(10)));
        link.on_datagram(at(20), PacketNumber(0), Ecn::Ect0, false, false);
        assert_eq!(link.quiet_since(), Some(at(20)));
        link.on_wake(at(50));
        assert_eq!(link.quiet_since(), Some(at(50)));
        ack(&mut link, at(60), 0);
        assert_eq!(link.quiet_since(), None);
    }
}
