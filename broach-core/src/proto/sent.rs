//! What has been sent in a session and not acknowledged yet, and what of it is lost
//! (RFC 9002 §6.1).

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::config::BASE_DATAGRAM_BYTES;
use crate::deadline::Time;
use crate::ids::{CallId, PacketNumber};
use crate::proto::congestion::Losses;
use crate::wire::schema;

/// Something that goes out again if the datagram that carried it is lost.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SentFrame {
    /// Bytes of a call.
    Piece {
        /// The call.
        call: CallId,
        /// Which bytes.
        bytes: Range<u64>,
    },
    /// The end of a call of which nobody wants to know any more.
    Cancel(CallId),
    /// How much of a call may be sent.
    Credit(CallId),
    /// How much may be sent of each call.
    Allowance,
    /// What this node can do.
    Hello,
    /// A wish for an acknowledgement.
    Ping,
    /// A wish that new calls be made elsewhere.
    Goaway,
}

/// The datagrams of a session that want an acknowledgement, in the order of their numbers.
///
/// Their frames lie in one queue in the same order, so that a datagram costs no memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    packets: VecDeque<SentPacket>,
    frames: VecDeque<SentFrame>,
    /// How many frames have been dropped off the front of `frames` so far.
    frames_dropped: u64,
    /// How many packets are neither acknowledged nor lost, and their bytes.
    in_flight: usize,
    bytes_in_flight: u64,
    largest_acked: Option<u64>,
    /// When the next packet counts as lost if nothing more is heard.
    loss_at: Option<Time>,
    /// How many later packets may arrive before one counts as lost.
    reordering: u64,
    /// All that were not small have been lost since, if any were.
    swallowed: Option<Swallowed>,
}

/// Datagrams that were not small and got lost, one after the other.
#[derive(Clone, Copy, Debug)]
struct Swallowed {
    since: Time,
    count: u32,
}

#[derive(Debug)]
struct SentPacket {
    number: u64,
    sent_at: Time,
    /// Where its frames end, counted over all frames ever.
    frames_end: u64,
    /// The highest number in the acknowledgement that it carried.
    acked: Option<u64>,
    bytes: u32,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    InFlight,
    Acked,
    Lost(Time),
}

/// Datagrams whose arrival says more than that they have arrived.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// Those that let the window grow.
    pub(crate) growing: Range<u64>,
    /// The one that tries whether the path carries its size.
    pub(crate) path_probe: Option<u64>,
}

/// What an acknowledgement tells.
#[derive(Debug, Default)]
pub(crate) struct AckReport {
    /// The round trip of the newest datagram, if it was not acknowledged before.
    pub(crate) sample: Option<Duration>,
    /// Whether any datagram was not acknowledged before.
    pub(crate) progress: bool,
    /// The highest number in an acknowledgement of ours that the other side has now seen.
    pub(crate) ack_seen: Option<u64>,
    /// Bytes of those that let the window grow.
    pub(crate) growing: u64,
    /// Bytes of the one that was to try its size.
    pub(crate) path_probe: Option<usize>,
    /// The highest number of one that is larger than every path carries.
    pub(crate) large: Option<u64>,
    /// When those were given up that have arrived all the same.
    pub(crate) late: Vec<Time>,
}

/// An acknowledgement names datagrams that were never sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NeverSent;

impl Sent {
    pub(crate) fn new() -> Self {
        Self { reordering: REORDERING_MIN, ..Self::default() }
    }

    /// A datagram goes out; its frames have been added with [`push`](Self::push) before.
    pub(crate) fn on_sent(
        &mut self,
        now: Time,
        number: PacketNumber,
        acked: Option<u64>,
        bytes: usize,
    ) {
        let frames_end = self.frames_dropped + self.frames.len() as u64;
        let fate = Fate::InFlight;
        self.packets.push_back(SentPacket {
            number: number.0,
            sent_at: now,
            frames_end,
            acked,
            bytes: bytes as u32,
            fate,
        });
        self.in_flight += 1;
        self.bytes_in_flight += bytes as u64;
    }

    /// Adds a frame to the datagram that goes out next.
    pub(crate) fn push(&mut self, frame: SentFrame) {
        self.frames.push_back(frame);
    }

