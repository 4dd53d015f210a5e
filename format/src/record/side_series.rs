//! Daily numbers loaded beside transactions (docs/format.md, "Side series").

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_varint},
    calendar::{DAYS, Day, DayRange},
};

const STRUCTURE: &str = "side series";

/// Appends a side series.
///
/// # Shape
/// At least one value; days ascend, each once.
///
/// # Errors
/// [`Error::Invalid`] for anything else, for a day of no year from 1 to 9999, and for a value that is
/// not finite or is a negative 0.
pub fn encode_side_series(values: &[(Day, f64)], out: &mut Vec<u8>) -> Result<()> {
    let invalid = |problem: &str| Error::invalid(STRUCTURE, problem);
    let [(first, _), ..] = values else {
        return Err(invalid("it has no value"));
    };
    if !values.iter().all(|(day, _)| DAYS.contains(&day.0)) {
        return Err(invalid("a day is out of range"));
    }
    if !values.iter().all(|(_, value)| is_canonical(*value)) {
        return Err(invalid("a value is not finite, or a negative 0"));
    }
    put_varint(out, values.len() as u64);
    put_signed(out, first.0.into());
    for [(before, _), (day, _)] in values.array_windows() {
        let between = u64::try_from(day.0 - before.0 - 1);
        let between = between.map_err(|_descends| invalid("its days do not ascend"))?;
        put_varint(out, between);
    }
    for (_, value) in values {
        out.extend_from_slice(&value.to_bits().to_le_bytes());
    }
    Ok(())
}

/// Returns whether a value may be stored: equal values have equal bytes.
fn is_canonical(value: f64) -> bool {
    value.is_finite() && (value != 0.0 || value.is_sign_positive())
}

/// A side series read in place.
#[derive(Debug, Clone, Copy)]
pub struct SideSeries<'a> {
    first: Day,
    between: Bytes<'a>,
    values: &'a [[u8; 8]],
}

impl<'a> SideSeries<'a> {
    /// Reads the head of a side series.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it has no value, ends early or begins on no day.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let len = bytes.length()?;
        if len == 0 {
            return Err(corrupt("it has no value"));
        }
        let first = day_of(bytes.signed()?)?;
        let values_len = len.saturating_mul(8);
        let between_len = bytes.rest().len().checked_sub(values_len);
        let between = bytes.take(between_len.ok_or_else(|| corrupt("it ends early"))?)?;
        let (values, _none) = bytes.rest().as_chunks();
        Ok(Self {
            first,
            between: Bytes::new(between, STRUCTURE),
            values,
        })
    }

    /// Returns how many days have a value, at least 1.
    #[must_use]
    pub fn len_values(&self) -> usize {
        self.values.len()
    }

    /// Passes each day that has a value to `visit` with it, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a day that is none or a value that is none, after those before it were
    /// passed, and for bytes that are left over.
    pub fn visit(&self, mut visit: impl FnMut(Day, f64)) -> Result<()> {
        let mut between = self.between;
        let mut day = self.first;
        for (position, bits) in self.values.iter().enumerate() {
            if position > 0 {
                day = day_after(day, between.varint()?)?;
            }
            let value = f64::from_bits(u64::from_le_bytes(*bits));
            if !is_canonical(value) {
                return Err(corrupt("a value is not finite, or a negative 0"));
            }
            visit(day, value);
        }
        if between.is_empty() {
            Ok(())
        } else {
            Err(corrupt("bytes are left over"))
        }
    }

    /// Returns the days from the first to the last that has a value.
    ///
    /// # Errors
    /// As [`SideSeries::visit`].
    pub fn days(&self) -> Result<DayRange> {
        let mut last = self.first;
        self.visit(|day, _| last = day)?;
        Ok(DayRange {
            first: self.first,
            last,
        })
    }
}

/// Returns the day after one and so many between.
fn day_after(day: Day, between: u64) -> Result<Day> {
    let between = i64::try_from(between).unwrap_or(i64::MAX);
    day_of(between.saturating_add(i64::from(day.0) + 1))
}

fn day_of(number: i64) -> Result<Day> {
    let day = i32::try_from(number).ok().filter(|day| DAYS.contains(day));
    day.map(Day).ok_or_else(|| corrupt("a day is out of range"))
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn encoded(values: &[(Day, f64)]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_side_series(values, &mut out).unwrap();
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<(Day, f64)>> {
        let mut values = Vec::new();
        SideSeries::parse(bytes)?.visit(|day, value| values.push((day, value)))?;
        Ok(values)
    }

    proptest! {
        #[test]
        fn values_of_any_days_are_read_back(
            values in prop::collection::btree_map(
                prop_oneof![17_000..17_100_i32, DAYS], any::<f64>(), 1..200,
            ),
        ) {
            let finite: BTreeMap<i32, f64> =
                values.into_iter().filter(|(_, value)| is_canonical(*value)).collect();
            let values: Vec<(Day, f64)> =
                finite.into_iter().map(|(day, value)| (Day(day), value)).collect();
            prop_assume!(!values.is_empty());
            let bytes = encoded(&values);
            prop_assert_eq!(read(&bytes).unwrap(), &values[..]);
            let series = SideSeries::parse(&bytes).unwrap();
            let days = series.days().unwrap();
            prop_assert_eq!(series.len_values(), values.len());
            prop_assert_eq!(Some(days.first), values.first().map(|first| first.0));
            prop_assert_eq!(Some(days.last), values.last().map(|last| last.0));
        }

        #[test]
        fn any_bytes_are_an_error_or_what_was_written(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            if let Ok(values) = read(&bytes) {
                prop_assert_eq!(read(&encoded(&values)).unwrap(), values);
            }
        }
    }

    #[test]
    fn a_series_cut_anywhere_is_an_error() {
        let bytes = encoded(&[(Day(17_000), 1.5), (Day(17_300), -2.0), (Day(17_301), 0.0)]);
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "{len}");
        }
        assert_eq!(bytes.len(), 1 + 3 + 2 + 1 + 3 * 8);
    }

    #[test]
    fn what_no_writer_writes_is_refused() {
        let one = |value: f64| {
            let mut bytes = vec![1, 0];
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
            bytes
        };
        assert_eq!(read(&one(2.5)).unwrap(), [(Day(0), 2.5)]);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
            assert!(matches!(read(&one(value)), Err(Error::Corrupt { .. })));
        }
        let mut far = vec![2, 0];
        put_varint(&mut far, u64::MAX);
        far.extend_from_slice(&[0; 16]);
        let mut late = vec![1];
        put_signed(&mut late, 2_932_897);
        late.extend_from_slice(&[0; 8]);
        let left_over = [&[1, 0, 0][..], &[0; 8]].concat();
        let hostile = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0];
        for bytes in [&far[..], &late, &left_over, &hostile, &[0, 0]] {
            assert!(matches!(read(bytes), Err(Error::Corrupt { .. })));
        }
    }

    #[test]
    fn what_cannot_be_read_back_is_not_written() {
        for values in [
            &[][..],
            &[(Day(5), 1.0), (Day(5), 1.0)],
            &[(Day(5), 1.0), (Day(4), 1.0)],
            &[(Day(5), f64::NAN)],
            &[(Day(5), -0.0)],
            &[(Day(i32::MIN), 1.0), (Day(i32::MAX), 1.0)],
        ] {
            let written = encode_side_series(values, &mut Vec::new());
            assert!(matches!(written, Err(Error::Invalid { .. })), "{values:?}");
        }
    }
}
