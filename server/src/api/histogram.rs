//! `GET /v1/stores/{id}/histogram`: how many rows have amounts of which size.

use nightshard_format::histogram::{BINS_DEFAULT, BINS_MAX, BINS_MIN, Selection, reduce};

use super::{Lookup, asked_period::AskedPeriod, parameters::Parameters, places::write_id};
use crate::{problem::Result, series::Series};

/// The words of `of`.
const SELECTIONS: [(&str, Selection); 3] = [
    ("sales", Selection::Sales),
    ("refunds", Selection::Refunds),
    ("all", Selection::All),
];

/// What a request for a histogram asks.
#[derive(Debug)]
pub(super) struct Query {
    asked: AskedPeriod,
    bins: usize,
    selection: Selection,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let days = lookup.served.transactions()?.days;
        let asked = AskedPeriod::take(parameters, days)?;
        let bins = parameters.take_integer("bins", BINS_MIN..=BINS_MAX)?;
        let selection = parameters.take_word("of", &SELECTIONS)?;
        Ok(Self {
            asked,
            bins: bins.unwrap_or(BINS_DEFAULT),
            selection: selection.unwrap_or_default(),
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let fine = series.bins(&self.asked.window, lookup.work)?;
        let cells = fine
            .occupied(self.selection)
            .map_or(0, |(_, counts)| counts.len() as u64);
        lookup.work.spend(reduction_estimate_ns(cells, self.bins))?;
        let rows = reduce(&fine, self.selection, self.bins, transactions.method);
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        self.asked.write(json);
        let name = SELECTIONS.iter().find(|(_, of)| *of == self.selection);
        json.key("of").optional_string(name.map(|(name, _)| *name));
        json.members(&transactions.currency);
        json.key("rows").begin_array();
        for bin in rows {
            json.begin_object();
            json.key("low").integer(bin.low);
            json.key("high").integer(bin.high);
            json.key("count").integer(bin.count);
            json.end_object();
        }
        json.end_array();
        json.end_object();
        Ok(())
    }
}

/// Estimates the reduction of fine cells to bins.
///
/// # Source
/// `benches/v_optimal.rs`: 13 us for 64 cells to 8, 142 us for 256 to 16, 5 ms for 1,300 to 64.
fn reduction_estimate_ns(cells: u64, bins: usize) -> u64 {
    cells * cells * (bins.isqrt() as u64 + 1)
}