    /// Takes in an acknowledgement. The frames that have arrived go to `arrived`.
    ///
    /// # Errors
    ///
    /// If it names datagrams that were never sent; nothing is changed then.
    pub(crate) fn on_ack(
        &mut self,
        now: Time,
        ack: &schema::Ack,
        next: PacketNumber,
        watched: &Watched,
        mut arrived: impl FnMut(SentFrame),
    ) -> Result<AckReport, NeverSent> {
        if next.0 <= ack.largest || ack.largest < ack.below {
            return Err(NeverSent);
        }
        let mut report = AckReport::default();
        let newest = self.packets.partition_point(|packet| packet.number < ack.largest);
        let newest = self.packets.get(newest).filter(|packet| packet.number == ack.largest);
        let newest = newest.filter(|packet| packet.fate != Fate::Acked);
        report.sample = newest.map(|packet| now.since(packet.sent_at));
        let mut acked = |range| self.acked_range(range, watched, &mut report, &mut arrived);
        acked(ack.largest - ack.below..ack.largest + 1);
        let mut bottom = ack.largest - ack.below;
        for pair in ack.ranges.chunks_exact(2) {
            // A pair that goes below zero is nonsense, and so is all that follows.
            let Some(end) = bottom.checked_sub(pair[0]) else {
                break;
            };
            let Some(start) = end.checked_sub(pair[1]) else {
                break;
            };
            acked(start..end);
            bottom = start;
        }
        if report.progress {
            self.largest_acked = self.largest_acked.max(Some(ack.largest));
        }
        self.drop_front(now);
        Ok(report)
    }

    /// Marks the packets of a range as arrived.
    fn acked_range(
        &mut self,
        range: Range<u64>,
        watched: &Watched,
        report: &mut AckReport,
        arrived: &mut impl FnMut(SentFrame),
    ) {
        let from = self.packets.partition_point(|packet| packet.number < range.start);
        for index in from..self.packets.len() {
            let frames = self.frames_of(index);
            let packet = &mut self.packets[index];
            if range.end <= packet.number {
                break;
            }
            match packet.fate {
                Fate::Acked => continue,
                Fate::InFlight => {
                    self.in_flight -= 1;
                    self.bytes_in_flight -= u64::from(packet.bytes);
                }
                // It was only late: the network reorders more than was thought.
                Fate::Lost(at) => {
                    self.reordering = (2 * self.reordering).min(REORDERING_MAX);
                    report.late.push(at);
                }
            }
            packet.fate = Fate::Acked;
            report.progress = true;
            report.ack_seen = report.ack_seen.max(packet.acked);
            let bytes = packet.bytes as usize;
            if SMALL_BYTES < bytes {
                self.swallowed = None;
            }
            if watched.growing.contains(&packet.number) {
                report.growing += bytes as u64;
            }
            if watched.path_probe == Some(packet.number) {
                report.path_probe = Some(bytes);
            } else if BASE_DATAGRAM_BYTES < bytes {
                report.large = report.large.max(Some(packet.number));
            }
            for frame in self.frames.range(frames) {
                arrived(frame.clone());
            }
        }
    }

    /// Finds the datagrams that count as lost: later ones have arrived, enough of them or long
    /// enough ago. Their frames go to `lost`. That the one which tries whether the path carries its
    /// size is lost says something of its size only.
    pub(crate) fn detect_lost(
        &mut self,
        now: Time,
        delay: Duration,
        path_probe: Option<u64>,
        mut lost: impl FnMut(SentFrame),
    ) -> Losses {
        self.loss_at = None;
        let mut losses = Losses::default();
        let Some(largest) = self.largest_acked else {
            return losses;
        };
        // Since when all has been lost, without anything between that has arrived.
        let mut since = None;
        for index in 0..self.packets.len() {
            let packet = &self.packets[index];
            if largest < packet.number {
                break;
            }
            if packet.fate != Fate::InFlight {
                since = None;
                continue;
            }
            let late = packet.sent_at + delay;
            if now < late && largest < packet.number + self.reordering {
                self.loss_at = Some(self.loss_at.map_or(late, |at| at.min(late)));
                since = None;
                continue;
            }
            if path_probe == Some(packet.number) {
                losses.path_probe = true;
            } else {
                let first = *since.get_or_insert(packet.sent_at);
                losses.lasted = losses.lasted.max(packet.sent_at.since(first));
                losses.count += 1;
                losses.largest = packet.number;
                if BASE_DATAGRAM_BYTES < packet.bytes as usize {
                    losses.large = Some(packet.number);
                }
                if SMALL_BYTES < packet.bytes as usize {
                    let none = Swallowed { since: packet.sent_at, count: 0 };
                    self.swallowed.get_or_insert(none).count += 1;
                }
            }
            self.in_flight -= 1;
            self.bytes_in_flight -= u64::from(packet.bytes);
            self.packets[index].fate = Fate::Lost(now);
            for frame in self.frames.range(self.frames_of(index)) {
                lost(frame.clone());
            }
        }
        self.drop_front(now);
        losses
    }

