//! What records of who pays say.

use std::fmt::Write;

use nightshard_format::record::{
    DemographicCell, DemographicsRecord, Label, Labels, PlaceCell, PlaceDemographics,
};
use serde::Serialize;

use crate::output::{Column, Table};

/// The rows of the cards of some attributes, money in minor units.
#[derive(Debug, Serialize)]
pub(super) struct CellFacts {
    #[serde(flatten)]
    who: WhoFacts,
    count: u64,
    sum: i128,
    cards: u64,
}

/// A month of the stores of a place or the market.
#[derive(Debug, Serialize)]
pub(super) struct PlaceFacts {
    count: u64,
    cells: Vec<PlaceCellFacts>,
}

#[derive(Debug, Serialize)]
struct PlaceCellFacts {
    #[serde(flatten)]
    who: WhoFacts,
    count: u64,
}

/// Who paid; null where that is not known.
#[derive(Debug, Serialize)]
struct WhoFacts {
    age_band: Option<String>,
    gender: Option<String>,
    segment: Option<String>,
    /// How many of these, from the last on, are merged.
    merged: usize,
}

impl WhoFacts {
    fn of(labels: &Labels<&[u8]>) -> Self {
        let [age_band, gender, segment] = labels.map(|label| match label {
            Label::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            Label::Unknown | Label::Merged => None,
        });
        let merged = labels.iter().filter(|label| **label == Label::Merged);
        Self {
            age_band,
            gender,
            segment,
            merged: merged.count(),
        }
    }

    /// Returns what to show of each attribute.
    fn texts(&self) -> [String; 3] {
        let mut told = [&self.age_band, &self.gender, &self.segment].map(|value| match value {
            Some(text) => text.escape_debug().to_string(),
            None => "(unknown)".into(),
        });
        let kept = told.len() - self.merged;
        told[kept..].fill("(merged)".into());
        told
    }
}

/// Decodes the record of a store.
pub(super) fn cells(value: &[u8]) -> nightshard_format::Result<Vec<CellFacts>> {
    let record = DemographicsRecord::parse(value)?;
    let cell = |cell: &DemographicCell<'_>| CellFacts {
        who: WhoFacts::of(&cell.labels),
        count: cell.count,
        sum: cell.sum,
        cards: cell.cards,
    };
    Ok(record.cells.iter().map(cell).collect())
}

/// Shows the cells of a store to people.
pub(super) fn cells_text(cells: &[CellFacts]) -> String {
    let mut table = Table::new(&[
        Column::Text("age band"),
        Column::Text("gender"),
        Column::Text("segment"),
        Column::Number("count"),
        Column::Number("sum"),
        Column::Number("cards"),
    ]);
    for cell in cells {
        let [age_band, gender, segment] = cell.who.texts();
        let figures = [
            cell.count.to_string(),
            cell.sum.to_string(),
            cell.cards.to_string(),
        ];
        let [count, sum, cards] = figures;
        table.row([age_band, gender, segment, count, sum, cards]);
    }
    format!("\n{}", table.to_text())
}

impl PlaceFacts {
    /// Decodes the record of a month.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let place = PlaceDemographics::parse(value)?;
        let cell = |cell: &PlaceCell<'_>| PlaceCellFacts {
            who: WhoFacts::of(&cell.labels),
            count: cell.count,
        };
        Ok(Self {
            count: place.count,
            cells: place.cells.iter().map(cell).collect(),
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let _infallible = writeln!(text, "\n{} rows of all stores", self.count);
        let mut table = Table::new(&[
            Column::Text("age band"),
            Column::Text("gender"),
            Column::Text("segment"),
            Column::Number("count"),
        ]);
        for cell in &self.cells {
            let [age_band, gender, segment] = cell.who.texts();
            table.row([age_band, gender, segment, cell.count.to_string()]);
        }
        *text += &format!("\n{}", table.to_text());
    }
}
