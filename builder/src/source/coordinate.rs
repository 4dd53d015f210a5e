//! Coordinates: numbers of degrees that may lie off the map.

use super::{Padded, spelling};

/// The largest latitude.
pub(crate) const LAT_MAX: f64 = 90.0;
/// The largest longitude.
pub(crate) const LON_MAX: f64 = 180.0;

/// Returns the degrees of a coordinate; `None` for what is no number.
pub(crate) fn degrees(text: &[u8]) -> Option<f64> {
    let degrees: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    degrees.is_finite().then_some(degrees)
}

/// Returns whether a coordinate lies off the map, `limit` degrees either way; `None` for what is no
/// number. No text is on it.
#[inline]
pub(super) fn is_off(text: Padded<'_>, limit: f64) -> Option<bool> {
    if text.len() == 0 || is_plainly_on(text, limit) {
        return Some(false);
    }
    degrees(text.as_bytes()).map(|degrees| degrees.abs() > limit)
}

/// Whether a text is a number below the limit either way, by a look at its first bytes: most are.
#[inline]
fn is_plainly_on(text: Padded<'_>, limit: f64) -> bool {
    if spelling::spelled_len(text).is_none() {
        return false;
    }
    let bytes = text.as_bytes();
    match *bytes.strip_prefix(b"-").unwrap_or(bytes) {
        [_] | [_, b'.', ..] => true,
        [first, _] | [first, _, b'.', ..] => first < b'9',
        [b'1', tens, _] | [b'1', tens, _, b'.', ..] => tens < b'8' && limit >= LON_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_number_is_told_from_what_is_off_the_map() {
        let off = |text: &str, limit| is_off(Padded::exact(text.as_bytes()), limit);
        for on in ["", "0", "-90", "90.0", "+52.5", "5e1", ".5", "-0.0000001"] {
            assert_eq!(off(on, LAT_MAX), Some(false), "{on:?}");
        }
        for beyond in ["90.0000001", "-91", "181", "1e9"] {
            assert_eq!(off(beyond, LAT_MAX), Some(true), "{beyond:?}");
        }
        assert_eq!(off("127.5", LON_MAX), Some(false));
        assert_eq!(off("-180.5", LON_MAX), Some(true));
        for none in ["north", "52,5", "NaN", "inf", "1e999", "-", "5 2", "52.5N"] {
            assert_eq!(off(none, LAT_MAX), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_long_one(
            text in "-?[0-9]{1,4}(\\.[0-9]{0,9})?|[-+.0-9e]{0,6}"
        ) {
            for limit in [LAT_MAX, LON_MAX] {
                let plainly = match text.as_str() {
                    "" => Some(false),
                    text => degrees(text.as_bytes()).map(|degrees| degrees.abs() > limit),
                };
                prop_assert_eq!(is_off(Padded::exact(text.as_bytes()), limit), plainly);
            }
        }
    }
}