    /// Everything counts as lost: the other side has said that it took none of it.
    pub(crate) fn lose_all(&mut self, mut lost: impl FnMut(SentFrame)) {
        for index in 0..self.packets.len() {
            if self.packets[index].fate == Fate::InFlight {
                for frame in self.frames.range(self.frames_of(index)) {
                    lost(frame.clone());
                }
            }
        }
        self.frames_dropped += self.frames.len() as u64;
        self.packets.clear();
        self.frames.clear();
        (self.in_flight, self.bytes_in_flight) = (0, 0);
        self.loss_at = None;
    }

    /// The frames of the oldest datagram in flight, to be sent again as a probe.
    pub(crate) fn oldest(&self) -> impl Iterator<Item = &SentFrame> {
        let index = self.packets.iter().position(|packet| packet.fate == Fate::InFlight);
        let frames = index.map_or(0..0, |index| self.frames_of(index));
        self.frames.range(frames)
    }

    /// When the oldest datagram in flight was sent.
    pub(crate) fn oldest_sent_at(&self) -> Option<Time> {
        let oldest = self.packets.iter().find(|packet| packet.fate == Fate::InFlight);
        oldest.map(|packet| packet.sent_at)
    }

    /// Since when nothing but small datagrams has arrived, although many were sent that are not. It
    /// may be that the path carries none.
    pub(crate) fn swallowed_since(&self) -> Option<Time> {
        self.swallowed.filter(|swallowed| SWALLOWED_MIN <= swallowed.count).map(|one| one.since)
    }

    /// How many datagrams are in flight.
    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// And their bytes.
    pub(crate) const fn bytes_in_flight(&self) -> u64 {
        self.bytes_in_flight
    }

    /// When [`detect_lost`](Self::detect_lost) will find something.
    pub(crate) const fn loss_at(&self) -> Option<Time> {
        self.loss_at
    }

    /// Where the frames of a packet lie in the queue.
    fn frames_of(&self, index: usize) -> Range<usize> {
        let end = self.packets[index].frames_end - self.frames_dropped;
        let start = match index.checked_sub(1) {
            Some(before) => self.packets[before].frames_end - self.frames_dropped,
            None => 0,
        };
        start as usize..end as usize
    }

    /// Forgets what is settled at the front. Lost datagrams stay for a while: if one arrives all
    /// the same, that tells how far the network reorders.
    fn drop_front(&mut self, now: Time) {
        while let Some(first) = self.packets.front() {
            let settled = match first.fate {
                Fate::InFlight => false,
                Fate::Acked => true,
                Fate::Lost(at) => LOST_KEPT < now.since(at) || LOST_MAX < self.packets.len(),
            };
            if !settled {
                break;
            }
            let frames = self.frames_of(0).len();
            self.frames.drain(..frames);
            self.frames_dropped += frames as u64;
            self.packets.pop_front();
        }
    }
}

/// So many later datagrams may overtake one before it counts as lost (RFC 9002,
/// `kPacketThreshold`).
pub(super) const REORDERING_MIN: u64 = 3;

/// Networks that reorder further than this are left to the time threshold.
pub(super) const REORDERING_MAX: u64 = 64;

