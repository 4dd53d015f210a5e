//! How names are searched: folding, words, and the terms that find a word.

use unicode_normalization::UnicodeNormalization;

/// Returns `text` without regard to case and to how accents are composed.
///
/// # Source
/// Unicode Normalization Form C (UAX #15) of the lower-case text.
///
/// # Examples
/// ```
/// use nightshard_format::text::fold;
/// assert_eq!(fold("CAFE\u{301}"), "café");
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// Returns the words of folded text: runs of letters and digits.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// The kinds of key in the search dataset.
///
/// # Shape
/// A key is the kind's byte and folded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermKind {
    /// A whole id, found by its beginning.
    Id = b'i' as isize,
    /// A word of a name, found by any of its parts.
    Word = b'w' as isize,
}

/// Returns the key of an id or a word.
#[must_use]
pub fn term_key(kind: TermKind, text: &str) -> Vec<u8> {
    let mut key = vec![kind as u8];
    key.extend_from_slice(text.as_bytes());
    key
}

/// Returns the terms of the ordered index under which a word is found by any part.
///
/// Each term is an ending of the word followed by NUL and what precedes that ending, so that it
/// names the word alone; a part of the word is the beginning of one of its endings.
///
/// # Source
/// The permuterm index: Manning, Raghavan, Schütze, "Introduction to Information Retrieval",
/// section 3.2.1.
///
/// # Examples
/// ```
/// use nightshard_format::text::rotations;
/// let terms: Vec<Vec<u8>> = rotations("bar").collect();
/// assert_eq!(terms, [&b"wbar\0"[..], b"war\0b", b"wr\0ba"]);
/// ```
pub fn rotations(word: &str) -> impl Iterator<Item = Vec<u8>> {
    word.char_indices().map(move |(start, _)| {
        let mut term = term_key(TermKind::Word, &word[start..]);
        term.push(0);
        term.extend_from_slice(&word.as_bytes()[..start]);
        term
    })
}

/// Returns whether a term of [`rotations`] is the whole word rather than an ending.
#[must_use]
pub fn is_whole_word(term: &[u8]) -> bool {
    term.last() == Some(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_ignores_case_and_composition_in_korean_too() {
        assert_eq!(fold("\u{1112}\u{1161}\u{11ab}"), fold("한"));
        assert_eq!(fold("ÅNGSTRÖM"), fold("a\u{30a}ngstro\u{308}m"));
        assert_eq!(
            words(&fold("Marks & Spencer (St. John's)")).collect::<Vec<_>>(),
            ["marks", "spencer", "st", "john", "s"]
        );
    }

    #[test]
    fn only_the_first_rotation_is_the_whole_word() {
        let whole: Vec<bool> = rotations("señor")
            .map(|term| is_whole_word(&term))
            .collect();
        assert_eq!(whole, [true, false, false, false, false]);
    }
}
