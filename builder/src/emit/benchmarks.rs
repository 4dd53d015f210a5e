//! The shards of benchmarks: stores beside the others of their region and category.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
};

use nightshard_format::{
    calendar::{Month, Period},
    key,
    record::{
        BENCHMARKS, Benchmark, Summary, benchmark_periods, encode_benchmarks, region_category_key,
    },
    shard::Span,
    statistics::Statistics,
};

use super::{
    catalog::StoreFacts,
    shard_set::{ShardSet, Staged, Staging},
    written::Written,
};
use crate::{
    Error, Result,
    kernel::benchmark::{Peer, compare},
};

/// The stores of a region and category, as numbers of a list.
pub struct Cell {
    key: Vec<u8>,
    stores: Vec<usize>,
}

/// Returns the regions and categories that stores have together.
#[must_use]
pub fn cells(stores: &[StoreFacts]) -> Vec<Cell> {
    let mut cells = BTreeMap::<Vec<u8>, Vec<usize>>::new();
    for (number, store) in stores.iter().enumerate() {
        if let Some((region, category)) = store.region.as_ref().zip(store.category.as_ref()) {
            let key = region_category_key(region, category);
            cells.entry(key).or_default().push(number);
        }
    }
    let cells = cells.into_iter();
    cells.map(|(key, stores)| Cell { key, stores }).collect()
}

/// What benchmarks are made from.
pub struct Benchmarked<'a> {
    /// All stores, in the order of keys.
    pub stores: &'a [StoreFacts],
    /// Their records.
    pub of_stores: &'a Written,
    /// Those of the categories of regions.
    pub of_cells: &'a Written,
    /// How many cards hide each other.
    pub k: NonZeroU32,
}

/// The record of a store, which is named by its number.
type StoreRecord = (usize, Vec<u8>);

impl Benchmarked<'_> {
    /// Encodes the records of the stores of a cell: of the periods that end with a month.
    ///
    /// # Errors
    /// [`Error::Format`] if a shard that was just written cannot be read, [`Error::Internal`] if it lacks a
    /// summary.
    pub fn encode(&self, cell: &Cell, month: Month) -> Result<Vec<StoreRecord>> {
        let summaries = cell.stores.iter().map(|number| {
            let summary = summary(self.of_stores, &self.stores[*number].id)?;
            Ok((*number, summary))
        });
        let summaries: Vec<(usize, Summary)> = summaries.collect::<Result<_>>()?;
        let whole = summary(self.of_cells, &cell.key)?;
        let merchants = merchants(&summaries);
        let mut found = BTreeMap::<usize, Vec<(Period, Option<Benchmark>)>>::new();
        for (_, period) in benchmark_periods(month) {
            let peers = summaries.iter().zip(&merchants);
            let peers = peers.filter_map(|((number, summary), merchant)| {
                Some((*number, peer(summary, period, *merchant)?))
            });
            let (numbers, peers): (Vec<usize>, Vec<Peer>) = peers.unzip();
            let compared = compare(&peers, cards(&whole, period), self.k);
            for (number, benchmark) in numbers.into_iter().zip(compared) {
                found.entry(number).or_default().push((period, benchmark));
            }
        }
        let encode = |(number, periods): (usize, Vec<_>)| {
            let mut value = Vec::new();
            encode_benchmarks(month, &periods, &mut value)?;
            Ok((number, value))
        };
        found.into_iter().map(encode).collect()
    }
}

fn summary(written: &Written, key: &[u8]) -> Result<Summary> {
    let missing = || {
        let key = String::from_utf8_lossy(key);
        Error::Internal(format!("{key:?} has no summary"))
    };
    written.summary(key)?.ok_or_else(missing)
}

/// Numbers the merchants of stores; a store that names none has a number of its own.
fn merchants(stores: &[(usize, Summary)]) -> Vec<usize> {
    let mut known = HashMap::<&str, usize>::new();
    let mut len = 0;
    let mut next = || {
        len += 1;
        len - 1
    };
    let numbers = stores.iter().map(|(_, summary)| {
        let merchant = summary.profile.merchant_id.as_deref();
        match merchant {
            Some(id) => *known.entry(id).or_insert_with(&mut next),
            None => next(),
        }
    });
    numbers.collect()
}

/// Returns what a store sold in a period, or `None` if it has no sale in it.
fn peer(summary: &Summary, period: Period, merchant: usize) -> Option<Peer> {
    let mut totals = Statistics::default();
    let days = period.days()?;
    for month in &summary.months {
        if days.contains(month.month.first_day()) {
            totals.merge(&month.statistics);
        }
    }
    (totals.sale_count() > 0).then(|| Peer {
        merchant,
        net_sales: totals.sum,
        sales_count: totals.sale_count(),
        sales_sum: totals.sale_sum(),
        cards: cards(summary, period),
    })
}

/// Returns the distinct cards of a month, quarter or year.
fn cards(summary: &Summary, period: Period) -> u64 {
    let found = match period {
        Period::Month(month) => {
            let mut months = summary.months.iter();
            months.find(|it| it.month == month).map(|it| it.cards)
        }
        Period::Quarter(first) => {
            let mut quarters = summary.quarters.iter();
            quarters.find(|(it, _)| *it == first).map(|it| it.1)
        }
        Period::Year(year) => {
            let mut years = summary.years.iter();
            years.find(|(it, _)| *it == year).map(|it| it.1)
        }
        _ => None,
    };
    found.unwrap_or(0)
}

/// Writes the records of a month, in the order of the stores.
///
/// # Errors
/// [`Error::File`] if the staging folder takes no more.
pub fn write_benchmarks(
    staging: &Staging,
    month: Month,
    stores: &[StoreFacts],
    records: &[StoreRecord],
) -> Result<Vec<Staged>> {
    let run_of = |record: &StoreRecord| {
        let id = &stores[record.0].id;
        staging.run_of(key::partition_of(key::hash(id)))
    };
    let mut staged = Vec::new();
    for of_run in records.chunk_by(|a, b| run_of(a) == run_of(b)) {
        let mut set = ShardSet::new(staging, BENCHMARKS, run_of(&of_run[0]));
        for (number, value) in of_run {
            set.append(Span::Month(month), &stores[*number].id, value)?;
        }
        staged.extend(set.finish()?);
    }
    Ok(staged)
}
