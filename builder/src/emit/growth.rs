//! How much the stores grew, from the months that were just written.

use nightshard_format::{
    calendar::{DayRange, Month},
    record::{Growth, RankBy, WeekdaySums},
};

use super::written::Written;
use crate::Result;

/// How much a store grew in the last month that has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreGrowth {
    /// Against the month before.
    pub month: Growth,
    /// Against the month a year before.
    pub year: Growth,
}

impl StoreGrowth {
    /// Reads how much the store with a key grew, in data whose rows have the days `data`.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if a shard that was just written cannot be read.
    pub fn read(months: &Written, key: &[u8], data: DayRange) -> Result<Self> {
        let ended = Month::last_ended(data.last);
        let now = sums(months, key, ended, data)?;
        let growth = |by: RankBy| -> Result<Growth> {
            let before = by.month_before(ended);
            let before = before.map(|month| sums(months, key, month, data));
            let before = before.transpose()?.unwrap_or_default();
            Ok(Growth::of(&now, &before))
        };
        Ok(Self {
            month: growth(RankBy::Growth)?,
            year: growth(RankBy::YearGrowth)?,
        })
    }
}

/// Adds up a month by weekday; only days that the data has count.
fn sums(months: &Written, key: &[u8], month: Month, data: DayRange) -> Result<WeekdaySums> {
    let mut sums = WeekdaySums::over(month.days().intersection(data));
    if let Some(record) = months.month(month, key)? {
        record.visit_days(month.days(), |day, totals| sums.add(day, totals.sum))?;
    }
    Ok(sums)
}
