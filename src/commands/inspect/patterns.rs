//! When a place was visited whose answers are protected.

use std::fmt::Write;

use nightshard_format::record::{PatternCell, PlacePattern};
use serde::Serialize;

use crate::output::{Column, Table};

/// The rows of a place by hour and by weekday.
#[derive(Debug, Serialize)]
pub(super) struct PatternFacts {
    hours: Vec<SlotFacts>,
    weekdays: Vec<SlotFacts>,
}

/// The rows of an hour of the clock, or of an ISO weekday.
#[derive(Debug, Serialize)]
struct SlotFacts {
    number: usize,
    count: u64,
    largest: u64,
    second: u64,
    merchants: u64,
}

/// Returns the slots that have rows, numbered from `first` on.
fn slots(cells: &[PatternCell], first: usize) -> Vec<SlotFacts> {
    let with_rows = (first..).zip(cells).filter(|(_, cell)| cell.count > 0);
    let facts = |(number, cell): (usize, &PatternCell)| SlotFacts {
        number,
        count: cell.count,
        largest: cell.largest,
        second: cell.second,
        merchants: cell.merchants,
    };
    with_rows.map(facts).collect()
}

impl PatternFacts {
    /// Decodes the record of a place.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let pattern = PlacePattern::parse(value)?;
        Ok(Self {
            hours: slots(&pattern.hours, 0),
            weekdays: slots(&pattern.weekdays, 1),
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        for (name, slots) in [("hour", &self.hours), ("weekday", &self.weekdays)] {
            let mut table = Table::new(&[
                Column::Number(name),
                Column::Number("count"),
                Column::Number("largest"),
                Column::Number("second"),
                Column::Number("merchants"),
            ]);
            for slot in slots {
                table.row([
                    slot.number.to_string(),
                    slot.count.to_string(),
                    slot.largest.to_string(),
                    slot.second.to_string(),
                    slot.merchants.to_string(),
                ]);
            }
            let _infallible = write!(text, "{}", table.to_text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_shown_by_hour_and_by_weekday() {
        let mut pattern = PlacePattern::default();
        pattern.hours[9] = PatternCell::of([5, 2, 4]);
        pattern.weekdays[6] = PatternCell::of([11]);
        let mut value = Vec::new();
        pattern.encode(&mut value).unwrap();
        let facts = PatternFacts::of(&value).unwrap();
        let mut text = String::new();
        facts.write(&mut text);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert!(rows.contains(&vec!["9", "11", "5", "4", "3"]), "{text}");
        assert!(rows.contains(&vec!["7", "11", "11", "0", "1"]), "{text}");
        let shown = serde_json::to_value(&facts).unwrap();
        assert_eq!(shown["hours"][0]["number"], 9);
        assert_eq!(shown["weekdays"][0]["merchants"], 1);
    }
}
