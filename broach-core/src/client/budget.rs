//! [`RetryBudget`]: how many retries there may be, so that they cannot bring down what struggles.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config;
use crate::deadline::Time;

/// Pays for retries: a share of the calls made, and so many a second besides.
///
/// As in Finagle: what is saved lasts for ten seconds' worth, so a quiet time does not pay for a
/// flood of retries later.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    /// In thousandths of a retry.
    saved: AtomicI64,
    per_call: i64,
    per_second: u32,
    reserve: Mutex<Reserve>,
}

/// What the passing of time has paid in.
#[derive(Debug)]
struct Reserve {
    /// In thousandths of a retry.
    level: f64,
    filled_at: Time,
}

impl RetryBudget {
    pub(crate) fn new(config: &config::Client, now: Time) -> Self {
        let level = reserve_max(config.retries_per_second);
        Self {
            saved: AtomicI64::new(0),
            per_call: (config.retry_ratio * UNIT) as i64,
            per_second: config.retries_per_second,
            reserve: Mutex::new(Reserve { level, filled_at: now }),
        }
    }

    /// A call is made.
    pub(crate) fn on_call(&self) {
        // Two calls at once may both see it just below the limit; that pays for one retry more.
        if self.saved.load(Relaxed) < SAVED_MAX {
            self.saved.fetch_add(self.per_call, Relaxed);
        }
    }

    /// Whether one more retry is paid for.
    pub(crate) fn take(&self, now: Time) -> bool {
        let unit = UNIT as i64;
        let paid = |saved| (unit <= saved).then(|| saved - unit);
        if self.saved.fetch_update(Relaxed, Relaxed, paid).is_ok() {
            return true;
        }
        let mut reserve = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.since(reserve.filled_at).as_secs_f64();
        let level = reserve.level + passed * f64::from(self.per_second) * UNIT;
        reserve.level = level.min(reserve_max(self.per_second));
        reserve.filled_at = now;
        let paid = UNIT <= reserve.level;
        if paid {
            reserve.level -= UNIT;
        }
        paid
    }
}

fn reserve_max(per_second: u32) -> f64 {
    f64::from(per_second) * LASTS.as_secs_f64() * UNIT
}

/// One retry.
const UNIT: f64 = 1_000.0;

/// How long what time has paid in lasts.
const LASTS: Duration = Duration::from_secs(10);

/// What calls have paid in is kept up to this: ten thousand retries.
const SAVED_MAX: i64 = 10_000 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(now: Time) -> RetryBudget {
        RetryBudget::new(&config::Client::default(), now)
    }

    fn taken(budget: &RetryBudget, now: Time) -> usize {
        (0..1_000).take_while(|_| budget.take(now)).count()
    }

    #[test]
    fn a_tenth_of_the_calls_and_ten_a_second() {
        let now = Time::ZERO;
        let budget = budget(now);
        assert_eq!(taken(&budget, now), 100, "ten seconds' worth at the start");
        (0..1_000).for_each(|_| budget.on_call());
        assert_eq!(taken(&budget, now), 100);
        assert_eq!(taken(&budget, now + Duration::from_secs(2)), 20);
        assert_eq!(taken(&budget, now + Duration::from_secs(3600)), 100);
    }

    #[test]
    fn with_all_calls_failing_attempts_stay_in_proportion() {
        let budget = budget(Time::ZERO);
        let mut retries = 0;
        for call in 0..30_000_u64 {
            // A thousand calls a second, for half a minute; each would be retried.
            let now = Time::from_nanos(call * 1_000_000);
            budget.on_call();
            retries += u64::from(budget.take(now));
        }
        assert!(retries <= 3_000 + 10 * 30 + 100, "{retries}");
    }
}
