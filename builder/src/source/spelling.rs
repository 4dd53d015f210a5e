//! One spelling for each value of the fields that only count as content.

use std::borrow::Cow;

use wide::u8x16;

use super::{Padded, time};
use crate::layout::Field;

/// What the text of a field stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    Date,
}

/// Words that mean yes or no, without regard to case, and the numbers for them.
const FLAGS: [(&str, &[u8]); 8] = [
    ("true", b"1"),
    ("false", b"0"),
    ("yes", b"1"),
    ("no", b"0"),
    ("t", b"1"),
    ("f", b"0"),
    ("y", b"1"),
    ("n", b"0"),
];

impl Kind {
    /// What the field's texts are.
    pub(crate) fn of(field: Field) -> Self {
        match field {
            Field::Lat | Field::Lon | Field::PointsUsed | Field::FeeMinor | Field::DepositMinor => {
                Self::Number
            }
            Field::IsForeign => Self::Flag,
            Field::SettlesOn => Self::Date,
            _ => Self::Text,
        }
    }

    /// Returns the spelling that stands for all texts of one value, or `None` where the text is
    /// that spelling. A text that is not of this kind stands for itself.
    #[inline]
    pub(crate) fn respelled(self, text: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Text => None,
            Self::Number => number(text),
            Self::Flag => flag(text),
            Self::Date => date(text),
        }
    }
}

fn flag(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_text = |(word, _): &&(&str, &[u8])| word.as_bytes().eq_ignore_ascii_case(text);
    match FLAGS.iter().find(is_text) {
        Some((_, digit)) => Some(Cow::Borrowed(digit)),
        None => number(text),
    }
}

