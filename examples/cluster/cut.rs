//! Cutting text into chunks, between words.

use std::ops::Range;

use crate::words::is_of_word;

/// A word that does not fit into any chunk.
#[derive(Debug, thiserror::Error)]
#[error(
    "the text has a word of {bytes} bytes, and no chunk may be larger than {CHUNK_BYTES_MAX}: \
     is it text?"
)]
pub(crate) struct WordTooLong {
    bytes: usize,
}

/// Bytes that no chunk exceeds. With all of its words different and short, the counts of a chunk
/// take up to 3.5 times its bytes, which still fits into one message.
pub(crate) const CHUNK_BYTES_MAX: usize = 4 << 20;

/// Cuts a text into chunks of up to so many bytes, which follow each other without gaps.
///
/// Cuts are made at white space; in a chunk that has none, after another character that is of no
/// word. A word that is longer than a chunk gets a longer chunk to itself.
///
/// # Errors
///
/// If that would be longer than the longest.
pub(crate) fn cut(text: &str, bytes: usize) -> Result<Vec<Range<usize>>, WordTooLong> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let bytes = first_chunk(&text[start..], bytes);
        if CHUNK_BYTES_MAX < bytes {
            return Err(WordTooLong { bytes });
        }
        chunks.push(start..start + bytes);
        start += bytes;
    }
    Ok(chunks)
}

/// The length of the first chunk of a text that is not empty. At least one character.
fn first_chunk(text: &str, bytes: usize) -> usize {
    if text.len() <= bytes {
        return text.len();
    }
    let (head, rest) = text.split_at(char_boundary(text, bytes));
    if rest.starts_with(char::is_whitespace) && !head.is_empty() {
        return head.len();
    }
    let last = head.rfind(char::is_whitespace).or_else(|| head.rfind(is_of_no_word));
    if let Some(at) = last {
        return char_end(text, at);
    }
    match text.find(is_of_no_word) {
        // Not even one character fits.
        Some(0) => char_end(text, 0),
        Some(at) => at,
        None => text.len(),
    }
}

fn is_of_no_word(char: char) -> bool {
    !is_of_word(char)
}

/// The last place up to here where a character begins.
fn char_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where the character that begins here ends.
fn char_end(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Tally;

    fn chunks(text: &str, bytes: usize) -> Vec<&str> {
        cut(text, bytes).unwrap().into_iter().map(|chunk| &text[chunk]).collect()
    }

    #[test]
    fn cuts_are_made_at_white_space() {
        assert_eq!(chunks("one two three", 7), ["one two", " three"]);
        assert_eq!(chunks("one two three", 8), ["one two ", "three"]);
        assert_eq!(chunks("one two three", 9), ["one two ", "three"]);
        assert_eq!(chunks("one two three", 13), ["one two three"]);
        assert_eq!(chunks("a\r\nb\r\n", 2), ["a\r", "\nb", "\r\n"]);
    }

    #[test]
    fn without_white_space_cuts_are_made_at_other_characters() {
        assert_eq!(chunks("one,two;three", 9), ["one,two;", "three"]);
        assert_eq!(chunks("one, two;three", 12), ["one, ", "two;three"]);
        assert_eq!(chunks("東京、京都", 10), ["東京、", "京都"]);
    }

    #[test]
    fn a_word_is_never_cut() {
        assert_eq!(chunks("a longer b", 3), ["a ", "longer", " b"]);
        assert_eq!(chunks("東京 、x", 1), ["東京", " ", "、", "x"]);
        let word = "x".repeat(CHUNK_BYTES_MAX);
        assert_eq!(chunks(&word, 1).len(), 1);
        let error = cut(&(word + "x y"), 1).unwrap_err();
        assert_eq!(error.bytes, CHUNK_BYTES_MAX + 1);
    }

    #[test]
    fn what_is_empty_gives_no_chunk() {
        assert!(chunks("", 1).is_empty());
        assert_eq!(chunks(" ", 1), [" "]);
    }

    #[test]
    fn chunks_together_are_the_text_and_count_the_same_whatever_their_size() {
        let text = "\u{feff}Öl, oil;\r\n\u{2003}東京、京都 x86_64 … İ ΟΔΟΣ\t\tdon't 👩‍💻--\u{a0}end";
        for bytes in 1..=text.len() + 1 {
            let chunks = chunks(text, bytes);
            assert_eq!(chunks.concat(), text);
            let mut tally = Tally::default();
            for chunk in chunks {
                assert!(!chunk.is_empty());
                tally.add_all(Tally::of(chunk).into_counts());
            }
            assert_eq!(tally, Tally::of(text), "{bytes} bytes");
        }
    }
}
