//! [`Cubic`]: a window that comes back fast to where it last was too large, and looks about there
//! with care (RFC 9438).

use crate::deadline::Time;
use crate::proto::congestion::slow_start::SlowStart;
use crate::proto::congestion::{Acked, Controller, Sign, Sizes};

/// CUBIC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cubic {
    sizes: Sizes,
    window: u64,
    /// Below this the window doubles in each round trip; `None` until something was lost.
    threshold: Option<u64>,
    slow_start: SlowStart,
    /// How large the window was when it was last too large; RFC 9438 `W_max`.
    too_large: u64,
    curve: Option<Curve>,
}

/// The growth since the window was last made smaller.
#[derive(Clone, Copy, Debug)]
struct Curve {
    began: Time,
    /// When the window last grew.
    grew: Time,
    /// After how many seconds the curve is where the window was too large; RFC 9438 `K`.
    flat_at: f64,
    /// The window that Reno would have, in bytes; RFC 9438 `W_est`.
    reno: f64,
    /// The window before it was made smaller; RFC 9438 `cwnd_prior`.
    prior: f64,
}

impl Cubic {
    /// The curve from a window of `from` bytes on, beginning now.
    fn curve(&self, now: Time, from: u64, prior: u64) -> Curve {
        let below = self.too_large.saturating_sub(from) as f64 / self.sizes.datagram as f64;
        Curve {
            began: now,
            grew: now,
            flat_at: cube_root(below / SCALE),
            reno: from as f64,
            prior: prior as f64,
        }
    }

    /// Grows as after a loss (RFC 9438 §4.2 to §4.5).
    fn avoid(&mut self, ack: &Acked) {
        let window = self.window as f64;
        let datagram = self.sizes.datagram as f64;
        let mut curve = match self.curve {
            Some(curve) => curve,
            None => {
                self.too_large = self.too_large.max(self.window);
                self.curve(ack.now, self.window, self.window)
            }
        };
        // The curve stands still while the window is not used up.
        let pause = ack.now.since(curve.grew);
        if PAUSE_ROUNDS * ack.rtt < pause {
            curve.began = curve.began + pause;
        }
        curve.grew = ack.now;
        let at = (ack.now.since(curve.began) + ack.rtt).as_secs_f64() - curve.flat_at;
        let target = SCALE * at * at * at * datagram + self.too_large as f64;
        let target = target.clamp(window, 1.5 * window);
        let bytes = ack.bytes as f64;
        let slope = if curve.reno < curve.prior { RENO_SLOPE } else { 1.0 };
        curve.reno += slope * bytes * datagram / window;
        let grown = (window + (target - window) * bytes / window).max(curve.reno);
        self.window = grown as u64;
        self.curve = Some(curve);
    }
}

impl Controller for Cubic {
    fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            window: sizes.initial,
            threshold: None,
            slow_start: SlowStart::default(),
            too_large: 0,
            curve: None,
        }
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn is_searching(&self) -> bool {
        self.threshold.is_none_or(|threshold| self.window < threshold)
    }

    fn on_sent(&mut self, number: u64) {
        self.slow_start.on_sent(number);
    }

    fn on_ack(&mut self, ack: &Acked) {
        if !self.is_searching() {
            if 0 < ack.bytes {
                self.avoid(ack);
            }
            return;
        }
        let growth = self.slow_start.on_ack(ack);
        self.window = self.window.saturating_add(growth.bytes);
        if let Some(threshold) = self.threshold {
            self.window = self.window.min(threshold);
        }
        if growth.found {
            self.threshold = Some(self.window);
        }
    }

    fn on_congestion(&mut self, now: Time, sign: Sign) {
        let prior = self.window;
        // Others want their share if this is less than last time: RFC 9438 §4.7.
        self.too_large =
            if prior < self.too_large { (prior as f64 * (1.0 + KEPT) / 2.0) as u64 } else { prior };
        let part = if sign == Sign::Marked { KEPT_IF_MARKED } else { KEPT };
        let kept = ((prior as f64 * part) as u64).max(self.sizes.min);
        self.threshold = Some(kept);
        self.window = if sign == Sign::LostAll { self.sizes.min } else { kept };
        self.curve = (sign != Sign::LostAll).then(|| self.curve(now, kept, prior));
        self.slow_start = SlowStart::default();
    }

    fn on_idle(&mut self) {
        // What was good before the pause is a good place to look more closely: RFC 2861.
        if let Some(threshold) = &mut self.threshold {
            *threshold = (*threshold).max(self.window / 4 * 3);
        }
        self.window = self.window.min(self.sizes.initial);
        self.curve = None;
        self.slow_start = SlowStart::default();
    }

    fn set_sizes(&mut self, sizes: Sizes) {
        self.sizes = sizes;
        self.window = self.window.max(sizes.min);
    }
}

/// The cube root, the same on every machine: what the standard library calls is not.
fn cube_root(of: f64) -> f64 {
    if of <= 0.0 {
        return 0.0;
    }
    // Newton's method; a first guess that is too large gets closer by a third each time.
    let mut root = of.max(1.0);
    for _ in 0..CUBE_ROOT_STEPS {
        root = (2.0 * root + of / (root * root)) / 3.0;
    }
    root
}

/// How much of the window is left after congestion, RFC 9438 `beta_cubic`.
const KEPT: f64 = 0.7;

/// The same after a mark: routers that mark have short queues, and a window that falls far below
/// what they hold leaves the path idle (RFC 8511).
const KEPT_IF_MARKED: f64 = 0.85;

/// How steep the curve is, RFC 9438 `C`: datagrams per second cubed.
const SCALE: f64 = 0.4;

