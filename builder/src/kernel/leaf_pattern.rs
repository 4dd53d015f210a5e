//! The rows of a leaf, or of leaves that are put together, by hour and weekday, and whose they are.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Day,
    record::{HOURS, HalfHour, PatternCell, PlacePattern, WEEKDAYS},
};

/// The rows of some stores on some days.
#[derive(Debug, Default)]
pub struct LeafPattern(BTreeMap<u32, MerchantRows>);

/// The rows of one merchant.
#[derive(Debug, Default)]
struct MerchantRows {
    hours: [u64; HOURS],
    weekdays: [u64; WEEKDAYS],
}

impl LeafPattern {
    /// Adds rows of a merchant in half an hour of a business day.
    pub fn add(&mut self, merchant: u32, day: Day, hour: &HalfHour) {
        let rows = self.0.entry(merchant).or_default();
        let (hour_slot, weekday) = PlacePattern::slots(day, hour.half_hour);
        rows.hours[hour_slot] += hour.count;
        rows.weekdays[weekday] += hour.count;
    }

    /// Returns the pattern, without rows if there are none.
    #[must_use]
    pub fn finish(&self) -> PlacePattern {
        let merchants = || self.0.values();
        PlacePattern {
            hours: std::array::from_fn(|slot| {
                PatternCell::of(merchants().map(|rows| rows.hours[slot]))
            }),
            weekdays: std::array::from_fn(|slot| {
                PatternCell::of(merchants().map(|rows| rows.weekdays[slot]))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_merchant_count_together() {
        let mut leaf = LeafPattern::default();
        let monday: Day = "2018-03-05".parse().unwrap();
        let hour = |half_hour, count| HalfHour {
            half_hour,
            count,
            sum: 0,
        };
        leaf.add(7, monday, &hour(18, 2));
        leaf.add(7, Day(monday.0 + 1), &hour(19, 3));
        leaf.add(8, monday, &hour(18, 4));
        leaf.add(9, monday, &hour(20, 1));
        let pattern = leaf.finish();
        assert_eq!(pattern.hours[9], PatternCell::of([5, 4]));
        assert_eq!(pattern.hours[10], PatternCell::of([1]));
        assert_eq!(pattern.weekdays[0], PatternCell::of([2, 4, 1]));
        assert_eq!(pattern.weekdays[1], PatternCell::of([3]));
        assert!(!pattern.is_empty() && LeafPattern::default().finish().is_empty());
    }
}
