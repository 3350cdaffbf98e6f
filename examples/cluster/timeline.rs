//! [`Timeline`]: how much was done when, and how that is drawn with a character for each moment.

use std::time::Duration;

/// How often something has happened in each stretch of time, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline(Vec<u64>);

/// How time is cut into columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Columns {
    /// How many there are.
    pub(crate) count: usize,
    /// How much time each takes.
    pub(crate) width: Duration,
    /// How many stretches that is.
    stretches: usize,
}

impl Timeline {
    /// It happened once more, so long after the beginning.
    pub(crate) fn add(&mut self, after: Duration, stretch: Duration) {
        let at = (after.as_nanos() / stretch.as_nanos().max(1)) as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] += 1;
    }

    /// How much there is in each column.
    pub(crate) fn sums(&self, columns: Columns) -> Vec<u64> {
        let Columns { count, stretches, .. } = columns;
        let mut sums: Vec<u64> = self.0.chunks(stretches).map(|chunk| chunk.iter().sum()).collect();
        sums.resize(count, 0);
        sums
    }
}

impl Columns {
    /// The columns for so much time. The last one is left out if it is not full.
    pub(crate) fn over(elapsed: Duration, stretch: Duration) -> Self {
        let all = (elapsed.as_nanos() / stretch.as_nanos().max(1)) as usize;
        let stretches = all.div_ceil(COLUMNS_MAX).max(1);
        let width = stretch * u32::try_from(stretches).unwrap_or(u32::MAX);
        Self { count: (all / stretches).max(1), width, stretches }
    }
}

/// The stretches that a run of such a length is seen in.
pub(crate) fn stretch(time: Duration) -> Duration {
    (time / COLUMNS_MAX as u32).max(STRETCH_MIN)
}

/// A bar for an amount, beside the highest. There is one, however small, for all but nothing.
pub(crate) fn bar(amount: u64, most: u64) -> Option<char> {
    let height = (amount * BARS.len() as u64).div_ceil(most.max(1)) as usize;
    // The highest at most, whatever is said to be the most.
    Some(BARS[height.min(BARS.len()).checked_sub(1)?])
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// With the columns of the table before it, a line of 40 stays within 100 characters.
const COLUMNS_MAX: usize = 40;

/// In less, there are so few calls that the bars jump.
const STRETCH_MIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_run_has_40_columns_or_fewer() {
        assert_eq!(stretch(20 * SECOND), SECOND / 2);
        assert_eq!(stretch(SECOND), SECOND / 10);
        let columns = Columns::over(21 * SECOND, SECOND / 2);
        assert_eq!((columns.count, columns.width), (21, SECOND));
        let columns = Columns::over(20 * SECOND, SECOND / 2);
        assert_eq!((columns.count, columns.width), (40, SECOND / 2));
        assert_eq!(Columns::over(Duration::ZERO, SECOND).count, 1);
    }

    #[test]
    fn each_moment_counts_in_its_column() {
        let mut timeline = Timeline::default();
        for millis in [0, 999, 1_000, 3_500] {
            timeline.add(Duration::from_millis(millis), SECOND);
        }
        let sums = |elapsed| timeline.sums(Columns::over(elapsed, SECOND));
        assert_eq!(sums(4 * SECOND), [2, 1, 0, 1]);
        assert_eq!(sums(5 * SECOND), [2, 1, 0, 1, 0]);
        assert_eq!(sums(3 * SECOND), [2, 1, 0]);
        assert_eq!(Timeline::default().sums(Columns::over(2 * SECOND, SECOND)), [0, 0]);
    }

    #[test]
    fn only_nothing_has_no_bar() {
        assert_eq!(
            [0, 1, 4, 8].map(|amount| bar(amount, 8)),
            [None, Some('▁'), Some('▄'), Some('█')]
        );
        assert_eq!(bar(1, 1_000), Some('▁'));
        assert_eq!(bar(3, 0), Some('█'));
    }
}
