//! The days of a place, added up from the months of its stores.

use std::collections::BTreeMap;

use nightshard_format::record::{DayPart, MonthRecord};

use super::{
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
pub struct PlaceDays(BTreeMap<i32, PlaceDay>);

impl PlaceDays {
    /// Adds the days of a store's month.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if the record is damaged.
    pub fn add(&mut self, month: &MonthRecord<'_>) -> Result<()> {
        month.visit_rows(|day, part| {
            let rows = &mut self.0.entry(day.0).or_default().rows;
            match part {
                DayPart::Amount(amount) => rows.add(amount),
                DayPart::Totals(totals) => rows.add_totals(&totals),
                DayPart::Cell(cell, count) => rows.add_cell(cell, count),
            }
        })?;
        month.visit_hours(month.days(), |day, hour| {
            self.0.entry(day.0).or_default().hours.add(&hour);
        })?;
        Ok(())
    }

    /// Encodes the days, beside the distances of their cards.
    pub fn encode(
        self,
        distances: &DistanceCounts,
        encoder: &mut DaysEncoder,
        out: &mut EncodedRecords,
    ) {
        let mut cards = distances.days();
        for (day, mut of_day) in self.0 {
            of_day.rows.sort();
            let hours: Vec<_> = of_day.hours.iter().collect();
            let rows = of_day.rows.as_rows();
            encoder.day(day, rows, &hours, cards.take(day), None, out);
        }
    }
}
