//! Rows by half hour of the clock (docs/format.md, "Month record").

use super::day_lists::{DayLists, DayListsBuilder};
use crate::{
    Error, Result,
    bytes::{Bytes, put_signed_i128, put_varint},
};

/// Half hours of a day.
pub const HALF_HOURS: u8 = 48;

/// The rows of half an hour of a business day.
///
/// # Units
/// `half_hour` from 0, which begins at midnight of the clock, to 47; `sum` in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfHour {
    /// Which half hour.
    pub half_hour: u8,
    /// Rows, at least 1.
    pub count: u64,
    /// Net sum of their amounts.
    pub sum: i128,
}

/// Appends the list of a day to those of its month, unless there is nothing.
pub(super) fn encode_day(days: &mut DayListsBuilder, offset: u32, hours: &[HalfHour]) {
    if hours.is_empty() {
        return;
    }
    let out = days.begin_day(offset);
    put_varint(out, hours.len() as u64);
    let mut next = 0;
    for hour in hours {
        let step = u64::from(hour.half_hour - next) << 1;
        // Most half hours of most stores have one row.
        if hour.count == 1 {
            put_varint(out, step);
        } else {
            put_varint(out, step | 1);
            put_varint(out, hour.count - 2);
        }
        put_signed_i128(out, hour.sum);
        next = hour.half_hour + 1;
    }
}

/// Reads the list of a day, passing each half hour to `visit`.
pub(super) fn read_day(
    days: &mut DayLists<'_>,
    offset: u32,
    mut visit: impl FnMut(HalfHour),
) -> Result<()> {
    days.read(offset, |bytes, is_wanted| {
        decode(bytes, |hour| {
            if is_wanted {
                visit(hour);
            }
        })
    })
}

/// Reads a list, passing each half hour to `visit`.
pub(super) fn decode(bytes: &mut Bytes<'_>, mut visit: impl FnMut(HalfHour)) -> Result<()> {
    let mut next = 0_u64;
    for _ in 0..bytes.varint()? {
        let step = bytes.varint()?;
        let count = if step & 1 == 0 {
            1
        } else {
            bytes.varint()?.saturating_add(2)
        };
        let half_hour = u8::try_from(next.saturating_add(step >> 1)).ok();
        let half_hour = half_hour.filter(|it| *it < HALF_HOURS);
        let half_hour = half_hour
            .ok_or_else(|| Error::corrupt("month record", "a day has no such half hour"))?;
        visit(HalfHour {
            half_hour,
            count,
            sum: bytes.signed_i128()?,
        });
        next = u64::from(half_hour) + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_hours_round_trip() {
        let hours = [(0, 1, -5), (1, 2, 700), (20, 300, 1 << 70), (47, 1, 0)];
        let hours = hours.map(|(half_hour, count, sum)| HalfHour {
            half_hour,
            count,
            sum,
        });
        let mut days = DayListsBuilder::default();
        encode_day(&mut days, 3, &hours);
        encode_day(&mut days, 4, &[]);
        encode_day(&mut days, 9, &hours[1..2]);
        let mut out = Vec::new();
        days.encode(&mut out);
        let mut bytes = Bytes::new(&out, "test");
        let mut lists = DayLists::parse(bytes.take_prefixed().unwrap(), u32::MAX).unwrap();
        let mut read = Vec::new();
        for offset in [3, 4, 9] {
            read_day(&mut lists, offset, |hour| read.push((offset, hour))).unwrap();
        }
        assert!(lists.is_empty() && bytes.is_empty());
        let expected = hours.iter().map(|hour| (3, *hour)).chain([(9, hours[1])]);
        assert!(expected.eq(read));
    }
}
