//! [`Tally`]: how often each word occurs, and what a word is.

use std::borrow::Cow;
use std::collections::HashMap;

/// How often each word occurs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally(HashMap<String, u64>);

/// A word of which one tally has another count than the other.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Difference {
    pub(crate) word: String,
    pub(crate) here: u64,
    pub(crate) there: u64,
}

impl Tally {
    /// Counts the words of a text.
    pub(crate) fn of(text: &str) -> Self {
        let mut tally = Self::default();
        words(text).for_each(|word| tally.add(word, 1));
        tally
    }

    pub(crate) fn add_all(&mut self, counts: HashMap<String, u64>) {
        counts.into_iter().for_each(|(word, count)| self.add(Cow::Owned(word), count));
    }

    fn add(&mut self, word: Cow<'_, str>, count: u64) {
        // Most words have been met before, and then no string has to be made.
        match self.0.get_mut(&*word) {
            Some(counted) => *counted += count,
            None => {
                self.0.insert(word.into_owned(), count);
            }
        }
    }

    pub(crate) fn different(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The words that occur most, in the order of the alphabet where that is equal.
    pub(crate) fn most_frequent(&self, count: usize) -> Vec<(&str, u64)> {
        let mut words: Vec<_> =
            self.0.iter().map(|(word, &count)| (word.as_str(), count)).collect();
        words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        words.truncate(count);
        words
    }

    /// The same words, each so many times.
    pub(crate) fn times(&self, times: u64) -> Self {
        Self(self.0.iter().map(|(word, count)| (word.clone(), count * times)).collect())
    }

    /// All words whose counts differ, in the order of the alphabet.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Difference> {
        let count = |tally: &Self, word| tally.0.get(word).copied().unwrap_or_default();
        let missing = other.0.keys().filter(|&word| !self.0.contains_key(word));
        let mut differences: Vec<_> = self
            .0
            .keys()
            .chain(missing)
            .map(|word| Difference {
                word: word.clone(),
                here: count(self, word),
                there: count(other, word),
            })
            .filter(|difference| difference.here != difference.there)
            .collect();
        differences.sort_unstable_by(|a, b| a.word.cmp(&b.word));
        differences
    }

    pub(crate) fn into_counts(self) -> HashMap<String, u64> {
        self.0
    }
}

/// Whether a character is part of a word. No white space is.
pub(crate) fn is_of_word(char: char) -> bool {
    char.is_alphanumeric()
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split(|char| !is_of_word(char)).filter(|word| !word.is_empty()).map(lower_case)
}

fn lower_case(word: &str) -> Cow<'_, str> {
    let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if word.bytes().all(is_lower) { Cow::Borrowed(word) } else { Cow::Owned(word.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Vec<(String, u64)> {
        let mut counts: Vec<_> = Tally::of(text).into_counts().into_iter().collect();
        counts.sort();
        counts
    }

    fn words_of(text: &str) -> Vec<String> {
        words(text).map(Cow::into_owned).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_whatever_their_case() {
        assert_eq!(words_of("One, two:\r\n\tTWO! x86_64"), ["one", "two", "two", "x86", "64"]);
        assert_eq!(counts("a b A"), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }

    #[test]
    fn words_may_be_of_any_script() {
        assert_eq!(words_of("Ärger ÄRGER ärger"), ["ärger", "ärger", "ärger"]);
        assert_eq!(words_of("ΟΔΟΣ 東京、京都 №٣"), ["οδος", "東京", "京都", "٣"]);
        // It has three bytes instead of two in lower case, the last two of which are no letter.
        assert_eq!(words_of("İ"), ["i\u{307}"]);
    }

    #[test]
    fn what_has_no_words_counts_nothing() {
        for text in ["", " ", "\r\n\r\n", "-- !? \u{feff}…"] {
            assert_eq!(Tally::of(text).different(), 0, "{text:?}");
        }
    }

    #[test]
    fn the_most_frequent_come_first_and_then_the_alphabet_decides() {
        let tally = Tally::of("c b b a d d d");
        assert_eq!(tally.most_frequent(3), [("d", 3), ("b", 2), ("a", 1)]);
        assert_eq!(tally.most_frequent(99).len(), 4);
        assert_eq!((tally.total(), tally.different()), (7, 4));
    }

    #[test]
    fn every_word_that_differs_is_found() {
        let (here, there) = (Tally::of("a a b c"), Tally::of("a b b d"));
        let found: Vec<_> = here
            .differences(&there)
            .into_iter()
            .map(|Difference { word, here, there }| (word, here, there))
            .collect();
        let expected = [("a", 2, 1), ("b", 1, 2), ("c", 1, 0), ("d", 0, 1)];
        assert_eq!(found, expected.map(|(word, here, there)| (word.to_owned(), here, there)));
        assert_eq!(Tally::of("a a b b").differences(&Tally::of("b a").times(2)), []);
    }
}
