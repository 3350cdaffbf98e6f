//! [`Path`]: what is known of the network between two nodes: how much may be on its way there, how
//! fast, in which size, and whether it can mark.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{BASE_DATAGRAM_BYTES, Network, Transport};
use crate::deadline::Time;
use crate::ecn::Ecn;
use crate::observe::{Event, Observe};
use crate::proto::congestion::{Acked, Cubic, Losses, Sizes, Window};
use crate::proto::marking::Marking;
use crate::proto::pacer::{PACED_RTT_MIN, Pacer, Rate};
use crate::proto::path_mtu::PathMtu;
use crate::proto::rtt::Rtt;
use crate::proto::sent::{AckReport, Watched};
use crate::wire::{Marks, schema};

/// The path to the other side of a session.
#[derive(Debug)]
pub(crate) struct Path {
    network: Network,
    window: Window<Cubic>,
    pacer: Pacer,
    marking: Marking,
    mtu: PathMtu,
    /// How large a datagram could be when that last changed.
    told_bytes: usize,
    news: News,
}

/// What has become known of a path, for whoever watches.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct News {
    /// It is congested, and whether a mark says so.
    pub(crate) congested: Option<bool>,
    /// How large a datagram may be, if that has changed.
    pub(crate) datagram_bytes: Option<usize>,
}

impl News {
    /// Tells whoever watches.
    pub(crate) fn tell(self, to: SocketAddr, observe: &Observe) {
        if let Some(marked) = self.congested {
            observe.emit(Event::Congested { to, marked });
        }
        if let Some(bytes) = self.datagram_bytes {
            observe.emit(Event::DatagramSize { to, bytes });
        }
    }
}

impl Path {
    /// A path of which nothing is known.
    pub(crate) fn new(config: &Transport, loopback: bool) -> Self {
        let mtu = PathMtu::new(config.datagram_bytes, loopback);
        Self {
            network: config.network,
            window: Window::new(sizes(config.network, &mtu)),
            pacer: Pacer::new(),
            marking: Marking::new(),
            mtu,
            told_bytes: BASE_DATAGRAM_BYTES,
            news: News::default(),
        }
    }

    /// Whether one more datagram may go out now, beside `in_flight` bytes.
    pub(crate) fn may_send(&self, now: Time, in_flight: u64) -> bool {
        self.has_window(in_flight) && self.pacer.free_at() <= now
    }

    /// When one more may go out, if nothing but its pace holds it back.
    pub(crate) fn paced_until(&self, now: Time, in_flight: u64) -> Option<Time> {
        let free_at = self.pacer.free_at();
        (now < free_at && self.has_window(in_flight)).then_some(free_at)
    }

    /// Whether the window has room for one more datagram.
    fn has_window(&self, in_flight: u64) -> bool {
        in_flight == 0 || in_flight + self.mtu.bytes() as u64 <= self.window.bytes()
    }

    /// What is written on the next datagram for the network.
    pub(crate) const fn ecn(&self) -> Ecn {
        self.marking.ecn()
    }

    /// How large a datagram may be.
    pub(crate) fn datagram_bytes(&self) -> usize {
        self.mtu.bytes()
    }

    /// A datagram goes out that would have been larger if it could.
    pub(crate) const fn on_full_datagram(&mut self) {
        self.mtu.on_full();
    }

    /// How large the datagram is that is to try whether the path carries its size, if one is to go
    /// out now.
    pub(crate) fn probe_due(&self, now: Time) -> Option<usize> {
        self.mtu.probe_due(now)
    }

    /// It goes out.
    pub(crate) const fn on_probe_sent(&mut self, number: u64) {
        self.mtu.on_probe_sent(number);
    }

    /// Any datagram goes out.
    pub(crate) const fn on_any_sent(&mut self) {
        self.marking.on_sent();
    }

