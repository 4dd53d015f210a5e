//! The rows of a store's day to its half hours.

use nightshard_format::record::HalfHour;

use super::row::UNKNOWN_HALF_HOUR;

/// Counts the rows of days by half hour; its memory serves one day after the other.
#[derive(Debug, Default)]
pub(super) struct DayHours {
    rows: Vec<(u8, i64)>,
    hours: Vec<HalfHour>,
}

impl DayHours {
    /// Returns the half hours of rows, of which those without a known time are left out.
    ///
    /// # Shape
    /// `amounts` and `hours` are of the same rows.
    pub(super) fn count(&mut self, amounts: &[i64], hours: &[u8]) -> &[HalfHour] {
        self.rows.clear();
        let rows = hours.iter().copied().zip(amounts.iter().copied());
        self.rows
            .extend(rows.filter(|(hour, _)| *hour != UNKNOWN_HALF_HOUR));
        self.rows.sort_unstable_by_key(|(hour, _)| *hour);
        self.hours.clear();
        for of_hour in self.rows.chunk_by(|a, b| a.0 == b.0) {
            self.hours.push(HalfHour {
                half_hour: of_hour[0].0,
                count: of_hour.len() as u64,
                sum: of_hour.iter().map(|(_, amount)| i128::from(*amount)).sum(),
            });
        }
        &self.hours
    }
}

/// Adds half hours of the same day to others.
pub(super) fn merge(into: &mut Vec<HalfHour>, other: &[HalfHour]) {
    into.extend_from_slice(other);
    into.sort_unstable_by_key(|hour| hour.half_hour);
    into.dedup_by(|next, kept| {
        let same = next.half_hour == kept.half_hour;
        if same {
            kept.count += next.count;
            kept.sum += next.sum;
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_half_hour_and_merged() {
        let mut hours = DayHours::default();
        let hour = |half_hour, count, sum| HalfHour {
            half_hour,
            count,
            sum,
        };
        let unknown = UNKNOWN_HALF_HOUR;
        let counted = hours.count(&[5, -3, 9, 1], &[40, 2, unknown, 40]).to_vec();
        assert_eq!(counted, [hour(2, 1, -3), hour(40, 2, 6)]);
        assert_eq!(hours.count(&[7], &[unknown]), []);
        let mut merged = counted;
        merge(&mut merged, &[hour(0, 1, 1), hour(40, 1, -6)]);
        assert_eq!(merged, [hour(0, 1, 1), hour(2, 1, -3), hour(40, 3, 0)]);
    }
}
