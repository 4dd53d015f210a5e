//! What one customer paid in all stores together (docs/format.md, "Customer").

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_signed_i128, put_varint},
    calendar::{DAYS, Day, DayRange},
    histogram::AMOUNT_MINOR_MAX,
    statistics::nearest_quotient,
};

const STRUCTURE: &str = "customer";

/// Set where the customer's rows say whether they were foreign.
const HAS_FOREIGN: u8 = 1;
/// Set where rows are flagged.
const HAS_FLAGGED: u8 = 2;

/// Length of a pseudonym.
pub const PSEUDONYM_LEN: usize = 16;

/// What one customer paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerFigures {
    /// Rows, at least 1.
    pub count: u64,
    /// Their net sum.
    pub sum: i128,
    /// The smallest amount.
    pub min: i64,
    /// The largest amount.
    pub max: i64,
    /// The first and the last business day with a row.
    pub days: DayRange,
    /// Foreign rows; `None` where no row says whether it is foreign.
    pub foreign: Option<u64>,
    /// Flagged rows; `None` where nothing is flagged.
    pub flagged: Option<u64>,
}

/// What one customer paid, and what else is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRecord<'a> {
    /// What it paid.
    pub figures: CustomerFigures,
    /// Names and values, ascending by name, each name once and none of them empty.
    pub attributes: Vec<(&'a str, &'a str)>,
}

/// Returns the key of a pseudonym: its bytes in lower-case hexadecimal.
#[must_use]
pub fn customer_key(pseudonym: [u8; PSEUDONYM_LEN]) -> [u8; 2 * PSEUDONYM_LEN] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut key = [0; 2 * PSEUDONYM_LEN];
    for (digits, byte) in key.as_chunks_mut().0.iter_mut().zip(pseudonym) {
        *digits = [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 0xf)],
        ];
    }
    key
}

/// Returns whether a key is one of a pseudonym.
#[must_use]
pub fn is_customer_key(key: &[u8]) -> bool {
    let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    key.len() == 2 * PSEUDONYM_LEN && key.iter().all(is_digit)
}

impl CustomerFigures {
    /// Returns the mean of the amounts, the nearest double.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let mean = nearest_quotient(self.sum.unsigned_abs(), self.count)?;
        Some(if self.sum < 0 { -mean } else { mean })
    }

    /// Returns what cannot be, if something cannot.
    fn problem(&self) -> Option<&'static str> {
        let Self { min, max, days, .. } = *self;
        let amounts = -AMOUNT_MINOR_MAX..=AMOUNT_MINOR_MAX;
        let rows = i128::from(self.count);
        // One of the rows is the smallest and one the largest, which is the same one if there is no other.
        let others = rows - 1;
        let (low, high) = (i128::from(min), i128::from(max));
        let sums = low * others + high..=high * others + low;
        let fits = |part: Option<u64>| part.is_none_or(|part| part <= self.count);
        if rows == 0 {
            Some("it has no row")
        } else if !amounts.contains(&min) || !amounts.contains(&max) || min > max {
            Some("its amounts are out of range")
        } else if !sums.contains(&self.sum) {
            Some("its sum is none of its rows")
        } else if !DAYS.contains(&days.first.0) || !DAYS.contains(&days.last.0) {
            Some("a day is out of range")
        } else if days.first > days.last || (rows == 1 && days.first < days.last) {
            Some("its days are none of its rows")
        } else if !fits(self.foreign) || !fits(self.flagged) {
            Some("a part of its rows is more than all")
        } else {
            None
        }
    }
}