/// Returns whether a flag says yes; `None` for what is none.
pub(crate) fn flag_of(text: &[u8]) -> Option<bool> {
    match flag(text).as_deref().unwrap_or(text) {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

/// Returns the whole number that a text is, however it is spelled; `None` for what is none, or has more than 64 bits.
pub(crate) fn whole_number_of(text: &[u8]) -> Option<i64> {
    let respelled = number(text);
    let text = std::str::from_utf8(respelled.as_deref().unwrap_or(text));
    text.ok()?.parse().ok()
}

/// Takes the time of day off a date.
fn date(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_longer = text.len() > time::DATE_LEN && time::is_iso(text);
    is_longer.then(|| Cow::Borrowed(&text[..time::DATE_LEN]))
}

/// Longest number that is spelled without an exponent.
const PLAIN_LEN_MAX: usize = 64;

/// Returns the one spelling of a number, or `None` where the text is that or no number.
#[inline]
pub(crate) fn number(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if text.is_empty() || is_plain(text) {
        return None;
    }
    let short = without_trailing_zeros(text);
    if is_plain(short) {
        return Some(Cow::Borrowed(short));
    }
    Decimal::parse(text).map(|decimal| Cow::Owned(decimal.spelled()))
}

/// Returns how much of a number's text is the one spelling of it, without a branch for each byte;
/// `None` where that is not the beginning of a short text, and for few others.
#[inline(always)]
pub(super) fn spelled_len(text: Padded<'_>) -> Option<usize> {
    const LANES: usize = 16;
    let len = text.len();
    if len > LANES {
        return None;
    }
    let lanes = u8x16::new(text.first());
    let all = (1 << len) - 1;
    let each = |byte: u8| lanes.simd_eq(u8x16::splat(byte)).to_bitmask() & all;
    let (points, zeros, signs) = (each(b'.'), each(b'0'), each(b'-'));
    let above = lanes - u8x16::splat(b'1');
    let others = above.min(u8x16::splat(8)).simd_eq(above).to_bitmask() & all;
    // Zeros behind the last other digit are left out if there is a point between, and the first
    // digit is no zero unless the point follows.
    let first = 1 << (signs & 1);
    let is_number = (others | zeros | points | signs & 1) == all;
    let is_begun = others & first != 0 || zeros & first != 0 && points == first << 1;
    let is_ended = points & points.wrapping_sub(1) == 0 && others > points;
    if !(is_number & is_begun & is_ended) {
        return None;
    }
    let spelled = if points == 0 {
        len
    } else {
        (u32::BITS - others.leading_zeros()) as usize
    };
    Some(spelled)
}

/// Whether a text is a number without a sign, a zero, a point or an exponent too many.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = digits.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = digits.split_at(point.unwrap_or(digits.len()));
    let is_whole = match whole {
        b"0" => point.is_some() || digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let is_fraction = match fraction {
        [] => true,
        [_, rest @ .., b'1'..=b'9'] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_whole && is_fraction && digits.len() <= PLAIN_LEN_MAX
}

fn without_trailing_zeros(mut text: &[u8]) -> &[u8] {
    if text.contains(&b'.') {
        while let [rest @ .., b'0'] = text {
            text = rest;
        }
    }
    text.strip_suffix(b".").unwrap_or(text)
}

/// A number that is `digits * 10^exponent`.
struct Decimal {
    is_negative: bool,
    /// Neither the first nor the last is a zero; none for zero.
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads a number with an optional sign, point and exponent.
    fn parse(text: &[u8]) -> Option<Self> {
        let (is_negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
        let mantissa = parts.next()?;
        let exponent: i32 = match parts.next() {
            Some(exponent) => std::str::from_utf8(exponent).ok()?.parse().ok()?,
            None => 0,
        };
        let mut halves = mantissa.splitn(2, |byte| *byte == b'.');
        let whole = halves.next()?;
        let fraction = halves.next().unwrap_or_default();
        let mut digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut exponent = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
        while digits.pop_if(|digit| *digit == b'0').is_some() {
            exponent += 1;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        Some(Self {
            is_negative,
            digits,
            exponent,
        })
    }

    fn spelled(&self) -> Vec<u8> {
        if self.digits.is_empty() {
            return b"0".into();
        }
        let sign: &[u8] = if self.is_negative { b"-" } else { b"" };
        match self.plain() {
            Some(plain) => [sign, &plain].concat(),
            None => {
                let exponent = format!("e{}", self.exponent);
                [sign, &self.digits, exponent.as_bytes()].concat()
            }
        }
    }

    /// The digits with zeros and a point in their places, unless that is too long.
    fn plain(&self) -> Option<Vec<u8>> {
        let zeros = |count: usize| (count <= PLAIN_LEN_MAX).then(|| vec![b'0'; count]);
        let shift = usize::try_from(self.exponent.unsigned_abs()).ok()?;
        let plain = match self.digits.len().checked_sub(shift) {
            _ if self.exponent >= 0 => [&self.digits[..], &zeros(shift)?].concat(),
            Some(whole) if whole > 0 => [&self.digits[..whole], &self.digits[whole..]].join(&b'.'),
            _ => [b"0.", &zeros(shift - self.digits.len())?[..], &self.digits].concat(),
        };
        (plain.len() <= PLAIN_LEN_MAX).then_some(plain)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    fn spelled(kind: Kind, text: &str) -> String {
        let respelled = kind.respelled(text.as_bytes());
        respelled.map_or(text.to_owned(), |it| {
            String::from_utf8(it.into_owned()).unwrap()
        })
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (text, expected) in [
            ("52.50", "52.5"),
            ("+5", "5"),
            ("5.0", "5"),
            ("5.", "5"),
            ("007", "7"),
            ("-0.0", "0"),
            (".5", "0.5"),
            ("-.50", "-0.5"),
            ("1e3", "1000"),
            ("125e-2", "1.25"),
            ("1.20E+1", "12"),
            ("0e9", "0"),
            ("10e99", "1e100"),
            ("100", "100"),
            ("-0.1278", "-0.1278"),
        ] {
            assert_eq!(spelled(Kind::Number, text), expected, "{text}");
        }
        for text in [
            "",
            "x",
            ".",
            "-",
            "1,50",
            "1.2.3",
            "1e",
            "--1",
            "0x0",
            "1 0.0",
            "1e99999999999",
        ] {
            assert_eq!(spelled(Kind::Number, text), text);
        }
    }

    #[test]
    fn a_number_in_its_own_spelling_is_not_copied() {
        for text in ["0", "7", "-7", "120", "37.5665", "-0.1278", ""] {
            assert_eq!(Kind::Number.respelled(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_told_at_a_glance_is_what_a_look_at_every_byte_tells(
            text in "[-+]?[0-9]{0,4}[.]?[0-9]{0,4}[eEx ]?[-0-9.]{0,9}",
            behind in "[a-z0-9]{0,20}",
        ) {
            let bytes = [text.as_bytes(), behind.as_bytes()].concat();
            if let Some(len) = spelled_len(Padded::new(&bytes, text.len())) {
                prop_assert_eq!(spelled(Kind::Number, &text), &text[..len]);
            }
        }
    }

    #[test]
    fn most_numbers_are_told_at_a_glance() {
        for (text, len) in [
            ("36.80334", Some(8)),
            ("36.80300", Some(6)),
            ("-0.5", Some(4)),
            ("-127.12048", Some(10)),
            ("120", Some(3)),
            ("0.10", Some(3)),
            ("5", Some(1)),
            ("1.00", None),
            ("0", None),
            ("00.5", None),
            ("1.2.3", None),
            ("1-2.3", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(spelled_len(Padded::exact(text.as_bytes())), len, "{text}");
        }
    }

    #[test]
    fn flags_and_dates_have_one_spelling() {
        for (text, expected) in [
            ("TRUE", "1"),
            ("y", "1"),
            ("1.0", "1"),
            ("No", "0"),
            ("false", "0"),
            ("perhaps", "perhaps"),
        ] {
            assert_eq!(spelled(Kind::Flag, text), expected);
        }
        for (text, expected) in [
            ("2018-03-05", "2018-03-05"),
            ("2018-03-05 00:00:00", "2018-03-05"),
            ("2018-03-05T00:00:00Z", "2018-03-05"),
            ("2018-03-05 noon", "2018-03-05 noon"),
            ("2018-02-30T00:00", "2018-02-30T00:00"),
        ] {
            assert_eq!(spelled(Kind::Date, text), expected);
        }
    }

    /// Sign, digits of 10^60 times the number.
    fn scaled(text: &str) -> (bool, Vec<u8>) {
        const PLACES: usize = 60;
        let (sign, rest) = match text.as_bytes()[0] {
            b'-' | b'+' => text.split_at(1),
            _ => ("", text),
        };
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let shift = PLACES
            .checked_add_signed(exponent.parse().unwrap())
            .unwrap();
        let mut digits = format!("{whole}{fraction}").into_bytes();
        digits.resize(whole.len() + shift, b'0');
        let digits: Vec<u8> = digits.into_iter().skip_while(|it| *it == b'0').collect();
        (sign == "-" && !digits.is_empty(), digits)
    }

    /// Compares numbers digit by digit.
    fn compare(a: &str, b: &str) -> Ordering {
        let (a, b) = (scaled(a), scaled(b));
        let size = |it: &(bool, Vec<u8>)| (it.1.len(), it.1.clone());
        match (a.0, b.0) {
            (false, false) => size(&a).cmp(&size(&b)),
            (true, true) => size(&b).cmp(&size(&a)),
            (negative, _) => negative.cmp(&!negative).reverse(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4096,
            rng_seed: proptest::test_runner::RngSeed::Fixed(5),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn two_numbers_are_spelled_alike_exactly_if_they_are_equal(
            a in "[+-]?(0?[0-2]{1,3}\\.?[0-2]{0,3}|\\.[0-2]{1,3})([eE][+-]?[0-2])?",
            b in "[+-]?(0?[0-2]{1,3}\\.?[0-2]{0,3}|\\.[0-2]{1,3})([eE][+-]?[0-2])?",
        ) {
            let (x, y) = (spelled(Kind::Number, &a), spelled(Kind::Number, &b));
            prop_assert_eq!(x == y, compare(&a, &b).is_eq());
            prop_assert!(compare(&a, &x).is_eq());
            prop_assert_eq!(spelled(Kind::Number, &x), x.clone());
        }
    }
}
