//! What records of what cards do elsewhere say.

use std::fmt::Write;

use nightshard_format::record::{BesideRecord, Label, LabelledCards, OriginsRecord, SpendShare};
use serde::Serialize;

use crate::output::{Column, Table};

/// The cards of one region or category.
#[derive(Debug, Serialize)]
pub(super) struct LabelFacts {
    /// Null where it is not known, or merged.
    id: Option<String>,
    merged: bool,
    cards: u64,
}

/// Where cards buy before and after.
#[derive(Debug, Serialize)]
pub(super) struct BesideFacts {
    regions_before: Vec<LabelFacts>,
    categories_before: Vec<LabelFacts>,
    regions_after: Vec<LabelFacts>,
    categories_after: Vec<LabelFacts>,
}

/// What cards spend, in minor units.
#[derive(Debug, Serialize)]
pub(super) struct SpendFacts {
    at_the_store: i128,
    in_all_of_its_kind: i128,
}

/// Decodes the record of where cards come from.
pub(super) fn origins(value: &[u8]) -> nightshard_format::Result<Vec<LabelFacts>> {
    Ok(facts(&OriginsRecord::parse(value)?.cells))
}

fn facts(cells: &[LabelledCards<'_>]) -> Vec<LabelFacts> {
    let cell = |cell: &LabelledCards<'_>| LabelFacts {
        id: match cell.label {
            Label::Text(id) => Some(String::from_utf8_lossy(id).into_owned()),
            Label::Unknown | Label::Merged => None,
        },
        merged: cell.label == Label::Merged,
        cards: cell.cards,
    };
    cells.iter().map(cell).collect()
}

/// Shows cells to people, of what `name` says.
pub(super) fn labels_text(name: &'static str, cells: &[LabelFacts]) -> String {
    let mut table = Table::new(&[Column::Text(name), Column::Number("cards")]);
    for cell in cells {
        let id = match &cell.id {
            Some(id) => id.escape_debug().to_string(),
            None if cell.merged => "(merged)".into(),
            None => "(unknown)".into(),
        };
        table.row([id, cell.cards.to_string()]);
    }
    format!("\n{}", table.to_text())
}

impl BesideFacts {
    /// Decodes the record of where cards buy before and after.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let record = BesideRecord::parse(value)?;
        let [
            regions_before,
            categories_before,
            regions_after,
            categories_after,
        ] = record.lists.map(|list| facts(&list));
        Ok(Self {
            regions_before,
            categories_before,
            regions_after,
            categories_after,
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        for (when, regions, categories) in [
            ("before", &self.regions_before, &self.categories_before),
            ("after", &self.regions_after, &self.categories_after),
        ] {
            let _infallible = writeln!(text, "\n{when}");
            *text += &labels_text("region", regions);
            *text += &labels_text("category", categories);
        }
    }
}

impl SpendFacts {
    /// Decodes the record of what cards spend.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let SpendShare { own, cell } = SpendShare::parse(value)?;
        Ok(Self {
            at_the_store: own,
            in_all_of_its_kind: cell,
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let (own, cell) = (self.at_the_store, self.in_all_of_its_kind);
        let _infallible = writeln!(
            text,
            "\nits cards spent {own} here, of {cell} in all stores of its kind"
        );
    }
}