/// Appends a record.
///
/// # Errors
/// [`Error::Invalid`] for figures that no rows have, and for attributes that are empty, out of order, or
/// there twice.
pub fn encode_customer(
    figures: &CustomerFigures,
    attributes: &[(&str, &str)],
    out: &mut Vec<u8>,
) -> Result<()> {
    let problem = figures.problem().or_else(|| problem_of(attributes));
    if let Some(problem) = problem {
        return Err(Error::invalid(STRUCTURE, problem));
    }
    let CustomerFigures { days, .. } = figures;
    put_varint(out, figures.count);
    put_signed_i128(out, figures.sum);
    put_signed(out, figures.min);
    put_varint(out, figures.max.abs_diff(figures.min));
    put_signed(out, days.first.0.into());
    put_varint(out, days.last.0.abs_diff(days.first.0).into());
    let bit = |part: Option<u64>, bit| part.map_or(0, |_| bit);
    out.push(bit(figures.foreign, HAS_FOREIGN) | bit(figures.flagged, HAS_FLAGGED));
    for part in [figures.foreign, figures.flagged].into_iter().flatten() {
        put_varint(out, part);
    }
    put_varint(out, attributes.len() as u64);
    for text in attributes.iter().flat_map(|(name, value)| [name, value]) {
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

fn problem_of(attributes: &[(&str, &str)]) -> Option<&'static str> {
    let mut all = attributes.iter();
    if all.any(|(name, value)| name.is_empty() || value.is_empty()) {
        Some("an attribute is empty")
    } else if !attributes.is_sorted_by(|a, b| a.0 < b.0) {
        Some("its attributes are out of order or repeated")
    } else {
        None
    }
}

impl<'a> CustomerRecord<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let figures = read_figures(&mut bytes)?;
        let mut attributes = Vec::new();
        for _ in 0..bytes.length()? {
            attributes.push((text(&mut bytes)?, text(&mut bytes)?));
        }
        if !bytes.is_empty() {
            return Err(corrupt("bytes are left over"));
        }
        let problem = figures.problem().or_else(|| problem_of(&attributes));
        match problem {
            Some(problem) => Err(corrupt(problem)),
            None => Ok(Self {
                figures,
                attributes,
            }),
        }
    }
}

fn read_figures(bytes: &mut Bytes<'_>) -> Result<CustomerFigures> {
    let count = bytes.varint()?;
    let sum = bytes.signed_i128()?;
    let min = bytes.signed()?;
    let max = min.checked_add_unsigned(bytes.varint()?);
    let first = bytes.signed()?;
    let last = first.checked_add_unsigned(bytes.varint()?);
    let mask = bytes.u8()?;
    if mask & !(HAS_FOREIGN | HAS_FLAGGED) != 0 {
        return Err(corrupt("it has a part that is not known"));
    }
    let mut part = |bit| {
        let has_part = mask & bit != 0;
        has_part.then(|| bytes.varint()).transpose()
    };
    Ok(CustomerFigures {
        count,
        sum,
        min,
        max: max.ok_or_else(|| corrupt("its amounts are out of range"))?,
        days: DayRange {
            first: day_of(Some(first))?,
            last: day_of(last)?,
        },
        foreign: part(HAS_FOREIGN)?,
        flagged: part(HAS_FLAGGED)?,
    })
}

fn day_of(number: Option<i64>) -> Result<Day> {
    let day = number.and_then(|number| i32::try_from(number).ok());
    day.map(Day).ok_or_else(|| corrupt("a day is out of range"))
}

