//! The shards of benchmarks: stores beside the others of their region and category.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
};

use nightshard_format::{
    calendar::{Month, Period},
    record::{
        BENCHMARKS, Benchmark, Summary, benchmark_periods, encode_benchmarks, region_category_key,
    },
    shard::Span,
    statistics::Statistics,
};

use super::{
    catalog::StoreFacts,
    run_shards::RunShards,
    shard_set::{Staged, Staging},
    written::Written,
};
use crate::{
    Error, Result,
    kernel::{
        benchmark::{Peer, compare},
        period_cards::PeriodCards,
    },
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

/// The distinct cards of the categories of regions, by key.
pub enum CellCards {
    /// In the records that were written of them.
    Written(Written),
    /// As they were counted, where nothing exact is written.
    Counted(HashMap<Vec<u8>, PeriodCards>),
}

impl CellCards {
    fn of(&self, key: &[u8]) -> Result<OfCell> {
        Ok(match self {
            Self::Written(written) => OfCell::Written(Box::new(summary(written, key)?)),
            Self::Counted(cells) => OfCell::Counted(cells.get(key).cloned().unwrap_or_default()),
        })
    }
}

/// Those of one cell.
enum OfCell {
    Written(Box<Summary>),
    Counted(PeriodCards),
}

impl OfCell {
    fn cards(&self, period: Period) -> u64 {
        match self {
            Self::Written(summary) => cards(summary, period),
            Self::Counted(counted) => counted.get(period),
        }
    }
}

/// What benchmarks are made from.
pub struct Benchmarked<'a> {
    /// All stores, in the order of keys.
    pub stores: &'a [StoreFacts],
    /// Their records.
    pub of_stores: &'a Written,
    /// The distinct cards of the categories of regions.
    pub of_cells: &'a CellCards,
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
        let periods: Vec<Period> = benchmark_periods(month).map(|(_, period)| period).collect();
        let mut merchants = Merchants::default();
        let mut stores = Vec::with_capacity(cell.stores.len());
        for number in &cell.stores {
            let summary = summary(self.of_stores, &self.stores[*number].id)?;
            let merchant = merchants.number(summary.profile.merchant_id.as_deref());
            let sold = periods
                .iter()
                .map(|period| sold(&summary, *period, merchant));
            stores.push((*number, sold.collect::<Vec<_>>()));
        }
        let whole = self.of_cells.of(&cell.key)?;
        let mut found = BTreeMap::<usize, Vec<(Period, Option<Benchmark>)>>::new();
        for (at, period) in periods.into_iter().enumerate() {
            let (mut numbers, mut peers, mut cards_elsewhere) = (Vec::new(), Vec::new(), 0);
            for (number, sold) in &stores {
                match sold[at] {
                    Sold::Something(peer) => {
                        numbers.push(*number);
                        peers.push(peer);
                    }
                    Sold::Nothing { cards } => cards_elsewhere += cards,
                }
            }
            let cards = whole.cards(period).saturating_sub(cards_elsewhere);
            let compared = compare(&peers, cards, self.k);
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

/// The merchants of stores by number; a store that names none has a number of its own.
#[derive(Default)]
struct Merchants {
    known: HashMap<String, usize>,
    len: usize,
}

impl Merchants {
    fn number(&mut self, id: Option<&str>) -> usize {
        if let Some(known) = id.and_then(|id| self.known.get(id)) {
            return *known;
        }
        let number = self.len;
        self.len += 1;
        if let Some(id) = id {
            self.known.insert(id.to_owned(), number);
        }
        number
    }
}

/// What a store sold in a period.
#[derive(Clone, Copy)]
enum Sold {
    /// It has a sale.
    Something(Peer),
    /// It has none, but maybe rows of cards.
    Nothing { cards: u64 },
}

fn sold(summary: &Summary, period: Period, merchant: usize) -> Sold {
    let mut totals = Statistics::default();
    let days = period.days();
    for month in &summary.months {
        if days.is_some_and(|days| days.contains(month.month.first_day())) {
            totals.merge(&month.statistics);
        }
    }
    let cards = cards(summary, period);
    if totals.sale_count() == 0 {
        return Sold::Nothing { cards };
    }
    Sold::Something(Peer {
        merchant,
        net_sales: totals.sum,
        sales_count: totals.sale_count(),
        sales_sum: totals.sale_sum(),
        cards,
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
    let mut shards = RunShards::new(staging, BENCHMARKS);
    for (number, value) in records {
        shards.append(Span::Month(month), &stores[*number].id, value)?;
    }
    shards.finish()
}
