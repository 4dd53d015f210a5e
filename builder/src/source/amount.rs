//! Amounts: decimal text to minor units, exactly.

use nightshard_format::histogram::AMOUNT_MINOR_MAX;

use super::Padded;
use crate::layout::AmountRule;
use crate::row_outcome::Reason;

/// Longest text that is read without a check of every step: 15 digits stay below 10^15.
const SHORT_DIGITS: usize = 15;

/// Most significant digits of an amount: with the largest factor the product fits 128 bits.
const DIGITS_MAX: u32 = 30;

/// Largest exponent of ten that 128 bits hold.
const TENS_MAX: i32 = 38;

/// Reads an amount as minor units, of which one unit of the text has `factor`.
///
/// # Errors
/// [`Reason::NotANumber`], [`Reason::TooPrecise`], [`Reason::Overflow`].
#[inline]
pub(crate) fn amount_minor(text: Padded<'_>, factor: u32, rule: AmountRule) -> Result<i64, Reason> {
    match few_digits(text) {
        // At most 8 digits times at most 10^6.
        Some(integer) => in_range(i64::from(integer) * i64::from(factor)),
        None => signed(text.as_bytes(), factor, rule),
    }
}

/// Reads up to eight digits, all together.
#[inline(always)]
fn few_digits(text: Padded<'_>) -> Option<u32> {
    const WORD_LEN: usize = size_of::<u64>();
    if text.len() == 0 || text.len() > WORD_LEN {
        return None;
    }
    // The last digit stands highest, and zeros before the first.
    let digits = u64::from_le_bytes(text.first()) ^ u64::from_le_bytes([b'0'; WORD_LEN]);
    let digits = digits << (8 * (WORD_LEN - text.len()));
    let carried = digits.wrapping_add(u64::from_le_bytes([6; WORD_LEN]));
    if (carried | digits) & u64::from_le_bytes([0xf0; WORD_LEN]) != 0 {
        return None;
    }
    // Pairs, fours and eights of digits, each sum in the lowest of its bytes.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    u32::try_from((fours * 10_000 + (fours >> 32)) & 0xffff_ffff).ok()
}

fn signed(text: &[u8], factor: u32, rule: AmountRule) -> Result<i64, Reason> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let magnitude = match short_integer(digits) {
        Some(integer) => integer
            .checked_mul(i64::from(factor))
            .ok_or(Reason::Overflow)?,
        None => decimal(digits, factor, rule)?,
    };
    let magnitude = in_range(magnitude)?;
    Ok(if negative { -magnitude } else { magnitude })
}

#[inline(always)]
fn in_range(magnitude: i64) -> Result<i64, Reason> {
    if magnitude > AMOUNT_MINOR_MAX {
        Err(Reason::Overflow)
    } else {
        Ok(magnitude)
    }
}

#[inline]
fn short_integer(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > SHORT_DIGITS {
        return None;
    }
    let mut integer = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        integer = integer * 10 + i64::from(digit);
    }
    Some(integer)
}

/// A number as its digits say: `mantissa * 10^exponent`.
struct Decimal {
    mantissa: u128,
    exponent: i32,
}

fn decimal(text: &[u8], factor: u32, rule: AmountRule) -> Result<i64, Reason> {
    let Decimal { mantissa, exponent } = digits(text, rule)?;
    // At most 30 digits times at most 10^6.
    let scaled = mantissa * u128::from(factor);
    if scaled == 0 {
        return Ok(0);
    }
    let whole = if exponent >= 0 {
        tens(exponent)
            .and_then(|tens| scaled.checked_mul(tens))
            .ok_or(Reason::Overflow)?
    } else {
        match tens(-exponent) {
            Some(tens) if scaled.is_multiple_of(tens) => scaled / tens,
            _ if !rule.round => return Err(Reason::TooPrecise),
            Some(tens) => scaled / tens + u128::from(scaled % tens >= tens / 2),
            None => 0,
        }
    };
    i64::try_from(whole).map_err(|_| Reason::Overflow)
}

fn tens(exponent: i32) -> Option<u128> {
    (exponent <= TENS_MAX).then(|| 10_u128.pow(exponent.unsigned_abs()))
}

/// Reads digits with an optional decimal mark and an optional exponent.
fn digits(text: &[u8], rule: AmountRule) -> Result<Decimal, Reason> {
    let mut number = Decimal {
        mantissa: 0,
        exponent: 0,
    };
    let (mut seen, mut significant, mut after_mark) = (false, 0, false);
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                if significant < DIGITS_MAX {
                    significant += u32::from(significant > 0 || *byte != b'0');
                    number.mantissa = number.mantissa * 10 + u128::from(byte - b'0');
                    number.exponent -= i32::from(after_mark);
                } else if rule.round || *byte == b'0' {
                    // So far below a minor unit, if the amount is in range, that it rounds nothing.
                    number.exponent += i32::from(!after_mark);
                } else if after_mark {
                    return Err(Reason::TooPrecise);
                } else {
                    return Err(Reason::Overflow);
                }
            }
            _ if *byte == rule.decimal && !after_mark => after_mark = true,
            b'e' | b'E' if seen => {
                number.exponent += exponent(tail)?;
                return Ok(number);
            }
            _ => return Err(Reason::NotANumber),
        }
        rest = tail;
    }
    if seen {
        Ok(number)
    } else {
        Err(Reason::NotANumber)
    }
}