fn text<'a>(bytes: &mut Bytes<'a>) -> Result<&'a str> {
    std::str::from_utf8(bytes.take_prefixed()?).map_err(|_bad| corrupt("a text is not UTF-8"))
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Attributes = BTreeMap<String, String>;

    fn pairs(attributes: &Attributes) -> Vec<(&str, &str)> {
        let pairs = attributes.iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    fn encoded(figures: &CustomerFigures, attributes: &Attributes) -> Vec<u8> {
        let mut out = Vec::new();
        encode_customer(figures, &pairs(attributes), &mut out).unwrap();
        out
    }

    fn figures() -> CustomerFigures {
        CustomerFigures {
            count: 3,
            sum: 350,
            min: -300,
            max: 500,
            days: DayRange {
                first: Day(17_600),
                last: Day(17_900),
            },
            foreign: Some(1),
            flagged: Some(0),
        }
    }

    /// Figures of rows: what they are is counted one by one.
    fn any_figures() -> impl Strategy<Value = CustomerFigures> {
        let amount = prop_oneof![-500_i64..500, -AMOUNT_MINOR_MAX..=AMOUNT_MINOR_MAX];
        let day = prop_oneof![17_600..17_700_i32, DAYS];
        let row = (amount, day, any::<bool>(), any::<bool>());
        let rows = prop::collection::vec(row, 1..20);
        (rows, any::<bool>(), any::<bool>()).prop_map(|(rows, has_foreign, has_flagged)| {
            let days = rows.iter().map(|row| Day(row.1));
            let of = |is: fn(&(i64, i32, bool, bool)) -> bool| {
                rows.iter().filter(|row| is(row)).count() as u64
            };
            CustomerFigures {
                count: rows.len() as u64,
                sum: rows.iter().map(|row| i128::from(row.0)).sum(),
                min: rows.iter().map(|row| row.0).min().unwrap(),
                max: rows.iter().map(|row| row.0).max().unwrap(),
                days: DayRange {
                    first: days.clone().min().unwrap(),
                    last: days.max().unwrap(),
                },
                foreign: has_foreign.then(|| of(|row| row.2)),
                flagged: has_flagged.then(|| of(|row| row.3)),
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            figures in any_figures(),
            attributes in prop::collection::btree_map(".{1,9}", ".{1,9}", 0..5),
        ) {
            let bytes = encoded(&figures, &attributes);
            let record = CustomerRecord::parse(&bytes).unwrap();
            prop_assert_eq!(record, CustomerRecord { figures, attributes: pairs(&attributes) });
        }

        #[test]
        fn any_bytes_are_an_error_or_what_was_written(
            bytes in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..40),
        ) {
            if let Ok(record) = CustomerRecord::parse(&bytes) {
                let mut out = Vec::new();
                encode_customer(&record.figures, &record.attributes, &mut out).unwrap();
                prop_assert_eq!(CustomerRecord::parse(&out).unwrap(), record);
            }
        }
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_record_and_a_cut_one_is_an_error() {
        let attributes = Attributes::from([("city".into(), "Mokpo".into())]);
        let bytes = encoded(&figures(), &attributes);
        let right = CustomerRecord::parse(&bytes).unwrap();
        for at in 0..bytes.len() {
            for change in 1..=u8::MAX {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                let read = CustomerRecord::parse(&changed);
                assert!(
                    read.is_err() || read.is_ok_and(|read| read != right),
                    "{at}"
                );
            }
            assert!(CustomerRecord::parse(&bytes[..at]).is_err(), "{at}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(CustomerRecord::parse(&longer).is_err());
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let attributes = Attributes::from([("b".into(), "c".into())]);
        let expected = [
            &[3][..],
            &[0xbc, 0x05],
            &[0xd7, 0x04],
            &[0xa0, 0x06],
            &[0x80, 0x93, 0x02],
            &[0xac, 0x02],
            &[HAS_FOREIGN | HAS_FLAGGED, 1, 0],
            &[1, 1, b'b', 1, b'c'],
        ];
        assert_eq!(encoded(&figures(), &attributes), expected.concat());
    }

    #[test]
    fn what_no_rows_have_is_neither_written_nor_read() {
        let days = |first, last| DayRange {
            first: Day(first),
            last: Day(last),
        };
        let wrong = [
            CustomerFigures {
                count: 0,
                ..figures()
            },
            CustomerFigures {
                count: 1,
                ..figures()
            },
            CustomerFigures {
                min: 501,
                ..figures()
            },
            CustomerFigures {
                max: AMOUNT_MINOR_MAX + 1,
                ..figures()
            },
            CustomerFigures {
                sum: 701,
                ..figures()
            },
            CustomerFigures {
                sum: -101,
                ..figures()
            },
            CustomerFigures {
                days: days(5, 4),
                ..figures()
            },
            CustomerFigures {
                days: days(0, i32::MAX),
                ..figures()
            },
            CustomerFigures {
                foreign: Some(4),
                ..figures()
            },
            CustomerFigures {
                flagged: Some(4),
                ..figures()
            },
        ];
        for figures in wrong {
            let written = encode_customer(&figures, &[], &mut Vec::new());
            assert!(matches!(written, Err(Error::Invalid { .. })), "{figures:?}");
        }
        let texts: [&[(&str, &str)]; 4] = [
            &[("", "x")],
            &[("a", "")],
            &[("b", "x"), ("a", "x")],
            &[("a", "x"), ("a", "y")],
        ];
        for attributes in texts {
            let written = encode_customer(&figures(), attributes, &mut Vec::new());
            assert!(
                matches!(written, Err(Error::Invalid { .. })),
                "{attributes:?}"
            );
        }
        let one_row = [1, 10, 10, 0, 0, 0, 0, 0];
        assert!(CustomerRecord::parse(&one_row).is_ok());
        for (at, wrong) in [(0, 0), (1, 12), (3, 1), (5, 1), (6, 4), (7, 1)] {
            let mut bytes = one_row;
            bytes[at] = wrong;
            let read = CustomerRecord::parse(&bytes);
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{at}");
        }
        let far = [
            1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0,
        ];
        assert!(matches!(
            CustomerRecord::parse(&far),
            Err(Error::Corrupt { .. })
        ));
    }

    #[test]
    fn keys_are_pseudonyms_in_hexadecimal() {
        let pseudonym = std::array::from_fn(|at| [0x0a, 0xf1][at % 2]);
        let key = customer_key(pseudonym);
        assert_eq!(key, *b"0af10af10af10af10af10af10af10af1");
        assert!(is_customer_key(&key));
        for wrong in [
            &key[1..],
            &key.to_ascii_uppercase(),
            b"",
            &[b'g'; 32],
            &[0; 16],
        ] {
            assert!(!is_customer_key(wrong), "{wrong:?}");
        }
    }
}