/// How long a lost datagram is remembered.
const LOST_KEPT: Duration = Duration::from_millis(200);

/// More packets than this are not kept behind a lost one.
const LOST_MAX: usize = 256;

/// What gets through the narrowest path of IPv4, which carries 576 bytes with its own headers and
/// those of UDP.
const SMALL_BYTES: usize = 576 - 28;

/// So many larger datagrams are not lost one after the other by chance.
const SWALLOWED_MIN: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(5);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn frame(call: u64) -> SentFrame {
        SentFrame::Piece { call: CallId(call), bytes: 0..1 }
    }

    /// Datagrams 0 to `count`, a millisecond apart, each with two frames of its number.
    fn sent(count: u64) -> Sent {
        let mut sent = Sent::new();
        for number in 0..count {
            sent.push(frame(number));
            sent.push(SentFrame::Cancel(CallId(number)));
            sent.on_sent(at(number), PacketNumber(number), None, 100);
        }
        sent
    }

    fn ack(sent: &mut Sent, now: Time, largest: u64, below: u64, ranges: &[u64]) -> Vec<SentFrame> {
        let ranges = ranges.to_vec();
        let ack = schema::Ack { largest, below, ranges, ..schema::Ack::default() };
        let mut arrived = Vec::new();
        sent.on_ack(now, &ack, PacketNumber(1_000), &watched(0..0), |frame| arrived.push(frame))
            .unwrap();
        arrived
    }

    fn lost(sent: &mut Sent, now: Time) -> Vec<SentFrame> {
        let mut lost = Vec::new();
        sent.detect_lost(now, DELAY, None, |frame| lost.push(frame));
        lost
    }

    const fn watched(growing: Range<u64>) -> Watched {
        Watched { growing, path_probe: None }
    }

    #[test]
    fn frames_arrive_with_their_datagram_and_once() {
        let mut sent = sent(3);
        let expected = [frame(1), SentFrame::Cancel(CallId(1))];
        assert_eq!(ack(&mut sent, at(3), 1, 0, &[]), expected);
        assert_eq!(ack(&mut sent, at(3), 1, 0, &[]), []);
        assert_eq!(ack(&mut sent, at(3), 2, 2, &[]).len(), 4);
        assert_eq!(sent.in_flight(), 0);
        assert!(sent.frames.is_empty() && sent.packets.is_empty());
    }

    #[test]
    fn the_sample_is_of_the_newest_datagram_only() {
        let mut sent = sent(3);
        let none = |_| {};
        let newest = schema::Ack { largest: 2, ..schema::Ack::default() };
        let report = sent.on_ack(at(10), &newest, PacketNumber(3), &watched(0..0), none).unwrap();
        assert_eq!(report.sample, Some(Duration::from_millis(8)));
        let older = schema::Ack { largest: 2, below: 2, ..schema::Ack::default() };
        let report = sent.on_ack(at(20), &older, PacketNumber(3), &watched(0..0), none).unwrap();
        assert_eq!(report.sample, None);
        assert!(report.progress);
    }

    #[test]
    fn three_later_arrivals_make_a_loss() {
        let mut sent = sent(5);
        ack(&mut sent, at(4), 3, 0, &[]);
        assert_eq!(lost(&mut sent, at(4)), [frame(0), SentFrame::Cancel(CallId(0))]);
        assert_eq!(sent.loss_at(), Some(at(1) + DELAY));
        assert_eq!(lost(&mut sent, at(7)).len(), 4, "1 and 2 are late by then");
        assert_eq!(sent.in_flight(), 1);
    }

    #[test]
    fn nothing_is_lost_before_a_later_one_has_arrived() {
        let mut sent = sent(5);
        assert_eq!(lost(&mut sent, at(1_000)), []);
    }

    #[test]
    fn a_loss_that_was_none_makes_it_more_patient() {
        let mut sent = sent(20);
        ack(&mut sent, at(19), 3, 0, &[]);
        assert_eq!(lost(&mut sent, at(3)).len(), 2);
        assert_eq!(ack(&mut sent, at(19), 0, 0, &[]).len(), 2, "late, but here");
        assert_eq!(sent.reordering, 2 * REORDERING_MIN);
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_refused() {
        let mut sent = sent(3);
        for ack in [
            schema::Ack { largest: 3, ..schema::Ack::default() },
            schema::Ack { largest: 1, below: 2, ..schema::Ack::default() },
        ] {
            let result = sent.on_ack(at(3), &ack, PacketNumber(3), &watched(0..0), |_| ());
            assert_eq!(result.unwrap_err(), NeverSent);
        }
        assert_eq!(sent.in_flight(), 3);
    }

    #[test]
    fn ranges_with_gaps_are_followed_downward() {
        let mut sent = sent(10);
        // 9 and 8; 7 and 6 missing; 5, 4, 3; 2 missing; 1; and nonsense below.
        let arrived = ack(&mut sent, at(10), 9, 1, &[2, 3, 1, 1, 5, 5]);
        let calls: Vec<_> = arrived.iter().step_by(2).cloned().collect();
        assert_eq!(calls, [8, 9, 3, 4, 5, 1].map(frame));
    }

    #[test]
    fn what_was_refused_as_a_whole_goes_out_again() {
        let mut sent = sent(3);
        ack(&mut sent, at(3), 0, 0, &[]);
        let mut frames = Vec::new();
        sent.lose_all(|frame| frames.push(frame));
        assert_eq!(frames.len(), 4);
        assert_eq!(sent.in_flight(), 0);
        sent.push(frame(9));
        sent.on_sent(at(4), PacketNumber(3), None, 100);
        assert_eq!(Vec::from_iter(sent.oldest()), [&frame(9)]);
    }

    #[test]
    fn bytes_are_in_flight_until_they_have_arrived_or_are_lost() {
        let mut sent = sent(10);
        assert_eq!(sent.bytes_in_flight(), 1_000);
        let ack = schema::Ack { largest: 9, below: 4, ..schema::Ack::default() };
        let report = sent.on_ack(at(10), &ack, PacketNumber(10), &watched(3..8), |_| ()).unwrap();
        assert_eq!((report.growing, sent.bytes_in_flight()), (300, 500));
        let losses = sent.detect_lost(at(10), DELAY, None, |_| ());
        assert_eq!((losses.count, losses.largest), (5, 4));
        assert_eq!((losses.lasted, sent.bytes_in_flight()), (Duration::from_millis(4), 0));
        let late = schema::Ack { largest: 9, below: 9, ..schema::Ack::default() };
        let report = sent.on_ack(at(12), &late, PacketNumber(10), &watched(0..10), |_| ()).unwrap();
        assert_eq!((report.late, sent.bytes_in_flight()), (vec![at(10); 5], 0));
    }

    #[test]
    fn what_tries_its_size_is_no_loss_like_others() {
        let mut sent = sent(3);
        for (number, bytes) in [(3, 1_400), (4, 1_300), (5, 1_200), (6, 1_300), (7, 1_200)] {
            sent.on_sent(at(number), PacketNumber(number), None, bytes);
        }
        let tried = Watched { growing: 0..0, path_probe: Some(3) };
        let rest = schema::Ack { largest: 7, below: 2, ..schema::Ack::default() };
        let report = sent.on_ack(at(10), &rest, PacketNumber(8), &tried, |_| ()).unwrap();
        assert_eq!((report.path_probe, report.large), (None, Some(6)));
        let losses = sent.detect_lost(at(100), DELAY, Some(3), |_| ());
        assert_eq!((losses.count, losses.path_probe, losses.large), (4, true, Some(4)));
        let late = schema::Ack { largest: 3, ..schema::Ack::default() };
        let report = sent.on_ack(at(101), &late, PacketNumber(8), &tried, |_| ()).unwrap();
        assert_eq!((report.path_probe, report.large), (Some(1_400), None));
    }

    #[test]
    fn an_outage_ends_with_whatever_arrives_in_between() {
        let mut sent = sent(20);
        ack(&mut sent, at(20), 19, 3, &[5, 1]);
        let losses = sent.detect_lost(at(100), DELAY, None, |_| ());
        // 0 to 9, then 11 to 15.
        assert_eq!((losses.count, losses.lasted), (15, Duration::from_millis(9)));
    }
}
