//! Figures as people read them.

use std::time::Duration;

/// A number with commas between the thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things: `1 word`, `2 words`.
pub(crate) fn count_of(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A number of bytes, in the largest unit of which there is one.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{:.1} KiB", bytes as f64 / KIB as f64),
        MIB.. => format!("{:.1} MiB", bytes as f64 / MIB as f64),
    }
}

/// A duration, with three digits or so.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        1.0.. => format!("{seconds:.2} s"),
        0.001.. => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.0} us", seconds * 1e6),
    }
}

/// A word, or the beginning of one that is too long for a table.
pub(crate) fn shortened(word: &str) -> String {
    match word.char_indices().nth(WORD_CHARS_MAX) {
        None => word.to_owned(),
        Some((at, _)) => format!("{}…", &word[..at]),
    }
}

const WORD_CHARS_MAX: usize = 40;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let shown = [0, 999, 1_000, 12_345, 123_456, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "123,456", "1,234,567"]);
        assert_eq!(count_of(1, "call"), "1 call");
        assert_eq!(count_of(2_000, "call"), "2,000 calls");
    }

    #[test]
    fn units_suit_the_size() {
        assert_eq!([0, 1_023, 1_024, 1 << 20].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.0 MiB"]);
        let shown = [7, 1_500, 2_345_678].map(|micros| time(Duration::from_micros(micros)));
        assert_eq!(shown, ["7 us", "1.50 ms", "2.35 s"]);
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        assert_eq!(shortened("ß"), "ß");
        assert_eq!(shortened(&"ß".repeat(40)), "ß".repeat(40));
        assert_eq!(shortened(&"ß".repeat(41)), "ß".repeat(40) + "…");
    }
}