/// How fast Reno's window has to grow so that it loses as often as one that keeps
/// [`KEPT`](self::KEPT), RFC 9438 `alpha_cubic`.
const RENO_SLOPE: f64 = 3.0 * (1.0 - KEPT) / (1.0 + KEPT);

/// A window that has not grown for so many round trips was not used up.
const PAUSE_ROUNDS: u32 = 2;

/// Enough for the largest window there can be: each takes off a third of what is too much.
const CUBE_ROOT_STEPS: u32 = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SIZES: Sizes = Sizes { datagram: 1_000, initial: 32_000, min: 2_000 };
    const RTT: Duration = Duration::from_millis(100);

    /// Acknowledges a full window in each round trip; the window after each of them.
    fn rounds(cubic: &mut Cubic, now: &mut Time, count: usize) -> Vec<u64> {
        let mut round = || {
            *now = *now + RTT;
            let bytes = cubic.window();
            let ack = Acked { now: *now, bytes, largest: 0, sample: None, rtt: RTT };
            cubic.on_ack(&ack);
            cubic.window()
        };
        (0..count).map(|_| round()).collect()
    }

    #[test]
    fn cube_roots_are_right() {
        for (of, root) in
            [(0.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (27.0, 3.0), (1e15, 1e5), (1e-3, 0.1)]
        {
            assert!((cube_root(of) - root).abs() < 1e-9 * root.max(1.0), "{}", cube_root(of));
        }
    }

    #[test]
    fn it_doubles_until_something_is_lost_and_keeps_seven_tenths() {
        let (mut cubic, mut now) = (Cubic::new(SIZES), Time::ZERO);
        assert_eq!(rounds(&mut cubic, &mut now, 5).last(), Some(&1_024_000));
        cubic.on_congestion(now, Sign::Lost);
        assert_eq!(cubic.window(), 716_800);
        assert!(!cubic.is_searching());
    }

    #[test]
    fn it_is_back_where_it_was_after_k_seconds_and_flat_there() {
        let (mut cubic, mut now) = (Cubic::new(SIZES), Time::ZERO);
        rounds(&mut cubic, &mut now, 5);
        cubic.on_congestion(now, Sign::Lost);
        // K = (1024 * 0.3 / 0.4)^(1/3) = 9.16 s.
        let windows = rounds(&mut cubic, &mut now, 180);
        assert!((0.95..1.0).contains(&(windows[60] as f64 / 1_024_000.0)), "{}", windows[60]);
        assert!((0.99..1.01).contains(&(windows[91] as f64 / 1_024_000.0)), "{}", windows[91]);
        let (early, flat, late) =
            (windows[5] - windows[0], windows[93] - windows[88], windows[170] - windows[165]);
        assert!(4 * flat < early && 4 * flat < late, "{early} {flat} {late}");
    }

    #[test]
    fn a_small_window_grows_as_renos_would() {
        let (mut cubic, mut now) = (Cubic::new(SIZES), Time::ZERO);
        cubic.on_congestion(now, Sign::Lost);
        let windows = rounds(&mut cubic, &mut now, 20);
        // 22.4 datagrams, and about 0.53 more in each round trip.
        assert!((30_000..34_000).contains(&windows[19]), "{windows:?}");
    }

    #[test]
    fn a_window_that_was_too_large_earlier_than_last_time_makes_room() {
        let (mut cubic, mut now) = (Cubic::new(SIZES), Time::ZERO);
        rounds(&mut cubic, &mut now, 3);
        cubic.on_congestion(now, Sign::Lost);
        cubic.on_congestion(now, Sign::Lost);
        assert_eq!(cubic.too_large, (256_000.0 * 0.7 * 0.85) as u64);
    }

    #[test]
    fn time_in_which_the_window_is_not_used_up_does_not_count() {
        let (mut used, mut now) = (Cubic::new(SIZES), Time::ZERO);
        rounds(&mut used, &mut now, 5);
        used.on_congestion(now, Sign::Lost);
        rounds(&mut used, &mut now, 10);
        let (mut paused, mut later) = (used, now + Duration::from_secs(60));
        let (used, paused) = (rounds(&mut used, &mut now, 10), rounds(&mut paused, &mut later, 10));
        assert!(paused[9] <= used[9], "{paused:?} {used:?}");
        assert!(paused[9] * 10 > used[9] * 9, "{paused:?} {used:?}");
    }

    #[test]
    fn a_mark_costs_less_than_a_loss() {
        let (mut cubic, mut now) = (Cubic::new(SIZES), Time::ZERO);
        rounds(&mut cubic, &mut now, 5);
        cubic.on_congestion(now, Sign::Marked);
        assert_eq!(cubic.window(), 870_400);
    }

    #[test]
    fn it_never_falls_below_the_least() {
        let (mut cubic, now) = (Cubic::new(SIZES), Time::ZERO);
        (0..50).for_each(|_| cubic.on_congestion(now, Sign::Lost));
        assert_eq!(cubic.window(), SIZES.min);
        cubic.set_sizes(Sizes { min: 5_000, ..SIZES });
        assert_eq!(cubic.window(), 5_000);
    }

    #[test]
    fn after_a_pause_it_starts_again_and_doubles_up_to_where_it_was() {
        let (mut cubic, mut now) = (Cubic::new(SIZES), Time::ZERO);
        rounds(&mut cubic, &mut now, 5);
        cubic.on_congestion(now, Sign::Lost);
        cubic.on_idle();
        assert_eq!(cubic.window(), SIZES.initial);
        let windows = rounds(&mut cubic, &mut now, 6);
        assert_eq!(windows[3], 512_000);
        assert!((716_800..800_000).contains(&windows[5]), "{windows:?}");
    }
}
