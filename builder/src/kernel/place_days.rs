//! The days of a place, added up from the months of its stores.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{DayPart, MonthRecord},
};

use super::{
    added_mixes::AddedMixes,
    card_days::DistanceCounts,
    counted_rows::CountedRows,
    market::Hours,
    store_days::{DaysEncoder, EncodedRecords},
};
use crate::Result;

#[derive(Debug, Default)]
struct PlaceDay {
    rows: CountedRows,
    hours: Hours,
}

/// The days of one place.
#[derive(Debug, Default)]
pub struct PlaceDays {
    days: BTreeMap<i32, PlaceDay>,
    /// How its months were paid, where that is asked.
    mixes: Option<BTreeMap<Month, AddedMixes>>,
}

impl PlaceDays {
    /// Begins a place of which it is told how its rows were paid.
    #[must_use]
    pub fn with_mixes() -> Self {
        Self {
            mixes: Some(BTreeMap::new()),
            ..Self::default()
        }
    }

    /// Adds the days of a store's month.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if the record is damaged.
    pub fn add(&mut self, month: &MonthRecord<'_>) -> Result<()> {
        month.visit_rows(|day, part| {
            let rows = &mut self.days.entry(day.0).or_default().rows;
            match part {
                DayPart::Amount(amount) => rows.add(amount),
                DayPart::Totals(totals) => rows.add_totals(&totals),
                DayPart::Cell(cell, count) => rows.add_cell(cell, count),
            }
        })?;
        month.visit_hours(month.days(), |day, hour| {
            self.days.entry(day.0).or_default().hours.add(&hour);
        })?;
        if let Some(mixes) = &mut self.mixes {
            let of_month = mixes.entry(month.days().first.month()).or_default();
            of_month.add(month)?;
        }
        Ok(())
    }

    /// Encodes the days, beside the distances of their cards.
    pub fn encode(
        self,
        distances: &DistanceCounts,
        encoder: &mut DaysEncoder,
        out: &mut EncodedRecords,
    ) {
        let mixes = self.mixes.unwrap_or_default().into_iter();
        let mixes = mixes.map(|(month, mixes)| (month, mixes.encode()));
        encoder.mixes(mixes.filter(|(_, mixes)| !mixes.is_empty()).collect());
        let mut cards = distances.days();
        for (day, mut of_day) in self.days {
            of_day.rows.sort();
            let hours: Vec<_> = of_day.hours.iter().collect();
            let rows = of_day.rows.as_rows();
            encoder.day(day, rows, &hours, cards.take(day), None, out);
        }
    }
}