    /// A datagram goes out that wants an acknowledgement; `in_flight` bytes are on their way then.
    pub(crate) fn on_sent(
        &mut self,
        now: Time,
        number: u64,
        bytes: usize,
        in_flight: u64,
        rtt: &Rtt,
    ) {
        let datagram = self.mtu.bytes() as u64;
        self.window.on_sent(number, in_flight, datagram);
        if PACED_RTT_MIN <= rtt.shortest() {
            let rate = Rate {
                window: self.window.bytes(),
                rtt: rtt.smoothed(),
                searching: self.window.is_searching(),
                datagram,
            };
            self.pacer.on_sent(now, bytes as u64, rate);
        }
    }

    /// Nothing was in flight for so long that the path may have changed.
    pub(crate) fn on_idle(&mut self) {
        self.window.on_idle();
    }

    /// A probe is due because nothing has been acknowledged.
    pub(crate) const fn on_timeout(&mut self) {
        self.marking.on_probe();
    }

    /// The datagrams whose arrival says something of the path.
    pub(crate) const fn watched(&self) -> Watched {
        Watched { growing: self.window.growing(), path_probe: self.mtu.probe() }
    }

    /// An acknowledgement has come in. The next datagram has the number `next`.
    pub(crate) fn on_ack(
        &mut self,
        now: Time,
        ack: &schema::Ack,
        report: &AckReport,
        rtt: &Rtt,
        next: u64,
    ) {
        if report.progress {
            self.window.on_ack(&Acked {
                now,
                bytes: report.growing,
                largest: ack.largest,
                sample: report.sample.map(|_| rtt.adjusted()),
                rtt: rtt.smoothed(),
            });
        }
        report.late.iter().for_each(|&lost_at| self.window.on_late(lost_at));
        let more_marks = self.marking.on_ack(Marks { congested: ack.ce, bare: ack.bare });
        if more_marks && self.window.on_marked(now, ack.largest, next) {
            self.news.congested = Some(true);
        }
        if let Some(number) = report.large {
            self.mtu.on_large_arrived(number);
        }
        if let Some(bytes) = report.path_probe {
            self.mtu.on_probe_arrived(bytes);
            self.on_other_size();
        }
    }

    /// Datagrams were lost. `outage` is for how long nothing need arrive until nothing known of the
    /// path counts any more.
    pub(crate) fn on_lost(&mut self, now: Time, losses: &Losses, next: u64, outage: Duration) {
        if losses.path_probe {
            self.mtu.on_probe_lost(now);
        }
        if 0 < losses.count && self.window.on_lost(now, losses, next, outage) {
            self.news.congested = Some(false);
        }
        if let Some(number) = losses.large {
            self.mtu.on_large_lost(now, number, next);
            self.on_other_size();
        }
    }

    /// The operating system has refused a datagram for its size.
    pub(crate) fn on_too_large(&mut self, now: Time, bytes: usize) {
        self.mtu.on_refused(now, bytes);
        self.on_other_size();
    }

    /// The other side takes datagrams of so many bytes.
    pub(crate) fn set_peer_datagram_bytes(&mut self, bytes: usize) {
        self.mtu.set_peer_max(bytes);
        self.on_other_size();
    }

    /// Datagrams may have another size now.
    fn on_other_size(&mut self) {
        let bytes = self.mtu.bytes();
        if bytes != self.told_bytes {
            self.told_bytes = bytes;
            self.news.datagram_bytes = Some(bytes);
            self.window.set_sizes(sizes(self.network, &self.mtu));
        }
    }

    /// What has become known since this was last asked.
    pub(crate) const fn take_news(&mut self) -> News {
        std::mem::replace(&mut self.news, News { congested: None, datagram_bytes: None })
    }
}

/// What the window is counted in, on such a network and with datagrams of this size.
fn sizes(network: Network, mtu: &PathMtu) -> Sizes {
    let datagram = mtu.carried() as u64;
    // Jumbo frames are no reason to have six times as many bytes in flight: on the way there may be
    // a slow link.
    let usual = if mtu.is_loopback() { datagram } else { datagram.min(COUNTED_BYTES_MAX) };
    let two = 2 * datagram;
    let (initial, min) = match network {
        Network::Lan => (LAN_INITIAL_DATAGRAMS * usual, LAN_MIN_DATAGRAMS * usual),
        // RFC 9002 §7.2.
        Network::Wan => {
            let initial = (WAN_INITIAL_DATAGRAMS * datagram).min(WAN_INITIAL_BYTES);
            (initial, WAN_MIN_DATAGRAMS * datagram)
        }
    };
    Sizes { datagram, initial: initial.max(two), min: min.max(two) }
}

