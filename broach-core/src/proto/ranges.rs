//! A set of numbers kept as ranges: packet numbers that arrived, bytes that must go out again.

use std::ops::Range;

/// A set of numbers, as ascending ranges with a gap between any two.
///
/// Sets here are small (a loss or two under way), so a sorted list beats a tree.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ranges {
    ranges: Vec<Range<u64>>,
}

impl Ranges {
    pub(crate) const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The number of ranges.
    pub(crate) const fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, ascending.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> {
        self.ranges.iter().cloned()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<Range<u64>> {
        self.ranges.first().cloned()
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        let at = self.ranges.partition_point(|range| range.end <= number);
        self.ranges.get(at).is_some_and(|range| range.contains(&number))
    }

    /// Adds the numbers of a range.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Most often a number follows the highest one.
        if let Some(last) = self.ranges.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
            return;
        }
        // All ranges that touch the new one become one with it.
        let from = self.ranges.partition_point(|other| other.end < range.start);
        let to = self.ranges.partition_point(|other| other.start <= range.end);
        let touched = &self.ranges[from..to];
        let start = touched.first().map_or(range.start, |first| first.start.min(range.start));
        let end = touched.last().map_or(range.end, |last| last.end.max(range.end));
        self.ranges.splice(from..to, std::iter::once(start..end));
    }

    /// Removes the numbers of a range.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        let from = self.ranges.partition_point(|other| other.end <= range.start);
        let to = self.ranges.partition_point(|other| other.start < range.end);
        if range.is_empty() || to <= from {
            return;
        }
        let below = self.ranges[from].start..range.start;
        let above = range.end..self.ranges[to - 1].end;
        let left = [below, above].into_iter().filter(|rest| !rest.is_empty());
        self.ranges.splice(from..to, left);
    }

    /// Removes the lowest range.
    pub(crate) fn remove_first(&mut self) {
        if !self.ranges.is_empty() {
            self.ranges.remove(0);
        }
    }

    /// Takes up to `count` numbers off the low end, all of one range.
    pub(crate) fn take(&mut self, count: u64) -> Option<Range<u64>> {
        let first = self.ranges.first_mut()?;
        let taken = first.start..first.end.min(first.start.saturating_add(count));
        first.start = taken.end;
        if first.is_empty() {
            self.ranges.remove(0);
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn it_agrees_with_a_set_of_single_numbers() {
        let mut rng = Rng::from_seed(11);
        for _ in 0..200 {
            let (mut ranges, mut model) = (Ranges::new(), BTreeSet::new());
            for _ in 0..60 {
                let start = rng.below(64);
                let range = start..start + rng.below(12);
                if rng.chance(0.6) {
                    model.extend(range.clone());
                    ranges.insert(range);
                } else {
                    model.retain(|number| !range.contains(number));
                    ranges.remove(range);
                }
                let listed: Vec<u64> = ranges.iter().flatten().collect();
                assert_eq!(listed, Vec::from_iter(model.iter().copied()));
                assert_eq!(ranges.count(), model.len() as u64);
                assert!((0..80).all(|n| ranges.contains(n) == model.contains(&n)));
                let gaps = ranges.ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
                assert!(gaps, "{ranges:?}");
            }
        }
    }

    #[test]
    fn numbers_are_taken_from_the_low_end() {
        let mut ranges = Ranges::new();
        ranges.insert(5..8);
        ranges.insert(10..11);
        assert_eq!(ranges.take(2), Some(5..7));
        assert_eq!(ranges.take(9), Some(7..8));
        assert_eq!(ranges.take(9), Some(10..11));
        assert_eq!(ranges.take(9), None);
    }
}