/// Reads an exponent; those beyond any amount are as good as a million.
fn exponent(text: &[u8]) -> Result<i32, Reason> {
    let text = std::str::from_utf8(text).map_err(|_| Reason::NotANumber)?;
    let exponent: i32 = text.parse().map_err(|_| Reason::NotANumber)?;
    Ok(exponent.clamp(-1_000_000, 1_000_000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CENTS: AmountRule = AmountRule {
        factor: Some(100),
        decimal: b'.',
        round: false,
    };

    fn cents(text: &str) -> Result<i64, Reason> {
        amount_minor(Padded::exact(text.as_bytes()), 100, CENTS)
    }

    fn rounded(text: &str) -> Result<i64, Reason> {
        amount_minor(
            Padded::exact(text.as_bytes()),
            100,
            AmountRule {
                round: true,
                ..CENTS
            },
        )
    }

    #[test]
    fn decimals_are_exact() {
        for (text, expected) in [
            ("12", 1200),
            ("12.3", 1230),
            ("-12.30", -1230),
            ("+0.07", 7),
            (".5", 50),
            ("5.", 500),
            ("1e3", 100_000),
            ("1.25E1", 1250),
            ("1200e-4", 12),
            ("0.0000", 0),
            ("-0", 0),
            ("1000000000000.00", 100_000_000_000_000),
            ("1.5000000000000000000000000000000000000000", 150),
            ("1500000000000000000000000000000000000000e-39", 150),
        ] {
            assert_eq!(cents(text), Ok(expected), "{text}");
        }
        let comma = AmountRule {
            factor: Some(100),
            decimal: b',',
            round: false,
        };
        assert_eq!(
            amount_minor(Padded::exact(b"1234,5"), 100, comma),
            Ok(123_450)
        );
        assert_eq!(
            amount_minor(Padded::exact(b"1.5"), 100, comma),
            Err(Reason::NotANumber)
        );
    }

    #[test]
    fn only_a_rounding_layout_takes_more_digits_than_the_unit_has() {
        assert_eq!(cents("52.319999999999993"), Err(Reason::TooPrecise));
        for (text, expected) in [
            ("52.319999999999993", 5232),
            ("0.005", 1),
            ("-0.005", -1),
            ("0.0049999999999999999999", 0),
            ("1e-50", 0),
            ("-1.015", -102),
            ("1.0050000000000000000000000000000000000000000001", 101),
            ("1.0049999999999999999999999999999999999999999999", 100),
            ("123456789012345678901234567890123456789e-37", 1235),
        ] {
            assert_eq!(rounded(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_layout_that_rounds_takes_any_number_of_digits() {
        for digits in 1..200 {
            let nines = "9".repeat(digits);
            let expected = if digits > 2 {
                200
            } else {
                199 - 9 * i64::from(digits == 1)
            };
            assert_eq!(rounded(&format!("1.{nines}")), Ok(expected));
            let long = format!("1{}.9", "0".repeat(digits));
            let too_large = digits > 11;
            assert_eq!(rounded(&long).is_err(), too_large, "{long}");
        }
        assert_eq!(rounded(&"9".repeat(400)), Err(Reason::Overflow));
    }

    proptest! {
        #[test]
        fn few_digits_are_read_as_any_number(
            text in "[-+]?[0-9]{0,9}[./:x]?[0-9]{0,2}",
            behind in "[0-9,x]{0,20}",
        ) {
            let bytes = [text.as_bytes(), behind.as_bytes()].concat();
            let padded = Padded::new(&bytes, text.len());
            let expected = signed(text.as_bytes(), 100, CENTS);
            prop_assert_eq!(amount_minor(padded, 100, CENTS), expected);
        }
    }

    #[test]
    fn what_is_no_number_or_too_large_is_named() {
        for text in [
            "", "-", ".", "abc", "1,5", "1.2.3", "--1", "1e", "e5", "0x10", "1 2", "NaN",
        ] {
            assert_eq!(cents(text), Err(Reason::NotANumber), "{text}");
        }
        let long = "9".repeat(400);
        for text in [
            "1000000000000.01",
            "999999999999999",
            "1e30",
            "1e2147483647",
            &long,
        ] {
            assert_eq!(cents(text), Err(Reason::Overflow), "{text}");
        }
    }
}