/// The window at the beginning on a local network: as much as the unscheduled bytes of Homa, and
/// not too much for the smallest receive buffer.
pub(super) const LAN_INITIAL_DATAGRAMS: u64 = 32;

/// And what it never falls below: what is missing there was more often held up than dropped.
pub(super) const LAN_MIN_DATAGRAMS: u64 = 16;

/// A larger datagram counts as more than one in these windows.
pub(super) const COUNTED_BYTES_MAX: u64 = 1_472;

/// The same between networks (RFC 9002 §7.2).
pub(super) const WAN_INITIAL_DATAGRAMS: u64 = 10;
pub(super) const WAN_MIN_DATAGRAMS: u64 = 2;
const WAN_INITIAL_BYTES: u64 = 14_720;

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes_of(network: Network, fixed: usize, loopback: bool) -> (u64, u64) {
        let Sizes { initial, min, .. } = sizes(network, &PathMtu::new(Some(fixed), loopback));
        (initial, min)
    }

    #[test]
    fn windows_are_counted_in_datagrams_as_far_as_these_are_usual() {
        assert_eq!(sizes_of(Network::Lan, 1_200, false), (38_400, 19_200));
        assert_eq!(sizes_of(Network::Lan, 1_472, false), (47_104, 23_552));
        assert_eq!(sizes_of(Network::Lan, 8_952, false), (47_104, 23_552));
        assert_eq!(sizes_of(Network::Lan, 60_000, false), (120_000, 120_000));
        assert_eq!(sizes_of(Network::Lan, 16_384, true), (524_288, 262_144));
        assert_eq!(sizes_of(Network::Wan, 1_200, false), (12_000, 2_400));
        assert_eq!(sizes_of(Network::Wan, 8_952, false), (17_904, 17_904));
    }

    #[test]
    fn a_window_without_room_for_a_whole_datagram_is_full() {
        let path = Path::new(&Transport::default(), false);
        assert!(path.may_send(Time::ZERO, 38_400 - 1_200));
        assert!(!path.may_send(Time::ZERO, 38_400 - 1_199));
    }

    #[test]
    fn the_loss_of_what_only_tries_its_size_is_no_congestion() {
        let mut path = Path::new(&Transport::default(), false);
        path.set_peer_datagram_bytes(65_507);
        path.on_full_datagram();
        for number in 0..3 {
            assert_eq!(path.probe_due(Time::ZERO), Some(1_232));
            path.on_probe_sent(number);
            assert_eq!(path.watched().path_probe, Some(number));
            let losses = Losses { path_probe: true, ..Losses::default() };
            path.on_lost(Time::ZERO, &losses, number + 1, Duration::MAX);
        }
        assert_eq!(path.probe_due(Time::ZERO), None);
        assert_eq!(path.take_news(), News::default());
        assert!(path.may_send(Time::ZERO, 38_400 - 1_200));
    }

    #[test]
    fn what_changes_is_told_once() {
        let mut path = Path::new(&Transport::default(), true);
        path.set_peer_datagram_bytes(65_507);
        assert_eq!(path.take_news(), News::default());
        path.mtu.on_probe_sent(0);
        let ack = schema::Ack::default();
        let report = AckReport { path_probe: Some(16_384), ..AckReport::default() };
        path.on_ack(Time::ZERO, &ack, &report, &Rtt::new(Duration::ZERO), 1);
        let news = News { congested: None, datagram_bytes: Some(16_384) };
        assert_eq!(path.take_news(), news);
        assert_eq!(path.take_news(), News::default());
        let losses = Losses { count: 1, ..Losses::default() };
        path.on_lost(Time::ZERO, &losses, 9, Duration::MAX);
        path.on_lost(Time::ZERO, &losses, 9, Duration::MAX);
        assert_eq!(path.take_news().congested, Some(false));
        assert_eq!(path.take_news().congested, None);
    }
}
