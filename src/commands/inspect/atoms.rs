//! What atoms and their summaries say.

use std::fmt::Write;

use nightshard_format::{
    calendar::Month,
    record::{AtomCards, AtomGroup, AtomMonth, AtomSummary, AtomTotals, Run, StoreProfile},
};
use serde::Serialize;

use super::record::profile_text;
use crate::output::{Column, Table};

/// A summary of atoms.
#[derive(Debug, Serialize)]
pub(super) struct AtomSummaryFacts {
    profile: StoreProfile,
    months: Vec<TotalsFacts>,
}

/// The totals of a month, the sum in minor units.
#[derive(Debug, Serialize)]
struct TotalsFacts {
    month: String,
    count: u64,
    sum: i128,
    cards: u64,
}

impl TotalsFacts {
    fn of(totals: &AtomTotals) -> Self {
        Self {
            month: totals.month.to_string(),
            count: totals.count,
            sum: totals.sum,
            cards: totals.cards,
        }
    }
}

impl AtomSummaryFacts {
    /// Decodes a summary.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let summary = AtomSummary::parse(value)?;
        let months = summary.months.iter();
        Ok(Self {
            months: months.map(TotalsFacts::of).collect(),
            profile: summary.profile,
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        text.push_str(&profile_text(&self.profile));
        let mut table = Table::new(&[
            Column::Text("month"),
            Column::Number("count"),
            Column::Number("sum"),
            Column::Number("cards"),
        ]);
        for totals in &self.months {
            table.row([
                totals.month.clone(),
                totals.count.to_string(),
                totals.sum.to_string(),
                totals.cards.to_string(),
            ]);
        }
        let _infallible = write!(text, "\n{}", table.to_text());
    }
}

/// The atoms of a month.
#[derive(Debug, Serialize)]
pub(super) struct AtomMonthFacts {
    groups: Vec<GroupFacts>,
    cards: Vec<CardsFacts>,
}

/// Atoms of the same days, the sum in minor units.
#[derive(Debug, Serialize)]
struct GroupFacts {
    first_day: String,
    last_day: String,
    atoms: u64,
    /// Of a single atom.
    cards: Option<u64>,
    count: u64,
    sum: i128,
}

/// Cards whose first atom in the month ends on a day.
#[derive(Debug, Serialize)]
struct CardsFacts {
    day: String,
    /// Those that are in no atom of an earlier month.
    first_ever: u64,
    returning: Vec<ReturningFacts>,
}

/// Cards that were in an atom so many months before.
#[derive(Debug, Serialize)]
struct ReturningFacts {
    months: u32,
    cards: u64,
}

impl GroupFacts {
    fn of(group: &AtomGroup) -> Self {
        Self {
            first_day: group.days.first.to_string(),
            last_day: group.days.last.to_string(),
            atoms: group.atoms,
            cards: group.cards,
            count: group.count,
            sum: group.sum,
        }
    }
}

impl CardsFacts {
    fn of(cards: &AtomCards) -> Self {
        let returning = cards.returning.iter();
        let returning = returning.map(|Run { distance, count }| ReturningFacts {
            months: *distance,
            cards: *count,
        });
        Self {
            day: cards.day.to_string(),
            first_ever: cards.first_ever,
            returning: returning.collect(),
        }
    }
}

impl AtomMonthFacts {
    /// Decodes the atoms of a month.
    pub(super) fn of(month: Month, value: &[u8]) -> nightshard_format::Result<Self> {
        let atoms = AtomMonth::parse(month, value)?;
        Ok(Self {
            groups: atoms.groups.iter().map(GroupFacts::of).collect(),
            cards: atoms.cards.iter().map(CardsFacts::of).collect(),
        })
    }

    /// Writes them for people.
    pub(super) fn write(&self, text: &mut String) {
        let mut table = Table::new(&[
            Column::Text("first day"),
            Column::Text("last day"),
            Column::Number("atoms"),
            Column::Number("cards"),
            Column::Number("count"),
            Column::Number("sum"),
        ]);
        for group in &self.groups {
            let cards = group.cards.map(|cards| cards.to_string());
            table.row([
                group.first_day.clone(),
                group.last_day.clone(),
                group.atoms.to_string(),
                cards.unwrap_or_default(),
                group.count.to_string(),
                group.sum.to_string(),
            ]);
        }
        let _infallible = write!(text, "\n{}", table.to_text());
        for cards in &self.cards {
            let _infallible = write!(text, "\n{} cards: {} new", cards.day, cards.first_ever);
            for ReturningFacts { months, cards } in &cards.returning {
                let _infallible = write!(text, ", {cards} after {months} months");
            }
        }
        if !self.cards.is_empty() {
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::calendar::DayRange;

    use super::*;

    #[test]
    fn atoms_are_shown_with_their_days_and_cards() {
        let month = Month::new(2018, 3).unwrap();
        let last = month.days().last;
        let atoms = AtomMonth {
            groups: vec![AtomGroup {
                days: DayRange {
                    first: month.first_day(),
                    last,
                },
                atoms: 1,
                cards: Some(14),
                count: 40,
                sum: -500,
            }],
            cards: vec![AtomCards {
                day: last,
                first_ever: 11,
                returning: vec![Run {
                    distance: 2,
                    count: 3,
                }],
            }],
        };
        let mut value = Vec::new();
        atoms.encode(month, &mut value).unwrap();
        let facts = AtomMonthFacts::of(month, &value).unwrap();
        let mut text = String::new();
        facts.write(&mut text);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let row = lines.iter().find(|line| line.starts_with("2018-03-01"));
        let row: Vec<&str> = row.unwrap().split_whitespace().collect();
        assert_eq!(row, ["2018-03-01", "2018-03-31", "1", "14", "40", "-500"]);
        assert_eq!(
            lines.last(),
            Some(&"2018-03-31 cards: 11 new, 3 after 2 months")
        );
        let json = serde_json::to_value(&facts).unwrap();
        assert_eq!(json["groups"][0]["cards"], 14);
        assert_eq!(json["cards"][0]["returning"][0]["months"], 2);

        let summary = AtomSummary {
            months: vec![atoms.totals(month)],
            ..AtomSummary::default()
        };
        value.clear();
        summary.encode(&mut value).unwrap();
        let facts = AtomSummaryFacts::of(&value).unwrap();
        text.clear();
        facts.write(&mut text);
        let row: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(row, ["2018-03", "40", "-500", "14"]);
    }
}
